//! Vectorised evaluation: an expression is analysed once and then run on batches of columns.
//!
//! It means what [`eval`] means, row for row, failures included. What is lazy there is narrow
//! here: an operand that may fail, or that is dear, is evaluated only on the rows that need it.

use std::borrow::Cow;

use arqon_types::{Column, Type, Value};

use crate::call_kernel;
use crate::cells::{Cells, Output, Presence, RowErrors, Rows, View, merge_errors, with_presence};
use crate::eval::{concat, eval};
use crate::expr::{BinaryOp, Expr, ExprKind, Place, UnaryOp};
use crate::function::Function;
use crate::kernel::{self, Frame};

/// An expression ready to run on columns.
#[derive(Debug, Clone)]
pub struct Program {
    root: Node,
}

/// What a program gives for some rows.
#[derive(Debug)]
pub struct Evaluated<'a> {
    /// One cell per evaluated row, in order; borrowed where the expression is a mere column.
    /// Cells of failed rows are valid values that mean nothing.
    pub column: Cow<'a, Column>,
    /// The failed rows by position among the evaluated rows, ascending.
    pub errors: RowErrors,
}

/// Which rows satisfy a condition.
#[derive(Debug)]
pub struct Selected {
    /// Indices of the rows for which it is true, in the rows' order: a selection for the next step.
    pub selection: Vec<u32>,
    /// The failed rows by position among the evaluated rows, ascending.
    pub errors: RowErrors,
}

impl Program {
    /// Analyses `expr`: constants are folded, and what may fail is known.
    pub fn new(expr: &Expr) -> Self {
        Self { root: Node::new(expr) }
    }

    /// The type of the values.
    pub fn ty(&self) -> &Type {
        &self.root.ty
    }

    /// Whether a row can fail at all.
    pub fn can_fail(&self) -> bool {
        self.root.can_fail
    }

    /// The values for all `rows`.
    ///
    /// # Panics
    /// If the columns are not of the types that the expression was typed with.
    pub fn evaluate<'a>(&self, rows: Rows<'a>) -> Evaluated<'a> {
        let output = self.root.run(rows);
        Evaluated {
            column: output.cells.into_column(&self.root.ty, rows.len()),
            errors: output.errors,
        }
    }

    /// The rows for which this condition, a `bool`, is true.
    ///
    /// # Panics
    /// If the expression is no `bool`.
    pub fn select(&self, rows: Rows<'_>) -> Selected {
        let output = self.root.run(rows);
        let (_, view) = output.cells.split();
        let truth = view.bools().expect("a condition is a bool");
        let mut failed = output.errors.iter().map(|(position, _)| *position).peekable();
        let mut selection = Vec::with_capacity(rows.len());
        for position in 0..rows.len() {
            let has_failed = failed.next_if_eq(&position).is_some();
            if truth.at(position) && !has_failed {
                selection.push(index(rows.row_idx(position)));
            }
        }
        drop(failed);
        Selected { selection, errors: output.errors }
    }
}

fn index(row_idx: usize) -> u32 {
    u32::try_from(row_idx).expect("a batch has fewer than 2^32 rows")
}

#[derive(Debug, Clone)]
struct Node {
    kind: NodeKind,
    ty: Type,
    place: Place,
    can_fail: bool,
    /// Worth evaluating only where needed, although it cannot fail.
    is_dear: bool,
}

