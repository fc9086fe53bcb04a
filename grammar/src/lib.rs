//! Text to spanned document to syntax tree; diagnostics as data.
