//! A kernel as a hash operator.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arqon_kernels::Mode;
use arqon_plan::{ControlPlan, KernelPlan};
use arqon_types::{PackedRow, Schema, Type, Value};

use super::crew::{Away, Crew};
use super::follower::{Came, Follower, Stepped};
use super::measured::{Outcome, Teller};
use super::saved::{Kept, SavedKernel};
use super::{Means, Pace, driver, mode_of};
use crate::deltas::Delta;
use crate::emitter::Emitter;
use crate::memory;
use crate::sorted::change_tree;
use crate::stateful::KeyLogic;

/// Bytes of changes that are taken before the worker turns to other operators, some tenths of a
/// millisecond; and that may be measured where they are.
pub(crate) const BYTES_AT_ONCE: usize = 1 << 17;

/// Work that is done where the rows are: less than sending it to the crew and back would take.
const WORK_HERE: u64 = 1 << 17;

/// A kernel with `N` inputs: its ports, then who asks for rows, then who asks for modes.
pub(crate) struct KernelLogic<const N: usize>(Rc<RefCell<Stead>>);

/// A kernel's step on a worker, whether the kernel is there or not.
pub(crate) struct Stead {
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
    /// The epoch up to which the kernel has taken all changes before this dataflow began.
    kept_to: Option<u64>,
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
    /// With the crew, which does a step; nothing came of it if nobody wanted it any more.
    Away(Away<(Box<Follower>, Option<Came>)>),
    /// Here, and what has changed is being said.
    Saying(Box<Follower>, Came),
}

impl<const N: usize> KernelLogic<N> {
    /// A kernel that has no rows yet, or goes on from what was kept; `inputs` are the rows of its
    /// inputs.
    pub(crate) fn new(
        plan: &KernelPlan,
        (inputs, output): (&[&Schema], &Schema),
        (mut teller, kept): (Option<Teller>, Option<Kept>),
        (address, means): (Arc<str>, Means),
    ) -> Self {
        let control = plan.control.clone().map(|plan| Control {
            plan,
            types: inputs.last().map(|schema| schema.types()).unwrap_or_default(),
            rows: BTreeMap::new(),
        });
        let inputs = inputs.iter().copied().cloned().collect();
        let kept_to = kept.as_ref().map(|kept| kept.epoch);
        let mut kernel = Whereabouts::Elsewhere;
        if let Some(Kept { mut follower, told, .. }) = kept {
            follower.go_by(&means.pace);
            kernel = Whereabouts::Here(follower);
            if let Some(teller) = &mut teller {
                teller.take(told);
            }
        }
        Self(Rc::new(RefCell::new(Stead {
            plan: plan.clone(),
            shape: Shape { inputs, output: output.clone() },
            pace: means.pace,
            crew: means.crew,
            address,
            control,
            teller,
            kernel,
            n_bytes: 0,
            kept_to,
        })))
    }

    /// The kernel's step, for who saves it.
    pub(crate) fn stead(&self) -> Rc<RefCell<Stead>> {
        Rc::clone(&self.0)
    }
}

impl Stead {
    /// What the step holds when an epoch has ended; nothing where the kernel is not here.
    pub(crate) fn save(&self) -> Option<SavedKernel> {
        let follower = match &self.kernel {
            Whereabouts::Here(follower) => follower,
            Whereabouts::Elsewhere => return None,
            Whereabouts::Away(_) | Whereabouts::Saying(..) => {
                panic!("`{}` is saved when its epochs have ended", self.address)
            }
        };
        let told = self.teller.as_ref().map(Teller::standing).unwrap_or_default();
        Some(SavedKernel::new(&self.address, follower, &told))
    }

