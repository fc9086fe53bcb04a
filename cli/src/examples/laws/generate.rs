//! Random messages for a circuit's inputs: rows of their schemas with values that meet.
//!
//! Values of one type come from one small pool for all topics, and every second one is a key that
//! some topic was given shortly before, so that joins find partners, keys are written again, and
//! rows are retracted that are there; the circuit's own constants are in the pools, so that
//! conditions hold now and then. One message in twelve to a `delta` topic
//! retracts what is not there. Event time goes on, with rows that come late.

use std::collections::{BTreeMap, VecDeque};

use arqon_plan::{DataflowPlan, TopicPlan};
use arqon_types::{
    Change, Dimension, Discipline, ElementType, Elements, Float, Row, TENSOR_ELEMENTS_MAX, Tensor,
    TensorType, Type, Value, count, parse_decimal,
};

use super::constants::Constants;
use super::history::{Message, inputs};
use super::random::Random;

/// Messages of a case: enough for joins to meet, few enough to be quick.
const MESSAGES: std::ops::Range<usize> = 10..80;

/// Keys that count up begin again here, so that few keys have many versions.
const IDS: usize = 6;

/// Keys of a type that are remembered.
const KEYS_MAX: usize = 8;

const SECOND: i64 = 1_000_000_000;
/// 2026-01-01T00:00:00Z in nanoseconds.
const START: i64 = 1_767_225_600 * SECOND;
/// 2026-01-01 in days.
const START_DAY: i32 = 20_454;

/// The messages of one case.
pub(super) fn messages(
    plan: &DataflowPlan,
    constants: &Constants,
    random: &mut Random,
) -> Vec<Message> {
    let topics = inputs(plan);
    let mut steps = vec![SECOND / 10, SECOND, 10 * SECOND, 60 * SECOND, 3_600 * SECOND];
    steps.extend(constants.durations.iter().map(|duration| (duration / 3).max(1)));
    let step = *random.pick(&steps);
    let n_messages = MESSAGES.start + random.below(MESSAGES.len());
    let mut generator = Generator { constants, random, clock: START, step, keys: BTreeMap::new() };
    let mut held: Vec<Vec<Row>> = vec![Vec::new(); topics.len()];
    let mut messages = Vec::with_capacity(n_messages);
    for _ in 0..n_messages {
        let at = generator.random.below(topics.len());
        generator.clock += generator.step * generator.random.between(0, 2);
        let change = generator.change(topics[at], &mut held[at]);
        let begins = generator.random.chance(40);
        messages.push(Message { topic: topics[at].name.clone(), change, begins });
    }
    messages
}

struct Generator<'g> {
    constants: &'g Constants,
    random: &'g mut Random,
    clock: i64,
    step: i64,
    keys: BTreeMap<Type, VecDeque<Value>>,
}