#[derive(Debug, Clone)]
enum NodeKind {
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
    fn new(expr: &Expr) -> Self {
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
            NodeKind::Unary(UnaryOp::Negate, of) => *of.ty.required() != Type::Float64,
            NodeKind::Binary(op, left, right) => match op {
                BinaryOp::Divide | BinaryOp::Remainder => !is_nonzero(right),
                BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply => {
                    *left.ty.required() != Type::Float64
                }
                _ => false,
            },
            NodeKind::Cast(of) => match (of.ty.required(), self.ty.required()) {
                (from, to) if from == to => false,
                (_, Type::String)
                | (Type::Int64 | Type::Decimal(_), Type::Float64)
                | (Type::Bool | Type::Timestamp | Type::Date | Type::Duration, Type::Int64)
                | (Type::Timestamp, Type::Date) => false,
                _ => true,
            },
            NodeKind::Call(function, args) => call_can_fail(*function, args),
            _ => false,
        }
    }

    /// Whether it pays to evaluate only the rows that need it.
    fn wants_narrowing(&self) -> bool {
        self.can_fail || self.is_dear
    }

    fn run<'a>(&self, rows: Rows<'a>) -> Output<'a> {
        let frame = Frame { n_rows: rows.len(), ty: &self.ty, place: self.place };
        match &self.kind {
            NodeKind::Column(idx) => Output { cells: rows.column(*idx), errors: RowErrors::new() },
            NodeKind::Constant(value) => Output::constant(value.clone(), RowErrors::new()),
            NodeKind::Field(of, idx) => field(of.run(rows), *idx, &frame),
            NodeKind::Unary(UnaryOp::Not, of) => kernel::not(of.run(rows), &frame),
            NodeKind::Unary(UnaryOp::Negate, of) => kernel::negate(of.run(rows), &frame),
            NodeKind::Binary(op, left, right) => binary(*op, (left, right), rows, &frame),
            NodeKind::Chain { operands, unit } => chain(operands, *unit, rows),
            NodeKind::If { condition, then, otherwise } => {
                self.branches(condition, then, otherwise, rows)
            }
            NodeKind::In { of, items } => {
                let of_output = of.run(rows);
                let mut found = vec![false; rows.len()];
                let mut errors = of_output.errors;
                for item in items {
                    let item = item.run(rows);
                    let left =
                        Output { cells: of_output.cells.reborrow(), errors: RowErrors::new() };
                    let bool_frame = Frame { ty: &Type::Bool, ..frame };
                    let equal = kernel::compare(BinaryOp::Equal, left, item, &of.ty, &bool_frame);
                    let (_, view) = equal.cells.split();
                    let equals = view.bools().expect("equality is a bool");
                    found.iter_mut().enumerate().for_each(|(at, found)| *found |= equals.at(at));
                    errors = merge_errors(errors, equal.errors);
                }
                Output::of(Column::Bool(found), errors)
            }
            NodeKind::Default { of, otherwise } => self.default(of, otherwise, rows),
            NodeKind::Try(of) => attempt(of.run(rows), &of.ty, &frame),
            NodeKind::Cast(of) => kernel::cast(of.run(rows), &of.ty, &frame),
            NodeKind::Call(function, args) => {
                let types: Vec<&Type> = args.iter().map(|arg| &arg.ty).collect();
                let args = args.iter().map(|arg| arg.run(rows)).collect();
                call_kernel::call(*function, args, &types, &frame)
            }
            NodeKind::List(items) => list(items, rows, &frame),
            NodeKind::Struct(fields) => {
                let mut errors = RowErrors::new();
                let mut columns = Vec::with_capacity(fields.len());
                for field in fields {
                    let output = field.run(rows);
                    errors = merge_errors(errors, output.errors);
                    columns.push(output.cells.into_column(&field.ty, rows.len()).into_owned());
                }
                Output::of(Column::Struct { len: rows.len(), fields: columns }, errors)
            }
            NodeKind::RowWise { expr, columns, n_columns } => {
                row_wise(expr, columns, *n_columns, rows)
            }
        }
    }

    fn branches<'a>(
        &self,
        condition: &Self,
        then: &Self,
        otherwise: &Self,
        rows: Rows<'a>,
    ) -> Output<'a> {
        let condition = condition.run(rows);
        let (_, view) = condition.cells.split();
        let truth = view.bools().expect("a condition is a bool");
        let mut choice: Vec<Choice> = (0..rows.len())
            .map(|at| if truth.at(at) { Choice::First } else { Choice::Second })
            .collect();
        condition.errors.iter().for_each(|(position, _)| choice[*position] = Choice::Failed);
        let first = Part::run(then, &choice, Choice::First, rows);
        let second = Part::run(otherwise, &choice, Choice::Second, rows);
        merge_parts(&choice, first, second, &self.ty, condition.errors)
    }

    fn default<'a>(&self, of: &Self, otherwise: &Self, rows: Rows<'a>) -> Output<'a> {
        let of_output = of.run(rows);
        let (presence, _) = of_output.cells.split();
        if matches!(presence, Presence::All) && matches!(of_output.cells, Cells::Constant(_)) {
            return of_output;
        }
        let mut choice: Vec<Choice> = (0..rows.len())
            .map(|at| if presence.at(at) { Choice::First } else { Choice::Second })
            .collect();
        of_output.errors.iter().for_each(|(position, _)| choice[*position] = Choice::Failed);
        let cells = match of_output.cells {
            // The plain values of the option, unless the whole stays an option.
            Cells::Column(column) if !self.ty.is_option() => match column.into_owned() {
                Column::Option { values, .. } => Cells::Column(Cow::Owned(*values)),
                plain => Cells::Column(Cow::Owned(plain)),
            },
            cells => cells,
        };
        let first = Part { cells, errors: RowErrors::new(), is_dense: false };
        let second = Part::run(otherwise, &choice, Choice::Second, rows);
        merge_parts(&choice, first, second, &self.ty, of_output.errors)
    }
}

