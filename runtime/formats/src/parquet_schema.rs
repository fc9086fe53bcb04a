//! A Parquet schema held against a topic's: for each field how its values are put together.
//!
//! Parquet cuts a column into leaves of plain values, each value with two levels: the definition
//! level says how much of the way down to the leaf is there, the repetition level which list goes
//! on. A [`Node`] knows at which levels its part of the way begins.

use std::ops::Range;
use std::sync::Arc;

use arqon_types::{Schema, TimeUnits, Type};
use parquet::basic::Repetition;
use parquet::schema::types::{SchemaDescriptor, Type as FileType};

use crate::options::InputOptions;
use crate::parquet_type::{
    Decode, Stored, decode, described, element_of, entry_of, likely, only_repeated, repetition,
    stored,
};

/// A leaf column that is read.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    /// Its place among the leaves of the file.
    pub(crate) column: usize,
    pub(crate) stored: Stored,
    pub(crate) decode: Decode,
    /// What its values are read as; no option.
    pub(crate) ty: Type,
    pub(crate) units: TimeUnits,
    /// Values are present where their definition level is this.
    pub(crate) def: i16,
}

/// How values of a field, or of a part of it, are put together.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The definition level from which on the value is there; none if it always is.
    pub(crate) present: Option<i16>,
    pub(crate) is_option: bool,
    pub(crate) shape: Shape,
    /// The leaves below, as places in [`Layout::leaves`].
    pub(crate) leaves: Range<usize>,
}

#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Leaf,
    List(Repeated),
    /// Of keys and values; keys are the first leaf.
    Map(Repeated),
    /// Its fields in the type's order.
    Struct(Vec<Part>),
}

/// A field of a struct.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) name: Arc<str>,
    /// None where the file has no such field, which is an option then.
    pub(crate) node: Option<Node>,
}

/// The items of a list or the values of a map.
#[derive(Debug, Clone)]
pub(crate) struct Repeated {
    /// The definition level from which on there is an item.
    pub(crate) def: i16,
    /// The repetition level of each item but the first.
    pub(crate) rep: i16,
    pub(crate) item: Box<Node>,
}

/// How a file's rows are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layout {
    pub(crate) leaves: Vec<Leaf>,
    /// One for each field of the topic; none for a field that the file has not.
    pub(crate) fields: Vec<Option<Node>>,
}

/// Matches the columns of a file with the fields of a topic; else says what does not fit.
pub(crate) fn layout(
    file: &SchemaDescriptor,
    schema: &Schema,
    options: InputOptions,
) -> Result<Layout, String> {
    let mut builder = Builder { leaves: Vec::new(), column: 0, ignore_extra: options.ignore_extra };
    let mut fields: Vec<Option<Node>> = vec![None; schema.fields.len()];
    for column in file.root_schema().get_fields() {
        let name = column.name();
        let Some(at) = schema.position(name) else {
            if !options.ignore_extra {
                let names: Vec<&str> = schema.fields.iter().map(|field| &*field.name).collect();
                return Err(format!(
                    "column `{name}` is no field of `{}` ({}); --ignore-extra skips such columns",
                    schema.name,
                    names.join(", ")
                ));
            }
            builder.skip(column);
            continue;
        };
        if fields[at].is_some() {
            return Err(format!("the file has two columns `{name}`"));
        }
        let field = &schema.fields[at];
        let units = schema.units.field(&field.name);
        let node = builder.node(column, &field.ty, units, Levels::default());
        fields[at] = Some(node.map_err(|deep| mismatch(column, &field.ty, &deep))?);
    }
    for (field, node) in schema.fields.iter().zip(&fields) {
        if node.is_none() && !field.ty.is_option() {
            return Err(format!(
                "the file has no column `{}`, and {} is no option",
                field.name, field.ty
            ));
        }
    }
    Ok(Layout { leaves: builder.leaves, fields })
}

/// What does not fit inside of a column; empty if it is the column itself.
type Deep = String;

fn mismatch(column: &FileType, ty: &Type, deep: &Deep) -> String {
    let name = column.name();
    let is_integer = !column.is_group() && stored(column) == Stored::Signed;
    let way = match likely(column) {
        _ if is_integer && *ty.required() == Type::Timestamp => {
            "; say what the integers count, as in { type: timestamp, unit: ms }".to_owned()
        }
        Some(likely) if likely.required() != ty.required() => {
            format!("; declare it as {likely}, or cast the column where the file is written")
        }
        Some(_) | None => "; cast the column where the file is written".to_owned(),
    };
    let because = if deep.is_empty() { String::new() } else { format!(": {deep}") };
    format!("column `{name}` is {}, which is not read as {ty}{because}{way}", described(column))
}

#[derive(Debug, Clone, Copy, Default)]
struct Levels {
    def: i16,
    rep: i16,
}

impl Levels {
    fn optional(self) -> Self {
        Self { def: self.def + 1, ..self }
    }

    fn repeated(self) -> Self {
        Self { def: self.def + 1, rep: self.rep + 1 }
    }
}

struct Builder {
    leaves: Vec<Leaf>,
    /// The next leaf of the file.
    column: usize,
    ignore_extra: bool,
}

