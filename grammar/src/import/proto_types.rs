//! Protobuf messages as schemas: each field's type has its counterpart, or a diagnostic.
//!
//! Integers of all widths are `int64`, `float` is `float32` and `double` `float64`, an enum is an
//! enum of the names of its values, `repeated` is a list, a map with text keys is a map, `optional`
//! and the members of a `oneof` are options; a message is the schema of its name, where a nested
//! one is `Outer_Inner`. Packages are left out of the names.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use protox::prost_reflect::prost_types::DescriptorProto;
use protox::prost_reflect::prost_types::EnumDescriptorProto;
use protox::prost_reflect::prost_types::FieldDescriptorProto;
use protox::prost_reflect::prost_types::MessageOptions;
use protox::prost_reflect::prost_types::field_descriptor_proto::Label;
use protox::prost_reflect::prost_types::field_descriptor_proto::Type;

use super::proto::ProtoFile;
use super::proto::index;
use super::proto::tag;
use crate::ast::Field;
use crate::ast::Schema;
use crate::ast::TIME_UNITS;
use crate::ast::TimeUnit;
use crate::ast::TypeExpr;
use crate::ast::TypeKind;
use crate::code::imports::PROTO_TYPE;
use crate::code::yaml as codes;
use crate::diagnostic::Collector;
use crate::diagnostic::Diagnostic;
use crate::limits::FIELDS_MAX;
use crate::name;
use crate::name::NameRule;
use crate::span::Span;
use crate::span::Spanned;
use crate::suggest::suggest;
use crate::type_syntax;
use crate::yaml::Offsets;

/// The schemas of all messages. With `is_incomplete` a file is missing, and types that nobody
/// declares are passed over.
pub(super) fn schemas(files: &[ProtoFile], is_incomplete: bool) -> (Vec<Schema>, Vec<Diagnostic>) {
    let mut types = Types { known: BTreeMap::new(), is_incomplete, faults: Vec::new() };
    for file in files {
        let package = file.descriptor.package().to_owned();
        types.declare(&package, "", &file.descriptor.message_type, &file.descriptor.enum_type);
    }
    let mut schemas = Vec::new();
    for file in files {
        let at = Scope {
            file,
            path: vec![tag::FILE_MESSAGE],
            full: file.descriptor.package().to_owned(),
            short: String::new(),
            is_proto3: file.descriptor.syntax() == "proto3",
        };
        types.messages(&at, &file.descriptor.message_type, &mut schemas);
    }
    (schemas, types.faults)
}

/// What a full name stands for.
enum Known {
    /// The schema of that name.
    Message(String),
    /// The type of a map's values, as they are written, and whether its keys are texts.
    Map { value: Box<FieldDescriptorProto>, has_text_keys: bool },
    /// The names of its values.
    Enum(Vec<String>),
}

/// Where messages stand.
struct Scope<'f> {
    file: &'f ProtoFile,
    /// Of the list of messages.
    path: Vec<i32>,
    /// Package and messages around them, joined by dots.
    full: String,
    /// The messages around them, each with a `_` behind it.
    short: String,
    is_proto3: bool,
}

struct Types {
    known: BTreeMap<String, Known>,
    is_incomplete: bool,
    faults: Vec<Diagnostic>,
}

impl Types {
    fn declare(
        &mut self,
        full: &str,
        short: &str,
        messages: &[DescriptorProto],
        enums: &[EnumDescriptorProto],
    ) {
        for one in enums {
            let values = one.value.iter().map(|value| value.name().to_owned()).collect();
            self.known.insert(joined(full, one.name()), Known::Enum(values));
        }
        for message in messages {
            let name = joined(full, message.name());
            let known = match map_entry(message) {
                Some((key, value)) => {
                    let has_text_keys = key.r#type() == Type::String;
                    Known::Map { value: Box::new(value.clone()), has_text_keys }
                }
                None => Known::Message(format!("{short}{}", message.name())),
            };
            self.known.insert(name.clone(), known);
            let short = format!("{short}{}_", message.name());
            self.declare(&name, &short, &message.nested_type, &message.enum_type);
        }
    }

    fn messages(&mut self, at: &Scope<'_>, messages: &[DescriptorProto], into: &mut Vec<Schema>) {
        for (idx, message) in messages.iter().enumerate() {
            if map_entry(message).is_some() {
                continue;
            }
            let path = [at.path.as_slice(), &[index(idx)]].concat();
            let inner = Scope {
                path: [path.as_slice(), &[tag::MESSAGE_NESTED]].concat(),
                full: joined(&at.full, message.name()),
                short: format!("{}{}_", at.short, message.name()),
                ..*at
            };
            into.push(self.message(at, &inner, &path, message));
            self.messages(&inner, &message.nested_type, into);
        }
    }

