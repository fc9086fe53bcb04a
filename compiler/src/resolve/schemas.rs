//! Types as written become types as computed with; schemas are put in where they are named.

use std::collections::BTreeSet;
use std::sync::Arc;

use arqon_grammar::Diagnostic;
use arqon_grammar::Span;
use arqon_grammar::ast;
use arqon_grammar::code::names;
use arqon_grammar::type_habit;
use arqon_types::{TimeUnit, TimeUnits, Type};
use indexmap::IndexMap;

use super::dimensions::Dimensions;
use crate::order::dependency_order;
use crate::report::Report;
use crate::row_type::{Column, Origin, OriginKind, RowType};

/// A schema, put in.
#[derive(Debug)]
pub(crate) struct SchemaType {
    /// Its fields.
    row: Arc<RowType>,
    /// The parts of its type, schemas put in.
    n_parts: usize,
}

/// The schemas by name, and what the symbols in their tensors stand for.
#[derive(Debug)]
pub(crate) struct Schemas<'a> {
    by_name: IndexMap<&'a str, SchemaType>,
    dimensions: Dimensions<'a>,
}

impl Schemas<'_> {
    /// The parameters that some type has named so far.
    pub(crate) fn used_params(self) -> BTreeSet<String> {
        self.dimensions.used()
    }
}

/// A type as written, put in.
pub(crate) struct PutIn {
    /// The type; `None` after a fault.
    pub(crate) ty: Option<Type>,
    /// Its fields with their places, if it is a struct or an option of one.
    pub(crate) parts: Option<Arc<RowType>>,
    /// The units of the timestamps within it.
    pub(crate) units: TimeUnits,
    n_parts: usize,
}

/// Puts in all schemas of a circuit.
pub(crate) fn resolve_schemas<'a>(
    circuit: &'a ast::Circuit,
    dimensions: Dimensions<'a>,
    report: &mut Report,
) -> Schemas<'a> {
    let ids: IndexMap<&str, usize> =
        circuit.schemas.iter().enumerate().map(|(id, schema)| (schema.name.as_str(), id)).collect();
    let needs: Vec<Vec<usize>> = circuit
        .schemas
        .iter()
        .map(|schema| {
            let named = schema.fields.iter().flat_map(|field| named_schemas(&field.ty));
            named.filter_map(|(name, _)| ids.get(name).copied()).collect()
        })
        .collect();
    let found = dependency_order(&needs);
    for cycle in &found.cycles {
        report_cycle(circuit, cycle, report);
    }
    let mut schemas = Schemas { by_name: IndexMap::new(), dimensions };
    for &id in &found.order {
        let schema = &circuit.schemas[id];
        let (row, n_parts) = fields_row(&schema.fields, &schemas, &ids, report);
        let row = if PARTS_MAX < n_parts {
            report.push(Diagnostic::new(
                names::EXPANSION,
                schema.name.span,
                format!("schema `{}` has more than {PARTS_MAX} parts", schema.name.node),
            ));
            RowType::unknown()
        } else {
            Arc::new(row)
        };
        schemas.by_name.insert(schema.name.as_str(), SchemaType { row, n_parts });
    }
    schemas
}

/// The type that `ty` stands for.
pub(crate) fn resolve_type(
    ty: &ast::TypeExpr,
    schemas: &Schemas<'_>,
    report: &mut Report,
) -> PutIn {
    put_in(ty, schemas, &IndexMap::new(), report)
}

fn report_cycle(circuit: &ast::Circuit, cycle: &[usize], report: &mut Report) {
    let first = &circuit.schemas[cycle[0]].name;
    let next = &circuit.schemas[cycle[1 % cycle.len()]].name;
    let span = circuit.schemas[cycle[0]]
        .fields
        .iter()
        .flat_map(|field| named_schemas(&field.ty))
        .find_map(|(name, span)| (name == next.as_str()).then_some(span))
        .unwrap_or(first.span);
    let names: Vec<String> =
        cycle.iter().map(|&id| format!("`{}`", circuit.schemas[id].name.node)).collect();
    report.push(
        Diagnostic::new(
            names::RECURSIVE_SCHEMA,
            span,
            format!("schema `{}` contains itself", first.node),
        )
        .secondary(first.span, format!("{} -> `{}`", names.join(" -> "), first.node))
        .help("keep the other row's id in a field, and join"),
    );
}

/// The schemas that a type names, each with its place.
fn named_schemas(ty: &ast::TypeExpr) -> impl Iterator<Item = (&str, Span)> {
    ty.parts().into_iter().filter_map(|part| {
        let ast::TypeKind::Named(name) = &part.kind else { return None };
        Some((name.as_str(), part.span))
    })
}

