//! The keys and words of the language at a place of a circuit, from its vocabulary.

use arqon_grammar::vocabulary::{self, Shape};

/// The keys that a map at this path may have; items are `-`.
pub(crate) fn keys(path: &[&str]) -> Vec<&'static str> {
    let mut found = Vec::new();
    for shape in at(vec![vocabulary::circuit_file()], path) {
        if let Shape::Object { keys, .. } = shape {
            found.extend(keys.into_iter().map(|(key, _)| key));
        }
    }
    found
}

/// The words that a value at this path may be.
pub(crate) fn words(path: &[&str]) -> Vec<&'static str> {
    let shapes = at(vec![vocabulary::circuit_file()], path);
    let words = shapes.into_iter().filter_map(|shape| match shape {
        Shape::Words(words) => Some(words),
        Shape::Any
        | Shape::Nothing
        | Shape::Scalar(_)
        | Shape::Pattern(..)
        | Shape::List(_)
        | Shape::Map(..)
        | Shape::Object { .. }
        | Shape::Either(_) => None,
    });
    words.flatten().collect()
}

/// What may stand at a path, in all its forms.
fn at(shapes: Vec<Shape>, path: &[&str]) -> Vec<Shape> {
    let forms: Vec<Shape> = shapes.into_iter().flat_map(forms).collect();
    let Some((first, rest)) = path.split_first() else { return forms };
    let inner = forms.into_iter().filter_map(|shape| match shape {
        Shape::List(item) if *first == "-" => Some(*item),
        Shape::Map(_, value) if *first != "-" => Some(*value),
        Shape::Object { keys, .. } => {
            keys.into_iter().find(|(key, _)| key == first).map(|(_, shape)| shape)
        }
        Shape::Any
        | Shape::Nothing
        | Shape::Scalar(_)
        | Shape::Pattern(..)
        | Shape::Words(_)
        | Shape::List(_)
        | Shape::Map(..)
        | Shape::Either(_) => None,
    });
    at(inner.collect(), rest)
}

fn forms(shape: Shape) -> Vec<Shape> {
    match shape {
        Shape::Either(forms_of) => forms_of.into_iter().flat_map(forms).collect(),
        other => vec![other],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_words_are_those_of_the_vocabulary() {
        assert!(keys(&["topics", "t", "queue"]).contains(&"max"));
        assert!(words(&["topics", "t", "queue", "full"]).contains(&"drop_oldest"));
        assert!(keys(&["operators", "o", "limits"]).contains(&"runs"));
        assert!(keys(&["profiles", "p", "limits"]).contains(&"messages"));
        assert_eq!(keys(&["no", "such"]), [] as [&str; 0]);
    }
}
