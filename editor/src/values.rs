//! What a value may be where its type is known: the variants of an enumeration, truth values, the
//! fields of a struct that is written out.

use arqon_types::{Field, Type};

/// The type of a value within a row that is written out; items of lists are `-`.
pub(crate) fn type_within(fields: &[Field], path: &[&str]) -> Option<Type> {
    let mut ty = Type::Struct(fields.to_vec());
    for part in path {
        ty = match (ty.required(), *part) {
            (Type::List(item), "-") => (**item).clone(),
            // Rows stand in lists, and behind a sign in a list of their own.
            (Type::Struct(_), "-" | "$delete") => ty,
            (Type::Struct(fields), name) => {
                fields.iter().find(|field| *field.name == *name)?.ty.clone()
            }
            (Type::Map(value), _) => (**value).clone(),
            _ => return None,
        };
    }
    Some(ty)
}

/// The fields of a struct.
pub(crate) fn struct_fields(ty: &Type) -> Vec<Field> {
    match ty.required() {
        Type::Struct(inner) => inner.clone(),
        _ => Vec::new(),
    }
}

/// The words that a value of this type is one of; none for a type of many values.
pub(crate) fn words(ty: &Type) -> Vec<String> {
    let mut words: Vec<String> = match ty.required() {
        Type::Enum(variants) => variants.to_vec(),
        Type::Bool => vec!["true".to_owned(), "false".to_owned()],
        _ => Vec::new(),
    };
    if ty.is_option() && !words.is_empty() {
        words.push("null".to_owned());
    }
    words
}

/// The path that a text at the end of an expression is compared with: `status` of `status == "pa`
/// and of `status in ["open", "pa`.
pub(crate) fn compared(before: &str) -> Option<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let rest = before.trim_end_matches(is_word);
    let rest = rest.strip_suffix('"').unwrap_or(rest).trim_end();
    let rest = match rest.rfind('[') {
        Some(at) if is_texts(&rest[at + 1..]) => {
            let rest = rest[..at].trim_end();
            rest.strip_suffix("in").filter(|rest| rest.ends_with(' '))?
        }
        _ => ["==", "!=", "<=", ">=", "<", ">"].iter().find_map(|it| rest.strip_suffix(it))?,
    };
    let rest = rest.trim_end();
    let start = rest.trim_end_matches(|c: char| is_word(c) || c == '.').len();
    (start < rest.len()).then_some(&rest[start..])
}

/// Whether nothing but texts and commas stands there.
fn is_texts(text: &str) -> bool {
    let is_text = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '"' | ',' | ' ');
    text.chars().all(is_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_compared_with_the_path_before_it() {
        for (before, path) in [
            ("status == \"pa", Some("status")),
            ("x > 1 and c.status != ", Some("c.status")),
            ("status in [\"open\", \"p", Some("status")),
            ("status in [", Some("status")),
            ("x + ", None),
            ("\"pa", None),
            ("f(x, \"", None),
        ] {
            assert_eq!(compared(before), path, "{before}");
        }
    }
}