/// The row of `fields`, and how many parts its type has.
fn fields_row(
    fields: &[ast::Field],
    schemas: &Schemas<'_>,
    ids: &IndexMap<&str, usize>,
    report: &mut Report,
) -> (RowType, usize) {
    let mut n_parts = 0_usize;
    let mut columns = Vec::with_capacity(fields.len());
    let mut units = TimeUnits::default();
    for field in fields {
        let put = put_in(&field.ty, schemas, ids, report);
        match &field.unit {
            Some(unit) => {
                if let Some(ty) = put.ty.as_ref().filter(|ty| !is_time(ty)) {
                    unit_of_no_time(field, ty, report);
                }
                units.insert(field.name.as_str(), TimeUnits::of(time_unit(unit.node)));
            }
            None => units.insert(field.name.as_str(), put.units),
        }
        n_parts = n_parts.saturating_add(put.n_parts);
        let origin = Origin { span: field.name.span.to(field.ty.span), kind: OriginKind::Declared };
        columns.push(Column {
            name: Arc::from(field.name.as_str()),
            ty: put.ty,
            origin: Some(origin),
            named: Some(field.name.span),
            parts: put.parts,
        });
    }
    (RowType { units, ..RowType::new(columns, false) }, n_parts)
}

/// Whether integers may stand for the values, or for the items in them.
fn is_time(ty: &Type) -> bool {
    match ty {
        Type::List(inner) | Type::Map(inner) | Type::Option(inner) => is_time(inner),
        ty => *ty == Type::Timestamp,
    }
}

fn unit_of_no_time(field: &ast::Field, ty: &Type, report: &mut Report) {
    let Some(unit) = &field.unit else { return };
    let help = match ty.required() {
        Type::Int64 => format!(
            "integers that stand for times are `{{ type: timestamp, unit: {} }}`",
            time_unit(unit.node)
        ),
        Type::Duration => "a duration names its unit in its text: `250ms`".to_owned(),
        Type::Date => "a date is a text: `2026-01-31`".to_owned(),
        _ => format!("write `{}: {ty}` without a unit", field.name.node),
    };
    let message = format!("`unit` is of timestamps, and `{}` is {ty}", field.name.node);
    report.push(
        Diagnostic::new(names::UNIT, unit.span, message)
            .secondary(field.ty.span, "its type")
            .help(help),
    );
}

/// The syntax tree's unit in the words of the types.
fn time_unit(written: ast::TimeUnit) -> TimeUnit {
    match written {
        ast::TimeUnit::Seconds => TimeUnit::Seconds,
        ast::TimeUnit::Milliseconds => TimeUnit::Milliseconds,
        ast::TimeUnit::Microseconds => TimeUnit::Microseconds,
        ast::TimeUnit::Nanoseconds => TimeUnit::Nanoseconds,
    }
}

/// `ids` holds schemas that stand in a circle and are not put in yet: naming them is silent.
fn put_in(
    ty: &ast::TypeExpr,
    schemas: &Schemas<'_>,
    ids: &IndexMap<&str, usize>,
    report: &mut Report,
) -> PutIn {
    let units = TimeUnits::default;
    let plain = |ty: Type| PutIn { ty: Some(ty), parts: None, units: units(), n_parts: 1 };
    match &ty.kind {
        ast::TypeKind::Bool => plain(Type::Bool),
        ast::TypeKind::Int64 => plain(Type::Int64),
        ast::TypeKind::Float64 => plain(Type::Float64),
        ast::TypeKind::Decimal { scale } => plain(Type::Decimal(*scale)),
        ast::TypeKind::String => plain(Type::String),
        ast::TypeKind::Timestamp => plain(Type::Timestamp),
        ast::TypeKind::Duration => plain(Type::Duration),
        ast::TypeKind::Date => plain(Type::Date),
        ast::TypeKind::Uuid => plain(Type::Uuid),
        ast::TypeKind::Enum(labels) => {
            plain(Type::Enum(labels.iter().map(|label| label.node.clone()).collect()))
        }
        ast::TypeKind::Float32 => plain(Type::Float32),
        ast::TypeKind::Bytes => plain(Type::Bytes),
        ast::TypeKind::Map(inner) => {
            let put = put_in(inner, schemas, ids, report);
            PutIn {
                parts: put.parts.filter(|_| put.ty.is_some()),
                ty: put.ty.map(|ty| Type::Map(Box::new(ty))),
                units: put.units,
                n_parts: put.n_parts.saturating_add(1),
            }
        }
        ast::TypeKind::Tensor { dims, element } => {
            let tensor = schemas.dimensions.put_in(dims, element.node, report);
            PutIn { ty: tensor.map(Type::Tensor), parts: None, units: units(), n_parts: 1 }
        }
        ast::TypeKind::List(inner) => {
            let put = put_in(inner, schemas, ids, report);
            PutIn {
                parts: put.parts.filter(|_| put.ty.is_some()),
                ty: put.ty.map(|ty| Type::List(Box::new(ty))),
                units: put.units,
                n_parts: put.n_parts.saturating_add(1),
            }
        }
        ast::TypeKind::Option(inner) => {
            let put = put_in(inner, schemas, ids, report);
            PutIn { ty: put.ty.map(Type::optional), ..put }
        }
        ast::TypeKind::Struct(fields) => {
            let (row, n_parts) = fields_row(fields, schemas, ids, report);
            PutIn {
                ty: row.fields().map(Type::Struct),
                units: row.units.clone(),
                parts: Some(Arc::new(row)),
                n_parts: n_parts.saturating_add(1),
            }
        }
        ast::TypeKind::Named(name) => {
            if let Some(schema) = schemas.by_name.get(name.as_str()) {
                PutIn {
                    ty: schema.row.fields().map(Type::Struct),
                    parts: Some(schema.row.clone()),
                    units: schema.row.units.clone(),
                    n_parts: schema.n_parts.saturating_add(1),
                }
            } else {
                if !ids.contains_key(name.as_str()) {
                    unknown_type(name, ty.span, ids, schemas, report);
                }
                PutIn { ty: None, parts: None, units: units(), n_parts: 1 }
            }
        }
        ast::TypeKind::Error => PutIn { ty: None, parts: None, units: units(), n_parts: 1 },
    }
}

