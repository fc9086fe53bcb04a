//! Streams without end: what a step holds is never more than the formula that `arqon explain`
//! prints for it, epoch after epoch, and the memory stays where it was.
//!
//! `cargo xtask torture soak --cases EPOCHS --seed SEED` is the long run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::mpsc::{Receiver, channel};

use arqon_engine::{
    Changes, CounterKind, Dataflow, EngineOptions, EpochInput, EpochStats, TopicInput,
};
use arqon_plan::{DataflowPlan, Plan, State, TopicPlan};
use arqon_tests::corpus::{Circuit, circuits, errors};
use arqon_tests::random::Random;
use arqon_tests::setting::setting;
use arqon_types::{Change, Discipline, Epoch, Float, Row, Type, Value, parse_duration};

/// Circuits whose streams never end.
const CIRCUITS: &[&str] = &[
    "bench/nexmark/q12.yaml",
    "bench/nexmark/q5.yaml",
    "bench/nexmark/q7.yaml",
    "bench/nexmark/q8.yaml",
    "ok/joins.yaml",
    "ok/nexmark_windows.yaml",
    "ok/over.yaml",
    "ok/retain.yaml",
];

const EPOCHS: u64 = 400;
/// Rows that a `delta` topic of the long streams has at a time: what numbers all of them says all
/// anew with each change, so that without an end to them epochs would take longer and longer.
const STANDING_MAX: usize = 500;

#[test]
fn state_stays_within_its_printed_bound() {
    let (seed, n_epochs) = (setting("ARQON_SEED", 1), setting("ARQON_CASES", EPOCHS));
    let mut n_checked = 0;
    for circuit in circuits().iter().filter(|it| CIRCUITS.contains(&it.name.as_str())) {
        n_checked += soak(circuit, seed, n_epochs);
    }
    assert!(15 < n_checked, "only {n_checked} steps held anything that a formula bounds");
}

/// How many steps held anything, within their formula.
fn soak(circuit: &Circuit, seed: u64, n_epochs: u64) -> usize {
    let compiled = circuit.compile(&circuit.text);
    assert_eq!(errors(&compiled), Vec::<String>::new(), "{}", circuit.name);
    let plan = compiled.dataflow.expect("a circuit without faults has steps");
    let bounds = bounds(&compiled.plan.expect("a circuit without faults has a plan"));
    let mut source = Source::new(&plan, seed);
    let (sender, receiver) = channel();
    let dataflow = Dataflow::start(plan, EngineOptions::default(), move |output| {
        let _ = sender.send(output.into_rows().stats);
    })
    .expect("the engine starts");
    let mut state = Held::default();
    let mut most = [0; 2];
    let mut holding = BTreeSet::new();
    for at in 1..=n_epochs {
        let topics = source.epoch();
        let input = EpochInput { epoch: Epoch(at), time: source.now, topics };
        dataflow.feed(input).expect("the engine takes input");
        state.take(&receiver);
        let half = usize::from(n_epochs / 2 < at);
        most[half] = most[half].max(state.n_bytes);
        for (address, bound) in &bounds {
            let held = state.rows.get(address.as_str()).copied().unwrap_or_default();
            let Some(most) = bound.value(&source) else { continue };
            let place = format!("{}, seed {seed}, epoch {at}: `{address}`", circuit.name);
            assert!(held <= most, "{place} holds {held}, and at most {most} ({})", bound.text);
            if 0 < held {
                holding.insert(address);
            }
        }
    }
    dataflow.finish().expect("the engine ends well");
    // Tables grow by doubling, and what comes is random: twice is no growth.
    let [first, second] = most;
    assert!(second <= 2 * first + (1 << 16), "{}: {first} bytes, then {second}", circuit.name);
    holding.len()
}

/// What is held, by the addresses of steps.
#[derive(Default)]
struct Held {
    rows: BTreeMap<String, i64>,
    n_bytes: i64,
}

impl Held {
    /// Takes what the next epoch has changed.
    fn take(&mut self, stats: &Receiver<EpochStats>) {
        let stats = stats.recv().expect("every epoch comes out");
        for node in stats.nodes.iter().filter(|node| node.kind == CounterKind::Stateful) {
            *self.rows.entry(node.address.to_string()).or_default() += node.counts.held;
        }
        self.n_bytes += stats.state_grown;
    }
}

/// The formulas of a plan's steps.
fn bounds(plan: &Plan) -> BTreeMap<String, Bound> {
    let steps = plan.steps().filter_map(|(id, _)| match &plan.facts(id).state {
        State::Bounded(text) => Some((plan.label(id).to_owned(), Bound::parse(text)?)),
        State::Stateless | State::Unbounded { .. } | State::Unknown => None,
    });
    steps.collect()
}

/// A formula such as `1 group each of 5 * rows(bids, last 12s), and rows(bids, last 12s) for x`.
struct Bound {
    text: String,
    terms: Vec<Term>,
}

/// `5 * rows(bids, last 12s)`: how often, of which topic, and how far back.
struct Term {
    times: i64,
    topic: String,
    last: Option<i64>,
}

