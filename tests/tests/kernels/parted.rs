//! Steps so long that the threads of several workers share them: stripes of a grid, rows of data,
//! vertices. They come to the same, in every bit.

use std::sync::Arc;

use arqon_engine::EpochInput;
use arqon_tests::random::Random;
use arqon_types::{Change, DeltaBatch, Elements, Epoch, Row, Tensor, Value};

use super::engine::{end, feed, plan, start};
use super::input;

/// Grids of 40 tiles, and a regression over 200 landmarks, one epoch of which is some
/// milliseconds' work; ranks of a graph so large that its vertices are swept in rounds.
const CASES: [Case; 6] = [
    grid("pde_solver\n        args: { equation: heat, width: 320, height: 256, steps: 3 }"),
    grid(
        "pde_solver\n        args: { equation: wave, width: 320, height: 256, dt: 0.2, steps: 3 }",
    ),
    grid(
        "pde_solver\n        args: { equation: burgers, width: 320, height: 256, dt: 0.05, steps: 3 }",
    ),
    Case {
        ports: "{ data: p, query: q }",
        schemas: "Q: { id: int64, x: tensor<3xf64> }\n  \
            P: { id: int64, x: tensor<3xf64>, y: float64 }",
        kernel: "nystrom\n        args: { landmarks: 200, lambda: 0.1 }",
        answer: "id: int64, y: float64",
        key: "id",
        n_rows: [900, 300],
        row: |random, id| [vec![Value::Int(id), vector(random, 3)], vec![float(random)]].concat(),
    },
    graph(
        "dynamic_graph\n        args: { algorithm: pagerank, tolerance: 0.0001 }",
        "id: int64, rank: float64",
        75_000,
    ),
    graph(
        "dynamic_graph\n        args: { algorithm: components }",
        "id: int64, component: int64",
        9_000,
    ),
];

/// A kernel, and rows of its inputs.
#[derive(Clone, Copy)]
struct Case {
    ports: &'static str,
    schemas: &'static str,
    kernel: &'static str,
    answer: &'static str,
    /// The key of what is fed.
    key: &'static str,
    /// Rows of both inputs.
    n_rows: [i64; 2],
    /// A row of the first input; the second one has its first fields.
    row: fn(&mut Random, i64) -> Vec<Value>,
}

const fn grid(kernel: &'static str) -> Case {
    Case {
        ports: "{ cells: p }",
        schemas: "P: { x: int64, y: int64, u: float64 }\n  Q: { id: int64 }",
        kernel,
        answer: "x: int64, y: int64, u: float64",
        key: "[x, y]",
        n_rows: [2500, 1],
        row: |random, id| {
            let [x, y] = [id % 25 * 12, id / 25 * 2].map(Value::Int);
            vec![x, y, float(random)]
        },
    }
}

const fn graph(kernel: &'static str, answer: &'static str, n_edges: i64) -> Case {
    Case {
        ports: "{ edges: p }",
        schemas: "P: { id: int64, src: int64, dst: int64 }\n  Q: { id: int64 }",
        kernel,
        answer,
        key: "id",
        n_rows: [n_edges, 1],
        row: |random, id| {
            let [src, dst] = [(); 2].map(|()| Value::Int(random.between(0, 3000)));
            vec![Value::Int(id), src, dst]
        },
    }
}

fn float(random: &mut Random) -> Value {
    Value::float(f64::from(i16::try_from(random.between(-800, 800)).expect("small")) / 1024.0)
}

fn vector(random: &mut Random, length: usize) -> Value {
    let mut entry = || f64::from(i16::try_from(random.between(-800, 800)).expect("small")) / 512.0;
    let entries = (0..length).map(|_| entry()).collect();
    Value::Tensor(Arc::new(Tensor::vector(Elements::F64(entries)).expect("a vector")))
}

impl Case {
    fn circuit(&self) -> String {
        let Self { ports, schemas, kernel, answer, key, .. } = self;
        format!(
            "arqon: 1\ncircuit: kernels.parted\nschemas:\n  {schemas}\n  A: {{ {answer} }}\n\
             topics:\n  p: {{ schema: P, carries: full, key: {key}, edge: in }}\n  \
             q: {{ schema: Q, carries: full, key: id, edge: in }}\n  \
             a: {{ schema: A, carries: delta, edge: out }}\n  \
             same: {{ schema: Q, carries: delta, edge: out }}\nflow:\n  \
             follow:\n    from: {ports}\n    do:\n      - kernel: {kernel}\n    to: a\n  \
             unread: {{ from: q, to: same }}\n"
        )
    }

    /// All rows, then some that change, and some that go.
    fn inputs(&self) -> Vec<EpochInput> {
        let mut random = Random::new(9);
        let mut some = |topic: &str, ids: std::ops::Range<i64>, n_fields: usize| -> Vec<Change> {
            let rows = ids.map(|id| (self.row)(&mut random, id));
            let fields =
                |row: Vec<Value>| if topic == "q" { row[..n_fields].to_vec() } else { row };
            rows.map(|row| Change::Upsert(Row::from(fields(row)))).collect()
        };
        let [n_first, n_second] = self.n_rows;
        let n_fields = if n_second > 1 { 2 } else { 1 };
        let mut inputs = vec![input(1, "q", &some("q", 0..n_second, n_fields))];
        for (epoch, ids) in (2..).zip([0..n_first, n_first / 3..n_first / 2, 7..17]) {
            inputs.push(input(epoch, "p", &some("p", ids, 0)));
        }
        inputs
    }

    fn said(&self, n_workers: usize) -> Vec<(Epoch, Vec<DeltaBatch>)> {
        let (dataflow, tells) = start(&plan(&self.circuit()), n_workers);
        feed(&dataflow, &self.inputs());
        let outputs = end(dataflow, &tells);
        outputs.into_iter().map(|output| (output.epoch, output.deltas)).collect()
    }
}

#[test]
fn what_threads_share_is_the_same_on_any_number_of_workers() {
    for case in CASES {
        let one = case.said(1);
        let n_rows: usize = one.iter().flat_map(|(_, all)| all).map(|it| it.updates.len()).sum();
        assert!(n_rows >= 300, "{} says {n_rows} rows", case.kernel);
        for n_workers in [2, 4] {
            assert!(case.said(n_workers) == one, "{n_workers} workers: {}", case.kernel);
        }
    }
}
