//! Which mode a step takes: the cheapest of those that keep error and latency.
//!
//! The controller reads no clock and draws no numbers: what steps took comes in as arguments, and
//! each [`Decision`] is a value. Whoever replays a journal follows the decisions in it and needs no
//! controller, so the bits are the same however fast the machine is.

mod costs;

use std::io;

use crate::kernel::Prediction;
use crate::mode::{MODES, Mode};
use crate::snapshot::{LoadError, SnapshotReader, SnapshotWriter};

use costs::Costs;

/// What every step has to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Modes that may be taken.
    pub modes: Vec<Mode>,
    /// How far an output may be off; infinite for as far as it likes.
    pub error_max: f64,
    /// Seconds that a step may take; infinite for any.
    pub seconds_max: f64,
}

/// What one step should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The mode.
    pub mode: Mode,
    /// Why this one.
    pub reason: Reason,
    /// Whether part of the state should be computed anew after the step, when there is time.
    pub refresh: Refresh,
    /// Whether no mode keeps the limits.
    pub is_violated: bool,
}

/// Why a mode was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is the cheapest that keeps the limits, or not enough dearer to leave it.
    Cheapest,
    /// Another is cheaper now.
    Switched,
    /// It is timed anew.
    Timed,
    /// What drifted comes near to what is allowed.
    Drifted,
    /// Someone outside asked for it.
    External,
    /// None keeps the limits.
    Violated,
}

impl Reason {
    /// Its name in journals.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cheapest => "cheapest",
            Self::Switched => "switched",
            Self::Timed => "timed",
            Self::Drifted => "drifted",
            Self::External => "external",
            Self::Violated => "violated",
        }
    }
}

/// How much of the state to compute anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// Nothing.
    None,
    /// A share of [`REFRESH_SHARE`].
    Share,
}

/// The share of the state that is computed anew at a time.
pub const REFRESH_SHARE: f64 = 1.0 / 16.0;

/// Part of the allowed error from which the state is computed anew bit by bit.
const REFRESH_FROM: f64 = 0.5;

/// Part of the allowed error from which all of it is passed.
const PASS_FROM: f64 = 0.9;

/// How much dearer than the best a step counts at most, and by how much in all the present mode is
/// left: for what is 15 % better for two steps, or 5 % for six.
const EXCESS_MAX: f64 = 0.15;
const EXCESS_SUM: f64 = 0.3;

/// How much dearer the present mode is when it is left at once: where both were timed at this size,
/// and where not. Churn that swings from step to step would else be followed by no mode.
const EXCESS_AT_ONCE: f64 = 0.3;
const EXCESS_AT_ONCE_UNTIMED: f64 = 1.0;

/// Steps after which the next best is timed anew.
const TIMED_EVERY: u32 = 256;

/// Part of the time since, that timing the next best may cost more than the best.
const TIMED_SHARE: f64 = 0.02;

/// Chooses modes, and learns what they cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Controller {
    limits: Limits,
    costs: Costs,
    current: Mode,
    external: Option<Mode>,
    /// How much the best was better than the present mode, step after step.
    excess: f64,
    n_untimed: u32,
    seconds_untimed: f64,
}

