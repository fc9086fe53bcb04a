//! Kernels so large that their work is shared out among threads.

use std::ops::Range;
use std::task::Poll;

use arqon_kernels::{
    Algorithm, DynamicGraph, EdgeColumns, Emit, Equation, GraphDelta, GraphSpec, Kernel, Layout,
    LinearDelta, LinearSpec, LinearTransform, MODES, Mode, Nystrom, NystromDelta, NystromSpec,
    PageRank, PdeDelta, PdeSolver, PdeSpec, Precision, Similarity, Step,
};

use crate::random::Random;

/// A change, and how it is followed.
type Steps<K> = Vec<Step<<K as Kernel>::Delta>>;

/// All outputs of some steps, each cut into parts of so much work, and the state after them.
fn walk<K>(spec: &K::Spec, steps: &Steps<K>, works: &[u64]) -> (Vec<K::Output>, Vec<u8>)
where
    K: Kernel<Delta: Clone>,
{
    let mut kernel = K::compile(spec).unwrap();
    let (mut outputs, mut works) = (Vec::new(), works.iter().cycle());
    for step in steps {
        let Step { mode, emit, error_max, .. } = *step;
        let delta = kernel.measure(step.delta.clone()).unwrap();
        kernel.begin(Step { delta, mode, emit, error_max });
        let mut output = K::Output::default();
        while kernel.advance(*works.next().unwrap(), &mut output) == Poll::Pending {}
        outputs.push(output);
    }
    let mut state = Vec::new();
    kernel.save(&mut state).unwrap();
    (outputs, state)
}

/// However many threads share the steps, and however they are cut.
fn threads_give_the_same_bits<K>(spec: &K::Spec, steps: &Steps<K>, what: &str)
where
    K: Kernel<Delta: Clone + Sync, Output: PartialEq + Send, Spec: Sync>,
{
    let alone = walk::<K>(spec, steps, &[u64::MAX]);
    let pieces = [1 << 17, 1 << 20, 3 << 18, 1 << 13];
    assert!(walk::<K>(spec, steps, &pieces) == alone, "{what}, in pieces");
    for n_threads in [2, 3, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        for works in [&[u64::MAX][..], &pieces] {
            let shared = pool.install(|| walk::<K>(spec, steps, works));
            assert!(shared == alone, "{what}, {n_threads} threads, cut at {works:?}");
        }
    }
}

#[test]
fn rows_shared_out_among_threads_have_the_same_bits() {
    const SIDE: usize = 400;
    for precision in [Precision::Single, Precision::Double] {
        let mut random = Random(11);
        let spec =
            LinearSpec { n_rows: SIDE, n_columns: SIDE, layout: Layout::Dense, precision, rank: 4 };
        let mut normals = |n: usize| -> Vec<f32> { (0..n).map(|_| random.normal32()).collect() };
        let mut deltas = vec![LinearDelta {
            rows: (0..SIDE).collect(),
            weights: normals(SIDE * SIDE),
            keys: (0..30).collect(),
            vectors: normals(30 * SIDE),
            ..LinearDelta::default()
        }];
        deltas.extend((1..9).map(|_| LinearDelta {
            keys: vec![3, 7, 8],
            vectors: normals(3 * SIDE),
            coordinates: vec![5, 6],
            coordinate_values: normals(60),
            ..LinearDelta::default()
        }));
        let step = |(at, delta): (usize, LinearDelta)| Step {
            delta,
            mode: MODES[at / 3],
            emit: Emit::All,
            error_max: 0.1,
        };
        let steps = deltas.into_iter().enumerate().map(step).collect();
        threads_give_the_same_bits::<LinearTransform>(&spec, &steps, &format!("{precision:?}"));
    }
}

const EMITS: [Emit; 3] = [Emit::All, Emit::Pull, Emit::Eps(0.1)];

/// A square of cells that are set.
fn square(random: &mut Random, [x, y]: [i64; 2], side: i64) -> PdeDelta {
    let mut delta = PdeDelta::default();
    for at in 0..side * side {
        delta.push([x + at % side, y + at / side], random.unit() - 0.5);
    }
    delta
}

