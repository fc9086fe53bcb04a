//! Graphs of 131,072 vertices and a million edges that change, against full recomputations in the
//! same run: `graphs [paths|components|ranks|parts [CHANGED]]`, or the first three of them.
//! `--python PATH` also runs `SciPy`'s.
//!
//! Edges are drawn by R-MAT (0.57, 0.19, 0.19, 0.05; Chakrabarti, Zhan and Faloutsos, 2004),
//! weights are 1 to 16. Half of a change takes edges back that are there, half brings new ones. A
//! step of ours is all that a driver asks for: `measure`, `begin`, `advance`, and the rows that
//! changed. What it is held against is only the algorithm, on a CSR that was built outside of the
//! measured time; beside stands what it is with building the CSR, as one has to who is handed the
//! edges. All three by default, and plots of the first two in `docs/measured`.
//!
//! What can be shared is shared among as many threads as there are cores, or `RAYON_NUM_THREADS`
//! says: of ours what the kernel shares, of the full sides power sweeps.

use std::hint::black_box;
use std::task::Poll;

use arqon_bench_report::{Table, mean, median};
use arqon_kernel_benches::{
    CacheState, Evict, Full, Line, Random, Steps, peers, seconds, speedups, threads, time, word,
};
use arqon_kernels::{
    Algorithm, DynamicGraph, Emit, GraphDelta, GraphRows, GraphSpec, Kernel, Mode, PageRank,
    Report, Step, shared,
};

/// Powers of two of the vertices, and edges.
const SCALE: usize = 17;
const N_VERTICES: usize = 1 << SCALE;
const N_EDGES: usize = 1_000_000;

fn main() {
    shared(measure);
}

fn measure() {
    match word(1).as_deref() {
        Some("paths") => drop(paths()),
        Some("components") => drop(components()),
        Some("ranks") => ranks(),
        Some("parts") => parts(changed().unwrap_or(1000)),
        Some(other) => panic!("no figures `{other}`"),
        None => {
            let lines = paths().into_iter().chain(components()).collect();
            speedups("graphs.svg", "Graphs of a million edges, cold", lines);
            ranks();
        }
    }
}

/// How many edges change, if it is said.
fn changed() -> Option<usize> {
    word(2).map(|word| word.parse().expect("a number of edges"))
}

