//! Kernels between the compiler, the wire and the library: what the compiler lets through, the
//! kernels can be prepared of; and what circuits import of their messages is what the wire has.

mod kernels;
mod engine;
mod pulled;
mod parted;
mod saved;

use std::collections::BTreeMap;
use std::sync::Arc;

use arqon_compiler::{Options, compile};
use arqon_engine::{Changes, EpochInput, RowOutput, TopicInput, prepared};
use arqon_plan::{METRICS, Operator, verify};
use arqon_proto::RowCodec;
use arqon_proto::itmd::{ItmdMetrics, ItmdMode, itmd_metrics, itmd_mode};
use arqon_tests::corpus::errors;
use arqon_tests::random::Random;
use arqon_types::{Change, DeltaBatch, Elements, Epoch, Row, Schema, Tensor, TopicName, Value};
use prost::Message as _;

use engine::{end, feed, plan, start};

const CASES: u64 = 400;

#[test]
fn kernels_can_be_prepared_of_what_the_compiler_lets_through() {
    let (mut n_started, mut n_refused) = (0, 0);
    for seed in 1..=CASES {
        let text = circuit(&mut Random::new(seed));
        let compiled = compile(&text, "kernel.yaml", &Options::default());
        let faults = errors(&compiled);
        if !faults.is_empty() {
            let is_told = |fault: &String| fault.starts_with("E0511");
            assert!(faults.iter().all(is_told), "seed {seed}: {faults:?}\n{text}");
            n_refused += 1;
            continue;
        }
        let plan = compiled.dataflow.expect("a circuit without faults has a plan");
        if let Err(error) = prepared(&plan) {
            panic!("seed {seed}: {error}\n{text}");
        }
        n_started += 1;
    }
    let both = [n_started, n_refused];
    assert!(both.iter().all(|n| CASES / 10 < *n), "one side is hardly tried: {both:?}");
}