impl Bound {
    /// None for what has no value here, as `rows(bids, open sessions)`.
    fn parse(text: &str) -> Option<Self> {
        let mut terms = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("rows(") {
            let times = rest[..at].strip_suffix(" * ").and_then(|it| it.rsplit(' ').next());
            let (inner, behind) = rest[at + "rows(".len()..].split_once(')')?;
            let (topic, last) = match inner.split_once(", last ") {
                Some((topic, last)) => (topic, Some(parse_duration(last).ok()?)),
                None => (inner, None),
            };
            let times = times.map_or(Some(1), |it| it.parse().ok())?;
            terms.push(Term { times, topic: topic.to_owned(), last });
            rest = behind;
        }
        (!terms.is_empty()).then(|| Self { text: text.to_owned(), terms })
    }

    /// Its value after what has come; none if it speaks of what is no topic of the circuit's edge.
    fn value(&self, source: &Source) -> Option<i64> {
        self.terms.iter().map(|term| Some(term.times * source.rows(&term.topic, term.last)?)).sum()
    }
}

/// Rows without end, and how many of them there are.
struct Source {
    random: Random,
    now: i64,
    topics: Vec<Stream>,
}

struct Stream {
    topic: TopicPlan,
    /// How many rows came with these event times.
    came: BTreeMap<i64, i64>,
    /// The keys that there are, of a topic that is `full`.
    keys: BTreeSet<Row>,
    /// The rows that there are, oldest first, of a topic that carries deltas.
    standing: VecDeque<Row>,
}

const SECOND: i64 = 1_000_000_000;

impl Source {
    fn new(plan: &DataflowPlan, seed: u64) -> Self {
        let is_input = |topic: &&TopicPlan| plan.is_input(&topic.name);
        let stream = |topic: &TopicPlan| Stream {
            topic: topic.clone(),
            came: BTreeMap::new(),
            keys: BTreeSet::new(),
            standing: VecDeque::new(),
        };
        Self {
            random: Random::new(seed),
            now: 1_700_000_000 * SECOND,
            topics: plan.topics.iter().filter(is_input).map(stream).collect(),
        }
    }

    /// Some rows of each topic, most of them of the last seconds; at times nothing for long.
    fn epoch(&mut self) -> Vec<TopicInput> {
        let random = &mut self.random;
        self.now += if random.chance(2) { 100 * SECOND } else { random.between(0, 2 * SECOND) };
        let mut inputs = Vec::new();
        for stream in &mut self.topics {
            let topic = &stream.topic;
            let mut changes = Vec::new();
            for _ in 0..random.below(12) {
                let back = if random.chance(5) { 60 * SECOND } else { 4 * SECOND };
                let time = self.now - random.between(0, back);
                let fields = topic.schema.fields.iter().map(|field| value(random, &field.ty, time));
                let row = Row::from(fields.collect::<Vec<_>>());
                if topic.discipline == Discipline::Full {
                    let key = topic.key.iter().map(|at| row.0[*at].clone()).collect::<Vec<_>>();
                    stream.keys.insert(Row::from(key));
                    changes.push(Change::Upsert(row));
                } else if topic.discipline == Discipline::Delta {
                    stream.standing.push_back(row.clone());
                    changes.push(Change::Diff { row, diff: 1 });
                    if STANDING_MAX < stream.standing.len() {
                        let oldest = stream.standing.pop_front();
                        changes.extend(oldest.map(|row| Change::Diff { row, diff: -1 }));
                    }
                } else {
                    changes.push(Change::Insert(row));
                }
                *stream.came.entry(time).or_default() += 1;
            }
            // No formula looks back further.
            stream.came = stream.came.split_off(&(self.now - 2 * 3_600 * SECOND));
            let changes = Changes::Rows(changes);
            inputs.push(TopicInput { topic: topic.name.clone(), changes });
        }
        inputs
    }

    /// How many rows of a topic there are, or came since a moment before the last.
    fn rows(&self, topic: &str, last: Option<i64>) -> Option<i64> {
        let stream = self.topics.iter().find(|stream| stream.topic.name.as_str() == topic)?;
        let Some(last) = last else {
            let is_full = stream.topic.discipline == Discipline::Full;
            return is_full.then(|| i64::try_from(stream.keys.len()).unwrap_or(i64::MAX));
        };
        // Several topics close a window together, so the one that is behind counts.
        let marks = self.topics.iter().filter_map(|stream| stream.came.keys().next_back());
        let mark = marks.min().copied().unwrap_or(self.now);
        Some(stream.came.range(mark - last..).map(|(_, n)| n).sum())
    }
}

/// A value of a type; texts and numbers are few, so that groups and joins meet.
fn value(random: &mut Random, ty: &Type, time: i64) -> Value {
    match ty {
        Type::Bool => Value::Bool(random.chance(50)),
        Type::Timestamp => Value::Timestamp(time),
        Type::Float64 | Type::Float32 => Value::Float(Float::new(f64::from(
            u32::try_from(random.below(20)).expect("it is small"),
        ))),
        Type::Decimal(_) => Value::Decimal(i128::from(random.between(0, 20))),
        Type::String => Value::string(["a", "b", "c"][random.below(3)]),
        Type::Option(inner) => value(random, inner, time),
        Type::Enum(_) => Value::Enum(0),
        _ => Value::Int(random.between(0, 20)),
    }
}
