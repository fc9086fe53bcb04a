//! Operators and their contracts (E05xx).

codes! {}
