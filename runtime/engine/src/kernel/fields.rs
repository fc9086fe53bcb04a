//! What a kernel reads of the rows of a port.

use std::sync::Arc;

use arqon_operators::Place;
use arqon_plan::{KernelColumn, KernelPlan, PortPlan};
use arqon_types::{ElementType, Elements, PackedRow, Row, Schema, Tensor, Type, Value};

use crate::deltas::Delta;
use crate::emitter::Emitter;
use crate::recorder::{Fault, packed_text};

/// The rows of a port, and where the fields of its signature stand in them.
#[derive(Debug)]
pub(crate) struct PortFields {
    schema: Schema,
    types: Vec<Type>,
    fields: Arc<[Option<usize>]>,
}

/// A row that was read.
#[derive(Debug)]
pub(crate) struct PortRow {
    row: Row,
    fields: Arc<[Option<usize>]>,
}

impl PortFields {
    /// The rows of a port.
    pub(crate) fn new(port: &PortPlan, schema: &Schema) -> Self {
        Self {
            schema: schema.clone(),
            types: schema.types(),
            fields: port.fields.as_slice().into(),
        }
    }

    /// A row.
    pub(crate) fn read(&self, row: &PackedRow) -> PortRow {
        PortRow { row: row.unpack(&self.types), fields: Arc::clone(&self.fields) }
    }

    /// A row that is read already.
    pub(crate) fn read_row(&self, row: Row) -> PortRow {
        PortRow { row, fields: Arc::clone(&self.fields) }
    }

    /// The changes of a key that the kernel can read. The others, in which `fault` finds something
    /// that hangs on the row alone, are errors of the node, which go when the rows do.
    pub(crate) fn sound(
        &self,
        rows: &[Delta],
        out: &Emitter,
        fault: impl Fn(&PortRow) -> Option<Refusal>,
    ) -> Vec<(PortRow, i64)> {
        let mut sound = Vec::with_capacity(rows.len());
        for ((_, packed), diff) in rows {
            let row = self.read(packed);
            match fault(&row) {
                None => sound.push((row, *diff)),
                Some(refusal) => refusal.tell(packed_text(&self.schema, packed), *diff, out),
            }
        }
        sound
    }

    /// The row that a key has after these changes, if it has one that the kernel can read.
    pub(crate) fn present(
        &self,
        rows: &[Delta],
        out: &Emitter,
        fault: impl Fn(&PortRow) -> Option<Refusal>,
    ) -> Option<PortRow> {
        let sound = self.sound(rows, out, fault);
        sound.into_iter().find_map(|(row, diff)| (0 < diff).then_some(row))
    }
}

/// Why a kernel does not take a row.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The code of the error row.
    pub(crate) code: &'static str,
    /// Why, for people.
    pub(crate) message: String,
}

impl Refusal {
    /// A number that is none, or infinite.
    pub(crate) fn not_finite(field: &str) -> Self {
        let message = format!("`{field}` is not finite, and a kernel computes with numbers only");
        Self { code: "not_finite", message }
    }

    /// Makes of a row an error of the node, or takes that back.
    pub(crate) fn tell(&self, row: String, diff: i64, out: &Emitter) {
        let message = self.message.clone();
        let fault = Fault { code: self.code.into(), message, place: Place::default() };
        out.fault(&fault, row, diff);
    }
}

impl PortRow {
    /// The whole row.
    pub(crate) fn into_row(self) -> Row {
        self.row
    }

    fn value(&self, field: usize) -> Option<&Value> {
        self.fields[field].map(|at| &self.row.0[at])
    }

    /// A field that may be missing, an integer.
    ///
    /// # Panics
    /// If it is there and is none, which the verifier of plans rules out.
    pub(crate) fn integer(&self, field: usize) -> Option<i64> {
        self.value(field).map(|value| match value {
            Value::Int(number) => *number,
            other => panic!("{other:?} where an integer is wanted"),
        })
    }

    /// A number.
    ///
    /// # Panics
    /// As [`Self::integer`], and if it is missing.
    pub(crate) fn number(&self, field: usize) -> f64 {
        match self.value(field) {
            Some(Value::Float(number)) => number.get(),
            other => panic!("{other:?} where a number is wanted"),
        }
    }

    /// A vector.
    ///
    /// # Panics
    /// As [`Self::number`].
    pub(crate) fn vector(&self, field: usize) -> &Arc<Tensor> {
        match self.value(field) {
            Some(Value::Tensor(tensor)) => tensor,
            other => panic!("{other:?} where a vector is wanted"),
        }
    }
}

/// The elements of a vector in single precision.
pub(crate) fn singles(tensor: &Tensor) -> Vec<f32> {
    match tensor.elements() {
        Elements::F32(numbers) => numbers.clone(),
        #[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest")]
        Elements::F64(numbers) => numbers.iter().map(|number| *number as f32).collect(),
        other => panic!("{:?} where floats are wanted", other.ty()),
    }
}

/// The elements of a vector in double precision.
pub(crate) fn doubles(tensor: &Tensor) -> Vec<f64> {
    match tensor.elements() {
        Elements::F32(numbers) => numbers.iter().map(|number| f64::from(*number)).collect(),
        Elements::F64(numbers) => numbers.clone(),
        other => panic!("{:?} where floats are wanted", other.ty()),
    }
}

/// Whether all elements are finite.
pub(crate) fn is_finite(tensor: &Tensor) -> bool {
    match tensor.elements() {
        Elements::F32(numbers) => numbers.iter().all(|number| number.is_finite()),
        Elements::F64(numbers) => numbers.iter().all(|number| number.is_finite()),
        Elements::I64(_) | Elements::U8(_) | Elements::Bool(_) => true,
    }
}

/// The length of a vector of a port, where the circuit says it.
pub(crate) fn length_of(port: &PortPlan, field: usize, schema: &Schema) -> Option<usize> {
    let column = port.fields.get(field).copied().flatten()?;
    match &schema.fields.get(column)?.ty {
        Type::Tensor(tensor) => usize::try_from(tensor.vector_length()?).ok(),
        _ => None,
    }
}

/// The elements of the vectors that a kernel makes.
pub(crate) fn made_element(plan: &KernelPlan, output: &Schema) -> ElementType {
    let made = plan.columns.iter().zip(&output.fields).find_map(|(column, field)| {
        match (column, &field.ty) {
            (KernelColumn::Made(_), Type::Tensor(tensor)) => Some(tensor.element),
            _ => None,
        }
    });
    made.expect("the kernel makes a vector")
}
