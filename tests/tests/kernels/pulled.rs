//! What is asked for of a kernel is what it would say of all, joined with the keys asked for.

use std::collections::BTreeMap;

use arqon_engine::{Changes, EpochInput, RowOutput, TopicInput};
use arqon_tests::random::Random;
use arqon_types::{Change, Elements, Epoch, Row, TopicName, Value};

use crate::engine::{end, feed, plan, start};
use crate::kernels::{KERNELS, Kernel, random_change, vector_of};

const EPOCHS: u64 = 60;

/// Each kernel twice over the same rows: one says all, the other what is asked for.
fn circuit(kernel: &Kernel) -> String {
    let Kernel { ports, schemas, topics, args, answer, key, .. } = kernel;
    let [asked, asked_key] = match key {
        1 => ["id: int64, who: int64", "id, who"],
        _ => ["x: int64, y: int64, who: int64", "x, y, who"],
    };
    format!(
        "arqon: 1\ncircuit: kernels.pulled\nschemas:\n{schemas}  Answer: {{ {answer} }}\n  \
         Asked: {{ {asked} }}\ntopics:\n{topics}  \
         asked: {{ schema: Asked, carries: full, key: [{asked_key}], edge: in }}\n  \
         all: {{ schema: Answer, carries: delta, edge: out }}\n  \
         pulled: {{ schema: Answer, carries: delta, edge: out }}\nflow:\n  \
         whole:\n    from: {ports}\n    do:\n      - kernel: {args}\n        emit: all\n    \
         to: all\n  lazy:\n    from: {ports}\n    do:\n      - kernel: {args}\n        \
         emit: {{ pull: asked }}\n    to: pulled\n"
    )
}

/// What a topic has come to.
type Collection = BTreeMap<Row, i64>;

fn fold(collection: &mut Collection, output: &RowOutput, topic: &str) {
    for delta in output.deltas.iter().filter(|delta| delta.topic.as_str() == topic) {
        for update in &delta.updates {
            *collection.entry(update.row.clone()).or_insert(0) += update.diff;
        }
    }
    collection.retain(|_, n| *n != 0);
    assert!(collection.values().all(|n| *n == 1), "a row stands twice: {collection:?}");
}

/// Fails unless the rows that were asked for are those of all, within what floats are off by.
fn compare(kernel: &Kernel, (all, asked, pulled): (&Collection, &Collection, &Collection)) {
    let key = |row: &Row| row.0[..kernel.key].to_vec();
    let asked: Vec<_> = asked.keys().map(key).collect();
    let wanted: Vec<&Row> = all.keys().filter(|row| asked.contains(&key(row))).collect();
    let found: Vec<&Row> = pulled.keys().collect();
    assert_eq!(found.len(), wanted.len(), "found {found:?}, wanted {wanted:?}");
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(key(found), key(wanted));
        for (found, wanted) in found.0.iter().zip(wanted.0.iter()) {
            assert!(is_near(found, wanted), "found {found:?}, wanted {wanted:?}");
        }
    }
}

fn is_near(a: &Value, b: &Value) -> bool {
    let is_near = |a: f64, b: f64| (a - b).abs() <= 1e-4 * (1.0 + b.abs());
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => is_near(a.get(), b.get()),
        (Value::Tensor(a), Value::Tensor(b)) => match (a.elements(), b.elements()) {
            (Elements::F32(a), Elements::F32(b)) => {
                a.iter().zip(b).all(|(a, b)| is_near(f64::from(*a), f64::from(*b)))
            }
            _ => panic!("answers are of `float32`"),
        },
        (a, b) => a == b,
    }
}

/// The epochs, of random changes: keys come and go, are asked for by several, and by none.
fn inputs(kernel: &Kernel, seed: u64) -> Vec<EpochInput> {
    let mut random = Random::new(seed);
    let input = |epoch| {
        let mut topics = Vec::new();
        for name in kernel.names {
            let n_changes = random.below(4);
            let changes = (0..n_changes).map(|_| random_change(&mut random, kernel, name));
            let (topic, changes) = (TopicName::parse(name).expect("a name"), changes.collect());
            topics.push(TopicInput { topic, changes: Changes::Rows(changes) });
        }
        let ask = |random: &mut Random| {
            let mut key: Vec<Value> =
                (0..kernel.key).map(|_| Value::Int(random.between(0, 6))).collect();
            key.push(Value::Int(random.between(0, 1)));
            let row = Row::from(key);
            if random.chance(40) { Change::Delete(row) } else { Change::Upsert(row) }
        };
        let n_asked = random.below(3);
        let changes = Changes::Rows((0..n_asked).map(|_| ask(&mut random)).collect());
        topics.push(TopicInput { topic: TopicName::parse("asked").expect("a name"), changes });
        topics.retain(|topic| !topic.changes.is_empty());
        EpochInput { epoch: Epoch(epoch), time: 0, topics }
    };
    (1..=EPOCHS).map(input).collect()
}

