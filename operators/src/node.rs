//! Expressions analysed for vectorised evaluation: what is constant, what may fail, what is dear.

use arqon_types::{Type, Value};

use crate::eval::eval;
use crate::expr::{BinaryOp, Expr, ExprKind, Place, UnaryOp};
use crate::function::Function;
use crate::pattern;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) ty: Type,
    pub(crate) place: Place,
    pub(crate) can_fail: bool,
    /// Worth evaluating only where needed, although it cannot fail.
    pub(crate) is_dear: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum NodeKind {
    Column(usize),
    Constant(Value),
    Field(Box<Node>, usize),
    Unary(UnaryOp, Box<Node>),
    Binary(BinaryOp, Box<Node>, Box<Node>),
    /// `and`; the same with both truth values exchanged is `or`.
    Chain {
        operands: Vec<Node>,
        unit: bool,
    },
    If {
        condition: Box<Node>,
        then: Box<Node>,
        otherwise: Box<Node>,
    },
    In {
        of: Box<Node>,
        items: Vec<Node>,
    },
    Default {
        of: Box<Node>,
        otherwise: Box<Node>,
    },
    Try(Box<Node>),
    Cast(Box<Node>),
    Call(Function, Vec<Node>),
    List(Vec<Node>),
    Struct(Vec<Node>),
    /// Expressions with lambdas, on the columns that they read.
    RowWise {
        expr: Box<Expr>,
        columns: Vec<(usize, Type)>,
        n_columns: usize,
    },
}

impl Node {
    pub(crate) fn new(expr: &Expr) -> Self {
        let ty = expr.ty.clone();
        let place = expr.place;
        let leaf =
            |kind, can_fail, is_dear| Self { kind, ty: ty.clone(), place, can_fail, is_dear };
        if is_constant(expr)
            && let Ok(value) = eval(expr, &[])
        {
            return leaf(NodeKind::Constant(value), false, false);
        }
        let boxed = |expr: &Expr| Box::new(Self::new(expr));
        let all = |exprs: &[Expr]| exprs.iter().map(Self::new).collect::<Vec<_>>();
        let kind = match &expr.kind {
            ExprKind::Column(idx) => return leaf(NodeKind::Column(*idx), false, false),
            ExprKind::Literal(value) => {
                return leaf(NodeKind::Constant(value.clone()), false, false);
            }
            ExprKind::Call { args, .. }
                if args.iter().any(|arg| matches!(arg.kind, ExprKind::Lambda { .. })) =>
            {
                let mut columns = Vec::new();
                collect_columns(expr, &mut columns);
                let n_columns = columns.iter().map(|(idx, _)| idx + 1).max().unwrap_or(0);
                let kind = NodeKind::RowWise { expr: Box::new(expr.clone()), columns, n_columns };
                return leaf(kind, true, true);
            }
            ExprKind::Local(_) | ExprKind::Lambda { .. } => {
                unreachable!("only inside calls that take lambdas")
            }
            ExprKind::Field { of, idx } => NodeKind::Field(boxed(of), *idx),
            ExprKind::Unary(op, operand) => NodeKind::Unary(*op, boxed(operand)),
            ExprKind::Binary(op, left, right) => NodeKind::Binary(*op, boxed(left), boxed(right)),
            ExprKind::And(operands) => NodeKind::Chain { operands: all(operands), unit: true },
            ExprKind::Or(operands) => NodeKind::Chain { operands: all(operands), unit: false },
            ExprKind::If { condition, then, otherwise } => NodeKind::If {
                condition: boxed(condition),
                then: boxed(then),
                otherwise: boxed(otherwise),
            },
            ExprKind::In { of, items } => NodeKind::In { of: boxed(of), items: all(items) },
            ExprKind::Default { of, otherwise } => {
                NodeKind::Default { of: boxed(of), otherwise: boxed(otherwise) }
            }
            ExprKind::Try(of) => NodeKind::Try(boxed(of)),
            ExprKind::Cast(of) => NodeKind::Cast(boxed(of)),
            ExprKind::Call { function, args } => NodeKind::Call(*function, all(args)),
            ExprKind::List(items) => NodeKind::List(all(items)),
            ExprKind::Struct(fields) => NodeKind::Struct(all(fields)),
        };
        let mut node = leaf(kind, false, false);
        let children = node.children();
        let can_fail = node.can_itself_fail() || children.iter().any(|child| child.can_fail);
        let is_dear = children.iter().any(|child| child.is_dear)
            || matches!(node.kind, NodeKind::Call(..) | NodeKind::List(_));
        node.can_fail = can_fail && !matches!(node.kind, NodeKind::Try(_));
        node.is_dear = is_dear;
        node
    }

