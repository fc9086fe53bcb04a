//! How many rows a collection can have, and what a step holds of them, as printable formulas.

use std::sync::Arc;

use arqon_operators::{Aggregate, AggregateFunction, Expr, ExprKind};
use arqon_types::{Schema, Type};

use super::keys::{UniqueSides, path_of};
use super::windows;
use crate::dataflow::{Group, JoinKind, Ties, Top};
use crate::facts::{Extent, Facts, Held, State};
use crate::graph::Plan;
use crate::vertex::{Retain, Topic};

impl Extent {
    /// As a formula.
    pub fn text(&self) -> Arc<str> {
        match self {
            Self::Rows(1) => "1 row".into(),
            Self::Rows(n) => format!("{n} rows").into(),
            Self::Bounded(text) => Arc::clone(text),
            Self::Unbounded(_) => "without bound".into(),
            Self::Unknown => "unknown".into(),
        }
    }

    /// Of a union. A long formula is cut to the rows of `address`, where it can be looked up.
    pub(crate) fn sum(extents: impl Iterator<Item = Self>, address: &str) -> Self {
        combined(extents, " + ", address, u64::saturating_add)
    }

    /// Of a product, likewise.
    pub(crate) fn product(extents: impl Iterator<Item = Self>, address: &str) -> Self {
        combined(extents, " * ", address, u64::saturating_mul)
    }
}

fn combined(
    extents: impl Iterator<Item = Extent>,
    sign: &str,
    address: &str,
    count: impl Fn(u64, u64) -> u64,
) -> Extent {
    let mut result: Option<Extent> = None;
    for extent in extents {
        result = Some(match (result, extent) {
            (None, extent) => extent,
            (Some(Extent::Unbounded(topic)), _) | (_, Extent::Unbounded(topic)) => {
                Extent::Unbounded(topic)
            }
            (Some(Extent::Unknown), _) | (_, Extent::Unknown) => Extent::Unknown,
            (Some(Extent::Rows(left)), Extent::Rows(right)) => Extent::Rows(count(left, right)),
            (Some(left), right) => {
                let text = format!("{}{sign}{}", factor(&left, sign), factor(&right, sign));
                if FORMULA_CHARS_MAX < text.len() {
                    Extent::Bounded(format!("rows({address})").into())
                } else {
                    Extent::Bounded(text.into())
                }
            }
        });
    }
    result.unwrap_or(Extent::Rows(0))
}

fn factor(extent: &Extent, sign: &str) -> String {
    match extent {
        Extent::Rows(n) => n.to_string(),
        Extent::Bounded(text) if sign == " * " && text.contains(" + ") => format!("({text})"),
        Extent::Bounded(_) | Extent::Unbounded(_) | Extent::Unknown => extent.text().to_string(),
    }
}

/// How many rows a join yields.
pub(crate) fn join(
    kind: JoinKind,
    (left, right): (&Facts, &Facts),
    unique: UniqueSides,
    address: &str,
) -> Extent {
    let (left, right) = (&left.extent, &right.extent);
    let product = || Extent::product([left.clone(), right.clone()].into_iter(), address);
    match kind {
        JoinKind::Semi | JoinKind::Anti => left.clone(),
        JoinKind::Inner | JoinKind::Left if unique.right => left.clone(),
        JoinKind::Inner if unique.left => right.clone(),
        JoinKind::Inner => product(),
        // Rows without a match come out once.
        JoinKind::Left => Extent::sum([product(), left.clone()].into_iter(), address),
        JoinKind::Full if unique.left || unique.right => {
            Extent::sum([left.clone(), right.clone()].into_iter(), address)
        }
        JoinKind::Full => {
            Extent::sum([product(), left.clone(), right.clone()].into_iter(), address)
        }
    }
}

/// A row for each element of a list in the rows.
pub(crate) fn unnest(input: &Extent) -> Extent {
    match input {
        Extent::Rows(_) | Extent::Bounded(_) => {
            Extent::Bounded(format!("elements({})", input.text()).into())
        }
        Extent::Unbounded(_) | Extent::Unknown => input.clone(),
    }
}