impl Generator<'_> {
    fn change(&mut self, topic: &TopicPlan, held: &mut Vec<Row>) -> Change {
        match topic.discipline {
            Discipline::Events => {
                let row = self.row(topic);
                self.remember(topic, &row);
                Change::Insert(row)
            }
            Discipline::Full if self.random.chance(15) => {
                let row = if !held.is_empty() && self.random.chance(70) {
                    self.random.pick(held).clone()
                } else {
                    self.row(topic)
                };
                Change::Delete(topic.key.iter().map(|&at| row[at].clone()).collect())
            }
            Discipline::Full => {
                let mut row = self.row(topic);
                if let [at] = topic.key[..]
                    && topic.schema.fields[at].ty == Type::Int64
                    && self.random.chance(60)
                {
                    row.0[at] = Value::Int(i64::try_from(held.len() % IDS).expect("few ids"));
                }
                if !held.is_empty() && self.random.chance(25) {
                    // The same key again, with other fields.
                    let old = self.random.pick(held).clone();
                    topic.key.iter().for_each(|&at| row.0[at] = old[at].clone());
                }
                held.push(row.clone());
                self.remember(topic, &row);
                Change::Upsert(row)
            }
            Discipline::Delta => self.signed(topic, held),
        }
    }

    fn signed(&mut self, topic: &TopicPlan, held: &mut Vec<Row>) -> Change {
        if !held.is_empty() && self.random.chance(40) {
            let gone = self.random.below(held.len());
            return Change::Diff { row: held.swap_remove(gone), diff: -1 };
        }
        let row = self.row(topic);
        // An unverified topic trusts its producer.
        if topic.verified && self.random.chance(8) {
            return Change::Diff { row, diff: -1 };
        }
        self.remember(topic, &row);
        let copies = self.random.between(1, 2);
        (0..copies).for_each(|_| held.push(row.clone()));
        Change::Diff { row, diff: copies }
    }

    fn row(&mut self, topic: &TopicPlan) -> Row {
        let mut row: Vec<Value> =
            topic.schema.fields.iter().map(|field| self.value_or_key(&field.ty)).collect();
        if let Some(at) = topic.time {
            let late = if self.random.chance(15) { self.random.between(1, 12) } else { 0 };
            let time = self.clock - late * self.step;
            row[at] = match topic.schema.fields[at].ty.required() {
                Type::Date => Value::Date(days(time)),
                _ => Value::Timestamp(time),
            };
        }
        row.into()
    }

    /// Keeps a row's keys for others to refer to; without a key any field may be one.
    fn remember(&mut self, topic: &TopicPlan, row: &Row) {
        for (at, field) in topic.schema.fields.iter().enumerate() {
            if topic.key.is_empty() || topic.key.contains(&at) {
                let keys = self.keys.entry(field.ty.required().clone()).or_default();
                if row[at] != Value::None {
                    keys.push_back(row[at].clone());
                }
                if keys.len() > KEYS_MAX {
                    keys.pop_front();
                }
            }
        }
    }

    fn value_or_key(&mut self, ty: &Type) -> Value {
        if self.random.chance(50)
            && let Some(keys) = self.keys.get(ty.required()).filter(|keys| !keys.is_empty())
        {
            return keys[self.random.below(keys.len())].clone();
        }
        self.value(ty)
    }

    fn value(&mut self, ty: &Type) -> Value {
        match ty {
            Type::Option(_) if self.random.chance(25) => Value::None,
            Type::Option(inner) => self.value(inner),
            Type::Bool => Value::Bool(self.random.chance(50)),
            Type::Int64 => Value::Int(self.int()),
            Type::Float64 => Value::float(self.float()),
            Type::Float32 => Value::float32(Float::new(self.float()).to_f32()),
            Type::Bytes => Value::Bytes(self.text().into_bytes().into()),
            Type::Map(inner) => {
                let n = self.random.below(4);
                Value::map((0..n).map(|_| (self.text().into(), self.value(inner))))
            }
            Type::Tensor(ty) => Value::Tensor(self.tensor(ty).into()),
            Type::Decimal(scale) => Value::Decimal(self.decimal(*scale)),
            Type::String => Value::string(&self.text()),
            Type::Timestamp => Value::Timestamp(self.timestamp()),
            Type::Date => Value::Date(self.date()),
            Type::Duration => Value::Duration(self.random.between(-2, 5) * self.step),
            Type::Uuid => Value::Uuid(self.random.below(4) as u128),
            Type::Enum(labels) => {
                let label = self.random.below(labels.len());
                Value::Enum(u32::try_from(label).expect("an enum has few labels"))
            }
            Type::List(inner) => {
                Value::List((0..self.random.below(4)).map(|_| self.value(inner)).collect())
            }
            Type::Struct(fields) => {
                Value::Struct(fields.iter().map(|field| self.value(&field.ty)).collect())
            }
        }
    }

    /// What has a name has one size in all rows, so that rows fit each other.
    fn tensor(&mut self, ty: &TensorType) -> Tensor {
        let shape: Vec<u32> = ty
            .dims
            .iter()
            .map(|dim| match dim {
                Dimension::Fixed(size) => u32::try_from(*size).unwrap_or(u32::MAX),
                Dimension::Symbol(_) => 2,
                Dimension::Unknown => u32::try_from(self.random.below(4)).expect("a small size"),
            })
            .collect();
        let n = count(&shape).unwrap_or(TENSOR_ELEMENTS_MAX);
        let elements = match ty.element {
            ElementType::F32 => {
                Elements::F32((0..n).map(|_| Float::new(self.float()).to_f32()).collect())
            }
            ElementType::F64 => Elements::F64((0..n).map(|_| self.float()).collect()),
            ElementType::I64 => Elements::I64((0..n).map(|_| self.int()).collect()),
            ElementType::U8 => {
                let byte = |_| u8::try_from(self.random.below(256)).expect("a byte");
                Elements::U8((0..n).map(byte).collect())
            }
            ElementType::Bool => Elements::Bool((0..n).map(|_| self.random.chance(50)).collect()),
        };
        Tensor::try_new(shape, elements).expect("there are as many elements as the shape holds")
    }

    fn constant(&mut self) -> Option<String> {
        let numbers = &self.constants.numbers;
        (!numbers.is_empty() && self.random.chance(25)).then(|| self.random.pick(numbers).clone())
    }

    fn int(&mut self) -> i64 {
        let constant = self.constant().and_then(|text| text.parse::<i64>().ok());
        match constant {
            Some(number) => number.saturating_add(self.random.between(-1, 1)),
            // Seldom one with which arithmetic overflows.
            None if self.random.below(150) == 0 => i64::MAX,
            None => self.random.between(-1, 6),
        }
    }

    fn float(&mut self) -> f64 {
        if let Some(number) = self.constant().and_then(|text| text.parse().ok()) {
            return number;
        }
        if self.random.below(100) == 0 {
            return f64::NAN;
        }
        let tenths = i32::try_from(self.random.between(-20, 60)).expect("a small number");
        f64::from(tenths) / 10.0
    }

    fn decimal(&mut self, scale: u8) -> i128 {
        let constant = self.constant().and_then(|text| parse_decimal(&text, scale).ok());
        constant.unwrap_or(0) + i128::from(self.random.between(-1, 9))
    }

    fn text(&mut self) -> String {
        let texts = &self.constants.texts;
        if !texts.is_empty() && self.random.chance(50) {
            return self.random.pick(texts).clone();
        }
        (*self.random.pick(&["a", "b", "c", "", "a b"])).to_owned()
    }

    fn timestamp(&mut self) -> i64 {
        let times = &self.constants.times;
        let base = if !times.is_empty() && self.random.chance(50) {
            *self.random.pick(times)
        } else {
            self.clock
        };
        base + self.random.between(-2, 2) * self.step
    }

    fn date(&mut self) -> i32 {
        let dates = &self.constants.dates;
        let base = if !dates.is_empty() && self.random.chance(85) {
            *self.random.pick(dates)
        } else {
            START_DAY
        };
        base + i32::try_from(self.random.between(-2, 2)).expect("a small number")
    }
}

fn days(nanoseconds: i64) -> i32 {
    i32::try_from(nanoseconds.div_euclid(86_400 * SECOND)).expect("generated times are near")
}