/// A line of the plot: its name, and speed-ups by churn.
type Curve = (&'static str, Vec<(f64, f64)>);

/// The edges that are there; a change draws from them.
struct Edges {
    random: Random,
    all: Vec<[u32; 2]>,
}

impl Edges {
    fn new() -> Self {
        let mut edges = Self { random: Random(11), all: Vec::new() };
        while edges.all.len() < N_EDGES {
            let edge = edges.draw();
            edges.all.push(edge);
        }
        edges.all.sort_unstable();
        edges.all.dedup();
        while edges.all.len() < N_EDGES {
            let edge = edges.draw();
            edges.all.push(edge);
        }
        edges
    }

    fn draw(&mut self) -> [u32; 2] {
        let (mut src, mut dst) = (0, 0);
        for _ in 0..SCALE {
            let unit = self.random.unit();
            let (down, right) = ((0.76..0.95).contains(&unit) || unit >= 0.95, unit >= 0.95);
            src = src << 1 | u32::from(down);
            dst = dst << 1 | u32::from(right || (0.57..0.76).contains(&unit));
        }
        [src, dst]
    }

    /// Takes `n / 2` edges back, and brings as many.
    fn change(&mut self, n: usize) -> GraphDelta {
        let mut delta = GraphDelta::default();
        for _ in 0..n / 2 {
            let at = self.random.below(self.all.len());
            let edge = self.all.swap_remove(at);
            delta.edges.push(row(edge), -1);
        }
        for _ in 0..n - n / 2 {
            let edge = self.draw();
            self.all.push(edge);
            delta.edges.push(row(edge), 1);
        }
        delta
    }

    fn load(&self) -> GraphDelta {
        let mut delta = GraphDelta::default();
        self.all.iter().for_each(|edge| delta.edges.push(row(*edge), 1));
        delta.roots.push(0, 1);
        delta
    }
}

fn weight([src, dst]: [u32; 2]) -> u32 {
    let hash = (u64::from(src).wrapping_mul(0x9E37_79B9_7F4A_7C15))
        ^ (u64::from(dst).wrapping_mul(0xC2B2_AE3D_27D4_EB4F));
    u32::try_from((hash >> 40) % 16 + 1).expect("below 17")
}

fn row(edge: [u32; 2]) -> [i64; 3] {
    [edge[0].into(), edge[1].into(), weight(edge).into()]
}

/// Compressed rows: for each vertex the other ends of its edges, and their weights.
struct Csr {
    starts: Vec<usize>,
    ends: Vec<[u32; 2]>,
}

impl Csr {
    /// `from` is 0 for edges by where they start, 1 by where they end.
    fn new(edges: &[[u32; 2]], from: usize) -> Self {
        let mut starts = vec![0; N_VERTICES + 1];
        for edge in edges {
            starts[edge[from] as usize + 1] += 1;
        }
        (0..N_VERTICES).for_each(|at| starts[at + 1] += starts[at]);
        let (mut next, mut ends) = (starts.clone(), vec![[0; 2]; edges.len()]);
        for edge in edges {
            let at = &mut next[edge[from] as usize];
            ends[*at] = [edge[1 - from], weight(*edge)];
            *at += 1;
        }
        Self { starts, ends }
    }

    fn of(&self, vertex: usize) -> &[[u32; 2]] {
        &self.ends[self.starts[vertex]..self.starts[vertex + 1]]
    }
}

/// Dial's buckets, in 32 bits.
fn dial(csr: &Csr) -> Vec<u32> {
    let mut distances = vec![u32::MAX; N_VERTICES];
    distances[0] = 0;
    let mut ring: Vec<Vec<u32>> = vec![Vec::new(); 17];
    ring[0].push(0);
    let (mut level, mut n_left) = (0_u32, 1);
    while n_left > 0 {
        let mut bucket = std::mem::take(&mut ring[level as usize % 17]);
        n_left -= bucket.len();
        for vertex in bucket.drain(..) {
            if distances[vertex as usize] != level {
                continue;
            }
            for [to, weight] in csr.of(vertex as usize) {
                let way = level + weight;
                if way < distances[*to as usize] {
                    distances[*to as usize] = way;
                    ring[way as usize % 17].push(*to);
                    n_left += 1;
                }
            }
        }
        ring[level as usize % 17] = bucket;
        level += 1;
    }
    distances
}

/// Union-find by index, with halved paths.
fn united(csr: &Csr) -> Vec<u32> {
    let mut above: Vec<u32> = (0..u32::try_from(N_VERTICES).expect("2^17")).collect();
    let top = |above: &mut Vec<u32>, mut at: u32| {
        while above[at as usize] != at {
            above[at as usize] = above[above[at as usize] as usize];
            at = above[at as usize];
        }
        at
    };
    for src in 0..above.len() {
        for [dst, _] in csr.of(src) {
            let one = top(&mut above, u32::try_from(src).expect("2^17"));
            let other = top(&mut above, *dst);
            above[one.max(other) as usize] = one.min(other);
        }
    }
    (0..u32::try_from(N_VERTICES).expect("2^17")).map(|at| top(&mut above, at)).collect()
}

/// One step, as a driver does it.
fn step(kernel: &mut DynamicGraph, delta: GraphDelta, mode: Option<Mode>) -> (Report, GraphRows) {
    let delta = kernel.measure(delta).expect("the change fits");
    let work = |mode| kernel.predict(mode, delta.churn(), Emit::Changed).expect("both modes").work;
    let cheaper = if work(Mode::Itmd) < work(Mode::Pass) { Mode::Itmd } else { Mode::Pass };
    let mode = mode.unwrap_or(cheaper);
    kernel.begin(Step { delta, mode, emit: Emit::Changed, error_max: f64::INFINITY });
    let mut rows = GraphRows::default();
    loop {
        // As the engine does.
        if let Poll::Ready(report) = kernel.advance(1 << 36, &mut rows) {
            return (report, rows);
        }
    }
}

fn loaded(algorithm: Algorithm, edges: &Edges) -> DynamicGraph {
    let mut kernel = DynamicGraph::compile(&GraphSpec { algorithm }).expect("in range");
    step(&mut kernel, edges.load(), Some(Mode::Pass));
    kernel
}

/// How many edges change, and in how many rounds: all of these, or the one that is named.
fn sizes(all: &[(usize, usize)]) -> Vec<(usize, usize)> {
    changed().map_or(all.to_vec(), |n| vec![(n, (3_000_000 / n.max(1)).clamp(20, 400))])
}

/// Sides in turn at each churn: three steps of ours, of which the first finds the caches cold, then
/// what is recomputed in full.
fn sweep(
    name: &str,
    algorithm: Algorithm,
    full: (&'static str, &dyn Fn(&Csr)),
    check: &dyn Fn(&mut DynamicGraph, &Csr),
) -> [Curve; 2] {
    let mut edges = Edges::new();
    let mut kernel = loaded(algorithm, &edges);
    let mut steps = Steps::begin(
        &format!("graphs: {name}, 131,072 vertices, 1,000,000 edges, {}", threads()),
        Some("with building the CSR"),
    );
    steps.fulls(&in_scipy(name, &edges));
    let (mut alone, mut built) = (Vec::new(), Vec::new());
    for (n, rounds) in sizes(&[
        (2, 40),
        (10, 40),
        (100, 40),
        (1000, 40),
        (10_000, 10),
        (100_000, 3),
        (1_000_000, 2),
    ]) {
        let (mut cold, mut warm, mut theirs, mut builds) = (vec![], vec![], vec![], vec![]);
        let mut chosen = Mode::Pass;
        for round in 0..=rounds {
            let deltas: Vec<GraphDelta> = (0..3).map(|_| edges.change(n)).collect();
            let mut csr = None;
            let build = seconds(|| csr = Some(Csr::new(&edges.all, 0)));
            let csr = csr.expect("it was built");
            for (at, delta) in deltas.into_iter().enumerate() {
                let time = seconds(|| chosen = step(&mut kernel, delta, None).0.mode);
                if round > 0 {
                    if at == 0 { &mut cold } else { &mut warm }.push(time);
                }
            }
            let full_time = seconds(|| full.1(&csr));
            if round > 0 {
                theirs.push(full_time);
                builds.push(build);
            }
            if round == rounds {
                check(&mut kernel, &csr);
            }
        }
        let (best, build) = (Full::new(full.0, median(&theirs)), median(&builds));
        let share = float(n as u64) / float(N_EDGES as u64);
        for (cache, times) in [(CacheState::Cold, &cold), (CacheState::Warm, &warm)] {
            let name = format!("{chosen}, {n} edges change");
            let target = match algorithm {
                Algorithm::ShortestPaths if n == 1000 => Some(40.0),
                _ if n == N_EDGES && cache == CacheState::Cold => Some(1.0 / 1.1),
                _ => None,
            };
            let seconds = median(times);
            let built = format!("{:.1}x", (best.seconds + build) / seconds);
            steps.line_with(Line { name, seconds, best: &best, target, cache }, built);
        }
        let middle = median(&cold);
        alone.push((share, best.seconds / middle));
        built.push((share, (best.seconds + build) / middle));
    }
    let passes: Vec<f64> = (0..3)
        .map(|_| {
            seconds(|| {
                step(&mut kernel, GraphDelta::default(), Some(Mode::Pass));
            })
        })
        .collect();
    steps.fulls(&[Full::new("our pass, nothing changed", median(&passes))]);
    steps.end();
    match algorithm {
        Algorithm::ShortestPaths => {
            [("paths, on a CSR", alone), ("paths, with building it", built)]
        }
        _ => [("components, on a CSR", alone), ("components, with building it", built)],
    }
}

/// What `SciPy` takes for these edges.
fn in_scipy(name: &str, edges: &Edges) -> Vec<Full> {
    let file = std::env::temp_dir().join(format!("arqon-edges-{}", std::process::id()));
    let bytes: Vec<u8> =
        edges.all.iter().flatten().flat_map(|vertex| vertex.to_le_bytes()).collect();
    std::fs::write(&file, bytes).expect("the folder for temporary files can be written");
    let found = peers("graphs", &[name, &file.display().to_string()]);
    // Ours, and empty or gone afterwards.
    let _ = std::fs::remove_file(file);
    found
}

fn values(kernel: &mut DynamicGraph) -> GraphRows {
    let mut rows = GraphRows::default();
    let keys = kernel.keys();
    kernel.read(&keys, &mut rows);
    rows
}

fn paths() -> [Curve; 2] {
    let check = |kernel: &mut DynamicGraph, csr: &Csr| {
        let (rows, wanted) = (values(kernel), dial(csr));
        assert_eq!(rows.ids.len(), wanted.iter().filter(|it| **it != u32::MAX).count());
        for (id, number) in rows.ids.iter().zip(&rows.numbers) {
            assert_eq!(*number, i64::from(wanted[usize::try_from(*id).expect("an id")]));
        }
    };
    let full = |csr: &Csr| drop(black_box(dial(csr)));
    sweep("paths", Algorithm::ShortestPaths, ("CSR Dial", &full), &check)
}

fn components() -> [Curve; 2] {
    let check = |kernel: &mut DynamicGraph, csr: &Csr| {
        let (rows, wanted) = (values(kernel), united(csr));
        for (id, number) in rows.ids.iter().zip(&rows.numbers) {
            assert_eq!(*number, i64::from(wanted[usize::try_from(*id).expect("an id")]));
        }
    };
    let full = |csr: &Csr| drop(black_box(united(csr)));
    sweep("components", Algorithm::Components, ("CSR union-find", &full), &check)
}

const DAMPING: f64 = 0.85;

/// Power iteration from where it ended last, until its certificate is within the tolerance: each
/// new value of the old ones, shared among threads.
fn power(into: &Csr, degrees: &[f64], z: &mut [f64], tolerance: f64) -> usize {
    let mut shares: Vec<f64> = z.iter().zip(degrees).map(|(z, d)| DAMPING * z / d).collect();
    let mut after = shares.clone();
    let n_parts = rayon::current_num_threads();
    // As many edges in each.
    let bound = |part: usize| {
        let n_edges = part * into.ends.len() / n_parts;
        into.starts.partition_point(|start| *start < n_edges).min(N_VERTICES)
    };
    let bounds: Vec<usize> = (0..n_parts).map(bound).chain([N_VERTICES]).collect();
    for n_sweeps in 1.. {
        let mut sums = vec![[0.0; 2]; n_parts];
        rayon::scope(|scope| {
            let (mut z, mut after, before) = (&mut z[..], &mut after[..], &shares);
            for (range, sums) in bounds.windows(2).zip(&mut sums) {
                let (from, n) = (range[0], range[1] - range[0]);
                let z = z.split_off_mut(..n).expect("a part");
                let after = after.split_off_mut(..n).expect("a part");
                scope.spawn(move |_| {
                    let [mut change, mut sum] = [0.0; 2];
                    for (at, (z, after)) in (from..).zip(z.iter_mut().zip(after)) {
                        let next = renewed(into.of(at), before);
                        change += (next - *z).abs();
                        sum += next;
                        *z = next;
                        *after = DAMPING * next / degrees[at];
                    }
                    *sums = [change, sum];
                });
            }
        });
        std::mem::swap(&mut shares, &mut after);
        let [change, sum] = [0, 1].map(|at| sums.iter().map(|sums| sums[at]).sum::<f64>());
        if is_near(change, sum, tolerance) {
            return n_sweeps;
        }
    }
    unreachable!("it converges")
}

fn renewed(starts: &[[u32; 2]], shares: &[f64]) -> f64 {
    starts.iter().map(|[src, _]| shares[*src as usize]).sum::<f64>() + (1.0 - DAMPING)
}

fn is_near(change: f64, sum: f64, tolerance: f64) -> bool {
    2.0 * DAMPING * change / ((1.0 - DAMPING) * sum) <= tolerance
}

/// The same of values that are new already (Gauss and Seidel), on one thread.
fn seidel(into: &Csr, degrees: &[f64], z: &mut [f64], tolerance: f64) -> usize {
    let mut shares: Vec<f64> = z.iter().zip(degrees).map(|(z, d)| DAMPING * z / d).collect();
    for n_sweeps in 1.. {
        let (mut change, mut sum) = (0.0, 0.0);
        for at in 0..N_VERTICES {
            let next = renewed(into.of(at), &shares);
            change += (next - z[at]).abs();
            sum += next;
            z[at] = next;
            shares[at] = DAMPING * next / degrees[at];
        }
        if is_near(change, sum, tolerance) {
            return n_sweeps;
        }
    }
    unreachable!("it converges")
}

fn ranks() {
    let all = [(1, 40), (10, 40), (100, 20), (1000, 10), (10_000, 5), (100_000, 3)];
    for tolerance in [1e-3, 1e-6] {
        let mut edges = Edges::new();
        let algorithm = Algorithm::PageRank(PageRank { damping: DAMPING, tolerance });
        let mut kernel = loaded(algorithm, &edges);
        let mut values = [vec![1.0; N_VERTICES], vec![1.0; N_VERTICES]];
        let title = format!("graphs: ranks to {tolerance:e}, {}", threads());
        let mut steps =
            Steps::begin(&title, Some("median; with building the CSR; sweeps, ours at most"));
        if tolerance > 1e-4 {
            steps.fulls(&in_scipy("ranks", &edges));
        }
        for (n, rounds) in sizes(&all) {
            let (mut ours, mut theirs, mut builds) = (vec![], [vec![], vec![]], vec![]);
            let (mut bound, mut n_sweeps) = (0.0, [0; 2]);
            let mut work = 0;
            for round in 0..=rounds {
                let delta = edges.change(n);
                let mut into = None;
                builds.push(seconds(|| into = Some(Csr::new(&edges.all, 1))));
                let into = into.expect("it was built");
                let mut degrees = vec![0.0; N_VERTICES];
                edges.all.iter().for_each(|edge| degrees[edge[0] as usize] += 1.0);
                for degree in &mut degrees {
                    *degree = f64::max(*degree, 1.0);
                }
                let time = seconds(|| {
                    let report = step(&mut kernel, delta, None).0;
                    bound = report.error_max;
                    work += report.work;
                });
                for (at, full) in [power, seidel].into_iter().enumerate() {
                    let z = &mut values[at];
                    let full = seconds(|| {
                        n_sweeps[at] = full(&into, &degrees, z, tolerance);
                    });
                    if round > 0 {
                        theirs[at].push(full);
                    }
                }
                if round > 0 {
                    ours.push(time);
                }
                assert!(bound <= tolerance * 1.01, "{bound} is above {tolerance}");
            }
            let name =
                format!("{n} {} mean", if n == 1 { "edge changes," } else { "edges change," });
            let sides = ["warm power sweeps", "warm Gauss-Seidel"];
            let times = [mean(&theirs[0]), mean(&theirs[1])];
            let faster = usize::from(times[1] < times[0]);
            let best = &Full::new(sides[faster], times[faster]);
            // Means, since one step in many may do the work of all.
            let target = Some(if n == 1 && tolerance > 1e-4 { 5.0 } else { 1.0 });
            let seconds = mean(&ours);
            let n_swept =
                float(work) / float(((rounds + 1) * (4 * N_VERTICES + 2 * N_EDGES)) as u64);
            let more = format!(
                "{}; {:.1}x; {n_swept:.1} beside {}",
                time(median(&ours)),
                (best.seconds + median(&builds)) / seconds,
                n_sweeps[faster]
            );
            steps.line_with(Line { name, seconds, best, target, cache: CacheState::Cold }, more);
        }
        steps.end();
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of work are far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

/// Where the time of steps with `n` changes goes, in a loop without the full sides: `measure`, the
/// taking of changes, and what follows them and says it.
fn parts(n: usize) {
    let rank = PageRank { damping: DAMPING, tolerance: 1e-3 };
    for algorithm in [Algorithm::ShortestPaths, Algorithm::Components, Algorithm::PageRank(rank)] {
        let mut edges = Edges::new();
        let mut kernel = loaded(algorithm, &edges);
        let evict = Evict::default();
        let columns = ["caches", "measure", "taking", "following and saying", "all"];
        let title = format!("graphs: parts of a step, {n} changed edges, {algorithm:?}");
        let table = Table::begin(title, &columns);
        for cache in [CacheState::Cold, CacheState::Warm] {
            let mut times = [vec![], vec![], vec![], vec![]];
            for round in 0..=(100_000 / n).clamp(10, 400) {
                let delta = edges.change(n);
                if cache == CacheState::Cold {
                    evict.caches();
                }
                let here = parts_of_step(&mut kernel, delta);
                if round > 0 {
                    let all = here.iter().sum();
                    times.iter_mut().zip(here.into_iter().chain([all])).for_each(|(to, time)| {
                        to.push(time);
                    });
                }
            }
            let [measure, take, follow, all] = times.map(|times| time(median(&times)));
            table.row(&[&cache.name(), &measure, &take, &follow, &all]);
        }
        table.end();
    }
}

/// Seconds of `measure`, of taking, and of the rest.
fn parts_of_step(kernel: &mut DynamicGraph, delta: GraphDelta) -> [f64; 3] {
    let n = delta.edges.src.len();
    let mut measured = None;
    let measure = seconds(|| measured = Some(kernel.measure(delta).expect("the change fits")));
    let (mut rows, mut times) = (GraphRows::default(), [measure, 0.0, 0.0]);
    times[1] = seconds(|| {
        let delta = measured.take().expect("it was measured");
        let step = Step { delta, mode: Mode::Itmd, emit: Emit::Changed, error_max: f64::INFINITY };
        kernel.begin(step);
        // Each call takes 256 changes.
        for _ in 0..n.div_ceil(256) {
            assert!(kernel.advance(1, &mut rows).is_pending(), "changes are taken");
        }
    });
    times[2] = seconds(|| while kernel.advance(1 << 36, &mut rows).is_pending() {});
    times
}