/// Bands have so many tiles that parts end within them.
#[test]
fn stripes_shared_out_among_threads_have_the_same_bits() {
    for equation in [Equation::Heat, Equation::Wave, Equation::Burgers] {
        let spec = PdeSpec {
            equation,
            width: 1300,
            height: 230,
            dt: 0.2,
            dx: 1.0,
            coefficient: 0.5,
            n_steps: 2,
        };
        for error_max in [0.0, 0.05] {
            let mut random = Random(7);
            let mut steps = Vec::new();
            for at in 0..8 {
                let delta = match at {
                    0 => square(&mut random, [0, 0], 230),
                    2 => square(&mut random, [150, 50], 120),
                    // Column by column.
                    5 => {
                        let PdeDelta { x, y, u } = square(&mut random, [0, 0], 230);
                        PdeDelta { x: y, y: x, u }
                    }
                    _ => square(&mut random, [100 * at, 20 * at], 3),
                };
                let mode = if at % 4 == 3 { Mode::Pass } else { Mode::Itmd };
                let emit = EMITS[usize::try_from(at % 3).unwrap()];
                steps.push(Step { delta, mode, emit, error_max });
            }
            let what = format!("{equation:?}, {error_max}");
            threads_give_the_same_bits::<PdeSolver>(&spec, &steps, &what);
        }
    }
}

/// Data rows with these keys, and queries with as many.
fn data(random: &mut Random, (keys, queries): (Range<i64>, Range<i64>), n: usize) -> NystromDelta {
    let mut delta = NystromDelta::default();
    for key in keys {
        delta.data.keys.push(key);
        delta.data.x.extend((0..n).map(|_| random.normal()));
        delta.data.y.push(random.normal());
    }
    for key in queries {
        delta.queries.keys.push(key);
        delta.queries.x.extend((0..n).map(|_| random.normal()));
    }
    delta
}

/// Many rows and few, rows that go, and so many that landmarks are others.
#[test]
fn data_and_landmarks_shared_out_among_threads_have_the_same_bits() {
    for similarity in [Similarity::Gaussian, Similarity::Laplace] {
        let n_entries = 6;
        let spec = NystromSpec {
            n_entries,
            n_landmarks: 200,
            similarity,
            gamma: 0.2,
            lambda: 0.1,
            seed: 3,
        };
        let mut random = Random(5);
        let ranges = [(0..900, 0..300), (0..3, 7..9), (100..140, 0..1), (500..502, 0..0)];
        let mut steps = Vec::new();
        for (at, ranges) in ranges.into_iter().cycle().take(7).enumerate() {
            let mut delta = data(&mut random, ranges, n_entries);
            if at == 2 {
                delta.data_gone.extend([50, 51, 52, 300, 301, 899]);
            }
            let mode = if at % 4 == 3 { Mode::Pass } else { Mode::Itmd };
            steps.push(Step { delta, mode, emit: EMITS[at % 3], error_max: 1.0 });
        }
        let what = format!("{similarity:?}");
        threads_give_the_same_bits::<Nystrom>(&spec, &steps, &what);
    }
}

/// Edges between so many vertices, of which low ones have many.
fn edges(random: &mut Random, n_edges: usize) -> EdgeColumns {
    let mut edges = EdgeColumns::default();
    for _ in 0..n_edges {
        let mut vertex = || i64::try_from(random.below(4000) * random.below(4000) / 4000).unwrap();
        edges.push([vertex(), vertex(), 1], 1);
    }
    edges
}

/// Vertices that come in bulk and by and by, and edges that go again.
#[test]
fn vertices_shared_out_among_threads_have_the_same_bits() {
    for n_first in [90_000, 4_000] {
        let algorithm = Algorithm::PageRank(PageRank { damping: 0.85, tolerance: 1e-7 });
        let mut random = Random(23);
        let loaded = edges(&mut random, n_first);
        let mut back = GraphDelta::default();
        for at in (0..n_first).step_by(3) {
            back.edges.push([loaded.src[at], loaded.dst[at], 1], -1);
        }
        let more = GraphDelta { edges: edges(&mut random, 9_000), ..GraphDelta::default() };
        let first = GraphDelta { edges: loaded, ..GraphDelta::default() };
        let mut deltas = vec![first, more];
        // A graph that grows by and by has rounds from some step on.
        let n_more = if n_first < 9_000 { 10 } else { 1 };
        for _ in 0..n_more {
            let edges = edges(&mut random, 9_000);
            deltas.push(GraphDelta { edges, ..GraphDelta::default() });
        }
        deltas.push(back);
        let steps = deltas.into_iter().enumerate().map(|(at, delta)| {
            let mode = if at % 3 == 0 { Mode::Pass } else { Mode::Itmd };
            Step { delta, mode, emit: EMITS[at % 3], error_max: 1.0 }
        });
        let what = format!("{n_first} edges");
        let spec = GraphSpec { algorithm };
        threads_give_the_same_bits::<DynamicGraph>(&spec, &steps.collect(), &what);
    }
}
