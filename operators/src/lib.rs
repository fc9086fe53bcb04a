//! The operator catalogue: typed expressions, functions, aggregates and their laws.
//!
//! The compiler types expressions with the signatures that stand here, and the engine evaluates
//! what the compiler has typed. **Invariant:** nothing here knows a name of a circuit, a topic or
//! a column; expressions speak of positions.

mod function;
mod expr;
mod aggregate;

pub use aggregate::{Aggregate, AggregateFunction};
pub use expr::{BinaryOp, Expr, ExprKind, Place, UnaryOp};
pub use function::Function;