#[test]
fn imported_metrics_and_modes_are_the_messages_of_the_wire() {
    let text = "arqon: 1\ncircuit: kernels.wire\n\
        import: [arqonbus/itmd/v1/metrics.proto, arqonbus/itmd/v1/mode.proto]\ntopics:\n  \
        told: { schema: ItmdMetrics, edge: in }\n  asked: { schema: ItmdMode, edge: in }\n  \
        same: { schema: ItmdMetrics, edge: out }\n  too: { schema: ItmdMode, edge: out }\n\
        flow:\n  one: { from: told, to: same }\n  two: { from: asked, to: too }\n\
        access: { all: { publish: [told, asked], subscribe: [same, too] } }\n";
    let plan = plan(text);
    let schema = |name: &str| {
        let topic = plan.topics.iter().find(|topic| topic.name.as_str() == name);
        topic.map(|topic| &topic.schema).expect("it is declared")
    };
    let fields = schema("told").fields.iter().map(|field| (&*field.name, field.ty.clone()));
    assert_eq!(fields.collect::<Vec<_>>(), METRICS.map(|it| (it.name(), it.ty())));

    let json = r#"{"epoch":7,"mode":"rr","churn":0.25,"changed":3,"emitted":-1,"error_bound":1e-7,
        "latency":"1500us","refreshed":true,"violated":false}"#;
    let metrics = ItmdMetrics {
        epoch: 7,
        mode: itmd_metrics::Mode::Rr.into(),
        churn: 0.25,
        changed: 3,
        emitted: -1,
        error_bound: 1e-7,
        latency: 1_500_000,
        refreshed: true,
        violated: false,
    };
    assert_eq!(ItmdMetrics::decode(&*on_the_wire(schema("told"), json)).unwrap(), metrics);
    let mode = ItmdMode { mode: itmd_mode::Mode::Itmd.into() };
    assert_eq!(
        ItmdMode::decode(&*on_the_wire(schema("asked"), r#"{"mode":"itmd"}"#)).unwrap(),
        mode
    );
}

/// A row of JSON as it goes over the wire.
fn on_the_wire(schema: &Schema, json: &str) -> Vec<u8> {
    let codec = RowCodec::new(schema.clone());
    let row = codec.decode(json).expect("the row fits");
    let mut bytes = Vec::new();
    codec.encode_proto(&row.0, &mut bytes);
    bytes
}

/// One kernel with random arguments, of which many do not go together.
fn circuit(random: &mut Random) -> String {
    let length = *random.pick(&[1, 2, 3, 4, 6, 64]);
    let count = |random: &mut Random| *random.pick(&[1, 2, 3, 5, 8, 17, 700, 701]);
    let number = |random: &mut Random| {
        let numbers =
            ["1e-200", "1e-99", "0.001", "0.1", "0.24", "0.25", "0.5", "0.7", "1.0", "1e99"];
        *random.pick(&numbers)
    };
    let [ports, schemas, args, output] = match random.below(5) {
        0 => [
            "q: q, kv: p".to_owned(),
            format!(
                "Q: {{ id: int64, q: tensor<{length}xf32> }}\n  \
                 P: {{ id: int64, k: tensor<{length}xf32>, v: tensor<{length}xf64> }}"
            ),
            format!(
                "transformer_attn, args: {{ features: {}, heads: {}, feature_map: {} }}",
                count(random) * *random.pick(&[1, 1, 100]),
                count(random),
                random.pick(&["favor_plus", "rff"]),
            ),
            format!("id: int64, o: tensor<{length}xf64>"),
        ],
        1 => [
            "data: p, query: q".to_owned(),
            format!(
                "P: {{ id: int64, x: tensor<{length}xf32>, y: float64 }}\n  \
                 Q: {{ id: int64, x: tensor<{length}xf32> }}"
            ),
            format!(
                "nystrom, args: {{ landmarks: {}, gamma: {}, lambda: {} }}",
                count(random),
                number(random),
                number(random),
            ),
            "id: int64, y: float64".to_owned(),
        ],
        2 => [
            "edges: p, roots: q".to_owned(),
            "P: { id: int64, src: int64, dst: int64 }\n  Q: { id: int64 }".to_owned(),
            format!(
                "dynamic_graph, args: {{ algorithm: pagerank, damping: {}, tolerance: {} }}",
                number(random),
                number(random),
            ),
            "id: int64, rank: float64".to_owned(),
        ],
        3 => [
            "cells: p".to_owned(),
            "P: { id: int64, x: int64, y: int64, u: float64 }\n  Q: { id: int64 }".to_owned(),
            format!(
                "pde_solver, args: {{ equation: {}, width: {}, height: {}, dt: {}, dx: {}, \
                 coefficient: {}, steps: {} }}",
                random.pick(&["heat", "wave", "burgers"]),
                count(random) * *random.pick(&[1, 1, 1, 1000]),
                count(random),
                number(random),
                number(random),
                number(random),
                count(random),
            ),
            "x: int64, y: int64, u: float64".to_owned(),
        ],
        _ => [
            "x: q, rows: p".to_owned(),
            format!(
                "Q: {{ id: int64, x: tensor<{length}xf32> }}\n  \
                 P: {{ id: int64, row: int64, weights: tensor<{length}xf32> }}"
            ),
            format!(
                "linear_transform, args: {{ rows: {rows}, rank: {}, layout: {} }}",
                count(random) * *random.pick(&[1, 10]),
                random.pick(&["dense", "sparse"]),
                rows = length,
            ),
            format!("id: int64, y: tensor<{length}xf32>"),
        ],
    };
    format!(
        "arqon: 1\ncircuit: kernels.random\nschemas:\n  {schemas}\n  A: {{ {output} }}\ntopics:\n  \
         p: {{ schema: P, carries: full, key: id, edge: in }}\n  \
         q: {{ schema: Q, carries: full, key: id, edge: in }}\n  \
         out: {{ schema: A, carries: delta, edge: out }}\n  \
         same: {{ schema: Q, carries: delta, edge: out }}\n\
         flow:\n  a:\n    from: {{ {ports} }}\n    do: [{{ kernel: {args} }}]\n    to: out\n  \
         unread: {{ from: q, to: same }}\n\
         access: {{ all: {{ publish: [p, q], subscribe: [out, same] }} }}\n"
    )
}

/// Attention whose rows are so many that its steps are done beside the workers.
const LARGE: &str = "arqon: 1\ncircuit: kernels.large\nschemas:\n  \
    Query: { id: int64, q: tensor<64xf32> }\n  \
    Token: { id: int64, k: tensor<64xf32>, v: tensor<64xf32> }\n  \
    Answer: { id: int64, o: tensor<64xf32> }\ntopics:\n  \
    queries: { schema: Query, carries: full, key: id, edge: in }\n  \
    tokens: { schema: Token, carries: full, key: id, edge: in }\n  \
    answers: { schema: Answer, carries: full, key: id, edge: out }\nflow:\n  attend:\n    \
    from: { q: queries, kv: tokens }\n    do:\n      - kernel: transformer_attn\n        \
    args: { heads: 4, features: 32, seed: 3 }\n        emit: all\n    to: answers\n";

const N_LARGE: i64 = 600;

fn large_row(random: &mut Random, id: i64, n_vectors: usize) -> Row {
    let mut vector = || {
        let mut number = || f32::from(u16::try_from(random.below(1000)).unwrap_or(0)) / 500.0 - 1.0;
        let tensor = Tensor::vector(Elements::F32((0..64).map(|_| number()).collect()));
        Value::Tensor(Arc::new(tensor.expect("a vector")))
    };
    let vectors = (0..n_vectors).map(|_| vector()).collect::<Vec<_>>();
    Row::from([vec![Value::Int(id)], vectors].concat())
}

fn input(epoch: u64, topic: &str, changes: &[Change]) -> EpochInput {
    let topic = TopicName::parse(topic).expect("a name");
    let topics = vec![TopicInput { topic, changes: Changes::Rows(changes.to_vec()) }];
    EpochInput { epoch: Epoch(epoch), time: 0, topics }
}

/// Answers by id after all tokens came, some changed and some went, and all that was said on the
/// way. Changes of tokens come so many at a time.
fn attended(n_workers: usize, n_at_once: usize) -> (BTreeMap<i64, Vec<f32>>, Vec<RowOutput>) {
    let mut random = Random::new(5);
    let mut row = |id, n_vectors| Change::Upsert(large_row(&mut random, id, n_vectors));
    let queries: Vec<Change> = (0..N_LARGE).map(|id| row(id, 1)).collect();
    let mut tokens: Vec<Change> = (0..N_LARGE).map(|id| row(id, 2)).collect();
    tokens.extend((100..400).map(|id| row(id, 2)));
    tokens.extend((0..50).map(|id| Change::Delete(vec![Value::Int(id)].into())));
    let (dataflow, tells) = start(&plan(LARGE), n_workers);
    feed(&dataflow, &[input(1, "queries", &queries)]);
    for (epoch, tokens) in (2..).zip(tokens.chunks(n_at_once)) {
        feed(&dataflow, &[input(epoch, "tokens", tokens)]);
    }
    let outputs = end(dataflow, &tells);
    let mut answers = BTreeMap::new();
    for update in outputs.iter().flat_map(|output| &output.deltas).flat_map(|it| &it.updates) {
        let [Value::Int(id), Value::Tensor(answer)] = &update.row.0[..] else {
            panic!("an answer has an id and a tensor: {update:?}")
        };
        let Elements::F32(numbers) = answer.elements() else { panic!("of `f32`: {update:?}") };
        if 0 < update.diff {
            answers.insert(*id, numbers.clone());
        } else if answers.get(id).is_some_and(|said| said == numbers) {
            answers.remove(id);
        }
    }
    (answers, outputs)
}

#[test]
fn long_steps_beside_the_workers_come_to_the_same() {
    let said = |outputs: &[RowOutput]| -> Vec<(Epoch, Vec<DeltaBatch>)> {
        outputs.iter().map(|output| (output.epoch, output.deltas.clone())).collect()
    };
    let (answers, outputs) = attended(1, 1000);
    assert_eq!(answers.len(), 600);
    for n_workers in [2, 4] {
        let theirs = attended(n_workers, 1000).1;
        assert!(said(&theirs) == said(&outputs), "{n_workers} workers say something else than one");
    }
    // Few at a time are followed where the rows are.
    let (few, _) = attended(1, 40);
    for (id, answer) in &answers {
        let off = |(a, b): (&f32, &f32)| (a - b).abs();
        let most = few[id].iter().zip(answer).map(off).fold(0.0, f32::max);
        assert!(most < 1e-5, "query {id} is off by {most}");
    }
}

/// Products are said in `f32`, however exactly they are kept, so what is rounded off then is part
/// of what a step says that it is off by, and of what is held against the bound of the circuit.
#[test]
fn the_bound_of_a_product_is_that_of_the_row_that_is_said() {
    let text = "arqon: 1\ncircuit: kernels.rounded\nschemas:\n  \
        X: { id: int64, x: tensor<2xf32> }\n  W: { row: int64, weights: tensor<2xf32> }\n  \
        Y: { id: int64, y: tensor<1xf32> }\n  \
        Cost: { epoch: int64, error_bound: float64, violated: bool }\ntopics:\n  \
        xs: { schema: X, carries: full, key: id, edge: in }\n  \
        ws: { schema: W, carries: full, key: row, edge: in }\n  \
        ys: { schema: Y, carries: delta, edge: out }\n  cost: { schema: Cost, edge: out }\n\
        flow:\n  project:\n    from: { x: xs, rows: ws }\n    do:\n      \
        - kernel: linear_transform\n        args: { rows: 1 }\n        \
        bounds: { error: 0.001 }\n        metrics: cost\n    to: ys\n";
    let (dataflow, tells) = start(&plan(text), 1);
    let upsert = |id, numbers: [f32; 2]| {
        let tensor = Tensor::vector(Elements::F32(numbers.to_vec())).unwrap();
        Change::Upsert(Row::from(vec![Value::Int(id), Value::Tensor(Arc::new(tensor))]))
    };
    feed(&dataflow, &[input(1, "ws", &[upsert(0, [1.0, 0.1])])]);
    // The product is 2000000 + 0.1 as `f32` has it, between two numbers of `f32`; then a small one.
    feed(&dataflow, &[input(2, "xs", &[upsert(7, [2_000_000.0, 1.0])])]);
    feed(&dataflow, &[input(3, "xs", &[upsert(7, [0.25, 0.0])])]);
    let outputs = end(dataflow, &tells);
    let told = |at: usize| {
        let rows = outputs[at].deltas.iter().find(|delta| delta.topic.as_str() == "cost");
        let row = &rows.expect("the step is told").updates[0].row;
        let Value::Float(bound) = &row.0[1] else { panic!("{row:?}") };
        (bound.get(), row.0[2] == Value::Bool(true))
    };
    let off = (2_000_000.0 + f64::from(0.1_f32)) - f64::from(2_000_000.1_f32);
    let (bound, is_violated) = told(1);
    assert!(off.abs() <= bound && bound < 0.2 && is_violated, "{off} {bound} {is_violated}");
    let (bound, is_violated) = told(2);
    assert!(bound < 1e-7 && !is_violated, "{bound} {is_violated}");
}

/// What steps came to, of a `cost` with these fields, by epoch.
fn costs(outputs: &[RowOutput]) -> Vec<Vec<Value>> {
    let deltas = outputs.iter().flat_map(|output| &output.deltas);
    let costs = deltas.filter(|delta| delta.topic.as_str() == "cost");
    costs.flat_map(|delta| &delta.updates).map(|update| update.row.0.to_vec()).collect()
}

/// A row of a matrix that is replaced is one change, of as many entries as differ, and no more than
/// all of the input.
#[test]
fn a_row_of_a_matrix_that_is_replaced_is_counted_once() {
    let text = "arqon: 1\ncircuit: kernels.replaced\nschemas:\n  \
        X: { id: int64, x: tensor<3xf32> }\n  W: { row: int64, weights: tensor<3xf32> }\n  \
        Y: { id: int64, y: tensor<1xf32> }\n  \
        Cost: { epoch: int64, changed: int64, churn: float64 }\ntopics:\n  \
        xs: { schema: X, carries: full, key: id, edge: in }\n  \
        ws: { schema: W, carries: full, key: row, edge: in }\n  \
        ys: { schema: Y, carries: delta, edge: out }\n  cost: { schema: Cost, edge: out }\n\
        flow:\n  project:\n    from: { x: xs, rows: ws }\n    do:\n      \
        - kernel: linear_transform\n        args: { rows: 1 }\n        \
        metrics: cost\n    to: ys\n";
    let (dataflow, tells) = start(&plan(text), 1);
    let row = |numbers: [f32; 3]| {
        let tensor = Tensor::vector(Elements::F32(numbers.to_vec())).unwrap();
        Change::Upsert(Row::from(vec![Value::Int(0), Value::Tensor(Arc::new(tensor))]))
    };
    feed(&dataflow, &[input(1, "ws", &[row([1.0, 2.0, 3.0])])]);
    feed(&dataflow, &[input(2, "ws", &[row([4.0, 5.0, 3.0])])]);
    let gone = Change::Delete(vec![Value::Int(0)].into());
    feed(&dataflow, &[input(3, "ws", &[gone])]);
    let told = costs(&end(dataflow, &tells));
    let cost =
        |epoch, changed, churn| vec![Value::Int(epoch), Value::Int(changed), Value::float(churn)];
    assert_eq!(told, [cost(1, 3, 1.0), cost(2, 2, 2.0 / 3.0), cost(3, 3, 1.0)]);
}

/// Before a step nobody knows its error, so the controller takes the most that it can be; whether
/// a bound was kept is known behind it.
#[test]
fn a_step_that_keeps_its_bounds_is_no_violation_whatever_was_predicted() {
    let text = "arqon: 1\ncircuit: kernels.kept\nschemas:\n  \
        Q: { id: int64, q: tensor<1xf32> }\n  \
        T: { id: int64, k: tensor<1xf32>, v: tensor<1xf32> }\n  \
        A: { id: int64, o: tensor<1xf32> }\n  \
        Cost: { epoch: int64, error_bound: float64, violated: bool }\ntopics:\n  \
        queries: { schema: Q, carries: full, key: id, edge: in }\n  \
        tokens: { schema: T, carries: full, key: id, edge: in }\n  \
        answers: { schema: A, carries: delta, edge: out }\n  \
        cost: { schema: Cost, edge: out }\nflow:\n  attend:\n    \
        from: { q: queries, kv: tokens }\n    do:\n      - kernel: transformer_attn\n        \
        args: { features: 4 }\n        emit: all\n        bounds: { error: 5e-8 }\n        \
        metrics: cost\n    to: answers\n";
    let vector =
        |x| Value::Tensor(Arc::new(Tensor::vector(Elements::F32(vec![x])).expect("a vector")));
    let upsert = |values: Vec<Value>| Change::Upsert(Row::from(values));
    let token = |value| upsert(vec![Value::Int(1), vector(0.5), vector(value)]);
    let (dataflow, tells) = start(&plan(text), 1);
    feed(&dataflow, &[input(1, "queries", &[upsert(vec![Value::Int(7), vector(0.25)])])]);
    // A step is off by at most 4.5e-8 with the one, and by twice as much with the other.
    feed(&dataflow, &[input(2, "tokens", &[token(0.75)]), input(3, "tokens", &[token(1.5)])]);
    feed(&dataflow, &[input(4, "tokens", &[token(0.75)])]);
    for cost in costs(&end(dataflow, &tells)) {
        let [_, Value::Float(bound), Value::Bool(is_violated)] = &cost[..] else {
            panic!("{cost:?}")
        };
        assert_eq!(5e-8 < bound.get(), *is_violated, "{cost:?}");
    }
}

/// What a kernel said of a row stands for as long as the kernel sees nothing else in it, so an error
/// goes on with the fields that the kernel does not read, as an answer does.
#[test]
fn a_row_without_a_value_keeps_its_error_when_another_field_of_it_changes() {
    let text = "arqon: 1\ncircuit: kernels.lost\nschemas:\n  \
        Q: { id: int64, tag: string, q: tensor<1xf32> }\n  \
        T: { id: int64, k: tensor<1xf32>, v: tensor<1xf32> }\n  \
        A: { id: int64, tag: string, o: tensor<1xf32> }\ntopics:\n  \
        queries: { schema: Q, carries: full, key: id, edge: in }\n  \
        tokens: { schema: T, carries: full, key: id, edge: in }\n  \
        answers: { schema: A, carries: delta, edge: out }\nflow:\n  attend:\n    \
        from: { q: queries, kv: tokens }\n    do:\n      - kernel: transformer_attn\n        \
        args: { features: 2, feature_map: rff }\n    to: answers\n";
    let vector =
        |x| Value::Tensor(Arc::new(Tensor::vector(Elements::F32(vec![x])).expect("a vector")));
    let upsert = |values: Vec<Value>| Change::Upsert(Row::from(values));
    // The angle between them is beyond what can be told from any other.
    let token = upsert(vec![Value::Int(1), vector(0.0), vector(1.0)]);
    let query = |tag: &str| upsert(vec![Value::Int(7), Value::String(tag.into()), vector(1e30)]);
    let (dataflow, tells) = start(&plan(text), 1);
    feed(&dataflow, &[input(1, "tokens", &[token]), input(2, "queries", &[query("one")])]);
    feed(&dataflow, &[input(3, "queries", &[query("two")])]);
    feed(&dataflow, &[input(4, "queries", &[Change::Delete(vec![Value::Int(7)].into())])]);
    let outputs = end(dataflow, &tells);
    let told = |at: usize| -> Vec<(i64, bool)> {
        let errors =
            outputs[at].deltas.iter().find(|delta| delta.topic.as_str() == "attend.errors");
        let updates = errors.map(|delta| delta.updates.as_slice()).unwrap_or_default();
        updates.iter().map(|it| (it.diff, format!("{:?}", it.row).contains("tag: one"))).collect()
    };
    assert_eq!(told(1), [(1, true)]);
    assert_eq!(told(2), [(-1, true), (1, false)]);
    assert_eq!(told(3), [(-1, false)]);
}

#[test]
fn a_cell_beyond_what_is_stable_is_an_error_and_no_end() {
    let text = "arqon: 1\ncircuit: kernels.fast\nschemas:\n  \
        Cell: { x: int64, y: int64, u: float64 }\ntopics:\n  \
        cells: { schema: Cell, carries: full, key: [x, y], edge: in }\n  \
        grid: { schema: Cell, carries: delta, edge: out }\nflow:\n  move:\n    from: cells\n    \
        do:\n      - kernel: pde_solver\n        \
        args: { equation: burgers, width: 4, height: 4, dt: 0.01 }\n    to: grid\n";
    let (dataflow, tells) = start(&plan(text), 1);
    for (epoch, u) in [(1, 0.5), (2, 1e9)] {
        let cell = Row::from(vec![Value::Int(1), Value::Int(1), Value::float(u)]);
        feed(&dataflow, &[input(epoch, "cells", &[Change::Upsert(cell)])]);
    }
    let outputs = end(dataflow, &tells);
    let errors = outputs[1].deltas.iter().find(|delta| delta.topic.as_str() == "move.errors");
    let text = format!("{:?}", errors.expect("the cell is refused"));
    assert!(text.contains("out_of_range") && text.contains("stable up to"), "{text}");
}

#[test]
fn a_plan_whose_kernel_cannot_be_prepared_is_refused() {
    let plan = plan(LARGE);
    // Features, heads, whether it is causal, the map and the seed.
    let wrong = [(0, Value::Int(70_000)), (0, Value::Bool(true)), (1, Value::Int(3))];
    let words =
        ["`features` has to be at most 65536", "does not take", "`heads` has to be a divisor"];
    for ((at, value), words) in wrong.into_iter().zip(words) {
        let mut plan = plan.clone();
        for step in &mut plan.steps {
            if let Operator::Kernel(kernel) = &mut step.operator {
                kernel.arguments[at] = value.clone();
            }
        }
        let error = verify(&plan).expect_err("it cannot be prepared");
        assert!(format!("{error:?}").contains(words), "{error:?}");
    }
}