    /// The kernel, which comes here with its first rows.
    fn here(&mut self) -> &mut Follower {
        if matches!(self.kernel, Whereabouts::Elsewhere) {
            let inputs: Vec<&Schema> = self.shape.inputs.iter().collect();
            let driver = driver(&self.plan, &inputs, &self.shape.output)
                .expect("a dataflow starts with kernels that can be compiled");
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

    fn update(&mut self, key: &PackedRow, deltas: &[&[Delta]], out: &mut Emitter) {
        let n_ports = self.plan.ports.len();
        let n_asked = n_ports + usize::from(self.plan.asked.is_some());
        if let Some(control) = &mut self.control {
            change_tree(&mut control.rows, deltas[n_asked]);
        }
        let row_bytes = |((_, row), _): &Delta| row.as_bytes().len();
        self.n_bytes += deltas[..n_ports].iter().copied().flatten().map(row_bytes).sum::<usize>();
        let is_known = self.kept_to.is_some_and(|kept_to| out.epoch() <= kept_to);
        let driver = &mut self.here().driver;
        for (port, rows) in deltas[..n_ports].iter().enumerate().filter(|(_, it)| !it.is_empty()) {
            if is_known {
                driver.reread(port, rows, out);
            } else {
                driver.change(port, key, rows, out);
            }
        }
        for rows in deltas[n_ports..n_asked].iter().filter(|rows| !rows.is_empty()) {
            driver.ask(key, rows, out);
        }
    }

    fn settle(&mut self, context: &Context<'_>, out: &mut Emitter) -> Poll<()> {
        if let Some(kept_to) = self.kept_to.filter(|kept_to| out.epoch() <= *kept_to) {
            self.say_again(kept_to, out);
            return Poll::Ready(());
        }
        loop {
            let kernel = std::mem::replace(&mut self.kernel, Whereabouts::Elsewhere);
            self.kernel = match kernel {
                Whereabouts::Here(follower)
                    if follower.driver.has_changed() || follower.driver.is_asked() =>
                {
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
                    Poll::Ready((follower, came)) => {
                        let came = came.expect("it was wanted until it came");
                        Whereabouts::Saying(follower, came)
                    }
                },
                Whereabouts::Saying(mut follower, came) => {
                    if follower.driver.say(out).is_pending() {
                        self.kernel = Whereabouts::Saying(follower, came);
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    if let Some(stepped) = came {
                        self.tell(&stepped, out);
                    }
                    Whereabouts::Here(follower)
                }
            };
        }
    }

    /// Of the epochs before this dataflow began all that came is taken; in the last of them what
    /// was said of them is said again, as a whole.
    fn say_again(&mut self, kept_to: u64, out: &mut Emitter) {
        self.n_bytes = 0;
        let Whereabouts::Here(follower) = &mut self.kernel else { return };
        follower.driver.forget_new();
        if out.epoch() == kept_to {
            follower.driver.say_again(out);
            if let Some(teller) = &self.teller {
                teller.tell_again(out);
            }
        }
    }

    /// Begins a step, here or with the crew.
    fn begin(
        &mut self,
        mut follower: Box<Follower>,
        (context, epoch): (&Context<'_>, u64),
    ) -> Whereabouts {
        let asked = self.asked();
        let is_small = std::mem::take(&mut self.n_bytes) <= BYTES_AT_ONCE;
        // Who only asks for answers moves nothing on.
        let steps = follower.driver.has_changed();
        let chosen = (steps && is_small).then(|| follower.choose(asked, epoch));
        let work = chosen.map_or(0, |chosen| chosen.work());
        let work = work.saturating_add(follower.answer_work(chosen.as_ref()));
        let is_short = is_small && work <= WORK_HERE;
        let choose = move |follower: &mut Follower| {
            chosen.or_else(|| steps.then(|| follower.choose(asked, epoch)))
        };
        let Some(crew) = self.crew.as_ref().filter(|_| !is_short) else {
            let chosen = choose(&mut follower);
            let came = follower.go_on(chosen, || true).expect("it is wanted to the end");
            return Whereabouts::Saying(follower, came);
        };
        Whereabouts::Away(crew.send(context.waker().clone(), move |wish| {
            let chosen = choose(&mut follower);
            let came = follower.go_on(chosen, || wish.stands());
            (follower, came)
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

    fn state_bytes(&self) -> i64 {
        let n_bytes = match &self.kernel {
            Whereabouts::Here(follower) | Whereabouts::Saying(follower, _) => {
                follower.driver.state_bytes()
            }
            Whereabouts::Elsewhere | Whereabouts::Away(_) => 0,
        };
        memory::signed(n_bytes)
    }
}

impl<const N: usize> KeyLogic<N> for KernelLogic<N> {
    fn opens(&self) -> Option<u64> {
        self.0.borrow().kept_to
    }

    fn bytes_at_once(&self) -> usize {
        BYTES_AT_ONCE
    }

    fn update(&mut self, key: &PackedRow, deltas: [&[Delta]; N], out: &mut Emitter) {
        self.0.borrow_mut().update(key, &deltas, out);
    }

    fn settle(&mut self, context: &mut Context<'_>, out: &mut Emitter) -> Poll<()> {
        self.0.borrow_mut().settle(context, out)
    }

    fn state_bytes(&self) -> Option<i64> {
        Some(self.0.borrow().state_bytes())
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
