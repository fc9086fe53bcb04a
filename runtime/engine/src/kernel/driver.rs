//! A kernel behind rows: what every one of them is driven by, and what each one adds.

use std::io;
use std::ops::Range;
use std::task::Poll;

use arqon_kernels::{
    Address, Churn, Emit, Kernel, LoadError, Measured, Mode, Prediction, Report, SnapshotReader,
    SnapshotWriter, Step,
};
use arqon_types::PackedRow;

use super::asked::{Asked, Questions};
use crate::deltas::Delta;
use crate::emitter::Emitter;

/// A kernel that is fed rows and says rows. Its steps are done on any thread.
pub(crate) trait Driver: Send {
    /// Where that is held which was computed before any row.
    fn prepared(&self) -> Option<Address>;

    /// Takes all changes of a key of a port within the epoch. Rows that the kernel cannot read are
    /// errors of the node, and as if they were not there.
    fn change(&mut self, port: usize, key: &PackedRow, rows: &[Delta], out: &mut Emitter);

    /// Takes all changes within the epoch of the rows that ask for the answer of a key; what was
    /// said of it is taken back where none does any more.
    fn ask(&mut self, key: &PackedRow, rows: &[Delta], out: &mut Emitter);

    /// Whether there is anything to follow.
    fn has_changed(&self) -> bool;

    /// Whether anything is asked for that was not.
    fn is_asked(&self) -> bool;

    /// How much has changed since the last step; what is found on the way is kept for it.
    fn churn(&mut self) -> Churn;

    /// What a step would come to.
    fn predict(&self, mode: Mode, churn: &Churn, emit: Emit) -> Option<Prediction>;

    /// Begins to follow what has changed.
    fn begin(&mut self, mode: Mode, emit: Emit, error_max: f64);

    /// Goes on for about this much work.
    fn advance(&mut self, work: u64) -> Poll<Report>;

    /// About how much work it is to answer what is asked for.
    fn answer_work(&self, which: Questions) -> u64;

    /// Answers what is asked for: the next call of [`Self::say`] says it. Gives how many answers
    /// these are, and the bound of their error; none once they are wanted no more.
    fn answer(&mut self, which: Questions, is_wanted: &dyn Fn() -> bool) -> Option<(usize, f64)>;

    /// Says what the step has changed among the kernel's rows, as many as take some tenths of a
    /// millisecond; pending while there are more.
    fn say(&mut self, out: &mut Emitter) -> Poll<()>;

    /// Computes this share of the state anew.
    fn refresh(&mut self, share: f64);

    /// Tells what is wrong with rows that were taken before this dataflow began.
    fn reread(&self, port: usize, rows: &[Delta], out: &mut Emitter);

    /// Says all that stands again.
    fn say_again(&self, out: &mut Emitter);

    /// What is asked for was answered before this dataflow began.
    fn forget_new(&mut self);

