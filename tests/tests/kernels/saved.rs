//! Kernels that go on from a snapshot say what they would have said without it, bit for bit.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arqon_engine::{
    Changes, Dataflow, EpochInput, Held, Past, ResumeError, RowOutput, SnapshotError, TopicInput,
};
use arqon_plan::DataflowPlan;
use arqon_tests::random::Random;
use arqon_types::{Change, DeltaBatch, Epoch, Row, TopicName, Value};

use crate::engine::{self, end, feed, listener, options, start};
use crate::kernels::{KERNELS, Kernel, random_change};

const EPOCHS: u64 = 40;

/// Each kernel under all policies and with a topic that asks for modes; one tells of its steps.
fn circuit(kernel: &Kernel) -> String {
    let Kernel { ports, schemas, topics, args, answer, key, .. } = kernel;
    let key = if *key == 1 { "id" } else { "x, y" };
    let asked = format!("{}: int64, ", key.replace(", ", ": int64, "));
    let mut text = format!(
        "arqon: 1\ncircuit: kernels.saved\nschemas:\n{schemas}  Answer: {{ {answer} }}\n  \
         Asked: {{ {asked}who: int64 }}\n  Mode: {{ who: int64, mode: enum<auto|pass|itmd> }}\n  \
         Told: {{ mode: enum<pass|itmd|rr>, epoch: int64, error_bound: float64 }}\ntopics:\n\
         {topics}  asked: {{ schema: Asked, carries: full, key: [{key}, who], edge: in }}\n  \
         mode: {{ schema: Mode, carries: full, key: who, edge: in }}\n  \
         told: {{ schema: Told, carries: full, key: mode, edge: out }}\n"
    );
    let mut policies = vec![
        ("whole", "emit: all"),
        ("lazy", "emit: { pull: asked }"),
        ("changed", "control: mode\n        metrics: told"),
    ];
    if kernel.name != "dynamic_graph" {
        policies.push(("near", "emit: { eps: 0.05 }\n        bounds: { error: 0.1 }"));
    }
    for (node, _) in &policies {
        let _ = writeln!(text, "  {node}s: {{ schema: Answer, carries: delta, edge: out }}");
    }
    text += "flow:\n";
    for (node, policy) in &policies {
        let _ = writeln!(
            text,
            "  {node}:\n    from: {ports}\n    do:\n      - kernel: {args}\n        {policy}\n    \
             to: {node}s"
        );
    }
    text
}

fn inputs(kernel: &Kernel, random: &mut Random) -> Vec<EpochInput> {
    let mut epochs = Vec::new();
    for epoch in 1..=EPOCHS {
        let mut topics: Vec<(&str, Vec<Change>)> = Vec::new();
        for name in kernel.names {
            let n_changes = random.below(4);
            let change = |_| random_change(random, kernel, name);
            topics.push((name, (0..n_changes).map(change).collect()));
        }
        let mut row = |n_values: usize, most: i64| {
            let values = (0..n_values).map(|_| Value::Int(random.between(0, most)));
            Row::from(values.collect::<Vec<_>>())
        };
        topics.push(("asked", vec![Change::Upsert(row(kernel.key + 1, 4))]));
        topics.push(("asked", vec![Change::Delete(row(kernel.key + 1, 4))]));
        if epoch % 5 == 0 {
            let who = row(1, 2).0[0].clone();
            let mode = Value::Enum(u32::try_from(random.below(3)).expect("below 3"));
            topics.push(("mode", vec![Change::Upsert(Row::from(vec![who, mode]))]));
        }
        topics.retain(|(_, changes)| !changes.is_empty() && random.chance(80));
        let topics = topics.into_iter().map(|(name, changes)| TopicInput {
            topic: TopicName::parse(name).expect("a name"),
            changes: Changes::Rows(changes),
        });
        epochs.push(EpochInput { epoch: Epoch(epoch), time: 0, topics: topics.collect() });
    }
    epochs
}

/// What was said, without what it cost.
fn said(outputs: Vec<RowOutput>) -> Vec<(Epoch, Vec<DeltaBatch>)> {
    outputs.into_iter().map(|output| (output.epoch, output.deltas)).collect()
}

