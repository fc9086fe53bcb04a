//! A kernel behind rows: what every one of them is driven by, and what each one adds.

use std::task::Poll;

use arqon_kernels::{Address, Churn, Emit, Kernel, Mode, Prediction, Report, Step};
use arqon_types::PackedRow;

use crate::deltas::Delta;
use crate::stateful::Emitter;

/// A kernel that is fed rows and says rows.
pub(crate) trait Driver {
    /// Where that is held which was computed before any row.
    fn prepared(&self) -> Option<Address>;

    /// Takes all changes of a key of a port within the epoch. Rows that the kernel cannot read are
    /// errors of the node, and as if they were not there.
    fn change(&mut self, port: usize, key: &PackedRow, rows: &[Delta], out: &mut Emitter);

    /// Whether there is anything to follow.
    fn has_changed(&self) -> bool;

    /// How much has changed since the last step.
    fn churn(&self) -> Churn;

    /// What a step would come to.
    fn predict(&self, mode: Mode, churn: &Churn, emit: Emit) -> Option<Prediction>;

    /// Begins to follow what has changed.
    fn begin(&mut self, mode: Mode, emit: Emit, error_max: f64);

    /// Goes on for about this much work.
    fn advance(&mut self, work: u64) -> Poll<Report>;

    /// Says what the step has changed among the kernel's rows.
    fn say(&mut self, out: &mut Emitter);

    /// Computes this share of the state anew.
    fn refresh(&mut self, share: f64);

    /// What the state takes of the memory.
    fn state_bytes(&self) -> usize;
}

/// What is particular to a kernel: how rows become its input, and its output rows.
pub(crate) trait Adapter {
    /// The kernel.
    type Kernel: Kernel;

    /// As [`Driver::change`].
    fn change(&mut self, port: usize, key: &PackedRow, rows: &[Delta], out: &mut Emitter);

    /// Whether rows have changed since the last delta.
    fn has_changed(&self) -> bool;

    /// What has changed so far, as the kernel takes it.
    fn delta(&self) -> &<Self::Kernel as Kernel>::Delta;

    /// The same, and forgets it.
    fn take(&mut self) -> <Self::Kernel as Kernel>::Delta;

    /// Says the rows that changed, of what the kernel put out, and forgets it.
    fn say(&mut self, output: &mut <Self::Kernel as Kernel>::Output, out: &mut Emitter);

    /// What it holds beside the kernel.
    fn state_bytes(&self) -> usize;
}

/// A kernel with what connects it to rows.
pub(crate) struct Driven<A: Adapter> {
    kernel: A::Kernel,
    adapter: A,
    output: <A::Kernel as Kernel>::Output,
}

impl<A: Adapter> Driven<A> {
    /// A kernel without rows.
    pub(crate) fn new(kernel: A::Kernel, adapter: A) -> Self {
        Self { kernel, adapter, output: Default::default() }
    }
}

impl<A: Adapter> Driver for Driven<A> {
    fn prepared(&self) -> Option<Address> {
        self.kernel.prepared()
    }

    fn change(&mut self, port: usize, key: &PackedRow, rows: &[Delta], out: &mut Emitter) {
        self.adapter.change(port, key, rows, out);
    }

    fn has_changed(&self) -> bool {
        self.adapter.has_changed()
    }

    fn churn(&self) -> Churn {
        self.kernel.measure(self.adapter.delta()).expect("the adapter lets through what fits")
    }

    fn predict(&self, mode: Mode, churn: &Churn, emit: Emit) -> Option<Prediction> {
        self.kernel.predict(mode, churn, emit)
    }

    fn begin(&mut self, mode: Mode, emit: Emit, error_max: f64) {
        let delta = self.adapter.take();
        self.kernel.begin(Step { delta, mode, emit, error_max });
    }

    fn advance(&mut self, work: u64) -> Poll<Report> {
        self.kernel.advance(work, &mut self.output)
    }

    fn say(&mut self, out: &mut Emitter) {
        self.adapter.say(&mut self.output, out);
    }

    fn refresh(&mut self, share: f64) {
        self.kernel.refresh(share);
    }

    fn state_bytes(&self) -> usize {
        self.kernel.state_bytes() + self.adapter.state_bytes()
    }
}