impl Builder {
    fn node(
        &mut self,
        file: &FileType,
        ty: &Type,
        units: &TimeUnits,
        above: Levels,
    ) -> Result<Node, Deep> {
        let start = self.leaves.len();
        let (present, shape) = match repetition(file) {
            // A repeated field outside of a list is a list by itself.
            Repetition::REPEATED => (None, self.items(file, ty.required(), units, above)?),
            Repetition::OPTIONAL => {
                let levels = above.optional();
                (Some(levels.def), self.shape(file, ty.required(), units, levels)?)
            }
            Repetition::REQUIRED => (None, self.shape(file, ty.required(), units, above)?),
        };
        Ok(Node { present, is_option: ty.is_option(), shape, leaves: start..self.leaves.len() })
    }

    /// A repeated field as a list.
    fn items(
        &mut self,
        file: &FileType,
        ty: &Type,
        units: &TimeUnits,
        above: Levels,
    ) -> Result<Shape, Deep> {
        let Type::List(inner) = ty else { return Err(String::new()) };
        let levels = above.repeated();
        let start = self.leaves.len();
        let shape = self.shape(file, inner.required(), units, levels)?;
        let leaves = start..self.leaves.len();
        let item = Node { present: None, is_option: inner.is_option(), shape, leaves };
        Ok(Shape::List(Repeated { def: levels.def, rep: levels.rep, item: Box::new(item) }))
    }

    /// A value that is there.
    fn shape(
        &mut self,
        file: &FileType,
        ty: &Type,
        units: &TimeUnits,
        levels: Levels,
    ) -> Result<Shape, Deep> {
        if !file.is_group() {
            return self.leaf(file, ty, units, levels);
        }
        match ty {
            Type::List(inner) => {
                let element = element_of(file).ok_or_else(String::new)?;
                if repetition(element) == Repetition::REPEATED {
                    return self.items(element, ty, units, levels);
                }
                let levels = levels.repeated();
                let item = Box::new(self.node(element, inner, units, levels)?);
                Ok(Shape::List(Repeated { def: levels.def, rep: levels.rep, item }))
            }
            Type::Map(inner) => {
                let (key, value) = entry_of(file).ok_or_else(String::new)?;
                let levels = levels.repeated();
                if key.is_group() || repetition(key) == Repetition::REPEATED {
                    return Err("keys of maps are strings".to_owned());
                }
                let optional = repetition(key) == Repetition::OPTIONAL;
                let below = if optional { levels.optional() } else { levels };
                self.leaf(key, &Type::String, TimeUnits::none(), below)
                    .map_err(|_| "keys of maps are strings".to_owned())?;
                let item = Box::new(self.node(value, inner, units, levels)?);
                Ok(Shape::Map(Repeated { def: levels.def, rep: levels.rep, item }))
            }
            Type::Struct(fields) if only_repeated(file).is_none() => {
                let mut nodes: Vec<Option<Node>> = vec![None; fields.len()];
                for part in file.get_fields() {
                    let name = part.name();
                    let at = fields.iter().position(|field| *field.name == *name);
                    match at.filter(|at| nodes[*at].is_none()) {
                        Some(at) => {
                            let node = self.node(part, &fields[at].ty, units.field(name), levels);
                            nodes[at] =
                                Some(node.map_err(|deep| within(name, &fields[at].ty, &deep))?);
                        }
                        None if self.ignore_extra => self.skip(part),
                        None => return Err(format!("it has no field `{name}`")),
                    }
                }
                for (field, node) in fields.iter().zip(&nodes) {
                    if node.is_none() && !field.ty.is_option() {
                        return Err(format!("the column has no field `{}`", field.name));
                    }
                }
                if nodes.iter().all(Option::is_none) {
                    return Err("it has none of the fields".to_owned());
                }
                let names = fields.iter().map(|field| Arc::clone(&field.name));
                let parts = names.zip(nodes).map(|(name, node)| Part { name, node });
                Ok(Shape::Struct(parts.collect()))
            }
            Type::Bool
            | Type::Int64
            | Type::Float32
            | Type::Float64
            | Type::Decimal(_)
            | Type::String
            | Type::Bytes
            | Type::Timestamp
            | Type::Date
            | Type::Duration
            | Type::Uuid
            | Type::Enum(_)
            | Type::Tensor(_)
            | Type::Struct(_)
            | Type::Option(_) => Err(String::new()),
        }
    }

    fn leaf(
        &mut self,
        file: &FileType,
        ty: &Type,
        units: &TimeUnits,
        levels: Levels,
    ) -> Result<Shape, Deep> {
        let stored = stored(file);
        let decode = decode(stored, ty, units).ok_or_else(String::new)?;
        let (ty, units) = (ty.clone(), units.clone());
        self.leaves.push(Leaf { column: self.column, stored, decode, ty, units, def: levels.def });
        self.column += 1;
        Ok(Shape::Leaf)
    }

    fn skip(&mut self, file: &FileType) {
        if file.is_group() {
            file.get_fields().iter().for_each(|part| self.skip(part));
        } else {
            self.column += 1;
        }
    }
}

fn within(name: &str, ty: &Type, deep: &Deep) -> Deep {
    if deep.is_empty() { format!("its field `{name}` is not read as {ty}") } else { deep.clone() }
}
