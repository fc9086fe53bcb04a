//! The book of a session: who waits for which answer, and where deliveries go.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arqon_proto::{Control, Credit, Envelope, ErrorFrame, Payload, Unsubscribe, Welcome};
use arqon_types::Epoch;
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot, watch};
use uuid::Uuid;

use crate::delivery::{Delivery, delivery_of, sub_of};
use crate::error::{Ending, Refusal, SessionError};
use crate::limits::REFUSALS_MAX;
use crate::message::Ack;
use crate::queue::Queue;
use crate::rows::Rows;

pub(crate) type Reply<T> = oneshot::Sender<Result<T, SessionError>>;

/// What the socket and the handles share.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) rows: Rows,
    pub(crate) welcome: Welcome,
    book: Mutex<Book>,
    /// The writer has credit to give back or a subscription to end.
    pub(crate) dues: Notify,
    /// The queue that the reader waits for has room.
    pub(crate) room: Notify,
    /// A frame came since the last ping.
    pub(crate) is_heard: AtomicBool,
    /// The reader waits for room, so that silence says nothing about the server.
    pub(crate) is_waiting: AtomicBool,
    pub(crate) is_over: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Book {
    waiting: BTreeMap<Uuid, Waiting>,
    subscriptions: BTreeMap<u64, Open>,
    last_sub: u64,
    /// Subscriptions that nobody reads any more, and the server is to be told.
    left: Vec<u64>,
    refusals: VecDeque<Refusal>,
    ending: Option<Ending>,
}

/// Who waits for an ack. The permit bounds how many do.
#[derive(Debug)]
pub(crate) enum Waiting {
    Message {
        reply: Reply<Ack>,
        permit: OwnedSemaphorePermit,
    },
    Member {
        batch: Uuid,
    },
    Batch {
        members: Vec<Uuid>,
        acks: BTreeMap<Uuid, Ack>,
        reply: Reply<Vec<Ack>>,
        permit: OwnedSemaphorePermit,
    },
}

#[derive(Debug)]
struct Open {
    /// The frame that asked for it: errors name it.
    asked: Uuid,
    topic: Arc<str>,
    /// It ends with its first snapshot, without a word from either side.
    is_once: bool,
    queue: Arc<Queue>,
    reply: Option<Reply<Epoch>>,
    is_left: bool,
}

/// What is asked with a subscription.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) asked: Uuid,
    pub(crate) topic: Arc<str>,
    pub(crate) is_once: bool,
    pub(crate) queue: Arc<Queue>,
    pub(crate) reply: Reply<Epoch>,
}

