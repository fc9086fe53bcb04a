//! The rows of what a node reads, alone and as one collection.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::code::names;
use arqon_types::error_schema;

use super::reads::Reads;
use super::typer::Typer;
use crate::resolve::Resolved;
use crate::row_type::{Origin, OriginKind, RowType};
use crate::typed::{EventTime, Input, LocalId, NodeId, Owner, TypedNode, TypedSource};

/// The rows of everything that a node may read. Of a node in a circle nothing is known yet; the
/// circle is reported where the plan's cycles are checked.
pub(super) struct Rows<'r, 'a> {
    pub(super) resolved: &'r Resolved<'a>,
    pub(super) typed: &'r [Option<TypedNode>],
    /// Of the loops around the present place.
    pub(super) locals: RefCell<BTreeMap<LocalId, Arc<RowType>>>,
}

impl Rows<'_, '_> {
    pub(super) fn row(&self, input: Input) -> Arc<RowType> {
        match input {
            Input::Topic(id) => Arc::clone(&self.resolved.topic(id).row),
            Input::Operator(_) => RowType::unknown(),
            Input::Errors(owner) => error_row(owner, self.resolved),
            Input::Local(id) => {
                self.locals.borrow().get(&id).map_or_else(RowType::unknown, Arc::clone)
            }
            Input::Node(NodeId(id)) | Input::Label(NodeId(id), _) => {
                self.typed[id].as_ref().map_or_else(RowType::unknown, |node| Arc::clone(&node.row))
            }
            Input::Late(NodeId(id)) => {
                let before = |node: &TypedNode| {
                    node.judging_step().map(|step| Arc::clone(node.row_before(step)))
                };
                self.typed[id].as_ref().and_then(before).unwrap_or_else(RowType::unknown)
            }
        }
    }

    fn time(&self, input: Input) -> EventTime {
        match input {
            Input::Topic(id) => {
                let topic = self.resolved.topic(id);
                // A `time` that names no timestamp has been reported.
                let is_meant = topic.ast().is_some_and(|it| it.time.is_some());
                let missing = if is_meant { EventTime::Unknown } else { EventTime::Missing };
                topic.time.map_or(missing, EventTime::At)
            }
            Input::Operator(_) => EventTime::Unknown,
            Input::Node(NodeId(id)) | Input::Label(NodeId(id), _) => {
                self.typed[id].as_ref().map_or(EventTime::Unknown, |node| node.time)
            }
            Input::Late(_) | Input::Errors(_) | Input::Local(_) => EventTime::Missing,
        }
    }

    /// The event time of a union: the one that all sources have at the same place.
    pub(super) fn time_of_all(&self, sources: &[TypedSource]) -> EventTime {
        let mut times =
            sources.iter().map(|source| match (self.time(source.input), &source.columns) {
                (EventTime::At(at), Some(columns)) => {
                    let place = columns.iter().position(|column| *column == at);
                    place.map_or(EventTime::Missing, EventTime::At)
                }
                (time, _) => time,
            });
        let Some(first) = times.next() else { return EventTime::Unknown };
        times.fold(first, |one, other| match (one, other) {
            (EventTime::Unknown, _) | (_, EventTime::Unknown) => EventTime::Unknown,
            _ if one == other => one,
            _ => EventTime::Missing,
        })
    }

    /// The name of a topic among the sources that has no event time.
    pub(super) fn untimed(&self, sources: &[TypedSource]) -> Option<&str> {
        sources.iter().find_map(|source| match source.input {
            Input::Topic(id) if self.resolved.topic(id).time.is_none() => {
                Some(self.resolved.topic(id).name.as_str())
            }
            _ => None,
        })
    }
}

/// The fields of an error, which come with the topic or node.
pub(super) fn error_row(owner: Owner, resolved: &Resolved<'_>) -> Arc<RowType> {
    let span = match owner {
        Owner::Topic(id) => resolved.topic(id).span,
        Owner::Node(NodeId(id)) => resolved.circuit.flow[id].name.span,
    };
    let origin = Origin { span, kind: OriginKind::Errors };
    Arc::new(RowType::from_fields(&error_schema().fields, Some(origin)))
}

