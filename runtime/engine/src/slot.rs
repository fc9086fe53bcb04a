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
    /// Another lease of its state. The step's expressions stand at these places.
    fn lend(&self, places: &Arc<[Place]>) -> Lent;

    /// Gives up its own state for that of the same step of another dataflow, which holds the same.
    /// Here its expressions stand at these places.
    ///
    /// # Panics
    /// If that is another step.
    fn move_to(&self, lent: Lent, places: Arc<[Place]>);
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
    /// Where the step's expressions stand, once others have the state as well.
    places: Option<Places>,
    /// What the holder has counted of the state's bytes.
    n_bytes: i64,
}

/// Where the expressions of a step stand that several circuits have.
struct Places {
    /// In the circuit of the first holder: the state speaks of these.
    of_state: Arc<[Place]>,
    /// In this holder's.
    own: Arc<[Place]>,
}

impl<S> LeasedStep<S> {
    /// Of which there is no other lease.
    pub(crate) fn new(state: S) -> Self {
        Self { lease: Lease::new(state), places: None, n_bytes: 0 }
    }

    /// Applies an epoch's changes, unless another holder has: what they come to for this one. `sum`
    /// is that of their diffs.
    pub(crate) fn apply(&mut self, sum: i64, apply: impl FnOnce(&mut S) -> (Said, i64)) -> Said {
        let outcome = self.lease.apply(sum, |state| {
            let (said, n_bytes) = apply(state);
            Outcome { said, n_bytes }
        });
        let Outcome { said, n_bytes } = outcome;
        let mut said = match &self.places {
            Some(Places { of_state, own }) => said.moved(of_state, own),
            None => said,
        };
        // Each counts it in full, since each would have it without the others.
        said.counts.bytes = n_bytes - std::mem::replace(&mut self.n_bytes, n_bytes);
        said
    }
}

impl<S: Send + 'static> Lend for RefCell<LeasedStep<S>> {
    fn lend(&self, places: &Arc<[Place]>) -> Lent {
        let step = &mut *self.borrow_mut();
        let known = step.places.get_or_insert_with(|| Places {
            of_state: Arc::clone(places),
            own: Arc::clone(places),
        });
        Box::new((step.lease.another(), Arc::clone(&known.of_state)))
    }

    fn move_to(&self, lent: Lent, own: Arc<[Place]>) {
        let lent = lent.downcast::<(Lease<S, Outcome>, Arc<[Place]>)>();
        let (lease, of_state) = *lent.expect("a lease is of the same step");
        let mut step = self.borrow_mut();
        (step.lease, step.places) = (lease, Some(Places { of_state, own }));
    }
}
