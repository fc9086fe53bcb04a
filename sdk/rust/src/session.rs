//! The task that owns the websocket: sends what clients ask, sorts what the server answers.

use std::collections::BTreeMap;

use arqon_proto::{
    Ack, Control, Encoding, Envelope, ErrorFrame, Payload, Subscribed, Subscribe,
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use uuid::Uuid;

use crate::delivery::{Delivery, Event, Mailbox};
use crate::error::ClientError;

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What clients ask of the session.
pub(crate) enum Command {
    /// Send a message; its ack goes to `reply`, or none is waited for.
    Publish { envelope: Envelope, reply: Option<oneshot::Sender<Result<Ack, ClientError>>> },
    /// Send messages as one.
    Batch { envelopes: Vec<Envelope>, replies: Vec<oneshot::Sender<Result<Ack, ClientError>>> },
    /// Ask for a topic.
    Subscribe {
        request: Subscribe,
        mailbox: Mailbox,
        reply: oneshot::Sender<Result<Subscribed, ClientError>>,
    },
    /// More changes may come, or the subscription is over.
    Tell(Control),
    /// Say goodbye.
    Close,
}

/// Which request an answer belongs to.
enum Waiting {
    Ack(oneshot::Sender<Result<Ack, ClientError>>),
    /// A batch: its refusal is that of all its messages.
    Batch(Vec<Uuid>),
    Subscribed { sub: u64 },
}

pub(crate) struct Session {
    socket: Socket,
    waiting: BTreeMap<Uuid, Waiting>,
    subscribing: BTreeMap<u64, (Uuid, oneshot::Sender<Result<Subscribed, ClientError>>)>,
    mailboxes: BTreeMap<u64, Mailbox>,
}

impl Session {
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket,
            waiting: BTreeMap::new(),
            subscribing: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
        }
    }

    /// Serves until either side ends; then everybody who waits hears why.
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let why = loop {
            tokio::select! {
                command = commands.recv() => match command {
                    None | Some(Command::Close) => {
                        // The other side may have gone already.
                        let _ = self.socket.close(None).await;
                        break "closed by this side".to_owned();
                    }
                    Some(command) => {
                        if let Err(error) = self.send(command).await {
                            break error.to_string();
                        }
                    }
                },
                frame = self.socket.next() => match frame {
                    None => break "the connection is gone".to_owned(),
                    Some(Err(error)) => break error.to_string(),
                    Some(Ok(Frame::Close(close))) => {
                        break close.map_or_else(
                            || "closed by the server".to_owned(),
                            |close| format!("closed by the server: {} {}", close.code, close.reason),
                        );
                    }
                    Some(Ok(Frame::Text(text))) => self.hear(&Bytes::from(text)),
                    Some(Ok(
                        Frame::Binary(_) | Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_),
                    )) => {}
                },
            }
        };
        self.end(&ClientError::Closed(why));
    }

    async fn send(
        &mut self,
        command: Command,
    ) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        let envelope = match command {
            Command::Publish { envelope, reply } => {
                if let (Some(id), Some(reply)) = (envelope.id, reply) {
                    self.waiting.insert(id, Waiting::Ack(reply));
                }
                envelope
            }
            Command::Batch { envelopes, replies } => self.batch(&envelopes, replies),
            Command::Subscribe { request, mailbox, reply } => {
                let id = Uuid::now_v7();
                self.waiting.insert(id, Waiting::Subscribed { sub: request.sub });
                self.mailboxes.insert(request.sub, mailbox);
                self.subscribing.insert(request.sub, (id, reply));
                Envelope { id: Some(id), ..Envelope::control(Control::Subscribe(request)) }
            }
            Command::Tell(control) => {
                if let Control::Unsubscribe(over) = &control {
                    self.mailboxes.remove(&over.sub);
                }
                Envelope::control(control)
            }
            Command::Close => return Ok(()),
        };
        let bytes = envelope.encode(Encoding::Json);
        let text = String::from_utf8(bytes.into()).expect("JSON is UTF-8");
        self.socket.send(Frame::text(text)).await
    }

    fn batch(
        &mut self,
        envelopes: &[Envelope],
        replies: Vec<oneshot::Sender<Result<Ack, ClientError>>>,
    ) -> Envelope {
        let id = Uuid::now_v7();
        let ids: Vec<Uuid> = envelopes.iter().filter_map(|envelope| envelope.id).collect();
        for (id, reply) in ids.iter().zip(replies) {
            self.waiting.insert(*id, Waiting::Ack(reply));
        }
        self.waiting.insert(id, Waiting::Batch(ids));
        let frames = envelopes.iter().map(|envelope| envelope.encode(Encoding::Json)).collect();
        Envelope { id: Some(id), ..Envelope::control(Control::Batch(frames)) }
    }

    fn hear(&mut self, frame: &Bytes) {
        // A frame of a newer server that we cannot read answers nothing that we asked.
        let Ok(envelope) = Envelope::decode(frame, Encoding::Json) else { return };
        match envelope.payload {
            Payload::Control(control) => self.hear_control(control),
            Payload::Delta(delta) => {
                self.deliver(delta.sub, Delivery::Delta(delta));
            }
            Payload::Snapshot(snapshot) => {
                self.deliver(Some(snapshot.sub), Delivery::Snapshot(snapshot));
            }
            Payload::Upserts(upserts) => {
                self.deliver(Some(upserts.sub), Delivery::Upserts(upserts));
            }
            Payload::Row(row) => {
                let offset = envelope.headers.offset.unwrap_or(0);
                self.deliver(envelope.headers.sub, Delivery::Event(Event { offset, row }));
            }
            Payload::Null => {}
        }
    }

    fn hear_control(&mut self, control: Control) {
        match control {
            Control::Ack(ack) => {
                if let Some(Waiting::Ack(reply)) = self.waiting.remove(&ack.id) {
                    // Who does not wait any more has dropped the receiver.
                    let _ = reply.send(Ok(ack));
                }
            }
            Control::Subscribed(subscribed) => {
                if let Some((id, reply)) = self.subscribing.remove(&subscribed.sub) {
                    self.waiting.remove(&id);
                    let _ = reply.send(Ok(subscribed));
                }
            }
            Control::Progress(progress) => {
                self.deliver(Some(progress.sub), Delivery::Progress(progress.upper));
            }
            Control::Gap(gap) => self.deliver(Some(gap.sub), Delivery::Gap(gap)),
            Control::Error(error) => self.refuse(error),
            Control::Hello(_)
            | Control::Welcome(_)
            | Control::Batch(_)
            | Control::Subscribe(_)
            | Control::Unsubscribe(_)
            | Control::Credit(_) => {}
        }
    }

    fn deliver(&self, sub: Option<u64>, delivery: Delivery) {
        if let Some(mailbox) = sub.and_then(|sub| self.mailboxes.get(&sub)) {
            mailbox.put(delivery);
        }
    }

    fn refuse(&mut self, error: ErrorFrame) {
        let Some(waiting) = error.id.and_then(|id| self.waiting.remove(&id)) else { return };
        let error = ClientError::from(error);
        match waiting {
            Waiting::Ack(reply) => {
                let _ = reply.send(Err(error));
            }
            Waiting::Batch(ids) => {
                for id in ids {
                    if let Some(Waiting::Ack(reply)) = self.waiting.remove(&id) {
                        let _ = reply.send(Err(error.clone()));
                    }
                }
            }
            Waiting::Subscribed { sub } => {
                // A refusal after the subscription stood ends it.
                if let Some(mailbox) = self.mailboxes.remove(&sub) {
                    mailbox.close(error.clone());
                }
                if let Some((_, reply)) = self.subscribing.remove(&sub) {
                    let _ = reply.send(Err(error));
                }
            }
        }
    }

    fn end(self, why: &ClientError) {
        for waiting in self.waiting.into_values() {
            if let Waiting::Ack(reply) = waiting {
                let _ = reply.send(Err(why.clone()));
            }
        }
        for (_, reply) in self.subscribing.into_values() {
            let _ = reply.send(Err(why.clone()));
        }
        for mailbox in self.mailboxes.values() {
            mailbox.close(why.clone());
        }
    }
}