    fn children(&self) -> Vec<&Self> {
        match &self.kind {
            NodeKind::Column(_) | NodeKind::Constant(_) | NodeKind::RowWise { .. } => Vec::new(),
            NodeKind::Field(of, _)
            | NodeKind::Unary(_, of)
            | NodeKind::Try(of)
            | NodeKind::Cast(of) => vec![of],
            NodeKind::Binary(_, a, b) | NodeKind::Default { of: a, otherwise: b } => vec![a, b],
            NodeKind::If { condition, then, otherwise } => vec![condition, then, otherwise],
            NodeKind::In { of, items } => std::iter::once(of.as_ref()).chain(items).collect(),
            NodeKind::Chain { operands: nodes, .. }
            | NodeKind::Call(_, nodes)
            | NodeKind::List(nodes)
            | NodeKind::Struct(nodes) => nodes.iter().collect(),
        }
    }

    /// Whether the node fails for some values of its operands.
    fn can_itself_fail(&self) -> bool {
        match &self.kind {
            NodeKind::Unary(UnaryOp::Negate, of) => {
                !matches!(of.ty.required(), Type::Float32 | Type::Float64)
            }
            NodeKind::Binary(op, left, right) => match op {
                BinaryOp::Divide | BinaryOp::Remainder => !is_nonzero(right),
                BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply => {
                    *left.ty.required() != Type::Float64
                }
                _ => false,
            },
            NodeKind::Cast(of) => match (of.ty.required(), self.ty.required()) {
                (from, to) if from == to => false,
                (Type::Bytes, Type::String) => true,
                (_, Type::String)
                | (Type::String, Type::Bytes)
                | (Type::Int64 | Type::Decimal(_) | Type::Float64, Type::Float32)
                | (Type::Int64 | Type::Decimal(_) | Type::Float32, Type::Float64)
                | (Type::Bool | Type::Timestamp | Type::Date | Type::Duration, Type::Int64)
                | (Type::Timestamp, Type::Date) => false,
                _ => true,
            },
            NodeKind::Call(function, args) => call_can_fail(*function, args),
            _ => false,
        }
    }

    /// Whether it pays to evaluate only the rows that need it.
    pub(crate) fn wants_narrowing(&self) -> bool {
        self.can_fail || self.is_dear
    }
}

fn is_nonzero(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Constant(Value::Int(x) | Value::Duration(x)) => *x != 0,
        NodeKind::Constant(Value::Float(x)) => x.get() != 0.0,
        NodeKind::Constant(Value::Decimal(x)) => *x != 0,
        _ => false,
    }
}

fn call_can_fail(function: Function, args: &[Node]) -> bool {
    use Function as F;
    let of = args.first().map(|arg| arg.ty.required());
    match function {
        F::Lower
        | F::Upper
        | F::Trim
        | F::Split
        | F::Join
        | F::Contains
        | F::StartsWith
        | F::EndsWith
        | F::Position
        | F::Len
        | F::Min
        | F::Max
        | F::Floor
        | F::Ceil
        | F::Sqrt
        | F::Exp
        | F::Ln
        | F::Pow
        | F::Year
        | F::Month
        | F::Day
        | F::Hour
        | F::IsSome
        | F::Hash
        | F::Any
        | F::All
        | F::Sort
        | F::First
        | F::Last
        | F::Distinct
        | F::Sign
        | F::Log10
        | F::Minute
        | F::Second
        | F::Weekday
        | F::Quarter
        | F::Keys
        | F::Values
        | F::Base64
        | F::Hex
        | F::Sha256 => false,
        F::Matches => !has_pattern(args, pattern::is_regex),
        F::Like => !has_pattern(args, pattern::is_like_pattern),
        F::Item => !matches!(of, Some(Type::Map(_))),
        F::Abs | F::Sum => !matches!(of, Some(Type::Float32 | Type::Float64)),
        F::Replace
        | F::RegexExtract
        | F::RegexReplace
        | F::Diff
        | F::ParseTime
        | F::FormatTime
        | F::EpochTime
        | F::JobFailed
        | F::MapOf
        | F::Substr
        | F::Slice
        | F::Clamp
        | F::Round
        | F::Div
        | F::Trunc
        | F::AddMonths
        | F::Filter
        | F::Map
        | F::FromBase64
        | F::FromHex
        | F::OfTensor(_) => true,
    }
}

/// Whether the second argument is a constant that `fits`.
fn has_pattern(args: &[Node], fits: fn(&str) -> bool) -> bool {
    match &args[1].kind {
        NodeKind::Constant(Value::String(pattern)) => fits(pattern),
        NodeKind::Constant(Value::None) => true,
        _ => false,
    }
}

/// Whether no column is read (lambdas are left alone).
fn is_constant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(_) => true,
        ExprKind::Column(_) | ExprKind::Local(_) | ExprKind::Lambda { .. } => false,
        _ => expr.children().into_iter().all(is_constant),
    }
}

fn collect_columns(expr: &Expr, columns: &mut Vec<(usize, Type)>) {
    if let ExprKind::Column(idx) = &expr.kind
        && !columns.iter().any(|(known, _)| known == idx)
    {
        columns.push((*idx, expr.ty.clone()));
    }
    expr.for_each_child(|child| collect_columns(child, columns));
}