impl Session {
    pub(crate) fn new(rows: Rows, welcome: Welcome) -> Self {
        Self {
            rows,
            welcome,
            book: Mutex::default(),
            dues: Notify::new(),
            room: Notify::new(),
            is_heard: AtomicBool::new(true),
            is_waiting: AtomicBool::new(false),
            is_over: watch::Sender::new(false),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // No code that holds the lock can panic half way.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes who waits; all of them or, if one id waits already, none.
    pub(crate) fn await_acks(&self, waiting: Vec<(Uuid, Waiting)>) -> Result<(), SessionError> {
        let mut book = self.book();
        if let Some(ending) = &book.ending {
            return Err(SessionError::Ended(ending.clone()));
        }
        for (at, (id, _)) in waiting.iter().enumerate() {
            let is_twice = waiting[..at].iter().any(|(other, _)| other == id);
            if is_twice || book.waiting.contains_key(id) {
                return Err(SessionError::InFlight(*id));
            }
        }
        book.waiting.extend(waiting);
        Ok(())
    }

    /// Opens a subscription and returns its number.
    pub(crate) fn open(&self, asking: Asking) -> Result<u64, SessionError> {
        let Asking { asked, topic, is_once, queue, reply } = asking;
        let mut book = self.book();
        if let Some(ending) = &book.ending {
            return Err(SessionError::Ended(ending.clone()));
        }
        book.last_sub += 1;
        let sub = book.last_sub;
        let open = Open { asked, topic, is_once, queue, reply: Some(reply), is_left: false };
        book.subscriptions.insert(sub, open);
        Ok(sub)
    }

    /// Forgets a subscription that the server never heard of.
    pub(crate) fn forget(&self, sub: u64) {
        self.book().subscriptions.remove(&sub);
    }

    /// Nobody reads the subscription any more: the server is told, if it has confirmed it.
    pub(crate) fn leave(&self, sub: u64) {
        if self.book().leave(sub) {
            self.dues.notify_one();
        }
        self.room.notify_one();
    }

    /// Frames that are due without having been asked for.
    pub(crate) fn take_dues(&self) -> Vec<Envelope> {
        let mut book = self.book();
        let left = std::mem::take(&mut book.left).into_iter();
        let left = left.map(|sub| Control::Unsubscribe(Unsubscribe { sub }));
        let owed = book.subscriptions.iter().filter_map(|(sub, open)| {
            Some(Control::Credit(Credit { sub: *sub, add: open.queue.take_owed()? }))
        });
        left.chain(owed).map(Envelope::control).collect()
    }

    /// Refusals that answered no waiting request, oldest first.
    pub(crate) fn take_refusals(&self) -> Vec<Refusal> {
        std::mem::take(&mut self.book().refusals).into()
    }

    /// Takes one frame; returns the queue that has grown by it.
    pub(crate) fn take(&self, envelope: Envelope, n_bytes: usize) -> Option<Arc<Queue>> {
        self.is_heard.store(true, Ordering::Relaxed);
        match envelope.payload {
            Payload::Control(control) => {
                self.control(control);
                None
            }
            Payload::Delta(_)
            | Payload::Snapshot(_)
            | Payload::Upserts(_)
            | Payload::Row(_)
            | Payload::Null => self.deliver(envelope, n_bytes),
        }
    }

    fn deliver(&self, envelope: Envelope, n_bytes: usize) -> Option<Arc<Queue>> {
        let sub = sub_of(&envelope)?;
        let (queue, topic, is_once) = {
            let book = self.book();
            let open = book.subscriptions.get(&sub).filter(|open| !open.is_left)?;
            // A pattern delivers topics other than itself.
            let is_same = *open.topic == *envelope.topic;
            let topic = if is_same { open.topic.clone() } else { envelope.topic.as_str().into() };
            (open.queue.clone(), topic, open.is_once)
        };
        match delivery_of(envelope, topic, &self.rows) {
            Ok(None) => {}
            Ok(Some(delivery)) => {
                let is_over = is_once && delivery.ends_snapshot();
                queue.push(delivery, n_bytes);
                if is_over {
                    queue.end(None);
                    self.book().subscriptions.remove(&sub);
                }
            }
            Err(fault) => {
                queue.end(Some(fault));
                self.leave(sub);
            }
        }
        Some(queue)
    }

    fn control(&self, control: Control) {
        match control {
            Control::Ack(ack) => self.book().acknowledge(ack.into()),
            Control::Subscribed(subscribed) => {
                if self.book().confirm(subscribed.sub, Epoch(subscribed.epoch)) {
                    self.dues.notify_one();
                }
            }
            Control::Progress(progress) => {
                let mark = Delivery::Progress { upper: Epoch(progress.upper) };
                self.book().push(progress.sub, mark);
            }
            Control::Gap(gap) => {
                let hole = Delivery::Gap { after: gap.after, next: gap.next };
                self.book().push(gap.sub, hole);
            }
            Control::Error(error) => self.book().refuse(error),
            // What only a client says, and a second welcome, mean nothing here.
            Control::Hello(_)
            | Control::Welcome(_)
            | Control::Batch(_)
            | Control::Subscribe(_)
            | Control::Unsubscribe(_)
            | Control::Credit(_) => {}
        }
    }

    /// Why the session is over; asked once its task is.
    pub(crate) fn ending(&self) -> Ending {
        self.book().ending.clone().unwrap_or(Ending::Local)
    }

    /// Answers everybody who waits; the first ending is the session's.
    pub(crate) fn end(&self, mut ending: Ending) {
        let mut book = self.book();
        if let Ending::Server { refusal, .. } = &mut ending {
            *refusal = book.refusals.back().cloned();
        }
        let fault = || SessionError::Ended(ending.clone());
        for (_, waiting) in std::mem::take(&mut book.waiting) {
            waiting.fail(fault());
        }
        for (_, mut open) in std::mem::take(&mut book.subscriptions) {
            match (open.reply.take(), &ending) {
                (Some(reply), _) => drop(reply.send(Err(fault()))),
                (None, Ending::Local) => open.queue.end(None),
                (None, _) => open.queue.end(Some(fault())),
            }
        }
        book.ending.get_or_insert(ending);
        drop(book);
        self.is_over.send_replace(true);
    }
}

impl Waiting {
    fn fail(self, fault: SessionError) {
        // Whoever has stopped waiting needs no answer.
        match self {
            Self::Message { reply, .. } => drop(reply.send(Err(fault))),
            Self::Batch { reply, .. } => drop(reply.send(Err(fault))),
            Self::Member { .. } => {}
        }
    }
}

impl Book {
    /// Whether the server is to be told.
    fn leave(&mut self, sub: u64) -> bool {
        let Some(open) = self.subscriptions.get_mut(&sub) else { return false };
        open.is_left = true;
        let is_confirmed = open.reply.is_none();
        if is_confirmed {
            self.subscriptions.remove(&sub);
            self.left.push(sub);
        }
        is_confirmed
    }

    fn acknowledge(&mut self, ack: Ack) {
        match self.waiting.remove(&ack.id) {
            None => {}
            Some(Waiting::Message { reply, permit }) => {
                drop(permit);
                drop(reply.send(Ok(ack)));
            }
            Some(Waiting::Member { batch }) => self.acknowledge_member(batch, ack),
            // A batch is acknowledged by its members alone.
            Some(batch @ Waiting::Batch { .. }) => {
                self.waiting.insert(ack.id, batch);
            }
        }
    }

    fn acknowledge_member(&mut self, batch: Uuid, ack: Ack) {
        let Some(Waiting::Batch { members, acks, .. }) = self.waiting.get_mut(&batch) else {
            return;
        };
        acks.insert(ack.id, ack);
        if acks.len() < members.len() {
            return;
        }
        if let Some(Waiting::Batch { members, acks, reply, permit }) = self.waiting.remove(&batch) {
            drop(permit);
            drop(reply.send(Ok(members.iter().filter_map(|id| acks.get(id).copied()).collect())));
        }
    }

    /// Whether the subscription, now that it stands, is to be ended.
    fn confirm(&mut self, sub: u64, epoch: Epoch) -> bool {
        let Some(open) = self.subscriptions.get_mut(&sub) else { return false };
        let is_wanted =
            open.reply.take().is_none_or(|reply| reply.send(Ok(epoch)).is_ok()) && !open.is_left;
        if !is_wanted {
            self.subscriptions.remove(&sub);
            self.left.push(sub);
        }
        !is_wanted
    }

    fn push(&self, sub: u64, delivery: Delivery) {
        if let Some(open) = self.subscriptions.get(&sub) {
            // Marks are small and merge; holes come no oftener than the rows around them.
            open.queue.push(delivery, 0);
        }
    }

    fn refuse(&mut self, error: ErrorFrame) {
        let id = error.id;
        let refusal = Refusal::from(error);
        let Some(id) = id else { return self.keep(refusal) };
        if let Some(waiting) = self.waiting.remove(&id) {
            if let Waiting::Batch { members, .. } = &waiting {
                for member in members {
                    self.waiting.remove(member);
                }
            }
            return waiting.fail(SessionError::Refused(refusal));
        }
        let found = self.subscriptions.iter().find(|(_, open)| open.asked == id);
        let Some(sub) = found.map(|(sub, _)| *sub) else { return self.keep(refusal) };
        if let Some(open) = self.subscriptions.remove(&sub) {
            match open.reply {
                Some(reply) => drop(reply.send(Err(SessionError::Refused(refusal)))),
                None => open.queue.end(Some(SessionError::Refused(refusal))),
            }
        }
    }

    fn keep(&mut self, refusal: Refusal) {
        if self.refusals.len() == REFUSALS_MAX {
            self.refusals.pop_front();
        }
        self.refusals.push_back(refusal);
    }
}
