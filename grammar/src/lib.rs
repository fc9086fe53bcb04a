//! Text to spanned document to syntax tree; diagnostics as data.
//!
//! A circuit file passes three rooms: `yaml` reads text into a spanned tree, `expression` and
//! `type_syntax` read the small languages inside its scalars, `circuit` lowers the tree into the
//! syntax tree [`ast::Circuit`]. Every fault becomes a [`Diagnostic`]; all faults of one file are
//! reported in one run, and a consequence of a reported fault is not reported again.
//!
//! **Invariant:** no text makes these functions panic, overflow a 512 KB stack, or run longer
//! than its size explains; the limits in [`limits`] say what is refused.

// The parser that pest derives without `std` finds its boxes here.
extern crate alloc;

pub mod span;
pub mod sources;
pub mod limits;
pub mod code;
pub mod suggest;
pub mod diagnostic;
mod fix;
pub mod expr;
pub mod ast;
mod name;
mod type_habit;
mod yaml;
mod expression;
mod type_syntax;
mod quantity;
mod circuit;
mod format;
mod import;
pub mod vocabulary;

pub use circuit::ParseOptions;
pub use circuit::parse_circuit;
pub use diagnostic::Diagnostic;
pub use expression::ZERO_HELP;
pub use expression::bytes_of_text;
pub use expression::parse_expression;
pub use expression::without_zeros;
pub use fix::Fixed;
pub use fix::apply_fixes;
pub use format::LINE_CHARACTERS_MAX;
pub use format::format_circuit;
pub use import::LoadFault;
pub use import::Loader;
pub use import::Main;
pub use import::NoFiles;
pub use import::Reading;
pub use import::read_circuit;
pub use sources::Sources;
pub use span::Span;
pub use span::Spanned;
pub use type_habit::type_habit;
pub use type_syntax::TYPE_WORDS;
pub use yaml::decode;
