//! Random updates for the generator's inputs, and their cuts into epochs.

use arqon_types::{Change, Discipline, Elements, Float, Row, Tensor, TopicName, Value};

use crate::generator::{CONTROL, INPUTS, ROW};
use crate::random::Random;

/// One message: a topic and what it says.
pub type Message = (TopicName, Change);

/// Epochs of messages, some of them empty of effect, about one in eight a retraction of a row
/// that was never there.
pub fn epochs(random: &mut Random) -> Vec<Vec<Message>> {
    let mut held: Vec<Row> = Vec::new();
    let mut clock = 0;
    (0..2 + random.below(6))
        .map(|_| {
            let n_messages = random.below(12);
            (0..n_messages).map(|_| message(random, &mut held, &mut clock)).collect()
        })
        .collect()
}

/// Adds messages that clients send to the control topic, a few in an epoch.
pub fn add_control(random: &mut Random, discipline: Discipline, epochs: &mut [Vec<Message>]) {
    let topic = TopicName::parse(CONTROL).expect("the generator's names are well formed");
    for messages in epochs {
        for _ in 0..random.below(3) {
            let second = random.between(0, 9) * 1_000_000_000;
            let row: Row = vec![
                Value::Int(random.between(0, 5)),
                Value::Int(random.between(0, 2)),
                Value::Timestamp(second),
            ]
            .into();
            let change = match discipline {
                Discipline::Events => Change::Insert(row),
                Discipline::Full if random.chance(30) => {
                    Change::Delete(vec![row[0].clone()].into())
                }
                Discipline::Full => Change::Upsert(row),
                Discipline::Delta if random.chance(30) => Change::Diff { row, diff: -1 },
                Discipline::Delta => Change::Diff { row, diff: 1 },
            };
            let at = random.below(messages.len() + 1);
            messages.insert(at, (topic.clone(), change));
        }
    }
}

/// The same messages in order, cut anew.
pub fn recut(random: &mut Random, epochs: &[Vec<Message>]) -> Vec<Vec<Message>> {
    let mut again: Vec<Vec<Message>> = vec![Vec::new()];
    for message in epochs.iter().flatten() {
        if random.chance(30) {
            again.push(Vec::new());
        }
        again.last_mut().expect("one epoch at least").push(message.clone());
    }
    again
}

/// Floats at the edges of what floats are, some of them also as float32.
const ODD: [f64; 14] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    -0.0,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    -5e-324,
    f32::MAX as f64,
    1e-45,
    0.1,
    -1e16,
    1e300,
    1e-17,
];

/// The same messages with odd floats. In all of them a number stands for itself or for the same odd
/// one, so that rows which were equal still are.
pub fn with_odd_floats(random: &mut Random, epochs: Vec<Vec<Message>>) -> Vec<Vec<Message>> {
    let quarters: Vec<Option<f64>> =
        (-4..=8).map(|_| random.chance(50).then(|| *random.pick(&ODD))).collect();
    let odd = |number: f64| {
        let at = (-4..=8).position(|quarter| number * 4.0 - f64::from(quarter) == 0.0);
        at.and_then(|at| quarters[at]).unwrap_or(number)
    };
    let odd_value = |value: &Value, ty: &str| match value {
        Value::Float(float) if ty == "float32" => {
            Value::float(Float::new(odd(float.get())).to_f32().into())
        }
        Value::Float(float) => Value::float(odd(float.get())),
        Value::Tensor(tensor) => {
            let Elements::F32(elements) = tensor.elements() else { panic!("{ty} is of floats") };
            let elements = elements.iter().map(|x| Float::new(odd((*x).into())).to_f32());
            let odd = Tensor::vector(Elements::F32(elements.collect()));
            Value::Tensor(odd.expect("as many elements").into())
        }
        other => other.clone(),
    };
    let odd_row = |row: Row| -> Row {
        row.iter().zip(ROW).map(|(value, (_, ty))| odd_value(value, ty)).collect()
    };
    let odd_message = |(topic, change): Message| {
        if topic.as_str() == CONTROL {
            return (topic, change);
        }
        let change = match change {
            Change::Insert(row) => Change::Insert(odd_row(row)),
            Change::Upsert(row) => Change::Upsert(odd_row(row)),
            Change::Diff { row, diff } => Change::Diff { row: odd_row(row), diff },
            Change::Delete(key) => Change::Delete(key),
        };
        (topic, change)
    };
    let odd_epoch = |messages: Vec<Message>| messages.into_iter().map(odd_message).collect();
    epochs.into_iter().map(odd_epoch).collect()
}

fn message(random: &mut Random, held: &mut Vec<Row>, clock: &mut i64) -> Message {
    *clock += random.between(0, 2);
    let (name, carries) = random.pick(INPUTS);
    let topic = TopicName::parse(name).expect("the generator's names are well formed");
    let change = match *carries {
        "full" if random.chance(25) => {
            Change::Delete(vec![Value::Int(random.between(0, 7))].into())
        }
        "full" => Change::Upsert(row(random, *clock)),
        "events" => Change::Insert(row(random, *clock)),
        _ => signed(random, held, *clock),
    };
    (topic, change)
}

fn signed(random: &mut Random, held: &mut Vec<Row>, clock: i64) -> Change {
    if !held.is_empty() && random.chance(40) {
        let gone = random.below(held.len());
        return Change::Diff { row: held.swap_remove(gone), diff: -1 };
    }
    let row = row(random, clock);
    if random.chance(12) {
        return Change::Diff { row, diff: -1 };
    }
    let copies = random.between(1, 2);
    for _ in 0..copies {
        held.push(row.clone());
    }
    Change::Diff { row, diff: copies }
}

/// Up to two quarters.
fn vector(random: &mut Random) -> Tensor {
    let n = random.below(3);
    let quarter = |_| Float::new([0.0, 0.25, 1.0][random.below(3)]).to_f32();
    Tensor::vector(Elements::F32((0..n).map(quarter).collect())).expect("few elements")
}

/// A row of the generator's schema; few distinct values, so that keys meet. Its event time is
/// about what the clock says, often before it, and begins before 1970.
fn row(random: &mut Random, clock: i64) -> Row {
    let quarter = |n: i64| f64::from(i32::try_from(n).expect("small")) / 4.0;
    vec![
        Value::Int(random.between(0, 7)),
        Value::Int(random.between(0, 3)),
        Value::string(["a", "b", "c", ""][random.below(4)]),
        if random.chance(25) { Value::None } else { Value::Int(random.between(-2, 3)) },
        Value::Decimal(i128::from(random.between(-150, 300))),
        Value::float(quarter(random.between(-4, 8))),
        Value::Bool(random.chance(50)),
        Value::Enum(u32::try_from(random.below(3)).expect("three labels")),
        Value::float(quarter(random.between(-2, 3))),
        Value::Bytes([&b""[..], b"a", b"ab"][random.below(3)].into()),
        Value::map((0..random.below(3)).map(|_| {
            let key = ["a", "b", "c"][random.below(3)];
            (key.into(), Value::Int(random.between(0, 2)))
        })),
        Value::Tensor(vector(random).into()),
        Value::Timestamp((clock + random.between(-9, 4)) * 1_000_000_000),
    ]
    .into()
}
