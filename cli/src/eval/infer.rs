//! The types that rows of JSON look as if they had.

use arqon_types::{Field, Schema, Type};
use serde_json::{Map, Value};

/// The schema that all rows fit.
///
/// # Errors
/// What is wrong, in one line: a row that is no object, or rows that contradict each other.
pub(super) fn schema<'t>(rows: impl Iterator<Item = &'t str>) -> Result<Schema, String> {
    let mut fields: Vec<(String, Guess)> = Vec::new();
    for (n_before, text) in rows.enumerate() {
        let row: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let Value::Object(row) = row else {
            return Err(format!("a row is a JSON object, found {text}"));
        };
        merge_fields(&mut fields, guess_fields(&row)?, n_before > 0)?;
    }
    Ok(Schema::new("row", types(fields)))
}

/// What is known of a type so far.
#[derive(Debug, Clone, PartialEq)]
enum Guess {
    /// Only `null` or nothing was seen.
    Unknown,
    Known(Type),
    Option(Box<Guess>),
    List(Box<Guess>),
    Struct(Vec<(String, Guess)>),
}

fn guess(value: &Value) -> Result<Guess, String> {
    Ok(match value {
        Value::Null => Guess::Option(Box::new(Guess::Unknown)),
        Value::Bool(_) => Guess::Known(Type::Bool),
        Value::Number(number) if number.is_f64() => Guess::Known(Type::Float64),
        Value::Number(number) if number.is_i64() => Guess::Known(Type::Int64),
        Value::Number(number) => return Err(format!("`{number}` is out of range of int64")),
        Value::String(_) => Guess::Known(Type::String),
        Value::Array(items) => {
            let mut inner = Guess::Unknown;
            for item in items {
                inner = merge(inner, guess(item)?, "an item")?;
            }
            Guess::List(Box::new(inner))
        }
        Value::Object(fields) => Guess::Struct(guess_fields(fields)?),
    })
}

fn guess_fields(fields: &Map<String, Value>) -> Result<Vec<(String, Guess)>, String> {
    fields.iter().map(|(name, value)| Ok((name.clone(), guess(value)?))).collect()
}

/// What both are; an integer is a float beside one.
fn merge(a: Guess, b: Guess, name: &str) -> Result<Guess, String> {
    Ok(match (a, b) {
        (Guess::Unknown, other) | (other, Guess::Unknown) => other,
        (Guess::Option(a), Guess::Option(b)) => Guess::Option(Box::new(merge(*a, *b, name)?)),
        (Guess::Option(a), b) | (b, Guess::Option(a)) => {
            Guess::Option(Box::new(merge(*a, b, name)?))
        }
        (Guess::Known(Type::Int64), Guess::Known(Type::Float64))
        | (Guess::Known(Type::Float64), Guess::Known(Type::Int64)) => Guess::Known(Type::Float64),
        (Guess::List(a), Guess::List(b)) => Guess::List(Box::new(merge(*a, *b, name)?)),
        (Guess::Struct(mut a), Guess::Struct(b)) => {
            merge_fields(&mut a, b, true)?;
            Guess::Struct(a)
        }
        (a, b) if a == b => a,
        (a, b) => return Err(format!("`{name}` is {} here and {} there", shown(a), shown(b))),
    })
}

/// A field that some have and others have not is an option; `has_earlier` says whether there are
/// others before.
fn merge_fields(
    fields: &mut Vec<(String, Guess)>,
    more: Vec<(String, Guess)>,
    has_earlier: bool,
) -> Result<(), String> {
    let optional = |guess: Guess| match guess {
        Guess::Option(_) => guess,
        plain => Guess::Option(Box::new(plain)),
    };
    for (name, known) in fields.iter_mut() {
        if !more.iter().any(|(other, _)| other == name) {
            *known = optional(std::mem::replace(known, Guess::Unknown));
        }
    }
    for (name, guess) in more {
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => {
                *known = merge(std::mem::replace(known, Guess::Unknown), guess, &name)?;
            }
            None if has_earlier => fields.push((name, optional(guess))),
            None => fields.push((name, guess)),
        }
    }
    Ok(())
}

fn types(fields: Vec<(String, Guess)>) -> Vec<Field> {
    fields.into_iter().map(|(name, guess)| Field::new(name.as_str(), into_type(guess))).collect()
}

/// What was never seen may as well be a text.
fn into_type(guess: Guess) -> Type {
    match guess {
        Guess::Unknown => Type::String,
        Guess::Known(ty) => ty,
        Guess::Option(inner) => into_type(*inner).optional(),
        Guess::List(inner) => Type::List(Box::new(into_type(*inner))),
        Guess::Struct(fields) => Type::Struct(types(fields)),
    }
}

fn shown(guess: Guess) -> Type {
    into_type(guess)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_types_that_they_look_like() {
        let cases: [(&[&str], &str); 7] = [
            (
                &[r#"{"a": 1, "b": 1.0, "c": "x", "d": true}"#],
                "a: int64, b: float64, c: string, d: bool",
            ),
            (
                &[r#"{"a": [1, 2.5], "b": [], "c": null}"#],
                "a: list<float64>, b: list<string>, c: option<string>",
            ),
            (&[r#"{"a": {"b": [null, 1]}}"#], "a: { b: list<option<int64>> }"),
            (&[r#"{"a": 1}"#, r#"{"a": null, "b": 2}"#], "a: option<int64>, b: option<int64>"),
            (&[r#"{"a": 1}"#, r#"{"a": "x"}"#], "`a` is int64 here and string there"),
            (&["[1]"], "a row is a JSON object, found [1]"),
            (
                &[r#"{"a": 18446744073709551615}"#],
                "`18446744073709551615` is out of range of int64",
            ),
        ];
        for (rows, expected) in cases {
            let found = match schema(rows.iter().copied()) {
                Ok(schema) => {
                    let fields = schema.fields.iter();
                    let shown: Vec<String> =
                        fields.map(|field| format!("{}: {}", field.name, field.ty)).collect();
                    shown.join(", ")
                }
                Err(message) => message,
            };
            assert_eq!(found, expected, "{rows:?}");
        }
    }
}
