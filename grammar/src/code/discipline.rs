//! Disciplines, state and cycles (E03xx).

codes! {}
