//! A session with a running circuit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arqon_proto::{
    Ack, AckMode, As, Begin, Control, Credit, Delta, Encoding, Envelope, Headers, Hello, Payload,
    RowChange, SUBPROTOCOL_JSON, Secret, Subscribe, Unsubscribe, Welcome,
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use uuid::Uuid;

use crate::delivery::{Delivery, Mailbox};
use crate::error::{ClientError, ConnectError};
use crate::session::{Command, Session, Socket};

/// Changes that a subscription holds before it is taken from.
pub const CREDIT_ROWS: u64 = 50_000;
/// How long a server may think about a new session.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// Requests that wait for the socket.
const COMMANDS_MAX: usize = 256;
/// Bytes of one frame from the server.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// An event, an upsert, or one insertion: a row as JSON.
    Row(Bytes),
    /// The end of a key of a `full` topic: the key's fields as JSON.
    Delete(Bytes),
    /// Signed rows of a `delta` topic.
    Changes(Vec<(i64, Bytes)>),
}

/// A message to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Exactly as in the circuit.
    pub topic: String,
    /// What it says.
    pub body: Body,
}

/// What to subscribe to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// A topic.
    pub topic: String,
    /// Where to begin.
    pub from: Begin,
    /// What to deliver.
    pub form: As,
    /// Only rows for which this expression is true.
    pub filter: Option<String>,
}

impl Request {
    /// The topic's state, and its changes from then on.
    pub fn table(topic: impl Into<String>) -> Self {
        Self { topic: topic.into(), from: Begin::Snapshot, form: As::Deltas, filter: None }
    }
}

/// A session; clones share it, and it ends with the last of them.
#[derive(Debug, Clone)]
pub struct Client {
    commands: mpsc::Sender<Command>,
    next_sub: Arc<AtomicU64>,
    welcome: Arc<Welcome>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command")
    }
}

impl Client {
    /// Opens a session at `url` with `token`.
    ///
    /// # Errors
    /// [`ConnectError`] if nobody answers there, or the identity is not accepted.
    pub async fn connect(url: &str, token: &str) -> Result<Self, ConnectError> {
        let opening = tokio::time::timeout(CONNECT_WAIT, open(url, token));
        let (socket, welcome) =
            opening.await.map_err(|_| ConnectError::Silent(url.to_owned()))??;
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        tokio::spawn(Session::new(socket).run(receiver));
        Ok(Self { commands, next_sub: Arc::new(AtomicU64::new(1)), welcome: Arc::new(welcome) })
    }

    /// What the server said about the session.
    pub fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Publishes a message and waits until it has come as far as `mode` says.
    ///
    /// Returns none for [`AckMode::None`], which waits for nothing.
    ///
    /// # Errors
    /// [`ClientError`] if the message is refused or the session ends.
    pub async fn publish(
        &self,
        message: Message,
        mode: AckMode,
    ) -> Result<Option<Ack>, ClientError> {
        let envelope = envelope(message, mode);
        if mode == AckMode::None {
            self.tell(Command::Publish { envelope, reply: None }).await?;
            return Ok(None);
        }
        let (reply, answer) = oneshot::channel();
        self.tell(Command::Publish { envelope, reply: Some(reply) }).await?;
        answer.await.unwrap_or_else(|_| Err(gone())).map(Some)
    }

    /// Publishes messages as one: they take effect in one epoch, or none of them.
    ///
    /// # Errors
    /// [`ClientError`] if one of them is refused, and then nothing has happened.
    pub async fn batch(
        &self,
        messages: Vec<Message>,
        mode: AckMode,
    ) -> Result<Vec<Ack>, ClientError> {
        // Without acks nobody could tell whether the batch was taken.
        let mode = if mode == AckMode::None { AckMode::Accepted } else { mode };
        let envelopes: Vec<Envelope> =
            messages.into_iter().map(|message| envelope(message, mode)).collect();
        let (replies, answers): (Vec<_>, Vec<_>) =
            envelopes.iter().map(|_| oneshot::channel()).unzip();
        self.tell(Command::Batch { envelopes, replies }).await?;
        let mut acks = Vec::with_capacity(answers.len());
        for answer in answers {
            acks.push(answer.await.unwrap_or_else(|_| Err(gone()))?);
        }
        Ok(acks)
    }

