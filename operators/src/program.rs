//! Vectorised evaluation: an expression is analysed once and then run on batches of columns.
//!
//! It means what [`eval`] means, row for row, failures included. What is lazy there is narrow
//! here: an operand that may fail, or that is dear, is evaluated only on the rows that need it.

use std::borrow::Cow;

use arqon_types::{Column, Type, Value};

use crate::branch::{Choice, Part, merge_parts, with_presence_kept};
use crate::call_kernel;
use crate::cast_kernel;
use crate::cells::{
    Cells, Operand, Output, Presence, RowErrors, Rows, View, index, merge_errors, with_presence,
};
use crate::eval::{concat, eval};
use crate::expr::{BinaryOp, Expr, UnaryOp};
use crate::kernel::{self, Frame};
use crate::node::{Node, NodeKind};

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

    /// The column that the expression is, if it is one as it stands.
    pub fn column(&self) -> Option<usize> {
        match self.root.kind {
            NodeKind::Column(idx) => Some(idx),
            _ => None,
        }
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
        if let (Operand::Slice(truth), [], Some(n_rows)) =
            (truth, output.errors.as_slice(), rows.n_unselected())
        {
            return Selected { selection: true_positions(truth, n_rows), errors: Vec::new() };
        }
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

/// Where it is true, without a branch that depends on it: which rows pass cannot be foreseen.
fn true_positions(truth: &[bool], n_rows: u32) -> Vec<u32> {
    let mut positions = vec![0; truth.len() + 1];
    let mut n_true = 0;
    for (is_true, position) in truth.iter().zip(0..n_rows) {
        positions[n_true] = position;
        n_true += usize::from(*is_true);
    }
    positions.truncate(n_true);
    positions
}

impl Node {
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
                    let item_output = item.run(rows);
                    let left =
                        Output { cells: of_output.cells.reborrow(), errors: RowErrors::new() };
                    let bool_frame = Frame { ty: &Type::Bool, ..frame };
                    let equal = kernel::compare(
                        BinaryOp::Equal,
                        left,
                        item_output,
                        (&of.ty, &item.ty),
                        &bool_frame,
                    );
                    let (_, view) = equal.cells.split();
                    let equals = view.bools().expect("equality is a bool");
                    found.iter_mut().enumerate().for_each(|(at, found)| *found |= equals.at(at));
                    errors = merge_errors(errors, equal.errors);
                }
                Output::of(Column::Bool(found), errors)
            }
            NodeKind::Default { of, otherwise } => self.default(of, otherwise, rows),
            NodeKind::Try(of) => attempt(of.run(rows), &of.ty, &frame),
            NodeKind::Cast(of) => cast_kernel::cast(of.run(rows), &of.ty, &frame),
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
        let first = part(then, &choice, Choice::First, rows);
        let second = part(otherwise, &choice, Choice::Second, rows);
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
        let second = part(otherwise, &choice, Choice::Second, rows);
        merge_parts(&choice, first, second, &self.ty, of_output.errors)
    }
}

/// One branch: on the rows that chose it if that pays, else on all.
fn part<'a>(node: &Node, choice: &[Choice], mine: Choice, rows: Rows<'a>) -> Part<'a> {
    if node.wants_narrowing() {
        return Part::narrow(choice, mine, &node.ty, rows, |rows| node.run(rows));
    }
    let output = node.run(rows);
    Part { cells: output.cells, errors: output.errors, is_dense: false }
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
        | BinaryOp::GreaterEqual => {
            kernel::compare(op, left_output, right_output, (&left.ty, &right.ty), frame)
        }
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
                Operand::Slice(truth) => {
                    open.iter_mut().zip(truth).for_each(|(open, truth)| *open &= *truth == unit);
                }
                Operand::Constant(truth) if truth != unit => open.fill(false),
                Operand::Constant(_) => {}
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

#[cfg(test)]
mod tests;