/// What the topics hold, as they are fed.
fn held(plan: &DataflowPlan, held: Vec<Held>) -> Vec<TopicInput> {
    let input = |held: Held| {
        let topic =
            plan.topics.iter().find(|topic| topic.name == held.topic).expect("it is in the plan");
        let types = topic.schema.types();
        let rows = (0..held.rows.len()).map(|at| Change::Upsert(held.rows.row(at, &types)));
        TopicInput { topic: held.topic, changes: Changes::Rows(rows.collect()) }
    };
    held.into_iter().map(input).collect()
}

type Collections = BTreeMap<(Arc<str>, Row), i64>;

fn fold<'o>(outputs: impl IntoIterator<Item = &'o (Epoch, Vec<DeltaBatch>)>) -> Collections {
    let mut all = Collections::new();
    for delta in outputs.into_iter().flat_map(|(_, deltas)| deltas) {
        for update in &delta.updates {
            let topic = Arc::from(delta.topic.as_str());
            *all.entry((topic, update.row.clone())).or_insert(0) += update.diff;
        }
    }
    all.retain(|_, n| *n != 0);
    all
}

#[test]
fn what_goes_on_from_a_snapshot_says_the_same_bits() {
    for (kernel, seed) in KERNELS.iter().zip(21..) {
        let (text, mut random) = (circuit(kernel), Random::new(seed));
        let (plan, inputs) = (engine::plan(&text), inputs(kernel, &mut random));
        let (whole, tells) = start(&plan, 1);
        feed(&whole, &inputs);
        let whole = said(end(whole, &tells));
        let mut n_said = 0;
        for n_workers in [[1, 1], [2, 4], [4, 2], [1, 2]] {
            let at = 1 + random.below(inputs.len() - 1);
            let (first, tells) = start(&plan, n_workers[0]);
            feed(&first, &inputs[..at]);
            let kernels = first.save_kernels().expect("kernels are saved");
            let topics = held(&plan, first.held().expect("it holds its topics"));
            feed(&first, &inputs[at..]);
            assert!(
                said(end(first, &tells)) == whole,
                "saving at {at} changes what is said: {text}"
            );

            let (on_output, tells) = listener();
            let past = Past { kernels: &kernels, time: 0, topics };
            let next = Dataflow::resume(plan.clone(), options(n_workers[1]), past, on_output);
            let next = next.expect("the snapshot is taken");
            feed(&next, &inputs[at..]);
            let next = said(end(next, &tells));
            assert_eq!(fold(&next[..1]), fold(&whole[..at]), "what stands at {at}: {text}");
            for (ours, theirs) in next[1..].iter().zip(&whole[at..]) {
                assert_eq!(ours, theirs, "{n_workers:?} from {at} on: {text}");
            }
            assert_eq!(next.len() - 1, whole.len() - at);
            n_said += next[1..].iter().map(|(_, deltas)| deltas.len()).sum::<usize>();
        }
        assert!(40 < n_said, "hardly anything is said: {text}");
    }
}

#[test]
fn damaged_and_foreign_snapshots_are_refused() {
    for (kernel, seed) in KERNELS.iter().zip(31..) {
        let (text, mut random) = (circuit(kernel), Random::new(seed));
        let (plan, inputs) = (engine::plan(&text), inputs(kernel, &mut random));
        let (dataflow, _tells) = start(&plan, 1);
        feed(&dataflow, &inputs[..20]);
        let kernels = dataflow.save_kernels().expect("kernels are saved");
        assert_eq!(kernels, dataflow.save_kernels().unwrap(), "the same is saved as the same");
        let resumed = |plan: &DataflowPlan, kernels: &[u8]| {
            let past = Past { kernels, time: 0, topics: Vec::new() };
            Dataflow::resume(plan.clone(), options(1), past, |_| ())
        };
        for _ in 0..60 {
            let mut bytes = kernels.clone();
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
            for bytes in [&bytes, &kernels[..at]] {
                let error = resumed(&plan, bytes).expect_err("it is damaged");
                assert!(matches!(error, ResumeError::Snapshot(_)), "byte {at}: {error}");
            }
        }
        let other = engine::plan(&text.replace("emit: all", "emit: changed"));
        let error = resumed(&other, &kernels).expect_err("it is another's");
        assert!(matches!(error, ResumeError::Snapshot(SnapshotError::OtherPlan)), "{error}");
        assert_eq!(error.to_string(), "the snapshot of kernels is of another plan");
    }
}
