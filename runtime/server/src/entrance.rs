//! The way into the hub: whoever brings something sees to it, if nobody else is in there.
//!
//! To hand a message to a thread that sleeps costs more than most messages do. So a session's
//! thread brings its frames in and feeds the engine, and an engine's thread brings out what its
//! epoch came to. Either stays for a short piece of work alone. What is more than that, or has to
//! be waited for, is left to the hub's own thread: epochs behind others, ticks, commands, and
//! circuits that come and go.
//!
//! **Invariant:** nobody but the hub's own thread waits to get in. One who finds somebody in there
//! has left word before, and whoever comes out looks for it. An engine's thread feeds no engine: it
//! might wait for room that it alone can make.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Weak};
use std::task::{Context, Waker};

use arqon_engine::Dataflow;
use arqon_shield::{Bell, ToBus};
use tokio::sync::{Mutex, MutexGuard, Notify, mpsc};

use crate::circuit::Told;
use crate::command::Command;
use crate::hub::Hub;

/// Frames that are handled before epochs are looked at again.
const FRAMES_PER_TURN: usize = 256;
/// Bytes of frames behind which one who comes in leaves the rest: a session's thread has other
/// sessions, and an engine's its circuit.
const VISIT_BYTES_MAX: usize = 16 << 10;

/// The ears of the hub.
pub(crate) struct Ears {
    edge: mpsc::Receiver<ToBus>,
    /// Messages of the edge that were taken from the queue and not handled yet.
    taken: VecDeque<ToBus>,
    /// Emptied.
    batch: Vec<ToBus>,
    engines: mpsc::UnboundedReceiver<Told>,
}

/// Whether all was heard that had been said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    All,
    /// More waits.
    Some,
}

impl Ears {
    /// Ears for the edge and for engines.
    pub(crate) fn new(edge: mpsc::Receiver<ToBus>, engines: mpsc::UnboundedReceiver<Told>) -> Self {
        let batch = Vec::with_capacity(FRAMES_PER_TURN);
        Self { edge, taken: VecDeque::new(), batch, engines }
    }

    /// Hears what has been said, until its frames have more than so many bytes.
    fn hear(&mut self, hub: &mut Hub, n_bytes_max: usize) -> Heard {
        while let Ok(told) = self.engines.try_recv() {
            hub.hear_engine(told);
        }
        if self.taken.is_empty() {
            // All at once, so that whoever waits for room is woken once. Nobody is to be woken for
            // what comes: they ring.
            let mut ctx = Context::from_waker(Waker::noop());
            let take = self.edge.recv_many(&mut self.batch, FRAMES_PER_TURN);
            let _ = Box::pin(tokio::task::unconstrained(take)).as_mut().poll(&mut ctx);
            self.taken.extend(self.batch.drain(..));
        }
        let is_full = self.taken.len() == FRAMES_PER_TURN;
        let mut n_bytes = 0;
        while n_bytes <= n_bytes_max {
            let Some(message) = self.taken.pop_front() else { break };
            if let ToBus::Frame { bytes, .. } = &message {
                n_bytes += bytes.len();
            }
            hub.hear(message);
        }
        if is_full || !self.taken.is_empty() { Heard::Some } else { Heard::All }
    }
}

/// Who comes in beside the hub's own thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visitor {
    /// A session's thread.
    Session,
    /// An engine's thread.
    Engine,
}

/// What one who comes in leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    /// Something that the hub's own thread is to see to.
    Work,
}

/// What the hub's own thread wakes for by itself.
#[derive(Debug, Clone, Copy, Default)]
struct Rest {
    takes_commands: bool,
    tick: Option<i64>,
}

/// The hub, and what comes for it.
pub(crate) struct Inside {
    pub(crate) hub: Hub,
    ears: Ears,
    rest: Rest,
    /// Whether the last one in there has come out again; else it has panicked.
    is_sound: bool,
    panic: Option<Box<dyn Any + Send>>,
}

/// The way in.
pub(crate) struct Entrance {
    inside: Mutex<Inside>,
    /// Something has come since somebody last began to look.
    has_word: AtomicBool,
    /// Wakes the hub's own thread.
    thread: Notify,
}

