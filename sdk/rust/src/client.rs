//! The handles of a session: the client, its receipts and its subscriptions.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arqon_proto::{As, Begin, Control, Encoding, Envelope, SessionLimits, Welcome};
use arqon_types::{Epoch, Schema};
use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use uuid::Uuid;

use crate::delivery::Delivery;
use crate::error::{ConnectError, Ending, Refusal, SessionError};
use crate::limits::{CONNECT_TIME_MAX, CREDIT_ROWS, IN_FLIGHT_MAX, OUTGOING_FRAMES_MAX};
use crate::message::{Ack, Message};
use crate::queue::Queue;
use crate::rows::Rows;
use crate::session::{Asking, Session, Waiting};
use crate::socket::{Outgoing, greet, hello, run};

/// Opens a session that speaks `arqon.v1.json`.
///
/// # Errors
/// [`ConnectError`] says whether the socket or the server refused.
pub async fn connect(url: &str, token: &str) -> Result<Client, ConnectError> {
    Options::json().connect(url, token).await
}

/// How a session is opened.
#[derive(Debug, Clone)]
pub struct Options {
    client: Option<String>,
    rows: Rows,
}

impl Options {
    /// A session of JSON frames; rows need no schema.
    pub fn json() -> Self {
        Self { client: None, rows: Rows::Json }
    }

    /// A session of protobuf frames; every topic it uses needs its schema.
    pub fn proto() -> Self {
        Self { client: None, rows: Rows::Proto(BTreeMap::new()) }
    }

    /// Names the client, for the server's logs.
    #[must_use]
    pub fn with_name(self, client: impl Into<String>) -> Self {
        Self { client: Some(client.into()), ..self }
    }

    /// Rows of the topic are of `schema`, and its key, if it has one, of these fields.
    /// The session speaks protobuf.
    ///
    /// # Panics
    /// If a key field is not in the schema.
    #[must_use]
    pub fn with_schema(mut self, topic: impl Into<String>, schema: Schema, key: &[String]) -> Self {
        self.rows.insert(topic.into(), schema, key);
        self
    }

    /// Opens the session.
    ///
    /// # Errors
    /// [`ConnectError`] says whether the socket or the server refused.
    pub async fn connect(self, url: &str, token: &str) -> Result<Client, ConnectError> {
        let Self { client, rows } = self;
        // A handshake is large, and would be part of every future that connects.
        let greeting = Box::pin(greet(url, hello(token, client), rows.encoding()));
        let (socket, welcome) =
            timeout(CONNECT_TIME_MAX, greeting).await.map_err(|_| ConnectError::Timeout)??;
        let session = Arc::new(Session::new(rows, welcome));
        let (outgoing, frames) = mpsc::channel(OUTGOING_FRAMES_MAX);
        tokio::spawn(run(socket, session.clone(), frames));
        let in_flight = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
        Ok(Client { line: Arc::new(Line { session, outgoing, in_flight }) })
    }
}

/// A session with the bus. Clones share it; it closes when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct Client {
    line: Arc<Line>,
}

/// What handles hold; the socket's task does not, and ends when all of them are gone.
#[derive(Debug)]
struct Line {
    session: Arc<Session>,
    outgoing: mpsc::Sender<Outgoing>,
    in_flight: Arc<Semaphore>,
}

impl Client {
    /// What the server said at the beginning: session, principal, limits, features.
    pub fn welcome(&self) -> &Welcome {
        &self.line.session.welcome
    }

    /// How the session writes its frames.
    pub fn encoding(&self) -> Encoding {
        self.line.session.rows.encoding()
    }

    /// Publishes a message and waits for its ack.
    ///
    /// Cancelled, the message may have been sent or not; publishing it again is safe.
    ///
    /// # Errors
    /// [`SessionError`], above all a refusal of the bus.
    pub async fn publish(&self, message: Message) -> Result<Ack, SessionError> {
        self.submit(message).await?.await
    }

