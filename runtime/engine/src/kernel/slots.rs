//! Rows under numbers by which a kernel calls them, and what was last said of each.

use std::io;

use arqon_kernels::{LoadError, SnapshotReader, SnapshotWriter};
use arqon_plan::KernelColumn;
use arqon_types::{PackedRow, Row, Schema, Type, Value};

use super::fields::Refusal;
use super::rows::{put_rows, take_rows};
use crate::emitter::Emitter;
use crate::recorder::fields_text;
use crate::source::PackedMap;

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

    /// Writes them, between two epochs.
    pub(crate) fn save(&self, out: &mut SnapshotWriter<'_>) -> io::Result<()> {
        let mut keys: Vec<(i64, &PackedRow)> =
            self.of_keys.iter().map(|(key, number)| (*number, key)).collect();
        // Each key has its own number, so their order is the only one.
        keys.sort_unstable();
        put_rows(out, "keys", keys.iter().map(|(_, key)| key.as_bytes()))?;
        out.numbers("numbers", keys.iter().map(|(number, _)| *number))?;
        out.number("next", self.next)?;
        out.numbers("free", self.free.iter().copied())
    }

    /// Reads what [`Self::save`] wrote.
    pub(crate) fn load(input: &mut SnapshotReader<'_>) -> Result<Self, LoadError> {
        let keys = take_rows(input, "keys")?;
        let numbers: Vec<i64> = input.array("numbers", keys.len())?;
        let of_keys = keys.into_iter().zip(numbers).collect();
        let (next, free) = (input.number("next")?, input.numbers("free")?);
        Ok(Self { of_keys, next, free, freed: Vec::new() })
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
    /// What is said takes of the memory.
    said_bytes: usize,
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
            said_bytes: 0,
            schema: schema.clone(),
            columns: columns.to_vec(),
            types,
        }
    }

    /// Ends the epoch.
    pub(crate) fn settle(&mut self) {
        self.numbers.settle();
    }

    /// What a row of the port is known by, if it is there.
    pub(crate) fn number(&self, key: &PackedRow) -> Option<i64> {
        self.numbers.of_keys.get(key).copied()
    }

    /// The numbers of these keys, as far as their rows are there.
    pub(crate) fn numbers(&self, keys: &[PackedRow]) -> Vec<i64> {
        keys.iter().filter_map(|key| self.number(key)).collect()
    }

    /// The row of a number; none of one that stands for no row.
    pub(crate) fn row(&self, number: i64) -> Option<&Row> {
        self.held.get(at(number))?.as_ref().map(|held| &held.row)
    }

    /// Numbers of rows that are there, in ascending order.
    pub(crate) fn live(&self) -> impl Iterator<Item = (i64, &Row)> {
        (0..).zip(&self.held).filter_map(|(number, held)| Some((number, &held.as_ref()?.row)))
    }

    /// Takes back what was said of the row of a key.
    pub(crate) fn hush(&mut self, key: &PackedRow, out: &mut Emitter) {
        if let Some(number) = self.number(key) {
            self.take_back(number, out);
        }
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
        let Some(held) = &mut self.held[place] else { return number };
        let before = std::mem::replace(&mut held.row, row);
        match &held.said {
            Said::Nothing => {}
            Said::Row(said) => {
                let made = said.unpack(&self.types);
                let mut columns = self.columns.iter().zip(&made.0);
                let made = columns.find_map(|(column, value)| {
                    matches!(column, KernelColumn::Made(_)).then(|| value.clone())
                });
                match made {
                    Some(made) => self.say(number, &made, out),
                    None => self.take_back(number, out),
                }
            }
            Said::Fault(refusal) => {
                fault(refusal, &self.schema, &before, -1, out);
                fault(refusal, &self.schema, &held.row, 1, out);
            }
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
        self.said_bytes += row.heap_bytes();
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

    /// Says all that stands again.
    pub(crate) fn say_again(&self, out: &mut Emitter) {
        for held in self.held.iter().flatten() {
            match &held.said {
                Said::Nothing => {}
                Said::Row(said) => out.row(said, 1),
                Said::Fault(refusal) => fault(refusal, &self.schema, &held.row, 1, out),
            }
        }
    }

    /// Writes them, between two epochs.
    pub(crate) fn save(&self, out: &mut SnapshotWriter<'_>) -> io::Result<()> {
        self.numbers.save(out)?;
        let kind = |held: &Option<Held>| match held.as_ref().map(|held| &held.said) {
            None => NO_ROW,
            Some(Said::Nothing) => SAID_NOTHING,
            Some(Said::Row(_)) => SAID_ROW,
            Some(Said::Fault(_)) => SAID_FAULT,
        };
        out.numbers("kinds", self.held.iter().map(kind))?;
        let types = self.schema.types();
        let there = || self.held.iter().flatten();
        let rows: Vec<PackedRow> = there().map(|held| PackedRow::pack(&held.row, &types)).collect();
        put_rows(out, "rows", rows.iter().map(PackedRow::as_bytes))?;
        let said = there().filter_map(|held| match &held.said {
            Said::Row(said) => Some(said.as_bytes()),
            Said::Fault(refusal) => Some(refusal.message.as_bytes()),
            Said::Nothing => None,
        });
        put_rows(out, "said", said)
    }

    /// Reads what [`Self::save`] wrote.
    pub(crate) fn load(&mut self, input: &mut SnapshotReader<'_>) -> Result<(), LoadError> {
        self.numbers = Numbers::load(input)?;
        let kinds: Vec<u8> = input.numbers("kinds")?;
        let mut rows = take_rows(input, "rows")?.into_iter();
        let mut said = take_rows(input, "said")?.into_iter();
        let damaged = || LoadError::Damaged { section: "said" };
        let types = self.schema.types();
        self.held.clear();
        self.said_bytes = 0;
        for kind in kinds {
            if kind == NO_ROW {
                self.held.push(None);
                continue;
            }
            let row = rows.next().ok_or_else(damaged)?.unpack(&types);
            let mut said = || said.next().ok_or_else(damaged);
            let said = match kind {
                SAID_NOTHING => Said::Nothing,
                SAID_ROW => Said::Row(said()?),
                SAID_FAULT => {
                    let message = String::from_utf8_lossy(said()?.as_bytes()).into_owned();
                    Said::Fault(Refusal { code: NO_VALUE, message })
                }
                _ => return Err(damaged()),
            };
            if let Said::Row(said) = &said {
                self.said_bytes += said.heap_bytes();
            }
            self.held.push(Some(Held { row, said }));
        }
        let is_there = |number: &i64| usize::try_from(*number).is_ok_and(|it| it < self.held.len());
        let are_there = self.numbers.of_keys.values().all(is_there);
        if are_there && rows.next().is_none() && said.next().is_none() {
            Ok(())
        } else {
            Err(damaged())
        }
    }

    /// Takes back what was said of a row.
    fn take_back(&mut self, number: i64, out: &mut Emitter) {
        let Some(held) = &mut self.held[at(number)] else { return };
        match std::mem::replace(&mut held.said, Said::Nothing) {
            Said::Nothing => {}
            Said::Row(said) => {
                self.said_bytes -= said.heap_bytes();
                out.row(&said, -1);
            }
            Said::Fault(refusal) => fault(&refusal, &self.schema, &held.row, -1, out),
        }
    }

    /// What the rows take of the memory.
    pub(crate) fn state_bytes(&self) -> usize {
        // What comes along takes about as much as what is said.
        let rows = self.held.capacity() * size_of::<Option<Held>>() + 2 * self.said_bytes;
        self.numbers.state_bytes() + rows
    }
}

/// What is written of a row.
const NO_ROW: u8 = 0;
const SAID_NOTHING: u8 = 1;
const SAID_ROW: u8 = 2;
const SAID_FAULT: u8 = 3;

/// The code of rows that have no output: the only ones of which an error is said here.
pub(crate) const NO_VALUE: &str = "no_value";

fn fault(refusal: &Refusal, schema: &Schema, row: &Row, diff: i64, out: &Emitter) {
    refusal.tell(fields_text(schema.fields.iter().zip(row.0.iter())), diff, out);
}

fn at(number: i64) -> usize {
    usize::try_from(number).expect("numbers are places")
}