/// Which of two parts gives a row's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    First,
    Second,
    Failed,
}

/// One branch's values: for all rows, or (dense) only for the rows that chose it.
struct Part<'a> {
    cells: Cells<'a>,
    /// By position among all rows.
    errors: RowErrors,
    is_dense: bool,
}

impl<'a> Part<'a> {
    fn run(node: &Node, choice: &[Choice], mine: Choice, rows: Rows<'a>) -> Self {
        if !node.wants_narrowing() {
            let output = node.run(rows);
            return Self { cells: output.cells, errors: output.errors, is_dense: false };
        }
        let positions: Vec<u32> =
            (0..rows.len()).filter(|at| choice[*at] == mine).map(index).collect();
        let row_indices = rows.row_indices(&positions);
        let output = node.run(rows.narrowed(&row_indices));
        let errors =
            output.errors.into_iter().map(|(at, error)| (positions[at] as usize, error)).collect();
        let column = output.cells.into_column(&node.ty, positions.len()).into_owned();
        Self { cells: Cells::Column(Cow::Owned(column)), errors, is_dense: true }
    }
}

fn merge_parts<'a>(
    choice: &[Choice],
    first: Part<'_>,
    second: Part<'_>,
    ty: &Type,
    errors: RowErrors,
) -> Output<'a> {
    let column = match select_plain(choice, &first, &second) {
        Some(column) => with_presence_kept(column, ty),
        None => select_any(choice, &first, &second, ty),
    };
    let errors = merge_errors(errors, merge_errors(first.errors, second.errors));
    Output::of(column, errors)
}

/// Both parts plain and of numbers: a select without branches.
fn select_plain(choice: &[Choice], first: &Part<'_>, second: &Part<'_>) -> Option<Column> {
    if first.is_dense || second.is_dense {
        return None;
    }
    let ((Presence::All, a), (Presence::All, b)) = (first.cells.split(), second.cells.split())
    else {
        return None;
    };
    macro_rules! select {
        ($read:ident, $column:ident) => {
            if let (Some(a), Some(b)) = (a.$read(), b.$read()) {
                let pick = |(at, choice): (usize, &Choice)| {
                    if *choice == Choice::First { a.at(at) } else { b.at(at) }
                };
                return Some(Column::$column(choice.iter().enumerate().map(pick).collect()));
            }
        };
    }
    select!(ints, Int);
    select!(floats, Float);
    select!(bools, Bool);
    select!(decimals, Decimal);
    None
}

fn select_any(choice: &[Choice], first: &Part<'_>, second: &Part<'_>, ty: &Type) -> Column {
    let mut column = Column::with_capacity(ty, choice.len());
    let (mut first_at, mut second_at) = (0, 0);
    for (position, choice) in choice.iter().enumerate() {
        let (part, at) = match choice {
            Choice::First => (first, &mut first_at),
            Choice::Second => (second, &mut second_at),
            Choice::Failed => {
                column.push_default();
                continue;
            }
        };
        match &part.cells {
            Cells::Constant(value) => column.push(value),
            Cells::Column(from) => {
                column.push_from(from, if part.is_dense { *at } else { position });
            }
        }
        *at += 1;
    }
    column
}

fn binary<'a>(
    op: BinaryOp,
    (left, right): (&Node, &Node),
    rows: Rows<'a>,
    frame: &Frame<'_>,
) -> Output<'a> {
    let (left_output, right_output) = (left.run(rows), right.run(rows));
    match op {
        BinaryOp::Add
        | BinaryOp::Subtract
        | BinaryOp::Multiply
        | BinaryOp::Divide
        | BinaryOp::Remainder => {
            kernel::arithmetic(op, left_output, right_output, (&left.ty, &right.ty), frame)
        }
        BinaryOp::Concat => concatenate(left_output, right_output, &left.ty, frame),
        BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::Less
        | BinaryOp::LessEqual
        | BinaryOp::Greater
        | BinaryOp::GreaterEqual => kernel::compare(op, left_output, right_output, &left.ty, frame),
    }
}