impl Entrance {
    /// The way to a hub, which may hold an end of it.
    pub(crate) fn new(ears: Ears, hub: impl FnOnce(&Weak<Self>) -> Hub) -> Arc<Self> {
        Arc::new_cyclic(|entrance| {
            let (hub, rest, is_sound, panic) = (hub(entrance), Rest::default(), true, None);
            let inside = Mutex::new(Inside { hub, ears, rest, is_sound, panic });
            Self { inside, has_word: AtomicBool::new(false), thread: Notify::new() }
        })
    }

    /// What engines ring.
    pub(crate) fn engine_bell(entrance: &Weak<Self>) -> Arc<dyn Fn() + Send + Sync> {
        let entrance = Weak::clone(entrance);
        Arc::new(move || {
            if let Some(entrance) = entrance.upgrade() {
                entrance.visit(Visitor::Engine);
            }
        })
    }

    /// What sessions ring.
    pub(crate) fn edge_bell(entrance: &Arc<Self>) -> Bell {
        let entrance = Arc::downgrade(entrance);
        Arc::new(move |n_bytes| match entrance.upgrade() {
            Some(entrance) if n_bytes <= VISIT_BYTES_MAX => entrance.visit(Visitor::Session),
            Some(entrance) => entrance.call(),
            // A hub that is gone has ended, and its sessions are about to.
            None => {}
        })
    }

    /// Leaves what has come to the hub's own thread.
    fn call(&self) {
        self.has_word.store(true, Ordering::SeqCst);
        self.thread.notify_one();
    }

    /// Leaves word that something has come, and goes in unless somebody is there.
    fn visit(&self, visitor: Visitor) {
        self.has_word.store(true, Ordering::SeqCst);
        // Either this sees that nobody is in there, or whoever is sees the word as it comes out.
        fence(Ordering::SeqCst);
        loop {
            let Ok(mut inside) = self.inside.try_lock() else { return };
            self.has_word.store(false, Ordering::SeqCst);
            let left = inside.receive(visitor);
            drop(inside);
            if left == Left::Work {
                return self.thread.notify_one();
            }
            if !self.is_word_left() {
                return;
            }
        }
    }

    /// Whether something has come since the one who comes out now began to look.
    fn is_word_left(&self) -> bool {
        fence(Ordering::SeqCst);
        self.has_word.load(Ordering::SeqCst)
    }

    /// Runs the hub until the server ends, and hands the engines back.
    ///
    /// # Panics
    /// If somebody in there has.
    pub(crate) async fn run(
        self: Arc<Self>,
        mut commands: mpsc::Receiver<Command>,
    ) -> Vec<Dataflow> {
        let _last = Last(&self);
        let mut waiting = None;
        loop {
            let mut inside = self.inside.lock().await;
            if let Some(panic) = inside.panic.take() {
                drop(inside);
                resume_unwind(panic);
            }
            if !inside.hub.is_open() {
                return run_out(inside, commands, waiting).await;
            }
            self.has_word.store(false, Ordering::SeqCst);
            inside.is_sound = false;
            let Inside { hub, ears, .. } = &mut *inside;
            let heard = ears.hear(hub, usize::MAX);
            hub.go_on();
            hub.welcome(&mut ears.engines).await;
            let is_next = hub.takes_commands();
            let obeyed = match waiting.take_if(|_| is_next) {
                Some(command) => {
                    hub.obey(command, &mut ears.engines).await;
                    true
                }
                None => false,
            };
            let takes_commands = hub.takes_commands();
            let sleep = hub.sleep();
            inside.rest = Rest { takes_commands, tick: inside.hub.next_tick() };
            inside.is_sound = true;
            drop(inside);
            if obeyed || heard == Heard::Some || self.is_word_left() {
                continue;
            }
            tokio::select! {
                biased;
                () = self.thread.notified() => {}
                command = commands.recv(), if takes_commands && waiting.is_none() => {
                    waiting = Some(command.unwrap_or(Command::Finish { code: 1001 }));
                }
                () = tokio::time::sleep(sleep.unwrap_or_default()), if sleep.is_some() => {}
            }
        }
    }
}