fn outputs(circuit: &str, inputs: &[EpochInput], n_workers: usize) -> Vec<RowOutput> {
    let (dataflow, tells) = start(&plan(circuit), n_workers);
    feed(&dataflow, inputs);
    end(dataflow, &tells)
}

#[test]
fn what_is_pulled_is_what_is_asked_for_of_all() {
    for (kernel, seed) in KERNELS.iter().zip(1..) {
        let circuit = circuit(kernel);
        let inputs = inputs(kernel, seed);
        let outputs = outputs(&circuit, &inputs, 1);
        assert_eq!(outputs.len(), inputs.len());
        let [mut all, mut pulled, mut asked] = <[Collection; 3]>::default();
        let mut n_pulled = 0;
        for (input, output) in inputs.iter().zip(&outputs) {
            let asking = input.topics.iter().filter(|it| it.topic.as_str() == "asked");
            for topic in asking {
                let Changes::Rows(changes) = &topic.changes else { panic!("rows are fed") };
                for change in changes {
                    match change {
                        Change::Upsert(row) => drop(asked.insert(row.clone(), 1)),
                        Change::Delete(row) => drop(asked.remove(row)),
                        other => panic!("{other:?} is not fed"),
                    }
                }
            }
            fold(&mut all, output, "all");
            fold(&mut pulled, output, "pulled");
            compare(kernel, (&all, &asked, &pulled));
            n_pulled += pulled.len();
        }
        assert!(inputs.len() < n_pulled, "hardly anything is asked for: {circuit}");
    }
}

#[test]
fn what_is_pulled_is_the_same_on_any_number_of_workers() {
    for (kernel, seed) in KERNELS.iter().zip(11..) {
        let (circuit, inputs) = (circuit(kernel), inputs(kernel, seed));
        let deltas = |n_workers| -> Vec<_> {
            let outputs = outputs(&circuit, &inputs, n_workers);
            outputs.into_iter().map(|output| (output.epoch, output.deltas)).collect()
        };
        let one = deltas(1);
        for n_workers in [2, 4] {
            assert!(deltas(n_workers) == one, "{n_workers} workers say something else: {circuit}");
        }
    }
}

/// A matrix whose vectors all change in one entry: products wait until somebody asks.
#[test]
fn products_that_wait_are_read_as_they_are_now() {
    let kernel = KERNELS.iter().find(|kernel| kernel.name == "linear_transform").unwrap();
    let circuit = circuit(kernel);
    let mut epoch = 0;
    let mut input = |name: &str, rows: Vec<Row>| {
        epoch += 1;
        let changes = Changes::Rows(rows.into_iter().map(Change::Upsert).collect());
        let topic = TopicName::parse(name).expect("a name");
        EpochInput { epoch: Epoch(epoch), time: 0, topics: vec![TopicInput { topic, changes }] }
    };
    let vector = |id: i16, entry: f32| {
        Row::from(vec![Value::Int(i64::from(id)), vector_of(vec![f32::from(id), entry, 0.5])])
    };
    let weights = (0..3).map(|row| {
        let entries = (0..3_i16).map(|at| f32::from(at + row)).collect();
        Row::from(vec![Value::Int(i64::from(row)), vector_of(entries)])
    });
    let mut inputs = vec![input("p", weights.collect())];
    for entry in [1.0, 2.0, 3.0, 4.0] {
        inputs.push(input("q", (0..9).map(|id| vector(id, entry)).collect()));
    }
    inputs.push(input("asked", vec![Row::from(vec![Value::Int(7), Value::Int(0)])]));
    inputs.push(input("q", (0..9).map(|id| vector(id, 5.0)).collect()));
    let outputs = outputs(&circuit, &inputs, 1);
    let mut pulled = Collection::new();
    let said: Vec<Vec<Row>> = outputs
        .iter()
        .map(|output| {
            fold(&mut pulled, output, "pulled");
            pulled.keys().cloned().collect()
        })
        .collect();
    // Rows of the matrix are (0, 1, 2), (1, 2, 3) and (2, 3, 4).
    let answer = |entry: f32| {
        let y = vec![entry + 1.0, 7.0 + 2.0 * entry + 1.5, 14.0 + 3.0 * entry + 2.0];
        vec![Row::from(vec![Value::Int(7), vector_of(y)])]
    };
    assert_eq!(said[..5], vec![Vec::<Row>::new(); 5]);
    assert_eq!(said[5..], [answer(4.0), answer(5.0)]);
}