/// A join holds both of its sides.
pub(crate) fn join_state(left: &Facts, right: &Facts) -> State {
    match (&left.extent, &right.extent) {
        (Extent::Unbounded(topic), _) => State::Unbounded { topic: *topic, held: Held::JoinLeft },
        (_, Extent::Unbounded(topic)) => State::Unbounded { topic: *topic, held: Held::JoinRight },
        (Extent::Unknown, _) | (_, Extent::Unknown) => State::Unknown,
        (Extent::Rows(_) | Extent::Bounded(_), Extent::Rows(_) | Extent::Bounded(_)) => {
            State::Bounded(format!("{} + {}", left.extent.text(), right.extent.text()).into())
        }
    }
}

/// A group holds its accumulators: one set for each value of its keys, and for some aggregates
/// every value.
pub(crate) fn group(plan: &Plan, group: &Group, input: &Facts, schema: &Schema) -> (Extent, State) {
    let name = |column: usize| schema.fields.get(column).map_or("", |field| &*field.name);
    let holding: Vec<String> = group
        .aggregates
        .iter()
        .enumerate()
        .filter(|(_, aggregate)| holds_values(aggregate))
        .map(|(idx, _)| name(group.keys.len() + idx).to_owned())
        .collect();
    let (groups, free) = distinct_values(plan, &group.keys, input);
    let free: Vec<String> = free.into_iter().map(|column| name(column).to_owned()).collect();
    let open = windows::among(input, &group.keys);
    if let (Extent::Unbounded(topic), Some(open)) = (&input.extent, open) {
        let groups = groups_text(&open.rows);
        let state = if holding.is_empty() {
            groups
        } else {
            format!("{groups}, and {} for {}", open.rows, holding.join(", ")).into()
        };
        return (Extent::Unbounded(*topic), State::Bounded(state));
    }
    match &input.extent {
        Extent::Unknown => (Extent::Unknown, State::Unknown),
        Extent::Unbounded(topic) if !free.is_empty() => (
            Extent::Unbounded(*topic),
            State::Unbounded { topic: *topic, held: Held::Groups(free) },
        ),
        Extent::Unbounded(topic) if !holding.is_empty() => {
            (groups, State::Unbounded { topic: *topic, held: Held::Values(holding) })
        }
        Extent::Unbounded(_) => {
            let text = groups_text(&groups.text());
            (groups, State::Bounded(text))
        }
        Extent::Rows(_) | Extent::Bounded(_) => {
            let extent = if free.is_empty() { groups } else { input.extent.clone() };
            let text = if holding.is_empty() {
                groups_text(&extent.text())
            } else {
                let values = holding.join(", ");
                format!("{}, and {} for {values}", groups_text(&extent.text()), input.extent.text())
                    .into()
            };
            (extent, State::Bounded(text))
        }
    }
}

fn groups_text(rows: &str) -> Arc<str> {
    match rows {
        "1 row" => "1 group".into(),
        _ => match rows.strip_suffix(" rows") {
            Some(n) => format!("{n} groups").into(),
            None => format!("1 group each of {rows}").into(),
        },
    }
}

/// How many values these expressions can have together, and the positions of those that have no
/// bound of their own: neither a type with a few values, nor a part of the declared key.
fn distinct_values(plan: &Plan, keys: &[Expr], input: &Facts) -> (Extent, Vec<usize>) {
    let mut domain: u64 = 1;
    let mut by_key = false;
    let mut free = Vec::new();
    for (column, key) in keys.iter().enumerate() {
        if matches!(key.kind, ExprKind::Literal(_)) {
            continue;
        }
        let declared = || {
            let (_, declared) = input.declared_key.as_ref()?;
            path_of(key).filter(|path| declared.contains(path))
        };
        if let Some(values) = values_of(&key.ty) {
            domain = domain.saturating_mul(values);
        } else if declared().is_some() {
            by_key = true;
        } else {
            free.push(column);
        }
    }
    let extent = match (&input.declared_key, by_key) {
        (Some((topic, _)), true) => {
            let keys = format!("keys({})", plan.label(*topic));
            if domain == 1 {
                Extent::Bounded(keys.into())
            } else {
                Extent::Bounded(format!("{keys} * {domain}").into())
            }
        }
        (Some(_) | None, _) => Extent::Rows(domain),
    };
    (extent, free)
}

