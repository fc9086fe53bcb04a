//! Every kernel small, and random changes of its rows.

use std::sync::Arc;

use arqon_tests::random::Random;
use arqon_types::{Change, Elements, Row, Tensor, Value};

/// A kernel as circuits have it.
pub(crate) struct Kernel {
    pub(crate) name: &'static str,
    /// Its `from`.
    pub(crate) ports: &'static str,
    pub(crate) schemas: &'static str,
    pub(crate) topics: &'static str,
    /// What stands behind `kernel:`, up to the arguments.
    pub(crate) args: &'static str,
    /// The fields of an answer, with the key first.
    pub(crate) answer: &'static str,
    /// Fields of the key.
    pub(crate) key: usize,
    /// Topics that are fed.
    pub(crate) names: &'static [&'static str],
}

/// All kernels.
pub(crate) const KERNELS: [Kernel; 7] = [
    Kernel {
        name: "transformer_attn",
        ports: "{ q: q, kv: p }",
        schemas: "\
            \x20 Q: { id: int64, q: tensor<4xf32> }\n\
            \x20 P: { id: int64, k: tensor<4xf32>, v: tensor<4xf32> }\n",
        topics: "\
            \x20 q: { schema: Q, carries: full, key: id, edge: in }\n\
            \x20 p: { schema: P, carries: full, key: id, edge: in }\n",
        args: "transformer_attn\n        args: { features: 16, heads: 2, seed: 3 }",
        answer: "id: int64, o: tensor<4xf32>",
        key: 1,
        names: &["q", "p"],
    },
    Kernel {
        name: "transformer_attn",
        ports: "{ q: q, kv: p }",
        schemas: "\
            \x20 Q: { id: int64, pos: int64, q: tensor<4xf32> }\n\
            \x20 P: { id: int64, pos: int64, k: tensor<4xf32>, v: tensor<4xf32> }\n",
        topics: "\
            \x20 q: { schema: Q, carries: full, key: id, edge: in }\n\
            \x20 p: { schema: P, carries: full, key: id, edge: in }\n",
        args: "transformer_attn\n        args: { features: 16, causal: true }",
        answer: "id: int64, pos: int64, o: tensor<4xf32>",
        key: 1,
        names: &["q", "p"],
    },
    Kernel {
        name: "nystrom",
        ports: "{ data: p, query: q }",
        schemas: "\
            \x20 Q: { id: int64, x: tensor<2xf64> }\n\
            \x20 P: { id: int64, x: tensor<2xf64>, y: float64 }\n",
        topics: "\
            \x20 q: { schema: Q, carries: full, key: id, edge: in }\n\
            \x20 p: { schema: P, carries: full, key: id, edge: in }\n",
        args: "nystrom\n        args: { landmarks: 3, lambda: 0.1 }",
        answer: "id: int64, y: float64",
        key: 1,
        names: &["q", "p"],
    },
    Kernel {
        name: "dynamic_graph",
        ports: "{ edges: p, roots: q }",
        schemas: "  Q: { id: int64 }\n  P: { id: int64, src: int64, dst: int64, weight: int64 }\n",
        topics: "\
            \x20 q: { schema: Q, carries: full, key: id, edge: in }\n\
            \x20 p: { schema: P, carries: full, key: id, edge: in }\n",
        args: "dynamic_graph\n        args: { algorithm: shortest_paths }",
        answer: "id: int64, distance: int64",
        key: 1,
        names: &["q", "p"],
    },
    Kernel {
        name: "dynamic_graph",
        ports: "{ edges: p }",
        schemas: "  P: { id: int64, src: int64, dst: int64 }\n",
        topics: "  p: { schema: P, carries: full, key: id, edge: in }\n",
        args: "dynamic_graph\n        args: { algorithm: pagerank }",
        answer: "id: int64, rank: float64",
        key: 1,
        names: &["p"],
    },
    Kernel {
        name: "pde_solver",
        ports: "{ cells: p }",
        schemas: "  P: { x: int64, y: int64, u: float64 }\n",
        topics: "  p: { schema: P, carries: full, key: [x, y], edge: in }\n",
        args: "pde_solver\n        args: { equation: heat, width: 6, height: 5, steps: 2 }",
        answer: "x: int64, y: int64, u: float64",
        key: 2,
        names: &["p"],
    },
    Kernel {
        name: "linear_transform",
        ports: "{ x: q, rows: p }",
        schemas: "\
            \x20 Q: { id: int64, x: tensor<3xf32> }\n\
            \x20 P: { row: int64, weights: tensor<3xf32> }\n",
        topics: "\
            \x20 q: { schema: Q, carries: full, key: id, edge: in }\n\
            \x20 p: { schema: P, carries: full, key: row, edge: in }\n",
        args: "linear_transform\n        args: { rows: 3, rank: 2 }",
        answer: "id: int64, y: tensor<3xf32>",
        key: 1,
        names: &["q", "p"],
    },
];

/// A vector as a value.
pub(crate) fn vector_of(entries: Vec<f32>) -> Value {
    Value::Tensor(Arc::new(Tensor::vector(Elements::F32(entries)).expect("a vector")))
}

fn number(random: &mut Random) -> f32 {
    f32::from(i16::try_from(random.between(-8, 8)).expect("it is small")) / 8.0
}

fn single(random: &mut Random, length: usize) -> Value {
    vector_of((0..length).map(|_| number(random)).collect())
}

fn double(random: &mut Random, length: usize) -> Value {
    let entries = (0..length).map(|_| f64::from(number(random))).collect();
    Value::Tensor(Arc::new(Tensor::vector(Elements::F64(entries)).expect("a vector")))
}

/// A change of a row of one of the kernel's topics; some rows the kernel cannot read.
pub(crate) fn random_change(random: &mut Random, kernel: &Kernel, topic: &str) -> Change {
    let id = Value::Int(random.between(0, 6));
    let place = Value::Int(random.between(-3, 9));
    let float = Value::float(f64::from(number(random)));
    let is_causal = kernel.args.contains("causal");
    let (row, n_key): (Vec<Value>, _) = match (kernel.name, topic) {
        ("transformer_attn", "q") if is_causal => (vec![id, place, single(random, 4)], 1),
        ("transformer_attn", "q") => (vec![id, single(random, 4)], 1),
        ("transformer_attn", _) if is_causal => {
            (vec![id, place, single(random, 4), single(random, 4)], 1)
        }
        ("transformer_attn", _) => (vec![id, single(random, 4), single(random, 4)], 1),
        ("nystrom", "q") => (vec![id, double(random, 2)], 1),
        ("nystrom", _) => (vec![id, double(random, 2), float], 1),
        ("dynamic_graph", "q") => (vec![id], 1),
        ("dynamic_graph", _) => {
            let [src, dst] = [(); 2].map(|()| Value::Int(random.between(0, 6)));
            let mut row = vec![Value::Int(random.between(0, 14)), src, dst];
            if kernel.schemas.contains("weight") {
                row.push(Value::Int(random.between(-1, 9)));
            }
            (row, 1)
        }
        ("pde_solver", _) => (vec![id, Value::Int(random.between(0, 5)), float], 2),
        ("linear_transform", "q") => (vec![id, single(random, 3)], 1),
        ("linear_transform", _) => (vec![Value::Int(random.between(0, 3)), single(random, 3)], 1),
        (name, _) => panic!("`{name}` is no kernel"),
    };
    if random.chance(25) {
        return Change::Delete(Row::from(row[..n_key].to_vec()));
    }
    Change::Upsert(Row::from(row))
}
