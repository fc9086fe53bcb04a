//! Random walks of inserts, deletes and reverts.

use super::*;

/// A generator that is good enough, and the same everywhere (Steele, Lea and Flood, 2014).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }
}

/// Few vertices, some with odd ids, and few weights, so that edges meet, double and part.
fn random_edge(random: &mut Random, n_vertices: usize) -> [i64; 3] {
    let mut id = || match random.below(n_vertices) {
        0 => i64::MIN,
        1 => i64::MAX,
        n => n as i64 - 5,
    };
    let (src, dst) = (id(), id());
    let weight = match random.below(40) {
        0 => i64::MAX,
        1 => i64::MAX / 2,
        2 => 5_000_000_000,
        n if n < 10 => 0,
        n => (n % 7) as i64,
    };
    [src, dst, weight]
}

fn random_delta(random: &mut Random, model: &Model, n_vertices: usize) -> GraphDelta {
    let mut delta = GraphDelta::default();
    let wanted = n_vertices * 3 / 2;
    for _ in 0..=random.below(4) {
        let n_there = model.edges.len();
        if n_there > 0 && random.below(2 * wanted) < n_there {
            let (edge, copies) = model.edges.iter().nth(random.below(n_there)).unwrap();
            if !delta.edges.src.contains(&edge[0]) {
                let diff = if random.below(2) == 0 { -1 } else { -copies };
                delta.edges.push(*edge, diff);
            }
        } else {
            delta.edges.push(random_edge(random, n_vertices), 1 + random.below(8) as i64 / 6);
        }
    }
    if random.below(8) == 0 {
        let id = random_edge(random, n_vertices)[0];
        let there = model.roots.get(&id).copied().unwrap_or(0);
        delta.roots.push(id, if there > 0 && random.below(2) == 0 { -there } else { 1 });
    }
    delta
}

fn setting(name: &str, default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a long run is asked for in the environment")]
    let text = std::env::var(name);
    text.ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Steps of one walk: the laws hold after each. Modes and policies change at random.
fn walk(algorithm: Algorithm, n_steps: u64, seed: u64) {
    let mut random = Random(seed);
    let n_vertices = [6, 12, 30][usize::try_from(seed % 3).unwrap()];
    let mut pair = Pair::new(algorithm);
    let mut last = GraphDelta::default();
    for _ in 0..n_steps {
        let next = random_delta(&mut random, &pair.model, n_vertices);
        let delta = if random.below(5) == 0 { reversed(&last) } else { next };
        let mode = if random.below(6) == 0 { Mode::Pass } else { Mode::Itmd };
        let emit = match random.below(8) {
            0 => Emit::Pull,
            1 => Emit::All,
            2 => Emit::Eps(1e-3),
            _ => Emit::Changed,
        };
        if pair.kernel.measure(delta.clone()).is_err() {
            // What was taken back already cannot be reversed.
            last = GraphDelta::default();
            continue;
        }
        pair.step(&delta, mode, emit);
        last = delta;
    }
    let probe = pair.kernel.certify(Sample { n_rows: 20, seed });
    assert!(probe.error <= probe.error_max + ORACLE_ERROR + 2e-10, "{probe:?}");
    assert!(pair.kernel.edges.vertices.n_slots() <= 4 * n_vertices, "slots are given again");
}

#[test]
fn answers_are_those_of_the_definition_after_every_step() {
    let (n_steps, seed) = (setting("ARQON_CASES", 10_000), setting("ARQON_SEED", 1));
    for (salt, algorithm) in (0_u64..).zip(ALGORITHMS) {
        for part in 0..4 {
            walk(algorithm, n_steps / 16, seed * 1_000 + salt * 10 + part);
        }
    }
}

#[test]
fn two_steps_are_one_step_of_both() {
    for algorithm in ALGORITHMS {
        let mut random = Random(7);
        let (mut one, mut two) = (Pair::new(algorithm), Pair::new(algorithm));
        for _ in 0..120 {
            let first = random_delta(&mut random, &one.model, 12);
            let mut model = one.model.clone();
            model.take(&first);
            let second = random_delta(&mut random, &model, 12);
            one.step(&first, Mode::Itmd, Emit::Changed);
            one.step(&second, Mode::Itmd, Emit::Changed);
            let mut both = first;
            both.edges.src.extend(second.edges.src);
            both.edges.dst.extend(second.edges.dst);
            both.edges.weight.extend(second.edges.weight);
            both.edges.diff.extend(second.edges.diff);
            both.roots.id.extend(second.roots.id);
            both.roots.diff.extend(second.roots.diff);
            two.step(&both, Mode::Itmd, Emit::Changed);
        }
    }
}

#[test]
fn what_is_saved_goes_on_with_the_same_bits() {
    for algorithm in ALGORITHMS {
        let mut random = Random(11);
        let mut pair = Pair::new(algorithm);
        for at in 0..150 {
            let delta = random_delta(&mut random, &pair.model, 12);
            let mode = if at % 10 == 3 { Mode::Pass } else { Mode::Itmd };
            let emit = if at % 7 == 0 { Emit::Pull } else { Emit::Changed };
            let mut bytes = Vec::new();
            pair.kernel.save(&mut bytes).unwrap();
            let mut loaded = DynamicGraph::load(&mut bytes.as_slice()).unwrap();
            let mut heard = pair.heard.clone();
            let report = step(&mut loaded, &delta, mode, emit, &mut heard);
            let wanted = pair.step(&delta, mode, emit);
            assert_eq!(report, wanted);
            let bits = |rows: &BTreeMap<i64, f64>| {
                rows.iter().map(|(id, value)| (*id, value.to_bits())).collect::<Vec<_>>()
            };
            assert_eq!(bits(&heard), bits(&pair.heard));
            let (mut one, mut other) = (Vec::new(), Vec::new());
            loaded.save(&mut one).unwrap();
            pair.kernel.save(&mut other).unwrap();
            assert_eq!(one, other, "step {at}");
        }
    }
}