/// A word that is neither a type nor a schema, such as the name that other languages give a type.
fn unknown_type(
    name: &str,
    span: Span,
    ids: &IndexMap<&str, usize>,
    schemas: &Schemas<'_>,
    report: &mut Report,
) {
    let message = format!("there is no type or schema `{name}`");
    let habit = type_habit(name);
    let is_whole = habit.is_some_and(|known| !known.contains('<'));
    if let Some(known) = habit.filter(|_| is_whole) {
        report.push(Diagnostic::new(names::UNKNOWN_TYPE, span, message).did_you_mean(habit).fix(
            span,
            known,
            format!("write `{known}`"),
        ));
        return;
    }
    if let Some(known) = habit {
        let help = match known {
            "decimal<S>" => "it is `decimal<2>`, with the digits after the point",
            "map<T>" => "a map of values of one type is `map<string>`; a struct has a schema",
            "list<T>" => "it is `list<int64>`, with the type of its items",
            _ => "a value that may be missing is an `option<T>`",
        };
        report.push(Diagnostic::new(names::UNKNOWN_TYPE, span, message).help(help));
        return;
    }
    let candidates = ids.keys().chain(schemas.by_name.keys()).copied().chain(TYPE_NAMES);
    report.unknown(names::UNKNOWN_TYPE, span, message, name, candidates);
}

/// The schema of a topic: a name for people, and the fields.
pub(crate) fn topic_row(
    topic: &ast::Topic,
    schemas: &Schemas<'_>,
    report: &mut Report,
) -> (String, Arc<RowType>) {
    let own_name = || topic.name.node.clone();
    let Some(ty) = &topic.schema else { return (own_name(), RowType::unknown()) };
    let put = resolve_type(ty, schemas, report);
    let name = match &ty.kind {
        ast::TypeKind::Named(name) => name.clone(),
        _ => own_name(),
    };
    match (put.parts, put.ty) {
        (Some(row), None | Some(Type::Struct(_))) => (name, row),
        (_, Some(other)) => {
            report.push(
                Diagnostic::new(
                    names::WRONG_TYPE,
                    ty.span,
                    format!("the rows of topic `{}` cannot be `{other}`", topic.name.node),
                )
                .help("name a schema, or write the fields: `{ value: int64 }`"),
            );
            (name, RowType::unknown())
        }
        (None, None) => (name, RowType::unknown()),
    }
}

/// The row of a struct type, if all its fields are known.
pub(crate) fn struct_row(put: PutIn) -> Option<Arc<RowType>> {
    match put.ty {
        Some(Type::Struct(_)) => put.parts,
        _ => None,
    }
}

/// Types that are not schemas, for suggestions.
const TYPE_NAMES: [&str; 16] = [
    "bool",
    "int64",
    "float32",
    "float64",
    "decimal",
    "string",
    "timestamp",
    "duration",
    "date",
    "uuid",
    "enum",
    "list",
    "option",
    "bytes",
    "map",
    "tensor",
];

/// Most parts that a type may have once schemas are put in.
const PARTS_MAX: usize = 20_000;