pub(super) fn plain_sources(sources: &[(Input, Span)]) -> Vec<TypedSource> {
    sources
        .iter()
        .map(|(input, span)| TypedSource { input: *input, span: *span, columns: None })
        .collect()
}

/// What is read as one collection: all sources have the fields of the first one.
pub(super) fn union(
    reads: &Reads,
    rows: &Rows<'_, '_>,
    typer: &mut Typer<'_>,
) -> (Vec<TypedSource>, Arc<RowType>) {
    let sources = &reads.sources;
    let mut typed = plain_sources(sources);
    let Some((first, first_span)) = sources.first().filter(|_| reads.complete) else {
        return (typed, RowType::unknown());
    };
    let mut row = rows.row(*first);
    let mut complete = true;
    for (source, (input, span)) in typed.iter_mut().zip(sources).skip(1) {
        let other = rows.row(*input);
        if row.open || other.open {
            complete = false;
            continue;
        }
        match same_fields(&row, &other) {
            Ok(columns) => {
                typer.note_same(&row, &other);
                for (column, at) in row.columns.iter().zip(&columns) {
                    let found = &other.columns[*at];
                    if let (Some(ty), Some(other_ty)) = (&column.ty, &found.ty) {
                        let places = [found.origin, column.origin].map(|it| it.map(|it| it.span));
                        typer.meet(other_ty, ty, *span, places);
                    }
                }
                row = in_common(row, &other, &columns);
                let in_order = columns.iter().enumerate().all(|(at, column)| at == *column);
                source.columns = if in_order { None } else { Some(columns) };
            }
            Err(difference) => {
                let first_text = typer.text(*first_span);
                let mut fault = Diagnostic::new(
                    names::UNION_MISMATCH,
                    *span,
                    format!(
                        "`{}` and `{first_text}` have different rows: {}",
                        typer.text(*span),
                        difference.words
                    ),
                )
                .secondary(*first_span, "the fields of this one are wanted");
                for place in difference.places {
                    fault = fault.secondary(place, "declared or computed here");
                }
                typer.report.push(fault);
                complete = false;
            }
        }
    }
    (typed, if complete { row } else { RowType::unknown() })
}

/// The row with what is known of its tensors on both sides; `columns` are those of `other`.
fn in_common(mut row: Arc<RowType>, other: &RowType, columns: &[usize]) -> Arc<RowType> {
    for (at, other_at) in columns.iter().enumerate() {
        if let (Some(ty), Some(other_ty)) = (&row.columns[at].ty, &other.columns[*other_at].ty)
            && ty != other_ty
            && let Some(common) = arqon_operators::common_type(ty, other_ty)
        {
            Arc::make_mut(&mut row).columns[at].ty = Some(common);
        }
    }
    row
}

pub(super) struct Difference {
    pub(super) words: String,
    pub(super) places: Vec<Span>,
}

/// Which column of `other` stands for each column of `row`.
pub(super) fn same_fields(row: &RowType, other: &RowType) -> Result<Vec<usize>, Difference> {
    let mut columns = Vec::with_capacity(row.columns.len());
    for column in &row.columns {
        let Some(at) = other.position(&column.name) else {
            return Err(Difference {
                words: format!("`{}` is missing", column.name),
                places: column.origin.iter().map(|origin| origin.span).collect(),
            });
        };
        let found = &other.columns[at];
        if let (Some(ty), Some(other_ty)) = (&column.ty, &found.ty)
            && !ty.may_be(other_ty)
        {
            let origins = [column.origin, found.origin];
            return Err(Difference {
                words: format!("`{}` is `{other_ty}`, not `{ty}`", column.name),
                places: origins.iter().flatten().map(|origin| origin.span).collect(),
            });
        }
        columns.push(at);
    }
    match other.columns.iter().find(|column| row.position(&column.name).is_none()) {
        Some(extra) => Err(Difference {
            words: format!("`{}` is too much", extra.name),
            places: extra.origin.iter().map(|origin| origin.span).collect(),
        }),
        None => Ok(columns),
    }
}