    fn message(
        &mut self,
        at: &Scope<'_>,
        inner: &Scope<'_>,
        path: &[i32],
        message: &DescriptorProto,
    ) -> Schema {
        let place = at.file.place(&[path, &[tag::MESSAGE_NAME]].concat());
        let name = Spanned::new(format!("{}{}", at.short, message.name()), place);
        if let Err(fault) = name::check(NameRule::Identifier, "schema", &name.node, place) {
            self.faults.push(*fault);
        }
        let n_fields = message.field.len();
        if n_fields == 0 {
            self.faults.push(Diagnostic::new(codes::EMPTY, place, "a record without fields"));
        }
        let is_whole = n_fields <= FIELDS_MAX;
        if !is_whole {
            let text = format!("{n_fields} fields, at most {FIELDS_MAX} are allowed");
            self.faults.push(Diagnostic::new(codes::TYPE_LIMIT, place, text));
        }
        let mut seen = BTreeSet::new();
        let fields = message.field.iter().enumerate().take(FIELDS_MAX);
        let fields = fields
            .filter_map(|(idx, field)| {
                let path = [path, &[tag::MESSAGE_FIELD, index(idx)]].concat();
                let declared = self.field(inner, &path, field);
                if !seen.insert(field.name()) {
                    let text = format!("the field `{}` stands twice", field.name());
                    let place = declared.name.span;
                    self.faults.push(Diagnostic::new(codes::DUPLICATE_KEY, place, text));
                    return None;
                }
                Some(declared)
            })
            .collect();
        Schema { name, fields, is_whole, span: at.file.place(path) }
    }

    fn field(&mut self, at: &Scope<'_>, path: &[i32], field: &FieldDescriptorProto) -> Field {
        let place = at.file.place(&[path, &[tag::FIELD_NAME]].concat());
        if let Err(fault) = name::check(NameRule::Identifier, "field", field.name(), place) {
            self.faults.push(*fault);
        }
        // The type, or where a map or group is: the whole field.
        let parts = [tag::FIELD_TYPE_NAME, tag::FIELD_TYPE];
        let span = parts
            .iter()
            .map(|part| at.file.place(&[path, &[*part]].concat()))
            .find(|span| !span.is_empty())
            .unwrap_or(place);
        let plain = self.type_of(at, field, span);
        let kind = if field.label() == Label::Repeated {
            match plain {
                map @ (TypeKind::Map(_) | TypeKind::Error) => map,
                item => TypeKind::List(Box::new(TypeExpr { kind: item, span })),
            }
        } else {
            let is_optional = field.proto3_optional()
                || field.oneof_index.is_some()
                || (!at.is_proto3 && field.label() == Label::Optional);
            match plain {
                kind @ (TypeKind::Option(_) | TypeKind::Error) => kind,
                kind if is_optional => TypeKind::Option(Box::new(TypeExpr { kind, span })),
                kind => kind,
            }
        };
        let name = Spanned::new(field.name().to_owned(), place);
        let ty = TypeExpr { kind, span };
        let (ty, unit) = match at.file.note(path) {
            Some(note) => {
                let (note, unit) = split_unit(note);
                (self.noted(at, field, &note, &ty), unit)
            }
            None => (ty, None),
        };
        Field { name, ty, unit }
    }

    /// The protobuf type of one value; of a map that of a value in it.
    fn single(&self, at: &Scope<'_>, field: &FieldDescriptorProto) -> Type {
        let mut named = candidates(&at.full, field.type_name());
        match named.find_map(|name| self.known.get(&name)) {
            Some(Known::Map { value, .. }) => value.r#type(),
            Some(Known::Message(_) | Known::Enum(_)) | None => field.r#type(),
        }
    }

