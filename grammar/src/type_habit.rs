//! What other languages call our types, and in which brackets they put a type's argument.

/// The type that people of other languages mean by a word: `int` is `int64`.
///
/// For a name that is no schema; a schema of that name goes first.
pub fn type_habit(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().as_str() {
        "int" | "integer" | "bigint" | "smallint" | "i64" | "long" | "int32" | "i32" | "u64" => {
            Some("int64")
        }
        "float" | "double" | "number" | "real" | "f64" => Some("float64"),
        "f32" => Some("float32"),
        "str" | "text" | "varchar" | "char" | "nvarchar" => Some("string"),
        "boolean" => Some("bool"),
        "datetime" | "time" | "instant" | "timestamptz" => Some("timestamp"),
        "interval" | "timedelta" => Some("duration"),
        "blob" | "binary" => Some("bytes"),
        "array" | "vec" | "vector" | "set" => Some("list<T>"),
        "optional" | "nullable" | "maybe" => Some("option<T>"),
        "numeric" => Some("decimal<S>"),
        "dict" | "object" | "json" | "jsonb" => Some("map<T>"),
        _ => None,
    }
}

/// `decimal(10, 2)`, `varchar(10)`, `Optional[int]`: the type that is meant by a word with an
/// argument in other brackets than ours.
pub(crate) fn in_other_brackets(word: &str, argument: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    let argument = argument.trim();
    let parts: Vec<&str> = argument.split(',').map(str::trim).collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match lower.as_str() {
        "decimal" | "numeric" | "number" => match parts.as_slice() {
            [digits, scale] if is_number(digits) && is_number(scale) => {
                Some(format!("decimal<{scale}>"))
            }
            _ => None,
        },
        "enum" => {
            let bare = |part: &&str| part.trim_matches(['"', '\'']).to_owned();
            let variants: Vec<String> = parts.iter().map(bare).collect();
            let is_whole = variants.iter().all(|it| !it.is_empty() && !it.contains(['|', '<']));
            is_whole.then(|| format!("enum<{}>", variants.join("|")))
        }
        "list" | "option" if !argument.is_empty() => Some(format!("{lower}<{argument}>")),
        "map" | "dict" => parts.last().map(|value| format!("map<{value}>")),
        _ => match type_habit(word)?.split_once('<') {
            Some((known, _)) if !argument.is_empty() => Some(format!("{known}<{argument}>")),
            Some(_) => None,
            None => parts.iter().all(is_number).then(|| type_habit(word).map(str::to_owned))?,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_in_other_brackets_are_understood() {
        for (word, argument, meant) in [
            ("decimal", "10, 2", Some("decimal<2>")),
            ("NUMERIC", "10,2", Some("decimal<2>")),
            ("decimal", "x, 2", None),
            ("varchar", "10", Some("string")),
            ("enum", "'a', \"b\"", Some("enum<a|b>")),
            ("Optional", "int", Some("option<int>")),
            ("list", "int64", Some("list<int64>")),
            ("dict", "str, int64", Some("map<int64>")),
            ("gross", "net", None),
            ("int", "x", None),
        ] {
            assert_eq!(in_other_brackets(word, argument).as_deref(), meant, "{word}({argument})");
        }
    }
}
