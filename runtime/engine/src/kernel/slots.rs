//! Rows under numbers by which a kernel calls them, and what was last said of each.

use arqon_plan::KernelColumn;
use arqon_types::{PackedRow, Row, Schema, Type, Value};

use super::fields::Refusal;
use crate::recorder::fields_text;
use crate::source::PackedMap;
use crate::stateful::Emitter;

/// A number for each key that is there.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    of_keys: PackedMap<i64>,
    next: i64,
    free: Vec<i64>,
    /// Those that became free within the epoch: the kernel may still know them.
    freed: Vec<i64>,
}

impl Numbers {
    /// The number of a key, and whether it is new.
    pub(crate) fn put(&mut self, key: &PackedRow) -> (i64, bool) {
        if let Some(number) = self.of_keys.get(key) {
            return (*number, false);
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        self.of_keys.insert(key.clone(), number);
        (number, true)
    }

    /// Lets go of a key.
    pub(crate) fn remove(&mut self, key: &PackedRow) -> Option<i64> {
        let number = self.of_keys.remove(key)?;
        self.freed.push(number);
        Some(number)
    }

    /// Ends the epoch: what became free may stand for others.
    pub(crate) fn settle(&mut self) {
        self.free.append(&mut self.freed);
    }

    /// What they take of the memory.
    pub(crate) fn state_bytes(&self) -> usize {
        self.of_keys.allocation_size()
    }
}

/// Rows of a keyed port that come along with outputs.
#[derive(Debug)]
pub(crate) struct Slots {
    numbers: Numbers,
    held: Vec<Option<Held>>,
    /// Of the rows of the port.
    schema: Schema,
    columns: Vec<KernelColumn>,
    /// Types of the output.
    types: Vec<Type>,
}

#[derive(Debug)]
struct Held {
    row: Row,
    said: Said,
}

/// What was last said of a row.
#[derive(Debug)]
enum Said {
    Nothing,
    Row(PackedRow),
    /// That it has no output, and why.
    Fault(Refusal),
}

impl Slots {
    /// No rows of `schema`; outputs have these columns, of these types.
    pub(crate) fn new(schema: &Schema, columns: &[KernelColumn], types: Vec<Type>) -> Self {
        Self {
            numbers: Numbers::default(),
            held: Vec::new(),
            schema: schema.clone(),
            columns: columns.to_vec(),
            types,
        }
    }

    /// Ends the epoch.
    pub(crate) fn settle(&mut self) {
        self.numbers.settle();
    }

    /// The number of a row that is there now, in the place of one that may have been there; what
    /// was said of that one is said of this.
    pub(crate) fn put(&mut self, key: &PackedRow, row: Row, out: &mut Emitter) -> i64 {
        let (number, is_new) = self.numbers.put(key);
        let place = at(number);
        if self.held.len() <= place {
            self.held.resize_with(place + 1, || None);
        }
        if is_new {
            self.held[place] = Some(Held { row, said: Said::Nothing });
            return number;
        }
        let said = match &self.held[place] {
            Some(Held { said: Said::Row(said), .. }) => {
                let made = said.unpack(&self.types);
                self.columns.iter().zip(&made.0).find_map(|(column, value)| {
                    matches!(column, KernelColumn::Made(_)).then(|| value.clone())
                })
            }
            Some(_) | None => None,
        };
        if said.is_none() {
            self.take_back(number, out);
        }
        if let Some(held) = &mut self.held[place] {
            held.row = row;
        }
        if let Some(made) = said {
            self.say(number, &made, out);
        }
        number
    }

    /// The number of a row that is there no more; what was said of it is taken back.
    pub(crate) fn remove(&mut self, key: &PackedRow, out: &mut Emitter) -> Option<i64> {
        let number = self.numbers.remove(key)?;
        self.take_back(number, out);
        self.held[at(number)] = None;
        Some(number)
    }

    /// Says what a kernel made of a row, unless that was said last.
    pub(crate) fn say(&mut self, number: i64, made: &Value, out: &mut Emitter) {
        let held = self.held[at(number)].as_ref().expect("a kernel knows the rows that are there");
        let value = |column: &KernelColumn| match column {
            KernelColumn::Along(at) => held.row.0[*at].clone(),
            KernelColumn::Made(_) => made.clone(),
        };
        let row: Vec<Value> = self.columns.iter().map(value).collect();
        let row = PackedRow::pack(&Row::from(row), &self.types);
        if matches!(&held.said, Said::Row(said) if *said == row) {
            return;
        }
        self.take_back(number, out);
        out.row(&row, 1);
        if let Some(held) = &mut self.held[at(number)] {
            held.said = Said::Row(row);
        }
    }

    /// Says that a row has no output, if `why` is given as an error.
    pub(crate) fn say_nothing(&mut self, number: i64, why: Option<Refusal>, out: &mut Emitter) {
        self.take_back(number, out);
        if let (Some(refusal), Some(held)) = (why, &mut self.held[at(number)]) {
            fault(&refusal, &self.schema, &held.row, 1, out);
            held.said = Said::Fault(refusal);
        }
    }

    /// Takes back what was said of a row.
    fn take_back(&mut self, number: i64, out: &mut Emitter) {
        let Some(held) = &mut self.held[at(number)] else { return };
        match std::mem::replace(&mut held.said, Said::Nothing) {
            Said::Nothing => {}
            Said::Row(said) => out.row(&said, -1),
            Said::Fault(refusal) => fault(&refusal, &self.schema, &held.row, -1, out),
        }
    }

    /// What the rows take of the memory.
    pub(crate) fn state_bytes(&self) -> usize {
        let said = self.held.iter().flatten().filter_map(|held| match &held.said {
            Said::Row(row) => Some(row.heap_bytes()),
            Said::Nothing | Said::Fault(_) => None,
        });
        // What comes along takes about as much as what is said.
        let rows = self.held.capacity() * size_of::<Option<Held>>() + 2 * said.sum::<usize>();
        self.numbers.state_bytes() + rows
    }
}

fn fault(refusal: &Refusal, schema: &Schema, row: &Row, diff: i64, out: &Emitter) {
    refusal.tell(fields_text(schema.fields.iter().zip(row.0.iter())), diff, out);
}

fn at(number: i64) -> usize {
    usize::try_from(number).expect("numbers are places")
}