    /// The type that a comment behind the field says, if the field can carry its values.
    fn noted(
        &mut self,
        at: &Scope<'_>,
        field: &FieldDescriptorProto,
        note: &Spanned<String>,
        plain: &TypeExpr,
    ) -> TypeExpr {
        let mut faults = Collector::default();
        let ty = type_syntax::parse(&note.node, &Offsets::Shifted(note.span.start), &mut faults);
        self.faults.extend(faults.finish());
        let is_faulty = matches!(ty.kind, TypeKind::Error) || matches!(plain.kind, TypeKind::Error);
        if is_faulty || carries(&plain.kind, self.single(at, field), &ty.kind) {
            return ty;
        }
        let text = format!("this field cannot carry `{}`", note.node);
        self.faults.push(
            Diagnostic::new(PROTO_TYPE, note.span, text)
                .secondary(plain.span, "its own type")
                .help("`arqon compile --emit proto` shows how each type is carried"),
        );
        TypeExpr { kind: TypeKind::Error, span: ty.span }
    }

    /// The type of one value of the field.
    fn type_of(&mut self, at: &Scope<'_>, field: &FieldDescriptorProto, span: Span) -> TypeKind {
        if field.type_name.is_some() && field.r#type.is_none_or(|ty| ty != Type::Group as i32) {
            return self.named(at, field, span);
        }
        match field.r#type() {
            Type::Double => TypeKind::Float64,
            Type::Float => TypeKind::Float32,
            Type::Int64
            | Type::Uint64
            | Type::Int32
            | Type::Fixed64
            | Type::Fixed32
            | Type::Uint32
            | Type::Sfixed32
            | Type::Sfixed64
            | Type::Sint32
            | Type::Sint64 => TypeKind::Int64,
            Type::Bool => TypeKind::Bool,
            Type::String => TypeKind::String,
            Type::Bytes => TypeKind::Bytes,
            Type::Group | Type::Message | Type::Enum => {
                let text = "a group has no counterpart among the types of circuits";
                let fault = Diagnostic::new(PROTO_TYPE, span, text);
                self.faults.push(fault.help("make it a message, and a field of that message"));
                TypeKind::Error
            }
        }
    }

    fn named(&mut self, at: &Scope<'_>, field: &FieldDescriptorProto, span: Span) -> TypeKind {
        let written = field.type_name();
        let found = candidates(&at.full, written).find_map(|name| self.known.get(&name));
        let of_google = written.trim_start_matches('.').strip_prefix("google.protobuf.");
        match (found, of_google) {
            (Some(Known::Message(schema)), _) => TypeKind::Named(schema.clone()),
            (Some(Known::Enum(values)), _) => {
                let spanned = |value: &String| Spanned::new(value.clone(), span);
                TypeKind::Enum(values.iter().map(spanned).collect())
            }
            (Some(Known::Map { has_text_keys: false, .. }), _) => {
                let text = "a map's keys are texts; this one has other keys";
                let fault = Diagnostic::new(PROTO_TYPE, span, text);
                self.faults.push(
                    fault.help("write `map<string, …>`, or a repeated message with the key in it"),
                );
                TypeKind::Error
            }
            (Some(Known::Map { value, .. }), _) => {
                let value = value.clone();
                match self.type_of(at, &value, span) {
                    TypeKind::Error => TypeKind::Error,
                    kind => TypeKind::Map(Box::new(TypeExpr { kind, span })),
                }
            }
            (None, Some(name)) => self.well_known(name, span),
            (None, None) => {
                self.unknown(written, span);
                TypeKind::Error
            }
        }
    }

    /// A type that comes with protobuf.
    fn well_known(&mut self, name: &str, span: Span) -> TypeKind {
        let option = |kind| TypeKind::Option(Box::new(TypeExpr { kind, span }));
        match name {
            "Timestamp" => TypeKind::Timestamp,
            "Duration" => TypeKind::Duration,
            "BoolValue" => option(TypeKind::Bool),
            "Int32Value" | "UInt32Value" | "Int64Value" | "UInt64Value" => option(TypeKind::Int64),
            "FloatValue" => option(TypeKind::Float32),
            "DoubleValue" => option(TypeKind::Float64),
            "StringValue" => option(TypeKind::String),
            "BytesValue" => option(TypeKind::Bytes),
            other => {
                let text = format!(
                    "`google.protobuf.{other}` has no counterpart among the types of circuits"
                );
                let fault = Diagnostic::new(PROTO_TYPE, span, text);
                self.faults.push(fault.help("use a message whose fields are all declared"));
                TypeKind::Error
            }
        }
    }

    fn unknown(&mut self, written: &str, span: Span) {
        if self.is_incomplete {
            return;
        }
        let short = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
        let names: Vec<String> = self.known.keys().map(|name| short(name)).collect();
        let near = suggest(&short(written), names.iter().map(String::as_str)).map(str::to_owned);
        let text = format!("no protobuf file declares a message or enum `{written}`");
        self.faults.push(Diagnostic::new(PROTO_TYPE, span, text).did_you_mean(near.as_deref()));
    }
}

