//! Which columns tell every two rows of a collection apart.

use arqon_operators::{Expr, ExprKind};
use arqon_types::Schema;
use smallvec::{SmallVec, smallvec};

use crate::dataflow::{Join, JoinKind, JoinOutput, Over, OverKind, Ties, Top};
use crate::facts::{ColumnPath, Facts, Key, Keys};
use crate::vertex::VertexId;

/// The place in its row that an expression only copies; none if it computes.
pub(crate) fn path_of(expr: &Expr) -> Option<ColumnPath> {
    match &expr.kind {
        ExprKind::Column(column) => Some(smallvec![*column]),
        ExprKind::Field { of, idx } => {
            let mut path = path_of(of)?;
            path.push(*idx);
            Some(path)
        }
        ExprKind::Local(_)
        | ExprKind::Literal(_)
        | ExprKind::Unary(..)
        | ExprKind::Binary(..)
        | ExprKind::And(_)
        | ExprKind::Or(_)
        | ExprKind::If { .. }
        | ExprKind::In { .. }
        | ExprKind::Default { .. }
        | ExprKind::Try(_)
        | ExprKind::Cast(_)
        | ExprKind::Call { .. }
        | ExprKind::List(_)
        | ExprKind::Struct(_)
        | ExprKind::Lambda { .. } => None,
    }
}

/// Where a path of the old row stands in the new one.
fn moved(path: &[usize], copies: &[Option<ColumnPath>]) -> Option<ColumnPath> {
    copies.iter().enumerate().find_map(|(column, copied)| {
        let rest = path.strip_prefix(copied.as_deref()?)?;
        Some(std::iter::once(column).chain(rest.iter().copied()).collect())
    })
}

/// The keys that survive a projection: those whose every part is copied.
pub(crate) fn project(keys: &[Key], fields: &[Expr]) -> Keys {
    if keys.is_empty() {
        return Keys::new();
    }
    let copies: SmallVec<[Option<ColumnPath>; 8]> = fields.iter().map(path_of).collect();
    let move_key = |key: &Key| key.iter().map(|path| moved(path, &copies)).collect();
    keys.iter().filter_map(move_key).collect()
}

/// The keys whose columns come along under their names.
pub(crate) fn by_name(keys: &[Key], before: &Schema, after: &Schema) -> Keys {
    let moved = |path: &ColumnPath| -> Option<ColumnPath> {
        let (column, rest) = path.split_first()?;
        let now = after.position(&before.fields.get(*column)?.name)?;
        Some(std::iter::once(now).chain(rest.iter().copied()).collect())
    };
    keys.iter().filter_map(|key| key.iter().map(moved).collect()).collect()
}

/// The declared key of the events, if the projection copies all of it.
pub(crate) fn project_declared(input: &Facts, fields: &[Expr]) -> Option<(VertexId, Key)> {
    let (topic, key) = input.declared_key.as_ref()?;
    let mut keys = project(std::slice::from_ref(key), fields);
    Some((*topic, keys.pop()?))
}

/// The declared key of the events, if it does not stand in the field that an element replaces.
pub(crate) fn unnest_declared(input: &Facts, field: usize) -> Option<(VertexId, Key)> {
    input
        .declared_key
        .clone()
        .filter(|(_, key)| key.iter().all(|path| path.first() != Some(&field)))
}

/// On which sides of a join a row is met by at most one row of the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UniqueSides {
    /// The match names a key of the left side.
    pub(crate) left: bool,
    /// The match names a key of the right side.
    pub(crate) right: bool,
}

impl UniqueSides {
    pub(crate) fn of(join: &Join, left: &Facts, right: &Facts) -> Self {
        let names_key = |keys: &[Key], matched: &[Expr]| {
            let paths: Vec<ColumnPath> = matched.iter().filter_map(path_of).collect();
            keys.iter().any(|key| key.iter().all(|path| paths.contains(path)))
        };
        Self {
            left: names_key(&left.keys, &join.left_key),
            right: join.asof.is_some() || names_key(&right.keys, &join.right_key),
        }
    }
}

/// The keys of a join's rows.
pub(crate) fn join(
    join: &Join,
    (left, right): (&[Key], &[Key]),
    unique: UniqueSides,
    n_left: usize,
) -> Keys {
    let right_path = |path: &ColumnPath| -> ColumnPath {
        match join.output {
            JoinOutput::Nested => std::iter::once(n_left).chain(path.iter().copied()).collect(),
            JoinOutput::Flat | JoinOutput::LeftOnly => {
                let mut path = path.clone();
                if let Some(first) = path.first_mut() {
                    *first += n_left;
                }
                path
            }
        }
    };
    match join.kind {
        JoinKind::Semi | JoinKind::Anti => left.into(),
        JoinKind::Inner | JoinKind::Left | JoinKind::Full => {
            let right: Keys =
                right.iter().map(|key| key.iter().map(right_path).collect()).collect();
            let mut keys = Keys::new();
            if unique.right && join.kind != JoinKind::Full {
                keys.extend(left.iter().cloned());
            }
            // The rows without a match all have none on the other side.
            if unique.left && join.kind == JoinKind::Inner {
                keys.extend(right.iter().cloned());
            }
            if let (true, Some(one), Some(other)) = (keys.is_empty(), left.first(), right.first()) {
                keys.push(one.iter().chain(other).cloned().collect());
            }
            capped(keys)
        }
    }
}

/// The keys of a `top`: those of its input, and the group where it keeps one row for each.
pub(crate) fn top(top: &Top, input: &[Key], n_columns: usize) -> Keys {
    let mut keys = Keys::from(input);
    let per: Option<Key> = top.per.iter().map(path_of).collect();
    if let (Some(mut per), Ties::Cut) = (per, top.ties) {
        if top.rank && 0 < n_columns && 1 < top.n {
            per.push(smallvec![n_columns - 1]);
        }
        if top.rank || top.n <= 1 {
            keys.push(per);
        }
    }
    capped(keys)
}

/// The keys of an `over`: those of its input, and the place in the group where it is told.
pub(crate) fn over(over: &Over, input: &[Key], n_columns: usize) -> Keys {
    let mut keys = Keys::from(input);
    let n_before = n_columns.saturating_sub(over.functions.len());
    let number = over.functions.iter().position(|it| it.kind == OverKind::RowNumber);
    let per: Option<Key> = over.per.iter().map(path_of).collect();
    if let (Some(mut per), Some(number)) = (per, number) {
        per.push(smallvec![n_before + number]);
        keys.push(per);
    }
    capped(keys)
}

/// Drops keys beyond the limits, so that long chains of joins stay cheap.
pub(crate) fn capped(mut keys: Keys) -> Keys {
    for key in &mut keys {
        key.sort();
        key.dedup();
    }
    keys.retain(|key| key.len() <= KEY_COLUMNS_MAX);
    keys.sort_by_key(SmallVec::len);
    keys.dedup();
    keys.truncate(KEYS_MAX);
    keys
}

/// Most keys that are kept of one collection.
const KEYS_MAX: usize = 4;

/// Most columns of a kept key.
const KEY_COLUMNS_MAX: usize = 64;
