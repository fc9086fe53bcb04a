//! The state of an operator as one of the dataflows that have it in common, and the way in which
//! their workers hand it to each other.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use arqon_operators::Place;

use crate::emitter::Said;
use crate::lease::Lease;

/// A step that may have its state in common with others.
pub(crate) type Slot = Rc<dyn Lend>;

/// A lease of a step's state, on its way to another dataflow.
pub(crate) type Lent = Box<dyn Any + Send>;

/// What a worker does with such a step, whatever its state is.
pub(crate) trait Lend {
    /// Another lease of its state.
    fn lend(&self) -> Lent;

    /// Gives up its own state for that of the same step of another dataflow, which holds the same.
    ///
    /// # Panics
    /// If that is another step.
    fn move_to(&self, lent: Lent);
}

/// What an epoch came to, and what the state takes then.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    said: Said,
    n_bytes: i64,
}

/// The state of a step, as one holder has it.
pub(crate) struct LeasedStep<S> {
    lease: Lease<S, Outcome>,
    /// Where the step's expressions stand in this holder's circuit.
    places: Arc<[Place]>,
    /// Where they stand in the circuit of the first holder: the state speaks of these.
    places_of_state: Arc<[Place]>,
    /// What the holder has counted of the state's bytes.
    n_bytes: i64,
}

impl<S> LeasedStep<S> {
    /// Of which there is no other lease; its expressions stand there.
    pub(crate) fn new(state: S, places: Vec<Place>) -> Self {
        let places: Arc<[Place]> = places.into();
        let places_of_state = Arc::clone(&places);
        Self { lease: Lease::new(state), places, places_of_state, n_bytes: 0 }
    }

    /// Applies an epoch's changes, unless another holder has: what they come to for this one. `sum`
    /// is that of their diffs.
    pub(crate) fn apply(&mut self, sum: i64, apply: impl FnOnce(&mut S) -> (Said, i64)) -> Said {
        let outcome = self.lease.apply(sum, |state| {
            let (said, n_bytes) = apply(state);
            Outcome { said, n_bytes }
        });
        let Outcome { said, n_bytes } = outcome;
        let mut said = said.moved(&self.places_of_state, &self.places);
        // Each counts it in full, since each would have it without the others.
        said.counts.bytes = n_bytes - std::mem::replace(&mut self.n_bytes, n_bytes);
        said
    }
}

impl<S: Send + 'static> Lend for RefCell<LeasedStep<S>> {
    fn lend(&self) -> Lent {
        let step = self.borrow();
        Box::new((step.lease.another(), Arc::clone(&step.places_of_state)))
    }

    fn move_to(&self, lent: Lent) {
        let lent = lent.downcast::<(Lease<S, Outcome>, Arc<[Place]>)>();
        let (lease, places) = *lent.expect("a lease is of the same step");
        let mut step = self.borrow_mut();
        (step.lease, step.places_of_state) = (lease, places);
    }
}