    /// Sends a message and returns the promise of its ack, so that many are under way at once.
    ///
    /// Waits while too many acks are owed. Cancelled, nothing has been sent.
    ///
    /// # Errors
    /// [`SessionError`] if the message cannot be written or the session is over.
    pub async fn submit(&self, message: Message) -> Result<Receipt<Ack>, SessionError> {
        let line = &self.line;
        let frame = line.frame_of(&message.acknowledged(&line.session.rows)?)?;
        let permit = self.in_flight().await?;
        let place = line.place().await?;
        let (reply, answer) = oneshot::channel();
        line.session.await_acks(vec![(message.id(), Waiting::Message { reply, permit })])?;
        place.send(Outgoing::Frame(frame));
        Ok(Receipt { answer })
    }

    /// Sends a message and asks for no ack. Cancelled, nothing has been sent.
    ///
    /// A refusal, should the bus answer with one, is found in [`Client::take_refusals`].
    ///
    /// # Errors
    /// [`SessionError`] if the message cannot be written or the session is over.
    pub async fn send(&self, message: Message) -> Result<(), SessionError> {
        let frame = self.line.frame_of(&message.unacknowledged(&self.line.session.rows)?)?;
        self.line.place().await?.send(Outgoing::Frame(frame));
        Ok(())
    }

    /// Publishes messages that take effect in one epoch, or none of them, and waits for all acks.
    ///
    /// Cancelled, the batch may have been sent or not; publishing it again is safe.
    ///
    /// # Errors
    /// [`SessionError`]; a refusal names the message at fault, and nothing took effect.
    pub async fn publish_batch(&self, messages: Vec<Message>) -> Result<Vec<Ack>, SessionError> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let line = &self.line;
        let SessionLimits { batch_messages_max, .. } = self.welcome().limits;
        check("a batch in messages", messages.len(), batch_messages_max)?;
        let encoding = line.session.rows.encoding();
        let frames: Result<Vec<Bytes>, SessionError> = messages
            .iter()
            .map(|message| Ok(message.acknowledged(&line.session.rows)?.encode(encoding)))
            .collect();
        let batch = Uuid::now_v7();
        let frame = line.frame_of(&Envelope {
            id: Some(batch),
            ..Envelope::control(Control::Batch(frames?))
        })?;
        let permit = self.in_flight().await?;
        let place = line.place().await?;
        let (reply, answer) = oneshot::channel();
        let members: Vec<Uuid> = messages.iter().map(Message::id).collect();
        let mut waiting: Vec<(Uuid, Waiting)> =
            members.iter().map(|id| (*id, Waiting::Member { batch })).collect();
        let acks = BTreeMap::new();
        waiting.push((batch, Waiting::Batch { members, acks, reply, permit }));
        line.session.await_acks(waiting)?;
        place.send(Outgoing::Frame(frame));
        Receipt { answer }.await
    }

    /// Opens a subscription. Cancelled, it is ended again.
    ///
    /// # Errors
    /// [`SessionError`], above all a refusal of the bus.
    pub async fn subscribe(&self, request: Subscribe) -> Result<Subscription, SessionError> {
        let Subscribe { topic, from, form, filter, credit } = request;
        let asked = Uuid::now_v7();
        let queue = Arc::new(Queue::new(credit));
        let is_pattern = topic.split('.').any(|part| part == "*" || part == ">");
        let place = self.line.place().await?;
        let (reply, answer) = oneshot::channel();
        let sub = self.line.session.open(Asking {
            asked,
            topic: topic.as_str().into(),
            is_once: form == As::Snapshot && !is_pattern,
            queue: queue.clone(),
            reply,
        })?;
        // From here on it is dropped with the future, and then ended.
        let mut subscription =
            Subscription { line: self.line.clone(), sub, queue, begin: Epoch::ZERO };
        let request =
            arqon_proto::Subscribe { sub, topic, from, form, filter, credit: Some(credit) };
        let asking = Envelope::control(Control::Subscribe(request));
        let frame = self.line.frame_of(&Envelope { id: Some(asked), ..asking });
        place.send(Outgoing::Frame(frame.inspect_err(|_| self.line.session.forget(sub))?));
        subscription.begin = Receipt { answer }.await?;
        Ok(subscription)
    }

    /// Refusals that answered no waiting request, oldest first; the newest 16 are kept.
    pub fn take_refusals(&self) -> Vec<Refusal> {
        self.line.session.take_refusals()
    }

    /// Closes the session, after what was sent before, and waits until it is over.
    /// Its subscriptions end once they are read to the end.
    pub async fn close(&self) {
        let mut is_over = self.line.session.is_over.subscribe();
        // If the task is gone already, the session is over already.
        if self.line.outgoing.send(Outgoing::Close).await.is_ok() {
            let _ = is_over.wait_for(|is_over| *is_over).await;
        }
    }

    async fn in_flight(&self) -> Result<tokio::sync::OwnedSemaphorePermit, SessionError> {
        let permit = self.line.in_flight.clone().acquire_owned().await;
        Ok(permit.expect("the semaphore is never closed"))
    }
}

