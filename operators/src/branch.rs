//! Two branches of which each row takes one: `if`, and the default of an option.

use std::borrow::Cow;

use arqon_types::{Column, Type};

use crate::cells::{Cells, Output, Presence, RowErrors, Rows, index, merge_errors, with_presence};

/// Which of two parts gives a row's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    First,
    Second,
    Failed,
}

/// One branch's values: for all rows, or (dense) only for the rows that chose it.
pub(crate) struct Part<'a> {
    pub(crate) cells: Cells<'a>,
    /// By position among all rows.
    pub(crate) errors: RowErrors,
    pub(crate) is_dense: bool,
}

impl Part<'_> {
    /// Runs one branch on the rows that chose it.
    pub(crate) fn narrow(
        choice: &[Choice],
        mine: Choice,
        ty: &Type,
        rows: Rows<'_>,
        run: impl for<'s> FnOnce(Rows<'s>) -> Output<'s>,
    ) -> Self {
        let positions: Vec<u32> =
            (0..rows.len()).filter(|at| choice[*at] == mine).map(index).collect();
        let row_indices = rows.row_indices(&positions);
        let output = run(rows.narrowed(&row_indices));
        let errors =
            output.errors.into_iter().map(|(at, error)| (positions[at] as usize, error)).collect();
        let column = output.cells.into_column(ty, positions.len()).into_owned();
        Self { cells: Cells::Column(Cow::Owned(column)), errors, is_dense: true }
    }
}

/// Each row's value from the part that it chose; both parts' failures.
pub(crate) fn merge_parts<'a>(
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

/// The column as `ty` has it: an option if that is one.
pub(crate) fn with_presence_kept(column: Column, ty: &Type) -> Column {
    match column {
        option @ Column::Option { .. } => option,
        plain => with_presence(plain, None, ty),
    }
}
