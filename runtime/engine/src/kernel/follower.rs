//! A kernel and how it chooses to follow: all that a step needs, wherever it is done.

use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use arqon_kernels::{
    Controller, Decision, Emit, Limits, LoadError, MODES, Mode, Prediction, REFRESH_SHARE, Refresh,
    Report, SnapshotReader, SnapshotWriter,
};
use arqon_plan::{self as plan, KernelPlan};
use arqon_types::Float;

use super::asked::Questions;
use super::driver::Driver;
use super::journal::Decided;
use super::{Clock, Pace, mode_of};

/// A kernel with its controller.
pub(crate) struct Follower {
    pub(crate) driver: Box<dyn Driver>,
    controller: Controller,
    limits: Limits,
    pace: Pace,
    address: Arc<str>,
    emit: Emit,
    error_max: f64,
}

/// How a step is to be done, and what it was predicted to come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Chosen {
    pub(crate) decision: Decision,
    predicted: Option<Prediction>,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stepped {
    pub(crate) report: Report,
    pub(crate) decision: Decision,
    /// How long it took, where a clock is read.
    pub(crate) spent: Duration,
    pub(crate) is_refreshed: bool,
}

/// What a step came to; none of an epoch without one.
pub(crate) type Came = Option<Stepped>;

impl Chosen {
    /// Units of work that are ahead.
    pub(crate) fn work(&self) -> u64 {
        self.predicted.map_or(0, |predicted| predicted.work)
    }
}