    /// Writes the state when an epoch has ended, save who asks for what.
    fn save(&self, out: &mut SnapshotWriter<'_>) -> io::Result<()>;

    /// Reads what [`Self::save`] wrote of the same step.
    fn load(&mut self, input: &mut SnapshotReader<'_>) -> Result<(), LoadError>;

    /// What the state takes of the memory.
    fn state_bytes(&self) -> usize;
}

/// Numbers that are said at a time.
const NUMBERS_AT_ONCE: usize = 1 << 16;

/// Answers between two looks at whether they are wanted.
const ANSWERS_AT_ONCE: usize = 1 << 10;

/// What a row takes beside its numbers, as so many of them.
const ROW_NUMBERS: usize = 16;

/// What is particular to a kernel: how rows become its input, and its output rows.
pub(crate) trait Adapter: Send {
    /// The kernel.
    type Kernel: Kernel<Output: Send>;

    /// As [`Driver::change`].
    fn change(&mut self, port: usize, key: &PackedRow, rows: &[Delta], out: &mut Emitter);

    /// Whether rows have changed since the last delta.
    fn has_changed(&self) -> bool;

    /// What has changed so far, as the kernel takes it; it is forgotten.
    fn take(&mut self) -> <Self::Kernel as Kernel>::Delta;

    /// What the kernel calls the rows of these keys, as far as they are there.
    fn keys_of(&self, keys: &[PackedRow]) -> <Self::Kernel as Kernel>::Keys;

    /// Takes back what was said of the row of a key.
    fn hush(&mut self, key: &PackedRow, out: &mut Emitter);

    /// About how much work an answer is.
    fn answer_work(&self) -> u64 {
        1
    }

    /// Looks at what the kernel put out, before it is said: by how much rows that are said, now or
    /// earlier, may be off what it put out, since they have fewer digits.
    fn rounding(&mut self, _output: &<Self::Kernel as Kernel>::Output) -> f64 {
        0.0
    }

    /// Rows that the kernel put out.
    fn n_rows(output: &<Self::Kernel as Kernel>::Output) -> usize;

    /// Numbers in each of them.
    fn width(&self) -> usize {
        1
    }

    /// Says what has changed of these rows.
    fn say(
        &mut self,
        output: &<Self::Kernel as Kernel>::Output,
        rows: Range<usize>,
        out: &mut Emitter,
    );

    /// Ends the epoch: all rows are said.
    fn settle(&mut self) {}

    /// As [`Driver::reread`].
    fn reread(&self, port: usize, rows: &[Delta], out: &mut Emitter);

    /// As [`Driver::say_again`].
    fn say_again(&self, out: &mut Emitter);

    /// What it holds beside the kernel, between two epochs.
    fn save(&self, out: &mut SnapshotWriter<'_>) -> io::Result<()>;

    /// Reads what [`Self::save`] wrote.
    fn load(&mut self, input: &mut SnapshotReader<'_>) -> Result<(), LoadError>;

    /// What it holds beside the kernel.
    fn state_bytes(&self) -> usize;
}

/// A kernel with what connects it to rows.
pub(crate) struct Driven<A: Adapter> {
    kernel: A::Kernel,
    adapter: A,
    /// What has changed as it was measured, until it is followed.
    measured: Option<Measured<A::Kernel>>,
    output: <A::Kernel as Kernel>::Output,
    asked: Asked,
    /// By how much rows may be off what the kernel put out: it is part of every bound.
    rounding: f64,
    /// Rows of the output that are said.
    n_said: usize,
}

impl<A: Adapter> Driven<A> {
    /// A kernel without rows.
    pub(crate) fn new(kernel: A::Kernel, adapter: A) -> Self {
        let (output, asked) = Default::default();
        Self { kernel, adapter, measured: None, output, asked, rounding: 0.0, n_said: 0 }
    }

    /// What has changed since the last step.
    fn measure(&mut self) -> Measured<A::Kernel> {
        match self.measured.take() {
            Some(measured) if !self.adapter.has_changed() => measured,
            before => {
                let n_lost = before.map_or(0, |measured| measured.churn().n_changed);
                assert!(n_lost == 0, "{n_lost} changes were measured and are not followed");
                let delta = self.adapter.take();
                self.kernel.measure(delta).expect("the adapter lets through what fits")
            }
        }
    }
}

impl<A: Adapter<Kernel: Kernel<Output: Send>>> Driver for Driven<A> {
    fn prepared(&self) -> Option<Address> {
        self.kernel.prepared()
    }

    fn change(&mut self, port: usize, key: &PackedRow, rows: &[Delta], out: &mut Emitter) {
        self.adapter.change(port, key, rows, out);
    }

    fn ask(&mut self, key: &PackedRow, rows: &[Delta], out: &mut Emitter) {
        if self.asked.change(key, rows) {
            self.adapter.hush(key, out);
        }
    }

    fn has_changed(&self) -> bool {
        self.adapter.has_changed()
    }

    fn is_asked(&self) -> bool {
        self.asked.has_new()
    }

    fn churn(&mut self) -> Churn {
        let measured = self.measure();
        let churn = *measured.churn();
        self.measured = Some(measured);
        churn
    }

    fn predict(&self, mode: Mode, churn: &Churn, emit: Emit) -> Option<Prediction> {
        // Rounding is the same in every mode, so it says nothing for or against one.
        self.kernel.predict(mode, churn, emit)
    }

    fn begin(&mut self, mode: Mode, emit: Emit, error_max: f64) {
        let delta = self.measure();
        let error_max = (error_max - self.rounding).max(0.0);
        self.kernel.begin(Step { delta, mode, emit, error_max });
    }

    fn advance(&mut self, work: u64) -> Poll<Report> {
        self.kernel.advance(work, &mut self.output).map(|mut report| {
            self.rounding = self.adapter.rounding(&self.output);
            report.error_max += self.rounding;
            report
        })
    }

    fn answer_work(&self, which: Questions) -> u64 {
        (self.asked.len(which) as u64).saturating_mul(self.adapter.answer_work())
    }

    fn answer(&mut self, which: Questions, is_wanted: &dyn Fn() -> bool) -> Option<(usize, f64)> {
        let keys = self.asked.take(which);
        let mut error_max = 0.0_f64;
        for keys in keys.chunks(ANSWERS_AT_ONCE) {
            if !is_wanted() {
                return None;
            }
            let keys = self.adapter.keys_of(keys);
            error_max = error_max.max(self.kernel.read(&keys, &mut self.output));
        }
        self.rounding = self.adapter.rounding(&self.output);
        Some((A::n_rows(&self.output), error_max + self.rounding))
    }

    fn say(&mut self, out: &mut Emitter) -> Poll<()> {
        let n_rows = A::n_rows(&self.output);
        let n_most = NUMBERS_AT_ONCE / (ROW_NUMBERS + self.adapter.width());
        let end = n_rows.min(self.n_said + n_most.max(1));
        self.adapter.say(&self.output, self.n_said..end, out);
        if end < n_rows {
            self.n_said = end;
            return Poll::Pending;
        }
        (self.output, self.n_said) = (Default::default(), 0);
        self.adapter.settle();
        Poll::Ready(())
    }

    fn refresh(&mut self, share: f64) {
        self.kernel.refresh(share);
    }

    fn reread(&self, port: usize, rows: &[Delta], out: &mut Emitter) {
        self.adapter.reread(port, rows, out);
    }

    fn say_again(&self, out: &mut Emitter) {
        self.adapter.say_again(out);
    }

    fn forget_new(&mut self) {
        self.asked.take(Questions::New);
    }

    fn save(&self, out: &mut SnapshotWriter<'_>) -> io::Result<()> {
        self.adapter.save(out)?;
        out.number("rounding", self.rounding)?;
        let mut state = Vec::new();
        self.kernel.save(&mut state)?;
        out.bytes("state", &state)
    }

    fn load(&mut self, input: &mut SnapshotReader<'_>) -> Result<(), LoadError> {
        self.adapter.load(input)?;
        self.rounding = input.number("rounding")?;
        let state = input.bytes("state")?;
        self.kernel = A::Kernel::load(&mut state.as_slice())?;
        Ok(())
    }

    fn state_bytes(&self) -> usize {
        self.kernel.state_bytes() + self.adapter.state_bytes() + self.asked.state_bytes()
    }
}
