//! What the reference says of a function: its signature, and values that a test computes.

use arqon_operators::{aggregate_signature_text, along_order_signature_text, signature_text};

/// The page that the examples stand on, in blocks of their own: a signature, then examples behind
/// two blanks.
const PAGE: &str = include_str!("../../docs/CIRCUITS.md");

/// How a function or aggregate is called, with its examples; none if there is none of that name.
pub(crate) fn function(name: &str) -> Option<String> {
    let function = signature_text(name);
    let aggregate = aggregate_signature_text(name).filter(|text| Some(*text) != function);
    let signatures: Vec<&str> =
        function.into_iter().chain(aggregate).chain(along_order_signature_text(name)).collect();
    if signatures.is_empty() {
        return None;
    }
    let examples = function.map(examples).unwrap_or_default();
    let mut text = format!("```yaml\n{}\n```", signatures.join("\n"));
    if !examples.is_empty() {
        text = format!("{text}\n\n```yaml\n{}\n```", examples.join("\n"));
    }
    Some(text)
}

/// The examples under a signature.
fn examples(signature: &str) -> Vec<&'static str> {
    let mut lines = PAGE.lines().skip_while(|line| *line != signature);
    lines.next();
    lines.map_while(|line| line.strip_prefix("  ")).collect()
}

#[cfg(test)]
mod tests {
    use arqon_operators::{aggregate_names, along_order_names, function_names};

    use super::*;

    #[test]
    fn functions_come_with_their_examples() {
        let text = function("substr").unwrap();
        assert!(text.contains("counting characters from 1"), "{text}");
        assert!(text.contains("substr(\"banana\", 2, 3) => ana"), "{text}");
        for name in function_names() {
            assert!(function(name).unwrap().contains(" => "), "{name}");
        }
        for name in aggregate_names().chain(along_order_names()) {
            assert!(function(name).is_some(), "{name}");
        }
        assert_eq!(function("no_such"), None);
    }
}
