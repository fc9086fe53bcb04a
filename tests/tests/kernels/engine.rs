//! Circuits of these tests on the engine.

use std::sync::mpsc::{Receiver, channel};

use arqon_compiler::{Options, compile};
use arqon_engine::{
    BackendChoice, Dataflow, EngineOptions, EpochInput, EpochOutput, Keep, Pace, RowOutput,
};
use arqon_plan::DataflowPlan;
use arqon_tests::corpus::errors;

/// The plan of a circuit without faults.
pub(crate) fn plan(circuit: &str) -> DataflowPlan {
    let compiled = compile(circuit, "kernels.yaml", &Options::default());
    assert_eq!(errors(&compiled), Vec::<String>::new(), "{circuit}");
    compiled.dataflow.expect("a circuit without faults has a plan")
}

/// How these tests run a plan.
pub(crate) fn options(n_workers: usize) -> EngineOptions {
    let backend = BackendChoice::Auto;
    EngineOptions { n_workers, backend, keep: Keep::Rows, pace: Pace::default() }
}

/// What an engine is to call with its outputs, and where they are then.
pub(crate) fn listener() -> (impl FnMut(EpochOutput) + Send + 'static, Receiver<RowOutput>) {
    let (told, tells) = channel();
    let on_output = move |output: EpochOutput| {
        told.send(output.into_rows()).expect("the test listens");
    };
    (on_output, tells)
}

/// A plan that runs.
pub(crate) fn start(plan: &DataflowPlan, n_workers: usize) -> (Dataflow, Receiver<RowOutput>) {
    let (on_output, tells) = listener();
    let dataflow = Dataflow::start(plan.clone(), options(n_workers), on_output);
    (dataflow.expect("the engine starts"), tells)
}

/// Feeds epochs.
pub(crate) fn feed(dataflow: &Dataflow, inputs: &[EpochInput]) {
    for input in inputs {
        dataflow.feed(input.clone()).expect("the engine takes input");
    }
}

/// Ends a dataflow; all that it has said.
pub(crate) fn end(dataflow: Dataflow, tells: &Receiver<RowOutput>) -> Vec<RowOutput> {
    dataflow.finish().expect("the engine ends well");
    tells.iter().collect()
}