    /// Subscribes to a topic.
    ///
    /// # Errors
    /// [`ClientError`] if that is refused or the session ends.
    pub async fn subscribe(&self, request: Request) -> Result<Subscription, ClientError> {
        let sub = self.next_sub.fetch_add(1, Ordering::Relaxed);
        let mailbox = Mailbox::default();
        let (reply, answer) = oneshot::channel();
        let Request { topic, from, form, filter } = request;
        let request = Subscribe { sub, topic, from, form, filter, credit: Some(CREDIT_ROWS) };
        self.tell(Command::Subscribe { request, mailbox: mailbox.clone(), reply }).await?;
        let subscribed = answer.await.unwrap_or_else(|_| Err(gone()))?;
        let commands = self.commands.clone();
        Ok(Subscription { sub, epoch: subscribed.epoch, mailbox, commands, n_taken: 0 })
    }

    /// Ends the session, for all clones.
    pub async fn close(self) {
        // A session that has ended needs no telling.
        let _ = self.commands.send(Command::Close).await;
    }

    async fn tell(&self, command: Command) -> Result<(), ClientError> {
        self.commands.send(command).await.map_err(|_| gone())
    }
}

/// What a topic brings, from [`Client::subscribe`] on. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription {
    sub: u64,
    epoch: u64,
    mailbox: Mailbox,
    commands: mpsc::Sender<Command>,
    n_taken: u64,
}

impl Subscription {
    /// The newest epoch whose effects it has seen, or will see at once.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Waits for the next delivery, and lets more come for what was taken.
    ///
    /// # Errors
    /// [`ClientError`] when nothing more will come.
    pub async fn next(&mut self) -> Result<Delivery, ClientError> {
        let delivery = self.mailbox.take().await?;
        self.n_taken += delivery.n_rows();
        if self.n_taken >= CREDIT_ROWS / 4 {
            let credit = Control::Credit(Credit { sub: self.sub, add: self.n_taken });
            self.n_taken = 0;
            // If the session has ended, the mailbox says so when it is empty.
            let _ = self.commands.send(Command::Tell(credit)).await;
        }
        Ok(delivery)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let over = Control::Unsubscribe(Unsubscribe { sub: self.sub });
        // Where the session is busy or gone, its mailbox is only dropped a little later.
        let _ = self.commands.try_send(Command::Tell(over));
    }
}

fn gone() -> ClientError {
    ClientError::Closed("the session is gone".to_owned())
}

fn envelope(Message { topic, body }: Message, mode: AckMode) -> Envelope {
    let (payload, key) = match body {
        Body::Row(row) => (Payload::Row(row), None),
        Body::Delete(key) => (Payload::Null, Some(key)),
        Body::Changes(changes) => {
            let changes = changes
                .into_iter()
                .map(|(diff, row)| RowChange { epoch: None, diff, row })
                .collect();
            (Payload::Delta(Delta { changes, ..Delta::default() }), None)
        }
    };
    Envelope {
        id: Some(Uuid::now_v7()),
        headers: Headers { ack: Some(mode), key, ..Headers::default() },
        ..Envelope::event(topic, payload)
    }
}

async fn open(url: &str, token: &str) -> Result<(Socket, Welcome), ConnectError> {
    let unreachable = |source| ConnectError::Unreachable {
        url: url.to_owned(),
        source: Box::new(source),
    };
    let refused = |reason: String| ConnectError::Refused { url: url.to_owned(), reason };
    let mut request = url.into_client_request().map_err(unreachable)?;
    request
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", HeaderValue::from_static(SUBPROTOCOL_JSON));
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    let (mut socket, _) =
        tokio_tungstenite::connect_async_with_config(request, Some(config), true)
            .await
            .map_err(unreachable)?;
    let hello = Envelope::control(Control::Hello(Hello {
        token: Some(Secret(token.to_owned())),
        client: Some(concat!("arqon-client/", env!("CARGO_PKG_VERSION")).to_owned()),
        resume: None,
    }));
    let text = String::from_utf8(hello.encode(Encoding::Json).into()).expect("JSON is UTF-8");
    socket.send(Frame::text(text)).await.map_err(unreachable)?;
    loop {
        let frame = match socket.next().await {
            None => return Err(refused("the connection is gone".to_owned())),
            Some(frame) => frame.map_err(unreachable)?,
        };
        match frame {
            Frame::Text(text) => {
                let envelope = Envelope::decode(&Bytes::from(text), Encoding::Json)
                    .map_err(|error| refused(error.to_string()))?;
                match envelope.payload {
                    Payload::Control(Control::Welcome(welcome)) => return Ok((socket, welcome)),
                    Payload::Control(Control::Error(error)) => {
                        return Err(refused(format!("{}: {}", error.code, error.message)));
                    }
                    other => return Err(refused(format!("unexpected first frame {other:?}"))),
                }
            }
            Frame::Close(close) => {
                let words = close.map(|close| format!("{} {}", close.code, close.reason));
                return Err(refused(words.unwrap_or_else(|| "closed".to_owned())));
            }
            Frame::Binary(_) | Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_) => {}
        }
    }
}
