//! Names and types: what a name stands for, and what type a value has (E02xx).

codes! {}