/// `and` (`unit` true: rows go on while true) or `or` (`unit` false: while false).
fn chain<'a>(operands: &[Node], unit: bool, rows: Rows<'_>) -> Output<'a> {
    let n_rows = rows.len();
    let mut errors = RowErrors::new();
    // Rows that still depend on the operands to come.
    let mut open = vec![true; n_rows];
    let mut n_open = n_rows;
    for operand in operands {
        if n_open == 0 {
            break;
        }
        if n_open < n_rows && operand.wants_narrowing() {
            let positions: Vec<u32> = (0..n_rows).filter(|at| open[*at]).map(index).collect();
            let row_indices = rows.row_indices(&positions);
            let output = operand.run(rows.narrowed(&row_indices));
            let (_, view) = output.cells.split();
            let truth = view.bools().expect("typing wants bools");
            for (at, position) in positions.iter().enumerate() {
                open[*position as usize] = truth.at(at) == unit;
            }
            let failed: RowErrors = output
                .errors
                .into_iter()
                .map(|(at, error)| (positions[at] as usize, error))
                .collect();
            errors = close_failed(&mut open, errors, failed);
        } else {
            let output = operand.run(rows);
            let (_, view) = output.cells.split();
            let truth = view.bools().expect("typing wants bools");
            match truth {
                crate::cells::Operand::Slice(truth) => {
                    open.iter_mut().zip(truth).for_each(|(open, truth)| *open &= *truth == unit);
                }
                crate::cells::Operand::Constant(truth) if truth != unit => open.fill(false),
                crate::cells::Operand::Constant(_) => {}
            }
            errors = close_failed(&mut open, errors, output.errors);
        }
        n_open = open.iter().filter(|open| **open).count();
    }
    // What is still open has met the unit only.
    let mut values = open;
    if !unit {
        for value in &mut values {
            *value = !*value;
        }
    }
    Output::of(Column::Bool(values), errors)
}

fn close_failed(open: &mut [bool], errors: RowErrors, failed: RowErrors) -> RowErrors {
    for (position, _) in &failed {
        open[*position] = false;
    }
    merge_errors(errors, failed)
}

fn field<'a>(of: Output<'a>, idx: usize, frame: &Frame<'_>) -> Output<'a> {
    let errors = of.errors;
    match of.cells {
        Cells::Constant(Value::Struct(values)) => Output::constant(values[idx].clone(), errors),
        Cells::Constant(value) => Output::constant(value, errors),
        Cells::Column(Cow::Borrowed(Column::Struct { fields, .. })) => {
            Output { cells: Cells::Column(Cow::Borrowed(&fields[idx])), errors }
        }
        Cells::Column(column) => match column.into_owned() {
            Column::Struct { mut fields, .. } => Output::of(fields.swap_remove(idx), errors),
            Column::Option { mut present, values } => {
                let Column::Struct { mut fields, .. } = *values else {
                    unreachable!("typing wants a struct")
                };
                let values = match fields.swap_remove(idx) {
                    Column::Option { present: inner, values } => {
                        present.iter_mut().zip(inner).for_each(|(outer, inner)| *outer &= inner);
                        *values
                    }
                    plain => plain,
                };
                Output::of(with_presence(values, Some(present), frame.ty), errors)
            }
            other => unreachable!("typing lets no {other:?} have fields"),
        },
    }
}

/// `try(x)`: failed rows are absent.
fn attempt<'a>(of: Output<'a>, ty: &Type, frame: &Frame<'_>) -> Output<'a> {
    if of.errors.is_empty() && (ty.is_option() || matches!(of.cells, Cells::Constant(_))) {
        return of;
    }
    let column = of.cells.into_column(ty, frame.n_rows).into_owned();
    let mut column = with_presence_kept(column, frame.ty);
    if let Column::Option { present, .. } = &mut column {
        of.errors.iter().for_each(|(position, _)| present[*position] = false);
    }
    Output::of(column, RowErrors::new())
}

/// The column as `ty` has it: an option if that is one.
fn with_presence_kept(column: Column, ty: &Type) -> Column {
    match column {
        option @ Column::Option { .. } => option,
        plain => with_presence(plain, None, ty),
    }
}