impl Controller {
    /// One that knows no costs yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            costs: Costs::default(),
            current: Mode::Pass,
            external: None,
            excess: 0.0,
            n_untimed: 0,
            seconds_untimed: 0.0,
        }
    }

    /// Writes what it has learnt and where it stands, so that what is loaded goes on with the same
    /// decisions.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn save(&self, out: &mut SnapshotWriter<'_>) -> io::Result<()> {
        self.costs.save(out)?;
        let index = |mode: Option<Mode>| mode.map_or(u8::MAX, |mode| mode as u8);
        out.numbers("modes", [index(Some(self.current)), index(self.external)])?;
        out.number("untimed", self.n_untimed)?;
        out.numbers("seconds", [self.excess, self.seconds_untimed])
    }

    /// Reads what [`Controller::save`] wrote, to go on under these limits.
    ///
    /// # Errors
    /// [`LoadError`] if it is damaged or cut off.
    pub fn load(limits: Limits, input: &mut SnapshotReader<'_>) -> Result<Self, LoadError> {
        let costs = Costs::load(input)?;
        let mode = |index: u8| MODES.get(usize::from(index)).copied();
        let modes: Vec<u8> = input.array("modes", 2)?;
        let current = mode(modes[0]).ok_or(LoadError::Damaged { section: "modes" })?;
        let external = mode(modes[1]);
        let n_untimed = input.number("untimed")?;
        let seconds: Vec<f64> = input.array("seconds", 2)?;
        let [excess, seconds_untimed] = [seconds[0], seconds[1]];
        Ok(Self { limits, costs, current, external, excess, n_untimed, seconds_untimed })
    }

    /// Someone outside asks for a mode, or no more for one. One that may not be taken is not.
    pub fn ask(&mut self, mode: Option<Mode>) {
        self.external = mode;
    }

    /// What the next step should do, where these are the predictions for [`MODES`] in order.
    pub fn decide(&mut self, offers: &[Option<Prediction>; 3]) -> Decision {
        let decision = |mode, reason| Decision {
            mode,
            reason,
            refresh: self.refresh(offers[Mode::Itmd.index()]),
            is_violated: false,
        };
        let feasible: Vec<(Mode, f64)> = MODES
            .into_iter()
            .filter(|mode| self.limits.modes.contains(mode))
            .filter_map(|mode| {
                let offer = offers[mode.index()]?;
                let seconds = self.costs.seconds(mode, offer.work);
                let keeps = offer.error_max <= self.limits.error_max
                    && (seconds <= self.limits.seconds_max
                        || !self.costs.has_seen(mode, offer.work));
                keeps.then_some((mode, seconds))
            })
            .collect();
        let is_feasible = |mode| feasible.iter().any(|(found, _)| *found == mode);
        // Among those that may be taken: where `rr` may not, nothing says how far off it may be.
        if let Some(mode) = self.external
            && self.limits.modes.contains(&mode)
            && offers[mode.index()].is_some()
        {
            let is_violated = !is_feasible(mode);
            return Decision { is_violated, ..decision(mode, Reason::External) };
        }
        let Some((best, best_seconds)) =
            feasible.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))
        else {
            return Decision { is_violated: true, ..decision(Mode::Pass, Reason::Violated) };
        };
        let drift = offers[Mode::Itmd.index()].map_or(0.0, |offer| offer.error_max);
        if PASS_FROM * self.limits.error_max < drift && is_feasible(Mode::Pass) {
            return decision(Mode::Pass, Reason::Drifted);
        }
        if let Some(mode) = self.due(&feasible, best, best_seconds, offers) {
            self.n_untimed = 0;
            self.seconds_untimed = 0.0;
            let refresh = self.refresh(offers[Mode::Itmd.index()]);
            return Decision { mode, reason: Reason::Timed, refresh, is_violated: false };
        }
        let present = feasible.iter().find(|(mode, _)| *mode == self.current);
        let reason = match present {
            Some(_) if best == self.current => {
                self.excess = 0.0;
                Reason::Cheapest
            }
            Some((_, seconds)) => {
                let excess = seconds / best_seconds.max(f64::MIN_POSITIVE) - 1.0;
                self.excess += excess.min(EXCESS_MAX);
                let has_seen = |mode: Mode| {
                    offers[mode.index()].is_some_and(|it| self.costs.has_seen(mode, it.work))
                };
                let at_once = if has_seen(best) && has_seen(self.current) {
                    EXCESS_AT_ONCE
                } else {
                    EXCESS_AT_ONCE_UNTIMED
                };
                let is_left = at_once <= excess || EXCESS_SUM <= self.excess * 1.000_001;
                if is_left { Reason::Switched } else { Reason::Cheapest }
            }
            None => Reason::Switched,
        };
        if reason == Reason::Switched {
            self.current = best;
            self.excess = 0.0;
        }
        let refresh = self.refresh(offers[Mode::Itmd.index()]);
        Decision { mode: self.current, reason, refresh, is_violated: false }
    }

    /// What a step that was decided took: [`crate::Prediction::work`] of its mode, and seconds.
    pub fn observe(&mut self, mode: Mode, predicted_work: u64, seconds: f64) {
        self.costs.observe(mode, predicted_work, seconds);
        self.n_untimed = self.n_untimed.saturating_add(1);
        self.seconds_untimed += seconds;
    }

    fn refresh(&self, itmd: Option<Prediction>) -> Refresh {
        let drift = itmd.map_or(0.0, |offer| offer.error_max);
        if REFRESH_FROM * self.limits.error_max < drift { Refresh::Share } else { Refresh::None }
    }

    /// The next best mode, if its time has come and it is not dear.
    fn due(
        &self,
        feasible: &[(Mode, f64)],
        best: Mode,
        best_seconds: f64,
        offers: &[Option<Prediction>; 3],
    ) -> Option<Mode> {
        if self.n_untimed < TIMED_EVERY {
            return None;
        }
        let others = feasible.iter().filter(|(mode, _)| *mode != best && *mode != self.current);
        let (mode, seconds) = others
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .copied()
            .or_else(|| feasible.iter().find(|(mode, _)| *mode != self.current).copied())?;
        let work = offers[mode.index()]?.work;
        // What was never timed at this size may take longer than it seems.
        let is_known = self.costs.has_seen(mode, work) || !self.limits.seconds_max.is_finite();
        let is_cheap = seconds - best_seconds <= TIMED_SHARE * self.seconds_untimed;
        (is_known && is_cheap).then_some(mode)
    }
}

/// All reasons.
pub const REASONS: [Reason; 6] = [
    Reason::Cheapest,
    Reason::Switched,
    Reason::Timed,
    Reason::Drifted,
    Reason::External,
    Reason::Violated,
];