/// `{ type: timestamp, unit: ms }` behind a field as its type and its unit.
fn split_unit(note: &Spanned<String>) -> (Spanned<String>, Option<Spanned<TimeUnit>>) {
    let split = || {
        let within = note.node.strip_prefix('{')?.strip_suffix('}')?;
        let (ty, unit) = within.rsplit_once(',')?;
        let ty = ty.trim().strip_prefix("type:")?.trim();
        let unit = unit.trim().strip_prefix("unit:")?.trim();
        let (_, read) = TIME_UNITS.iter().find(|(word, _)| *word == unit)?;
        let place = |at: usize, part: &str| {
            let start = note.span.start + u32::try_from(at).ok()?;
            Some(Span::new(start, start + u32::try_from(part.len()).ok()?))
        };
        let ty_place = place(note.node.find(ty)?, ty)?;
        let unit_place = place(note.node.rfind(unit)?, unit)?;
        Some((Spanned::new(ty.to_owned(), ty_place), Spanned::new(*read, unit_place)))
    };
    match split() {
        Some((ty, unit)) => (ty, Some(unit)),
        None => (note.clone(), None),
    }
}

/// Whether a protobuf field, by itself of type `plain`, carries values of `wanted` on the wire.
fn carries(plain: &TypeKind, single: Type, wanted: &TypeKind) -> bool {
    match (plain, wanted) {
        (TypeKind::List(item), TypeKind::List(wanted)) => match &wanted.kind {
            TypeKind::List(_) | TypeKind::Map(_) | TypeKind::Option(_) => {
                matches!(item.kind, TypeKind::Named(_))
            }
            wanted => carries(&item.kind, single, wanted),
        },
        // Entries that are declared as messages of their own.
        (TypeKind::List(item), TypeKind::Map(_)) => matches!(item.kind, TypeKind::Named(_)),
        (TypeKind::Map(value), TypeKind::Map(wanted)) => carries(&value.kind, single, &wanted.kind),
        (TypeKind::Option(inner), TypeKind::Option(wanted)) => match &wanted.kind {
            TypeKind::List(_) | TypeKind::Map(_) => matches!(inner.kind, TypeKind::Named(_)),
            wanted => carries(&inner.kind, single, wanted),
        },
        // An absent message is none.
        (TypeKind::Named(_), TypeKind::Option(wanted)) => {
            matches!(wanted.kind, TypeKind::List(_) | TypeKind::Map(_))
        }
        (TypeKind::Enum(labels), TypeKind::Enum(wanted)) => labels.len() == wanted.len(),
        (TypeKind::Named(_), TypeKind::Tensor { .. }) => true,
        (TypeKind::Named(name), TypeKind::Named(wanted)) => name == wanted,
        (TypeKind::Int64, TypeKind::Date) => single == Type::Int32,
        (TypeKind::Int64, TypeKind::Timestamp | TypeKind::Duration) => single == Type::Int64,
        (TypeKind::String, TypeKind::Decimal { .. }) | (TypeKind::Bytes, TypeKind::Uuid) => true,
        (plain, wanted) => std::mem::discriminant(plain) == std::mem::discriminant(wanted),
    }
}

/// Key and value of a message that stands for a map's entry.
fn map_entry(message: &DescriptorProto) -> Option<(&FieldDescriptorProto, &FieldDescriptorProto)> {
    let is_entry = message.options.as_ref().is_some_and(MessageOptions::map_entry);
    match message.field.as_slice() {
        [key, value] if is_entry => Some((key, value)),
        _ => None,
    }
}

fn joined(full: &str, name: &str) -> String {
    if full.is_empty() { name.to_owned() } else { format!("{full}.{name}") }
}

/// The full names that a written one may stand for in a scope, innermost first.
fn candidates(scope: &str, written: &str) -> impl Iterator<Item = String> {
    let absolute = written.strip_prefix('.').map(str::to_owned);
    let mut outer = if absolute.is_some() { None } else { Some(scope.to_owned()) };
    let written = written.to_owned();
    absolute.into_iter().chain(std::iter::from_fn(move || {
        let scope = outer.take()?;
        if !scope.is_empty() {
            outer = Some(scope.rsplit_once('.').map_or("", |(rest, _)| rest).to_owned());
        }
        Some(joined(&scope, &written))
    }))
}
