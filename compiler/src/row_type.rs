//! The type of a row while it is being worked out: known, partly known, or not at all.
//!
//! A column whose type could not be found out has the type `None`, and a row of which not all
//! fields are known is `open`. Whoever meets one stays silent: the cause has been reported.

use std::sync::Arc;

use arqon_grammar::Span;
use arqon_grammar::Spanned;
use arqon_types::{Field, Schema, TimeUnits, Type};

/// The fields of a row, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct RowType {
    /// In order; names are unique unless a fault was reported.
    pub(crate) columns: Vec<Column>,
    /// Whether there may be fields that are not known, after a fault.
    pub(crate) open: bool,
    /// In which units a declared row's timestamps may be integers.
    pub(crate) units: TimeUnits,
}

/// One field of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Its type; `None` after a fault.
    pub(crate) ty: Option<Type>,
    /// Where its type comes from.
    pub(crate) origin: Option<Origin>,
    /// Where the text gives it its name; `None` where the language does.
    pub(crate) named: Option<Span>,
    /// For a struct, or a list, map or option of one: its fields with their origins.
    pub(crate) parts: Option<Arc<RowType>>,
}

/// Where a type comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The place.
    pub(crate) span: Span,
    /// What stands there.
    pub(crate) kind: OriginKind,
}

/// What stands at an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OriginKind {
    /// A field of a schema.
    Declared,
    /// An expression with a name.
    Computed,
    /// The other side of a join.
    Joined,
    /// A contract's field; the place is the contract's name in the circuit.
    Contract,
    /// A field of error rows; the place is the name of the topic or node.
    Errors,
}

impl OriginKind {
    /// How a remark at the place goes on after the name and its type.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Declared => "is declared",
            Self::Computed => "is computed as",
            Self::Joined => "joins as",
            Self::Contract => "is by contract",
            Self::Errors => "of its errors is",
        }
    }
}

impl RowType {
    /// A row of these columns.
    pub(crate) fn new(columns: Vec<Column>, open: bool) -> Self {
        Self { columns, open, units: TimeUnits::default() }
    }

    /// A row of which nothing is known.
    pub(crate) fn unknown() -> Arc<Self> {
        Arc::new(Self::new(Vec::new(), true))
    }

    /// The columns of a schema that has no text behind it.
    pub(crate) fn from_fields(fields: &[Field], origin: Option<Origin>) -> Self {
        let columns = fields
            .iter()
            .map(|field| Column::new(Arc::clone(&field.name), Some(field.ty.clone()), origin))
            .collect();
        Self::new(columns, false)
    }

    /// The parts of a value of this type, if a column has such parts.
    pub(crate) fn parts_of(&self, ty: Option<&Type>) -> Option<Arc<RowType>> {
        let known = self.columns.iter();
        let known = known.filter_map(|it| Some((it.ty.as_ref()?, it.parts.as_ref()?)));
        parts_among(ty?, known)
    }

    /// The columns of a row whose declaration is spoken of at `origin`.
    pub(crate) fn spoken_of(&self, origin: Origin) -> Self {
        let columns = self
            .columns
            .iter()
            .map(|column| Column { origin: Some(origin), ..column.clone() })
            .collect();
        Self { columns, open: self.open, units: self.units.clone() }
    }

    /// Where the column of that name stands.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| &*column.name == name)
    }

    /// The names of the columns.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| &*column.name)
    }

    /// The fields, if all of them are known.
    pub(crate) fn fields(&self) -> Option<Vec<Field>> {
        if self.open {
            return None;
        }
        self.columns
            .iter()
            .map(|column| column.ty.clone().map(|ty| Field::new(Arc::clone(&column.name), ty)))
            .collect()
    }

    /// Whether the row is known to have these fields.
    pub(crate) fn has_fields(&self, fields: &[Field]) -> bool {
        !self.open
            && self.columns.len() == fields.len()
            && self.columns.iter().zip(fields).all(|(column, field)| {
                *column.name == *field.name && column.ty.as_ref() == Some(&field.ty)
            })
    }

    /// The fields that are known.
    pub(crate) fn known_schema(&self, name: impl Into<Arc<str>>) -> Schema {
        let fields = self
            .columns
            .iter()
            .filter_map(|column| {
                column.ty.clone().map(|ty| Field::new(Arc::clone(&column.name), ty))
            })
            .collect();
        Schema::new(name, fields).with_units(self.units.clone())
    }
}

impl Column {
    /// A column without parts, whose name the language gives.
    pub(crate) fn new(name: impl Into<Arc<str>>, ty: Option<Type>, origin: Option<Origin>) -> Self {
        Self { name: name.into(), ty, origin, named: None, parts: None }
    }

    /// A column without parts, with the name that stands in the text.
    pub(crate) fn named(name: &Spanned<String>, ty: Option<Type>, origin: Option<Origin>) -> Self {
        Self { named: Some(name.span), ..Self::new(name.as_str(), ty, origin) }
    }
}

/// Of values of these types, the fields that a value of type `ty` has when it is one of them, an
/// item of one, or a list of them.
pub(crate) fn parts_among<'t>(
    ty: &Type,
    mut known: impl Iterator<Item = (&'t Type, &'t Arc<RowType>)>,
) -> Option<Arc<RowType>> {
    let wanted = innermost(ty)?;
    known.find(|(ty, _)| innermost(ty) == Some(wanted)).map(|(_, parts)| Arc::clone(parts))
}

/// The fields of a struct, or of the structs within a list, map or option.
fn innermost(ty: &Type) -> Option<&[Field]> {
    match ty {
        Type::Struct(fields) => Some(fields),
        Type::List(inner) | Type::Map(inner) | Type::Option(inner) => innermost(inner),
        Type::Bool
        | Type::Int64
        | Type::Float32
        | Type::Float64
        | Type::Decimal(_)
        | Type::String
        | Type::Bytes
        | Type::Timestamp
        | Type::Duration
        | Type::Date
        | Type::Uuid
        | Type::Enum(_)
        | Type::Tensor(_) => None,
    }
}