fn concatenate<'a>(
    left: Output<'_>,
    right: Output<'_>,
    ty: &Type,
    frame: &Frame<'_>,
) -> Output<'a> {
    let errors = merge_errors(left.errors, right.errors);
    let (left_presence, left_view) = left.cells.split();
    let (right_presence, right_view) = right.cells.split();
    let nowhere =
        matches!(left_presence, Presence::Nowhere) || matches!(right_presence, Presence::Nowhere);
    if nowhere {
        return Output::constant(Value::None, errors);
    }
    let present = left_presence.and(right_presence, frame.n_rows);
    let mut values = Column::with_capacity(frame.ty.required(), frame.n_rows);
    if let (Some(a), Some(b), Column::String(to)) =
        (left_view.texts(), right_view.texts(), &mut values)
    {
        let mut joined = String::new();
        for position in 0..frame.n_rows {
            joined.clear();
            joined.push_str(a.text(position));
            joined.push_str(b.text(position));
            to.push(&joined);
        }
    } else {
        let inner = ty.required();
        let value = |view: View<'_>, at| view.value(at, inner);
        for position in 0..frame.n_rows {
            values.push(&concat(&value(left_view, position), &value(right_view, position)));
        }
    }
    Output::of(with_presence(values, present, frame.ty), errors)
}

fn list<'a>(items: &[Node], rows: Rows<'_>, frame: &Frame<'_>) -> Output<'a> {
    let mut errors = RowErrors::new();
    let mut parts = Vec::with_capacity(items.len());
    for item in items {
        let output = item.run(rows);
        errors = merge_errors(errors, output.errors);
        parts.push(output.cells);
    }
    let mut column = Column::with_capacity(frame.ty, frame.n_rows);
    let Column::List { ends, items: to } = &mut column else {
        unreachable!("a list expression is of a list type")
    };
    for position in 0..frame.n_rows {
        for part in &parts {
            match part {
                Cells::Constant(value) => to.push(value),
                Cells::Column(from) => to.push_from(from, position),
            }
        }
        ends.push(index(to.len()));
    }
    Output::of(column, errors)
}

fn row_wise<'a>(
    expr: &Expr,
    columns: &[(usize, Type)],
    n_columns: usize,
    rows: Rows<'_>,
) -> Output<'a> {
    let mut column = Column::with_capacity(&expr.ty, rows.len());
    let mut errors = RowErrors::new();
    let mut values = vec![Value::None; n_columns];
    for position in 0..rows.len() {
        let row_idx = rows.row_idx(position);
        for (idx, ty) in columns {
            values[*idx] = rows.plain_columns()[*idx].value(row_idx, ty);
        }
        match eval(expr, &values) {
            Ok(value) => column.push(&value),
            Err(error) => {
                column.push_default();
                errors.push((position, error));
            }
        }
    }
    Output::of(column, errors)
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
        | F::Replace
        | F::Contains
        | F::StartsWith
        | F::EndsWith
        | F::Like
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
        | F::First => false,
        F::Abs | F::Sum => of != Some(&Type::Float64),
        F::Substr
        | F::Slice
        | F::Clamp
        | F::Round
        | F::Div
        | F::Trunc
        | F::AddMonths
        | F::Filter
        | F::Map => true,
    }
}

/// Whether no column is read (lambdas are left alone).
fn is_constant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Literal(_) => true,
        ExprKind::Column(_) | ExprKind::Local(_) | ExprKind::Lambda { .. } => false,
        _ => sub_expressions(expr).into_iter().all(is_constant),
    }
}

fn collect_columns(expr: &Expr, columns: &mut Vec<(usize, Type)>) {
    if let ExprKind::Column(idx) = &expr.kind
        && !columns.iter().any(|(known, _)| known == idx)
    {
        columns.push((*idx, expr.ty.clone()));
    }
    for sub in sub_expressions(expr) {
        collect_columns(sub, columns);
    }
}

fn sub_expressions(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Column(_) | ExprKind::Local(_) | ExprKind::Literal(_) => Vec::new(),
        ExprKind::Field { of, .. }
        | ExprKind::Unary(_, of)
        | ExprKind::Try(of)
        | ExprKind::Cast(of)
        | ExprKind::Lambda { body: of, .. } => vec![of],
        ExprKind::Binary(_, a, b) | ExprKind::Default { of: a, otherwise: b } => vec![a, b],
        ExprKind::If { condition, then, otherwise } => vec![condition, then, otherwise],
        ExprKind::In { of, items } => std::iter::once(of.as_ref()).chain(items).collect(),
        ExprKind::And(exprs)
        | ExprKind::Or(exprs)
        | ExprKind::Call { args: exprs, .. }
        | ExprKind::List(exprs)
        | ExprKind::Struct(exprs) => exprs.iter().collect(),
    }
}

#[cfg(test)]
mod tests;
