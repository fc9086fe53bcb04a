//! The passes of the compiler: after every epoch, what the steps come to is the same as before.

use arqon_compiler::{Options, Pass, compile};
use arqon_plan::DataflowPlan;
use arqon_tests::oracle::{Answer, Inputs, evaluate};
use arqon_tests::random::Random;
use arqon_tests::updates::Message;

use crate::runs::{Case, seeds, time_of};

const CASES: u64 = 400;

/// Epochs that follow of themselves; what never settles is followed for a while.
const FEEDBACKS_MAX: usize = 3;

#[test]
fn no_pass_changes_an_answer() {
    let mut changed: Vec<&str> = Vec::new();
    for seed in seeds(CASES) {
        let Case { text, epochs, .. } = Case::random(&mut Random::new(seed), seed);
        let options = Options { allow_unbounded: true, keep_passes: true, ..Options::default() };
        let passes = compile(&text, "law.yaml", &options).passes;
        let Some((written, passes)) = passes.split_first() else { panic!("seed {seed}\n{text}") };
        let expected = answers(&written.plan, &epochs);
        let mut before = &written.plan;
        for Pass { name, plan, .. } in passes {
            let is_as_before = plan.steps == before.steps;
            if is_as_before && plan.arrangements == before.arrangements {
                continue;
            }
            changed.push(name);
            before = plan;
            // What has the same steps has the same answers; that joins may hold rows together is
            // seen where the engine runs.
            if is_as_before {
                continue;
            }
            let found = answers(plan, &epochs);
            for (epoch, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert!(
                    found == expected,
                    "seed {seed}, pass {name}, epoch {epoch}\n{text}\n\
                     after it {found:#?}\nas written {expected:#?}"
                );
            }
        }
    }
    for pass in ["reorder", "push", "share", "reuse", "prune", "fuse"] {
        let n_times = changed.iter().filter(|name| **name == pass).count();
        assert!(
            n_times > 4 || seeds(CASES).count() < 400,
            "`{pass}` did something {n_times} times"
        );
    }
}

/// What the steps come to after each epoch, and after the end of time.
fn answers(plan: &DataflowPlan, epochs: &[Vec<Message>]) -> Vec<Answer> {
    let mut inputs = Inputs::default();
    let mut answers = Vec::new();
    let mut back: Vec<Message> = Vec::new();
    let mut settle = |inputs: &mut Inputs, messages: &[Message], n_rounds: usize| {
        let mut messages = messages;
        for _ in 0..n_rounds {
            for (topic, change) in back.iter().chain(messages) {
                inputs.apply(plan, topic, change);
            }
            back = inputs.write_back(plan);
            let mut answer = evaluate(plan, inputs);
            answer.topics.retain(|_, rows| !rows.is_empty());
            answers.push(answer);
            messages = &[];
        }
    };
    for (at, messages) in epochs.iter().enumerate() {
        inputs.set_time(time_of(at));
        settle(&mut inputs, messages, 1);
    }
    settle(&mut inputs, &[], FEEDBACKS_MAX);
    inputs.end_time();
    settle(&mut inputs, &[], FEEDBACKS_MAX);
    answers
}
