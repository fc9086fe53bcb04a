//! Schemas as a protobuf file: messages by which any protobuf library writes and reads the rows
//! that `row_proto` does.
//!
//! Where protobuf has no such type, a comment behind the field has it: `// arqon: timestamp`. An
//! import of the file reads it, so that the schemas survive the way there and back. A type that
//! holds a record in a list or option within another has no such comment; its wire form stands all
//! the same.

use std::collections::BTreeSet;

use arqon_types::{Field, Schema, TimeUnits, Type};

/// A schema with the topics whose rows are of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageOf<'s> {
    /// The message's name.
    pub name: &'s str,
    /// Its fields.
    pub schema: &'s Schema,
    /// A line above the message.
    pub about: &'s str,
}

/// A protobuf file with these messages, in `package`.
pub fn proto_file(package: &str, messages: &[MessageOf<'_>]) -> String {
    let mut text = format!(
        "// Rows as they are on the wire. `arqon:` behind a field is its type in circuits.\n\
         syntax = \"proto3\";\n\npackage {package};\n"
    );
    for MessageOf { name, schema, about } in messages {
        text.push_str("\n// ");
        text.push_str(about);
        for line in message(name, &schema.fields, &schema.units) {
            text.push('\n');
            text.push_str(&line);
        }
        text.push('\n');
    }
    text
}

/// `shop.revenue` as the name of a message: `ShopRevenue`.
pub fn message_name(name: &str) -> String {
    let parts = name.split(|c: char| !c.is_ascii_alphanumeric());
    parts
        .map(|part| {
            let first = part.chars().next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(part.chars().skip(1)).collect::<String>()
        })
        .collect()
}

/// The lines of a message.
fn message(name: &str, fields: &[Field], units: &TimeUnits) -> Vec<String> {
    let mut scope = Scope { taken: BTreeSet::new(), inner: Vec::new() };
    for field in fields {
        scope.taken.insert(field.name.to_string());
        if matches!(field.ty, Type::Map(_)) {
            // The name that protobuf itself makes of a map's field.
            scope.taken.insert(format!("{}Entry", message_name(&field.name)));
        }
    }
    let mut body = Vec::new();
    for (field, tag) in fields.iter().zip(1..) {
        let units = units.field(&field.name);
        let ty = scope.field(&field.ty, units, &message_name(&field.name));
        let note = match (note(&field.ty), units.own()) {
            (Some(ty), Some(unit)) => format!("  // arqon: {{ type: {ty}, unit: {unit} }}"),
            (Some(ty), None) => format!("  // arqon: {ty}"),
            (None, _) => String::new(),
        };
        body.push(format!("{ty} {} = {tag};{note}", field.name));
    }
    let mut lines = vec![format!("message {name} {{")];
    lines.extend(scope.inner.iter().chain(&body).map(|line| format!("  {line}")));
    lines.push("}".to_owned());
    lines
}

/// The names within a message, and what is declared there.
struct Scope {
    taken: BTreeSet<String>,
    inner: Vec<String>,
}

impl Scope {
    /// A field's type with its label; what it needs is declared by a name like `hint`.
    fn field(&mut self, ty: &Type, units: &TimeUnits, hint: &str) -> String {
        match ty {
            Type::Option(inner) if is_repeated(inner) => self.wrapped(hint, inner, units),
            Type::Option(inner) => format!("optional {}", self.single(inner, units, hint)),
            Type::List(inner) if needs_wrapper(inner) => {
                format!("repeated {}", self.wrapped(hint, inner, units))
            }
            Type::List(inner) => format!("repeated {}", self.single(inner, units, hint)),
            Type::Map(inner) if needs_wrapper(inner) => {
                let entry =
                    [Field::new("key", Type::String), Field::new("value", (**inner).clone())];
                let mut entry_units = TimeUnits::default();
                entry_units.insert("value", units.clone());
                format!("repeated {}", self.declare(hint, &entry, &entry_units))
            }
            Type::Map(inner) => format!("map<string, {}>", self.single(inner, units, hint)),
            ty => self.single(ty, units, hint),
        }
    }

    /// A message with the value in field 1.
    fn wrapped(&mut self, hint: &str, inner: &Type, units: &TimeUnits) -> String {
        let mut value = TimeUnits::default();
        value.insert("value", units.clone());
        self.declare(hint, &[Field::new("value", inner.clone())], &value)
    }

    /// A value that is neither option, list nor map.
    fn single(&mut self, ty: &Type, units: &TimeUnits, hint: &str) -> String {
        let word = match ty {
            Type::Bool => "bool",
            Type::Int64 | Type::Timestamp | Type::Duration => "int64",
            Type::Date => "int32",
            Type::Float32 => "float",
            Type::Float64 => "double",
            Type::Decimal(_) | Type::String => "string",
            Type::Bytes | Type::Uuid => "bytes",
            Type::Enum(labels) => return self.enumeration(hint, labels),
            Type::Struct(fields) => return self.declare(hint, fields, units),
            Type::Tensor(_) => {
                let name = self.unique(hint);
                self.inner.push(format!(
                    "message {name} {{ repeated uint32 shape = 1; bytes data = 2; }}"
                ));
                return name;
            }
            Type::Option(_) | Type::List(_) | Type::Map(_) => {
                unreachable!("containers are fields, or stand in a message of their own")
            }
        };
        word.to_owned()
    }

    fn declare(&mut self, hint: &str, fields: &[Field], units: &TimeUnits) -> String {
        let name = self.unique(hint);
        self.inner.extend(message(&name, fields, units));
        name
    }

    /// Labels from 0, with the enum's name before them: in protobuf they share the message's names.
    fn enumeration(&mut self, hint: &str, labels: &[String]) -> String {
        let name = self.unique(hint);
        self.inner.push(format!("enum {name} {{"));
        for (place, label) in labels.iter().enumerate() {
            let plain =
                |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
            let label: String = format!("{name}_{label}").chars().map(plain).collect();
            let label = self.unique(&label);
            self.inner.push(format!("  {label} = {place};"));
        }
        self.inner.push("}".to_owned());
        name
    }

    /// A name like `hint` that nothing else in the message has.
    fn unique(&mut self, hint: &str) -> String {
        let hint = if hint.starts_with(|c: char| c.is_ascii_alphabetic()) {
            hint.to_owned()
        } else {
            format!("T{hint}")
        };
        let mut name = hint.clone();
        let mut n_tries = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{hint}{n_tries}");
            n_tries += 1;
        }
        name
    }
}

