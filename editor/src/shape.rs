//! The keys and words of the language at a place of a circuit, from its vocabulary.

use arqon_grammar::vocabulary::{self, Shape};

use crate::words;

/// The keys that a map at this path may have, each with what it says; items are `-`.
pub(crate) fn keys(path: &[&str]) -> Vec<(&'static str, Option<&'static str>)> {
    let mut found: Vec<(&'static str, Option<&'static str>)> = Vec::new();
    for shape in at(vec![vocabulary::circuit_file()], path) {
        let Shape::Object { about, keys, .. } = shape else { continue };
        for (key, _) in keys {
            if !found.iter().any(|(known, _)| *known == key) {
                found.push((key, words::key(about, key)));
            }
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

    fn names(path: &[&str]) -> Vec<&'static str> {
        keys(path).into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn keys_and_words_are_those_of_the_vocabulary() {
        assert!(names(&["topics", "t", "queue"]).contains(&"max"));
        assert!(words(&["topics", "t", "queue", "full"]).contains(&"drop_oldest"));
        assert!(names(&["operators", "o", "limits"]).contains(&"runs"));
        assert!(names(&["profiles", "p", "limits"]).contains(&"messages"));
        assert!(names(&["tests", "t", "-", "mocks", "o", "-"]).contains(&"fail"));
        let inner = ["flow", "n", "do", "-", "loop", "-", "window"];
        assert_eq!(names(&inner).iter().filter(|key| **key == "time").count(), 1);
        assert_eq!(names(&["no", "such"]), [] as [&str; 0]);
    }

    /// All maps with known keys.
    fn objects<'a>(shape: &'a Shape, found: &mut Vec<(&'static str, &'a str)>) {
        match shape {
            Shape::List(inner) | Shape::Map(_, inner) => objects(inner, found),
            Shape::Either(forms) => forms.iter().for_each(|form| objects(form, found)),
            Shape::Object { about, keys, .. } => {
                found.extend(keys.iter().map(|(key, _)| (*about, *key)));
                for (_, shape) in keys {
                    objects(shape, found);
                }
            }
            Shape::Any
            | Shape::Nothing
            | Shape::Scalar(_)
            | Shape::Pattern(..)
            | Shape::Words(_) => {}
        }
    }

    #[test]
    fn every_key_of_the_language_has_its_meaning() {
        let file = vocabulary::circuit_file();
        let mut found = Vec::new();
        objects(&file, &mut found);
        assert!(found.contains(&("a window", "every")), "{found:?}");
        for (about, key) in found {
            assert!(words::key(about, key).is_some(), "`{key}` of {about}");
        }
    }
}
