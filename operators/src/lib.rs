//! The operator catalogue: typed expressions, functions, aggregates and their laws.