impl Line {
    /// Room for one frame. What is sent with it is sent at once.
    async fn place(&self) -> Result<mpsc::Permit<'_, Outgoing>, SessionError> {
        self.outgoing.reserve().await.map_err(|_| SessionError::Ended(self.session.ending()))
    }

    fn frame_of(&self, envelope: &Envelope) -> Result<Bytes, SessionError> {
        let frame = envelope.encode(self.session.rows.encoding());
        check("a message in bytes", frame.len(), self.session.welcome.limits.message_bytes_max)?;
        Ok(frame)
    }
}

fn check(what: &'static str, size: usize, size_max: u64) -> Result<(), SessionError> {
    let size = size as u64;
    if size > size_max { Err(SessionError::TooLarge { what, size, size_max }) } else { Ok(()) }
}

/// The promise of an answer. Dropping it forgets the answer, not the message.
/// It does not hold the session open.
#[derive(Debug)]
#[must_use = "without it nobody learns whether the bus took the message"]
pub struct Receipt<T> {
    answer: oneshot::Receiver<Result<T, SessionError>>,
}

impl<T> Future for Receipt<T> {
    type Output = Result<T, SessionError>;

    fn poll(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(ctx).map(|answer| {
            // The book answers everybody; it is gone only if the runtime shut down.
            answer.unwrap_or(Err(SessionError::Ended(Ending::Local)))
        })
    }
}

/// What is asked with a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    topic: String,
    from: Begin,
    form: As,
    filter: Option<String>,
    credit: u64,
}

impl Subscribe {
    /// The topic, or all topics that match a pattern: its state, then its deltas.
    pub fn to(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            from: Begin::Snapshot,
            form: As::Deltas,
            filter: None,
            credit: CREDIT_ROWS,
        }
    }

    /// Begins elsewhere than with the state.
    #[must_use]
    pub fn from(self, from: Begin) -> Self {
        Self { from, ..self }
    }

    /// Delivers another form than deltas.
    #[must_use]
    pub fn deliver(self, form: As) -> Self {
        Self { form, ..self }
    }

    /// Delivers only rows for which the expression holds.
    #[must_use]
    pub fn filter(self, expression: impl Into<String>) -> Self {
        Self { filter: Some(expression.into()), ..self }
    }

    /// Changes that the server may send ahead of the reader; at least 1.
    #[must_use]
    pub fn credit(self, n_rows: u64) -> Self {
        Self { credit: n_rows.max(1), ..self }
    }
}

/// A stream of deliveries. Credit is given back as they are read; dropped, it is ended.
#[derive(Debug)]
pub struct Subscription {
    line: Arc<Line>,
    sub: u64,
    queue: Arc<Queue>,
    begin: Epoch,
}

impl Subscription {
    /// The newest epoch when the subscription began to stand.
    pub fn begin(&self) -> Epoch {
        self.begin
    }

    /// The next delivery; none once the session was closed here, or a snapshot is complete.
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<Delivery, SessionError>> {
        std::future::poll_fn(|ctx| self.poll_delivery(ctx)).await
    }

    fn poll_delivery(&self, ctx: &Context<'_>) -> Poll<Option<Result<Delivery, SessionError>>> {
        self.queue.poll(ctx.waker()).map_ok(|(delivery, freed)| {
            if freed.is_credit_due {
                self.line.session.dues.notify_one();
            }
            if freed.has_room {
                self.line.session.room.notify_one();
            }
            delivery
        })
    }
}

impl Stream for Subscription {
    type Item = Result<Delivery, SessionError>;

    fn poll_next(self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_delivery(ctx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.queue.abandon();
        self.line.session.leave(self.sub);
    }
}