fn is_repeated(ty: &Type) -> bool {
    matches!(ty, Type::List(_) | Type::Map(_))
}

/// Whether an item of a list or map stands in a message of its own.
fn needs_wrapper(ty: &Type) -> bool {
    is_repeated(ty) || ty.is_option()
}

/// The type as circuits write it, where protobuf's own does not say as much.
fn note(ty: &Type) -> Option<&Type> {
    let is_told = match ty {
        Type::List(inner) | Type::Map(inner) => !needs_wrapper(inner) && note(inner).is_none(),
        Type::Option(inner) => !is_repeated(inner) && note(inner).is_none(),
        Type::Bool
        | Type::Int64
        | Type::Float32
        | Type::Float64
        | Type::String
        | Type::Bytes
        | Type::Struct(_) => true,
        Type::Timestamp
        | Type::Duration
        | Type::Date
        | Type::Decimal(_)
        | Type::Uuid
        | Type::Enum(_)
        | Type::Tensor(_) => false,
    };
    (!is_told && !has_record(ty)).then_some(ty)
}

fn has_record(ty: &Type) -> bool {
    match ty {
        Type::Struct(_) => true,
        Type::List(inner) | Type::Map(inner) | Type::Option(inner) => has_record(inner),
        Type::Bool
        | Type::Int64
        | Type::Float32
        | Type::Float64
        | Type::String
        | Type::Bytes
        | Type::Timestamp
        | Type::Duration
        | Type::Date
        | Type::Decimal(_)
        | Type::Uuid
        | Type::Enum(_)
        | Type::Tensor(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_clash() {
        let labels = || Type::Enum(vec!["a-b".to_owned(), "a_b".to_owned()].into());
        let schema = Schema::new(
            "Row",
            vec![
                Field::new("state", labels()),
                Field::new("State", labels()),
                Field::new("state_entry", Type::Struct(vec![Field::new("x", Type::Int64)])),
                Field::new("_9", labels()),
            ],
        );
        let about = "topic t";
        let text = proto_file("p", &[MessageOf { name: "Row", schema: &schema, about }]);
        for part in ["enum State2 {", "STATE2_A_B = 0;", "STATE2_A_B2 = 1;", "enum State3 {"] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
        assert!(text.contains("State2 state = 1;  // arqon: enum<a-b|a_b>"), "{text}");
        assert_eq!(message_name("shop.revenue_by_day"), "ShopRevenueByDay");
    }
}