impl Inside {
    /// Does what is short of what has come.
    fn receive(&mut self, visitor: Visitor) -> Left {
        if !self.is_sound || !self.hub.is_open() || self.hub.arriving.is_some() {
            return Left::Work;
        }
        // An engine that has more to do goes on with it meanwhile.
        if visitor == Visitor::Engine && 1 < self.hub.under_way.len() {
            return Left::Work;
        }
        self.is_sound = false;
        match catch_unwind(AssertUnwindSafe(|| self.look(visitor))) {
            Ok(left) => {
                self.is_sound = true;
                left
            }
            // It is no fault of the thread that came in: the hub's own ends of it.
            Err(panic) => {
                self.panic = Some(panic);
                Left::Work
            }
        }
    }

    fn look(&mut self, visitor: Visitor) -> Left {
        let heard = self.ears.hear(&mut self.hub, VISIT_BYTES_MAX);
        // An engine without an epoch has room for one, so that nobody has to wait for it.
        let may_feed = self.hub.under_way.is_empty() && self.rest.takes_commands;
        if visitor == Visitor::Session && may_feed {
            self.hub.close_epochs();
        }
        if heard == Heard::Some || self.is_work_left() { Left::Work } else { Left::Nothing }
    }

    /// Whether the hub's own thread, which sleeps, has something to do.
    fn is_work_left(&self) -> bool {
        let Self { hub, rest, .. } = self;
        let is_due =
            || hub.next_tick().is_some_and(|tick| rest.tick.is_none_or(|awaited| tick < awaited));
        !hub.is_open()
            || hub.may_close_epoch() && hub.bus.has_input()
            || hub.may_pass_on()
            || hub.awaits_feedback()
            || !hub.changes.is_empty()
            || !rest.takes_commands && hub.takes_commands()
            || hub.repeats_tick()
            || is_due()
    }
}

/// From the first word of an end to the last: nobody else comes in any more.
async fn run_out(
    mut inside: MutexGuard<'_, Inside>,
    mut commands: mpsc::Receiver<Command>,
    mut waiting: Option<Command>,
) -> Vec<Dataflow> {
    let Inside { hub, ears, .. } = &mut *inside;
    let mut has_edge = true;
    for message in ears.taken.drain(..) {
        hub.hear(message);
    }
    loop {
        hub.go_on();
        hub.welcome(&mut ears.engines).await;
        if hub.is_done() {
            if let Some(shutdown) = hub.shutdown.take() {
                shutdown.shut_down(hub.ending.unwrap_or(1011));
            }
            if !has_edge && hub.ending.is_some() {
                return hub.give_up_engines();
            }
        }
        let takes_commands = hub.takes_commands();
        if let Some(command) = waiting.take_if(|_| takes_commands) {
            hub.obey(command, &mut ears.engines).await;
            continue;
        }
        let sleep = hub.sleep();
        tokio::select! {
            biased;
            told = ears.engines.recv() => {
                hub.hear_engine(told.expect("the hub holds an end of the line itself"));
            }
            n_frames = ears.edge.recv_many(&mut ears.batch, FRAMES_PER_TURN), if has_edge => {
                has_edge = n_frames > 0;
                for message in ears.batch.drain(..) {
                    hub.hear(message);
                }
            }
            command = commands.recv(), if takes_commands => {
                waiting = Some(command.unwrap_or(Command::Finish { code: 1001 }));
            }
            () = tokio::time::sleep(sleep.unwrap_or_default()), if sleep.is_some() => {}
        }
    }
}

/// The end of the hub's own thread, also by a panic: engines end here, and never on a thread of
/// their own that happens to come out last.
struct Last<'a>(&'a Entrance);

impl Drop for Last<'_> {
    fn drop(&mut self) {
        let mut inside = loop {
            // Whoever is in there is about to come out.
            match self.0.inside.try_lock() {
                Ok(inside) => break inside,
                Err(_) => std::thread::yield_now(),
            }
        };
        inside.is_sound = false;
        let arriving = inside.hub.arriving.take();
        let circuits = std::mem::take(&mut inside.hub.circuits);
        drop(inside);
        drop((arriving, circuits));
    }
}
