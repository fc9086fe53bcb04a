//! The same epochs give the same deltas, whatever the number of workers and the back end.

use arqon_engine::BackendChoice;
use arqon_tests::random::Random;
use arqon_types::DeltaBatch;

use crate::runs::{Case, Origin, run, seeds};

const CASES: u64 = 60;

#[test]
fn any_number_of_workers_gives_the_same_deltas() {
    for seed in seeds(CASES) {
        let Case { text, plan, epochs } = Case::random(&mut Random::new(seed), seed);
        let mut first: Option<Vec<(Origin, Vec<DeltaBatch>)>> = None;
        for backend in [BackendChoice::Hash, BackendChoice::Arrangements] {
            for n_workers in [1, 2, 4] {
                let outputs = run(&plan, &epochs, backend, n_workers);
                let deltas: Vec<(Origin, Vec<DeltaBatch>)> =
                    outputs.into_iter().map(|(origin, output)| (origin, output.deltas)).collect();
                let wanted = first.get_or_insert_with(|| deltas.clone());
                assert!(
                    deltas == *wanted,
                    "seed {seed}, {backend:?}, {n_workers} workers\n{text}\n\
                     {deltas:#?}\none worker with hash operators {wanted:#?}"
                );
            }
        }
    }
}
