//! A kernel as a hash operator.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arqon_kernels::Mode;
use arqon_plan::{ControlPlan, KernelPlan};
use arqon_types::{PackedRow, Schema, Type, Value};

use super::crew::{Away, Crew};
use super::follower::{Follower, Stepped};
use super::measured::{Outcome, Teller};
use super::{Means, Pace, driver, mode_of};
use crate::deltas::Delta;
use crate::memory;
use crate::stateful::{Emitter, KeyLogic};
use crate::top::change_tree;

/// Bytes of changes that are taken before the worker turns to other operators, some tenths of a
/// millisecond; and that may be measured where they are.
pub(crate) const BYTES_AT_ONCE: usize = 1 << 17;

/// Work that is done where the rows are: less than sending it to the crew and back would take.
const WORK_HERE: u64 = 1 << 17;

/// A kernel with `N` inputs, the last of which may be its control's.
pub(crate) struct KernelLogic<const N: usize> {
    plan: KernelPlan,
    shape: Shape,
    pace: Pace,
    crew: Option<Crew>,
    address: Arc<str>,
    control: Option<Control>,
    teller: Option<Teller>,
    kernel: Whereabouts,
    /// Rows of changes in the epoch, in bytes.
    n_bytes: usize,
}

/// The rows around a kernel.
struct Shape {
    inputs: Vec<Schema>,
    output: Schema,
}

/// Who asks for modes, and the rows that do: of several the greatest counts.
struct Control {
    plan: ControlPlan,
    types: Vec<Type>,
    rows: BTreeMap<PackedRow, i64>,
}

/// Where the kernel is.
enum Whereabouts {
    /// Not on this worker, which has no rows of it.
    Elsewhere,
    /// Here, and changes come.
    Here(Box<Follower>),
    /// With the crew, which does a step; without one if nobody wanted it any more.
    Away(Away<(Box<Follower>, Option<Stepped>)>),
    /// Here, and what a step has changed is being said.
    Saying(Box<Follower>, Stepped),
}

impl<const N: usize> KernelLogic<N> {
    /// A kernel that has no rows yet; `inputs` are the rows of its inputs.
    pub(crate) fn new(
        plan: &KernelPlan,
        (inputs, output): (&[&Schema], &Schema),
        teller: Option<Teller>,
        (address, means): (Arc<str>, Means),
    ) -> Self {
        let control = plan.control.clone().map(|plan| Control {
            plan,
            types: inputs.last().map(|schema| schema.types()).unwrap_or_default(),
            rows: BTreeMap::new(),
        });
        let inputs = inputs.iter().copied().cloned().collect();
        Self {
            plan: plan.clone(),
            shape: Shape { inputs, output: output.clone() },
            pace: means.pace,
            crew: means.crew,
            address,
            control,
            teller,
            kernel: Whereabouts::Elsewhere,
            n_bytes: 0,
        }
    }

    /// The kernel, which comes here with its first rows.
    fn here(&mut self) -> &mut Follower {
        if matches!(self.kernel, Whereabouts::Elsewhere) {
            let inputs: Vec<&Schema> = self.shape.inputs.iter().collect();
            let driver = driver(&self.plan, &inputs, &self.shape.output)
                .expect("a dataflow starts with kernels that compile");
            let named = (Arc::clone(&self.address), self.pace.clone());
            let follower = Follower::new(&self.plan, driver, named);
            self.kernel = Whereabouts::Here(Box::new(follower));
        }
        match &mut self.kernel {
            Whereabouts::Here(follower) => follower,
            _ => panic!("an epoch begins when the one before has settled"),
        }
    }

    /// The mode that is asked for, if one is.
    fn asked(&self) -> Option<Mode> {
        let control = self.control.as_ref()?;
        let (row, _) = control.rows.iter().rev().find(|(_, n)| **n > 0)?;
        let Value::Enum(label) = row.unpack(&control.types).0[control.plan.column] else {
            return None;
        };
        let asked = control.plan.modes.get(usize::try_from(label).ok()?)?;
        asked.map(mode_of)
    }

