//! The closed list of all diagnostic codes, each with its title and its explanation.
//!
//! One file for every hundred codes. A code is a constant (`code::names::UNKNOWN_TOPIC`) that
//! points to its entry; codes are stable, and an id that was retired is never used again.
//! `arqon explain` and `docs/DIAGNOSTICS.md` are written from this list.

use std::fmt;

/// Declares the codes of one file: constants, and the list `ALL` of them in order.
macro_rules! codes {
    ($($name:ident = $id:literal {
        title: $title:literal,
        explanation: $explanation:literal,
        wrong: $wrong:literal,
        mended: $mended:literal $(,)?
    })*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $title, ".")]
            pub const $name: crate::code::Code = crate::code::Code(&crate::code::Entry {
                id: $id,
                title: $title,
                explanation: $explanation,
                wrong: $wrong,
                mended: $mended,
            });
        )*
        /// The codes of this file, in order.
        pub(super) const ALL: &[crate::code::Code] = &[$($name),*];
    };
}

pub mod yaml;
pub mod imports;
pub mod expression;
pub mod names;
pub mod discipline;
pub mod topology;
pub mod operators;
pub mod access;
pub mod warnings;

/// One kind of fault, by its stable id.
#[derive(Clone, Copy)]
pub struct Code(&'static Entry);

/// What is known of a code.
#[derive(Debug)]
pub struct Entry {
    /// Stable id: `E0203`, `W0101`.
    pub id: &'static str,
    /// One line, lower case, no full stop.
    pub title: &'static str,
    /// A paragraph or two: what it means, why it is a fault, what to do.
    pub explanation: &'static str,
    /// A circuit, or a part of one, that provokes it.
    pub wrong: &'static str,
    /// The same, mended.
    pub mended: &'static str,
}

impl Code {
    /// The stable id, `E0203`.
    pub const fn id(self) -> &'static str {
        self.0.id
    }

    /// All that is known of it.
    pub const fn entry(self) -> &'static Entry {
        self.0
    }

    /// Whether it is a warning (`W…`); all others are errors.
    pub fn is_warning(self) -> bool {
        self.id().starts_with('W')
    }

    /// The code with this id, in either case (`e0203`).
    pub fn parse(id: &str) -> Option<Self> {
        all().find(|code| code.id().eq_ignore_ascii_case(id))
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Code {}

impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.id())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.id())
    }
}

/// All codes of the compiler, in order of their ids, warnings last.
pub fn all() -> impl Iterator<Item = Code> {
    [
        yaml::ALL,
        imports::ALL,
        expression::ALL,
        names::ALL,
        discipline::ALL,
        topology::ALL,
        operators::ALL,
        access::ALL,
        warnings::ALL,
    ]
    .into_iter()
    .flatten()
    .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_order_and_of_their_hundred() {
        let ids: Vec<&str> = all().map(Code::id).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(ids, sorted);
        let hundreds = [
            (yaml::ALL, "E00"),
            (imports::ALL, "E00"),
            (expression::ALL, "E01"),
            (names::ALL, "E02"),
            (discipline::ALL, "E03"),
            (topology::ALL, "E04"),
            (operators::ALL, "E05"),
            (access::ALL, "E06"),
            (warnings::ALL, "W"),
        ];
        for (codes, prefix) in hundreds {
            for code in codes {
                assert!(code.id().starts_with(prefix), "{code} stands under {prefix}");
                assert_eq!(code.id().len(), 5, "{code}");
            }
        }
    }

    #[test]
    fn every_code_is_explained() {
        for code in all() {
            let entry = code.entry();
            assert!(!entry.title.is_empty() && !entry.title.ends_with('.'), "{code}: title");
            assert!(40 < entry.explanation.len(), "{code}: explanation");
            assert!(!entry.wrong.is_empty() && !entry.mended.is_empty(), "{code}: examples");
            assert_ne!(entry.wrong, entry.mended, "{code}: examples");
        }
    }

    #[test]
    fn codes_are_found_by_id() {
        assert_eq!(Code::parse("e0001"), Some(yaml::SYNTAX));
        assert_eq!(Code::parse("E9999"), None);
    }
}
