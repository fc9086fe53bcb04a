//! The operator catalogue: typed expressions, functions, aggregates and their laws.
//!
//! The compiler types expressions with the signatures that stand here, and the engine evaluates
//! what the compiler has typed. **Invariant:** nothing here knows a name of a circuit, a topic or
//! a column; expressions speak of positions.

mod itmd;
mod function;
mod expr;
mod need;
mod aggregate;
mod eval_error;
mod exact;
mod civil;
mod pattern;
mod time_format;
mod template;
mod stable_hash;
mod sha256;
mod scalar;
mod divisor;
mod fault;
mod literal;
mod index;
mod tensor;
mod invoke;
mod signature;
mod conversion;
mod typing;
mod call;
mod aggregation;
mod eval;
mod cells;
mod kernel;
mod cast_kernel;
mod call_kernel;
mod node;
mod branch;
mod program;
mod glance;
mod multiset;
mod ints;
mod blocks;
mod many;
mod ends;
mod accumulate;
mod group;

pub use aggregate::{Aggregate, AggregateFunction};
pub use aggregation::aggregate;
pub use call::{Arg, call};
pub use cells::{RowErrors, Rows};
pub use conversion::{coerce, common_type, converted};
pub use eval::eval;
pub use eval_error::{EvalCode, EvalError};
pub use expr::{BinaryOp, Expr, ExprKind, Place, UnaryOp};
pub use fault::{FaultKind, TypeFault, Typed};
pub use function::{Function, TensorFunction};
pub use glance::Glance;
pub use group::{GroupPlan, GroupState, LIST_ITEMS_MAX, TallyRows};
pub use itmd::{
    ArgumentSignature, FieldKind, FieldSignature, KERNEL_MODES, KERNELS, Kernel, KernelArguments,
    KernelMode, KernelOutput, OutputKind, OutputRows, PortSignature, Unfit,
};
pub use literal::{adapt_number, adapt_string, number};
pub use need::Need;
pub use program::{Evaluated, Program, Selected};
pub use signature::{
    aggregate_names, aggregate_parameters, aggregate_signature_text, along_order_names,
    along_order_signature_text, function_names, function_parameters, signature_text,
};
pub use typing::{
    and, binary, default, field, if_else, in_expression, in_list, list, or, structure, unary,
    want_bool,
};