impl Follower {
    /// A kernel that has no rows yet.
    pub(crate) fn new(
        plan: &KernelPlan,
        driver: Box<dyn Driver>,
        (address, pace): (Arc<str>, Pace),
    ) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a limit in seconds")]
        let seconds_max = plan.latency_nanos.map_or(f64::INFINITY, |nanos| nanos as f64 * 1e-9);
        let error_max = plan.error_bound.map_or(f64::INFINITY, Float::get);
        let modes = plan.modes.iter().map(|mode| mode_of(*mode)).collect();
        let limits = Limits { modes, error_max, seconds_max };
        let controller = Controller::new(limits.clone());
        Self { driver, controller, limits, pace, address, emit: emit_of(plan.emit), error_max }
    }

    /// From now on it chooses by this.
    pub(crate) fn go_by(&mut self, pace: &Pace) {
        self.pace = pace.clone();
    }

    /// Writes the kernel, its rows, and what the controller has learnt.
    pub(crate) fn save(&self, out: &mut SnapshotWriter<'_>) -> io::Result<()> {
        self.driver.save(out)?;
        self.controller.save(out)
    }

    /// Reads what [`Self::save`] wrote of the same step.
    pub(crate) fn load(&mut self, input: &mut SnapshotReader<'_>) -> Result<(), LoadError> {
        self.driver.load(input)?;
        self.controller = Controller::load(self.limits.clone(), input)?;
        Ok(())
    }

    /// Decides how to follow what has changed. Cost: O(size of the change).
    pub(crate) fn choose(&mut self, asked: Option<Mode>, epoch: u64) -> Chosen {
        self.controller.ask(asked);
        let offers = self.offers();
        let decision = self.decide(&offers, epoch);
        Chosen { decision, predicted: offers[decision.mode.index()] }
    }

    /// About how much work it is to answer what is asked for, after a step or without one.
    pub(crate) fn answer_work(&self, chosen: Option<&Chosen>) -> u64 {
        match self.emit {
            Emit::Pull => self.driver.answer_work(questions(chosen)),
            Emit::Changed | Emit::All | Emit::Eps(_) => 0,
        }
    }

    /// Follows what has changed, if anything has, and answers what is asked for; nothing once that
    /// `is_wanted` no more.
    pub(crate) fn go_on(
        &mut self,
        chosen: Option<Chosen>,
        is_wanted: impl Fn() -> bool,
    ) -> Option<Came> {
        let Some(chosen) = chosen else {
            self.driver.answer(Questions::New, &is_wanted)?;
            return Some(None);
        };
        Some(Some(self.step(chosen, is_wanted)?))
    }

    fn step(&mut self, chosen: Chosen, is_wanted: impl Fn() -> bool) -> Option<Stepped> {
        let Chosen { decision, predicted } = chosen;
        let now = || self.pace.clock.map_or(Duration::ZERO, |Clock(now)| now());
        let start = now();
        self.driver.begin(decision.mode, self.emit, self.error_max);
        let mut report = loop {
            match self.driver.advance(WORK_AT_ONCE) {
                Poll::Ready(report) => break report,
                Poll::Pending if !is_wanted() => return None,
                Poll::Pending => {}
            }
        };
        let mut spent = now().saturating_sub(start);
        if let Some(predicted) = predicted {
            let seconds =
                self.pace.clock.map_or_else(|| counted(report.work), |_| spent.as_secs_f64());
            self.controller.observe(decision.mode, predicted.work, seconds);
        }
        if self.emit == Emit::Pull {
            let (n_answers, error_max) = self.driver.answer(Questions::All, &is_wanted)?;
            report.n_emitted = n_answers;
            report.error_max = report.error_max.max(error_max);
            spent = now().saturating_sub(start);
        }
        let is_refreshed = decision.refresh == Refresh::Share && self.refresh();
        // Of the error what came of it counts, whatever was predicted. Of the latency what was
        // predicted does: it stands in the journal, so a replay says the same.
        let is_exact = predicted.is_none_or(|predicted| predicted.error_max <= self.error_max);
        let is_late = decision.is_violated && is_exact;
        let is_violated = is_late || self.error_max < report.error_max;
        let decision = Decision { is_violated, ..decision };
        Some(Stepped { report, decision, spent, is_refreshed })
    }

    /// What is predicted of each mode.
    fn offers(&mut self) -> [Option<Prediction>; 3] {
        let churn = self.driver.churn();
        MODES.map(|mode| self.driver.predict(mode, &churn, self.emit))
    }

    /// As the journal has it, or else as the controller says.
    fn decide(&mut self, offers: &[Option<Prediction>; 3], epoch: u64) -> Decision {
        // The controller decides in either case, so that it goes on from there as it would have.
        let decision = self.controller.decide(offers);
        let Some(journal) = &self.pace.journal else { return decision };
        let known = journal.known(epoch, &self.address);
        // A journal of other inputs may ask for what this kernel cannot do now, and one of another
        // circuit for what it may not.
        let may = |mode: Mode| mode == Mode::Pass || self.limits.modes.contains(&mode);
        let can = |mode: Mode| may(mode) && offers[mode.index()].is_some();
        if let Some(known) = known.filter(|known| can(known.mode)) {
            return known;
        }
        journal.add(Decided { epoch, kernel: Arc::clone(&self.address), decision });
        decision
    }

    /// Computes part of the state anew, about a millisecond's.
    fn refresh(&mut self) -> bool {
        let Some(pass) = self.offers()[Mode::Pass.index()] else { return false };
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = REFRESH_WORK as f64 / pass.work.max(1) as f64;
        self.driver.refresh(share.min(REFRESH_SHARE));
        true
    }
}

fn questions(chosen: Option<&Chosen>) -> Questions {
    if chosen.is_some() { Questions::All } else { Questions::New }
}

/// Work between two looks at whether the step is wanted: so much that products of matrices are not
/// cut smaller than is good for them.
const WORK_AT_ONCE: u64 = 1 << 36;

/// Work of computing a part of the state anew.
const REFRESH_WORK: u64 = 1 << 20;

/// Seconds that work is counted as where no clock is read: a nanosecond for each unit.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn counted(work: u64) -> f64 {
    work as f64 * 1e-9
}

fn emit_of(emit: plan::Emit) -> Emit {
    match emit {
        plan::Emit::Changed => Emit::Changed,
        plan::Emit::Pull => Emit::Pull,
        plan::Emit::All => Emit::All,
        plan::Emit::Eps(eps) => Emit::Eps(eps.get()),
    }
}