    /// Begins a step, here or with the crew.
    fn begin(
        &mut self,
        mut follower: Box<Follower>,
        (context, epoch): (&Context<'_>, u64),
    ) -> Whereabouts {
        let asked = self.asked();
        let is_small = std::mem::take(&mut self.n_bytes) <= BYTES_AT_ONCE;
        let chosen = is_small.then(|| follower.choose(asked, epoch));
        let is_short = chosen.is_some_and(|chosen| chosen.work() <= WORK_HERE);
        let Some(crew) = self.crew.as_ref().filter(|_| !is_short) else {
            let chosen = chosen.unwrap_or_else(|| follower.choose(asked, epoch));
            let stepped = follower.step(chosen, || true).expect("it is wanted to the end");
            return Whereabouts::Saying(follower, stepped);
        };
        Whereabouts::Away(crew.send(context.waker().clone(), move |wish| {
            let chosen = chosen.unwrap_or_else(|| follower.choose(asked, epoch));
            let stepped = follower.step(chosen, || wish.stands());
            (follower, stepped)
        }))
    }

    /// Tells what a step came to.
    fn tell(&mut self, stepped: &Stepped, out: &mut Emitter) {
        let Stepped { report, decision, spent, is_refreshed } = *stepped;
        out.counts.touched += report.churn.n_changed as u64;
        if let Some(teller) = &mut self.teller {
            let outcome = Outcome {
                epoch: out.epoch(),
                mode: report.mode,
                churn: report.churn,
                n_emitted: report.n_emitted,
                error_max: report.error_max,
                latency_nanos: nanoseconds(spent),
                is_refreshed: report.is_refreshed || is_refreshed,
                is_violated: decision.is_violated,
            };
            teller.tell(&outcome, out);
        }
    }
}

impl<const N: usize> KeyLogic<N> for KernelLogic<N> {
    fn bytes_at_once(&self) -> usize {
        BYTES_AT_ONCE
    }

    fn update(&mut self, key: &PackedRow, deltas: [&[Delta]; N], out: &mut Emitter) {
        let n_ports = self.plan.ports.len();
        if let Some(control) = &mut self.control {
            change_tree(&mut control.rows, deltas[n_ports]);
        }
        let row_bytes = |((_, row), _): &Delta| row.as_bytes().len();
        self.n_bytes += deltas[..n_ports].iter().copied().flatten().map(row_bytes).sum::<usize>();
        let driver = &mut self.here().driver;
        for (port, rows) in deltas[..n_ports].iter().enumerate().filter(|(_, it)| !it.is_empty()) {
            driver.change(port, key, rows, out);
        }
    }

    fn settle(&mut self, context: &mut Context<'_>, out: &mut Emitter) -> Poll<()> {
        loop {
            let kernel = std::mem::replace(&mut self.kernel, Whereabouts::Elsewhere);
            self.kernel = match kernel {
                Whereabouts::Here(follower) if follower.driver.has_changed() => {
                    self.begin(follower, (context, out.epoch()))
                }
                Whereabouts::Elsewhere | Whereabouts::Here(_) => {
                    self.kernel = kernel;
                    self.n_bytes = 0;
                    return Poll::Ready(());
                }
                Whereabouts::Away(away) => match away.poll() {
                    Poll::Pending => {
                        self.kernel = Whereabouts::Away(away);
                        return Poll::Pending;
                    }
                    Poll::Ready((follower, stepped)) => {
                        let stepped = stepped.expect("it was wanted until it came");
                        Whereabouts::Saying(follower, stepped)
                    }
                },
                Whereabouts::Saying(mut follower, stepped) => {
                    if follower.driver.say(out).is_pending() {
                        self.kernel = Whereabouts::Saying(follower, stepped);
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    self.tell(&stepped, out);
                    Whereabouts::Here(follower)
                }
            };
        }
    }

    fn state_bytes(&self) -> Option<i64> {
        let n_bytes = match &self.kernel {
            Whereabouts::Here(follower) | Whereabouts::Saying(follower, _) => {
                follower.driver.state_bytes()
            }
            Whereabouts::Elsewhere | Whereabouts::Away(_) => 0,
        };
        Some(memory::signed(n_bytes))
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