/// How many values a type has, where that is few by declaration.
fn values_of(ty: &Type) -> Option<u64> {
    match ty {
        Type::Bool => Some(2),
        Type::Enum(labels) => u64::try_from(labels.len()).ok(),
        Type::Option(inner) => values_of(inner)?.checked_add(1),
        Type::Struct(fields) => fields
            .iter()
            .try_fold(1_u64, |product, field| product.checked_mul(values_of(&field.ty)?)),
        Type::Int64
        | Type::Float32
        | Type::Float64
        | Type::Decimal(_)
        | Type::String
        | Type::Bytes
        | Type::Timestamp
        | Type::Date
        | Type::Duration
        | Type::Uuid
        | Type::List(_)
        | Type::Map(_)
        | Type::Tensor(_) => None,
    }
}

/// Whether the aggregate must hold every value of its group to be exact under retraction.
fn holds_values(aggregate: &Aggregate) -> bool {
    // A few values stay a few, however many rows bring them, save where all are listed.
    let few = aggregate.args.iter().all(|arg| values_of(&arg.ty).is_some());
    let lists = matches!(
        aggregate.function,
        AggregateFunction::List | AggregateFunction::Top | AggregateFunction::Quantile
    );
    aggregate.function.holds_values() && (lists || !few)
}

/// A capsule puts out as many rows for one as it likes.
pub(crate) fn capsule(input: &Extent, address: &str) -> Extent {
    match input {
        Extent::Rows(_) | Extent::Bounded(_) => Extent::Bounded(format!("rows({address})").into()),
        Extent::Unbounded(_) | Extent::Unknown => input.clone(),
    }
}

/// `distinct` holds a count for each distinct row.
pub(crate) fn distinct(plan: &Plan, input: &Facts, schema: &Schema) -> (Extent, State) {
    let columns: Vec<Expr> = schema
        .fields
        .iter()
        .enumerate()
        .map(|(column, field)| Expr::column(column, field.ty.clone()))
        .collect();
    let (values, free) = distinct_values(plan, &columns, input);
    let extent = if free.is_empty() { values } else { input.extent.clone() };
    let state = match (&extent, &input.windows) {
        (Extent::Unbounded(_), Some(open)) => State::Bounded(Arc::clone(&open.rows)),
        (Extent::Unbounded(topic), None) => {
            State::Unbounded { topic: *topic, held: Held::Distinct }
        }
        (Extent::Unknown, _) => State::Unknown,
        (Extent::Rows(_) | Extent::Bounded(_), _) => State::Bounded(extent.text()),
    };
    (extent, state)
}

/// `top` holds all rows, since any may come to the top when those above it leave.
pub(crate) fn top(top: &Top, input: &Facts) -> (Extent, State) {
    let state = all_rows_per(&top.per, input, Held::Top);
    let cut = matches!(top.ties, Ties::Cut) && top.per.is_empty();
    let extent = if cut { Extent::Rows(top.n) } else { input.extent.clone() };
    (extent, state)
}

/// What a step holds that keeps all rows, in groups that may go with their windows.
pub(crate) fn all_rows_per(per: &[Expr], input: &Facts, held: Held) -> State {
    match (&input.extent, windows::among(input, per)) {
        (Extent::Unbounded(_), Some(open)) => State::Bounded(open.rows),
        (Extent::Unbounded(topic), None) => State::Unbounded { topic: *topic, held },
        (Extent::Unknown, _) => State::Unknown,
        (Extent::Rows(_) | Extent::Bounded(_), _) => State::Bounded(input.extent.text()),
    }
}

impl Topic {
    /// How long it keeps its rows, `10m` or `64KiB`; none without an end.
    pub fn retain_text(&self) -> Option<String> {
        match self.retain? {
            Retain::Nanoseconds(nanos) => Some(arqon_types::format_duration(nanos)),
            Retain::Bytes(bytes) => Some(bytes_text(bytes)),
            Retain::Nothing => None,
        }
    }

    /// How far back its rows go then: rows that may come late stay for as long.
    pub fn retained_text(&self) -> Option<String> {
        match (self.retain?, self.time) {
            (Retain::Nanoseconds(nanos), Some(_)) => {
                Some(arqon_types::format_duration(nanos.saturating_add(self.late)))
            }
            (Retain::Nanoseconds(_) | Retain::Bytes(_) | Retain::Nothing, _) => self.retain_text(),
        }
    }
}

pub(crate) fn bytes_text(bytes: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.iter().find(|(_, size)| 0 < bytes && bytes.is_multiple_of(*size)) {
        Some((unit, size)) => format!("{}{unit}", bytes / size),
        None => format!("{bytes}B"),
    }
}

/// Longer formulas are named by the step where they arise.
const FORMULA_CHARS_MAX: usize = 96;
