//! Templates of `format`: a text with a place `{}` for every value; `{{` and `}}` are braces.

use std::ops::Range;

/// The texts around the places of a template, one more than there are places; else the bytes of
/// the brace that is alone.
pub(crate) fn parts(template: &str) -> Result<Vec<String>, Range<usize>> {
    let mut parts = vec![String::new()];
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let here = template.len() - rest.len() + at;
        let brace = &rest[at..=at];
        let part = parts.last_mut().expect("there is a first part");
        part.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            part.push_str(brace);
            rest = after;
        } else if let ("{", Some(after)) = (brace, rest.strip_prefix('}')) {
            parts.push(String::new());
            rest = after;
        } else {
            return Err(here..here + 1);
        }
    }
    parts.last_mut().expect("there is a first part").push_str(rest);
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stand_between_texts() {
        let texts = |template: &str| parts(template).map(|parts| parts.join("|"));
        for (template, expected) in [
            ("", Ok("")),
            ("a", Ok("a")),
            ("{}", Ok("|")),
            ("é {} of {}!", Ok("é | of |!")),
            ("{{}} {{{}}}", Ok("{} {|}")),
            ("a { b", Err(2..3)),
            ("a } b", Err(2..3)),
            ("{0}", Err(0..1)),
            ("{", Err(0..1)),
        ] {
            assert_eq!(texts(template), expected.map(str::to_owned), "{template}");
        }
    }
}
