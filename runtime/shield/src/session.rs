//! One websocket from hello to close.

use std::time::Duration;

use arqon_proto::{Control, Encoding, Envelope, ErrorCode, Hello, Int64Form, Payload};
use arqon_spine::{Refusal, SessionId, farewell};
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, timeout};
use tokio_tungstenite::tungstenite::error::{CapacityError, Error as SocketError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};
use uuid::Uuid;

use crate::awake::Awake;
use crate::meter::Verdict;
use crate::port::{Gone, OUTBOX_FRAMES_MAX, ToBus, ToClient, Way};
use crate::settings::Settings;
use crate::token::{Identity, TokenSecret, unix_seconds};
use crate::upgrade::{Socket, drain};

/// Frames that are brought to the bus before it is told.
const TOGETHER_FRAMES_MAX: usize = 64;
/// Frames that leave with one flush.
const FLUSH_FRAMES_MAX: usize = 256;

/// What a session needs besides its socket.
pub(crate) struct Surroundings {
    pub(crate) session: SessionId,
    pub(crate) encoding: Encoding,
    pub(crate) settings: std::sync::Arc<Settings>,
    pub(crate) secret: TokenSecret,
    pub(crate) bus: Way,
    /// Turns to a close code when the server ends.
    pub(crate) shutdown: watch::Receiver<Option<u16>>,
}

/// Why a session ends.
#[derive(Debug, Clone, Copy)]
struct Ending {
    code: u16,
    reason: &'static str,
}

impl Ending {
    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason }
    }
}

/// Runs a session to its end.
pub(crate) async fn run(mut socket: Socket, mut around: Surroundings) {
    let ending = match greet(&mut socket, &mut around).await {
        Ok((identity, outbox)) => {
            let ending = serve(&mut socket, &mut around, identity, outbox).await;
            // A bus that is gone has forgotten its sessions.
            let _ = around.bus.send(ToBus::Closed { session: around.session }).await;
            ending
        }
        Err(ending) => ending,
    };
    // A client that reads nothing does not hear why.
    if let Some(Ending { code, reason }) = ending {
        tracing::debug!(session = around.session.0, code, reason, "session closed");
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        let _ = timeout(around.settings.linger, socket.close(Some(frame))).await;
    } else {
        // The answer to a close of the client's waits to be written.
        let _ = timeout(around.settings.linger, socket.flush()).await;
    }
    drain(socket.into_inner().into_inner(), &around.settings).await;
}

/// Waits for the hello and checks who it is.
async fn greet(
    socket: &mut Socket,
    around: &mut Surroundings,
) -> Result<(Identity, mpsc::Receiver<ToClient>), Option<Ending>> {
    let first = tokio::select! {
        first = timeout(around.settings.hello_wait, first_frame(socket)) => first,
        () = closing(&mut around.shutdown) => {
            return Err(Some(Ending::new(1012, "the server ends")));
        }
    };
    let (id, reason) = match first {
        Err(_) => (None, "no hello came in time".to_owned()),
        Ok(Err(ending)) => return Err(ending),
        Ok(Ok(frame)) => match identify(&frame, around) {
            Ok((identity, int64)) => {
                let (sender, outbox) = mpsc::channel(OUTBOX_FRAMES_MAX);
                let open = ToBus::Open {
                    session: around.session,
                    principal: identity.principal.clone(),
                    encoding: around.encoding,
                    int64,
                    outbox: sender,
                };
                return match around.bus.send(open).await {
                    Ok(()) => Ok((identity, outbox)),
                    Err(Gone) => Err(Some(Ending::new(1012, "the server ends"))),
                };
            }
            Err(refused) => refused,
        },
    };
    let refusal = Refusal::new(ErrorCode::Unauthenticated, reason)
        .help("begin with a hello that carries a token");
    let frame = farewell(refusal.into_frame(id), around.encoding);
    // The close that follows says the same to one who does not read this.
    let _ = timeout(around.settings.linger, socket.send(message(frame, around.encoding))).await;
    Err(Some(Ending::new(4401, "unauthenticated")))
}

async fn first_frame(socket: &mut Socket) -> Result<Bytes, Option<Ending>> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.into()),
            Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(_))) | None => return Err(None),
            Some(Err(error)) => return Err(ending_of(&error, socket.get_ref().verdict())),
        }
    }
}

/// Who the hello says it is, and how it wants int64; the text says why it is not believed.
fn identify(
    frame: &Bytes,
    around: &Surroundings,
) -> Result<(Identity, Int64Form), (Option<Uuid>, String)> {
    let envelope = Envelope::decode(frame, around.encoding).map_err(|fault| {
        (fault.id, format!("the first frame is not a hello: {}", fault.message))
    })?;
    let id = envelope.id;
    let Payload::Control(Control::Hello(Hello { token, int64, .. })) = envelope.payload else {
        return Err((id, "the first frame is not a hello".to_owned()));
    };
    let token = token.ok_or_else(|| (id, "the hello carries no token".to_owned()))?;
    let identity = around.secret.check(&token.0, unix_seconds());
    identity.map(|identity| (identity, int64)).map_err(|error| (id, error.to_string()))
}

/// Carries frames both ways until one side ends.
async fn serve(
    socket: &mut Socket,
    around: &mut Surroundings,
    identity: Identity,
    mut outbox: mpsc::Receiver<ToClient>,
) -> Option<Ending> {
    let interval = Duration::from_millis(around.settings.limits.ping_interval_ms);
    let mut pings = tokio::time::interval_at(Instant::now() + interval, interval);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let lifetime = Duration::from_secs(identity.expires_at.saturating_sub(unix_seconds()));
    let expiry = tokio::time::sleep(lifetime);
    tokio::pin!(expiry);
    let mut heard = Instant::now();
    let mut batch = Vec::with_capacity(FLUSH_FRAMES_MAX);
    let mut shutdown = around.shutdown.clone();
    let linger = around.settings.linger;
    let mut awake = Awake::default();
    loop {
        tokio::select! {
            incoming = socket.next() => {
                heard = Instant::now();
                if let Err(ending) = bring(incoming, socket, around).await {
                    return ending;
                }
                awake.bring(Instant::now());
            }
            n_frames = outbox.recv_many(&mut batch, FLUSH_FRAMES_MAX) => {
                if n_frames == 0 {
                    return Some(Ending::new(1011, "the session was dropped"));
                }
                awake.answer(Instant::now());
                let flushing = flush(socket, around, &mut batch);
                match unless_ending(&mut shutdown, linger, flushing).await {
                    Ok(None) => {}
                    Ok(Some(ending)) | Err(ending) => return Some(ending),
                }
            }
            _ = pings.tick() => {
                if heard.elapsed() >= interval * 2 {
                    return Some(Ending::new(4408, "idle"));
                }
                let ping = socket.send(Message::Ping(Bytes::new()));
                let ping = timeout(around.settings.write_wait, ping);
                match unless_ending(&mut shutdown, linger, ping).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(_)) => return Some(Ending::new(4408, "the client does not read")),
                    Err(ending) => return Some(ending),
                }
            }
            () = tokio::task::yield_now(), if awake.is_awake() => {
                awake.look(Instant::now());
            }
            () = &mut expiry => return Some(Ending::new(4401, "the token has expired")),
            () = closing(&mut around.shutdown) => {
                return Some(last_words(socket, around, &mut outbox).await);
            }
        }
    }
}

/// Waits for a write; once the server ends, no longer than `linger`, whoever does not read.
async fn unless_ending<T>(
    shutdown: &mut watch::Receiver<Option<u16>>,
    linger: Duration,
    write: impl Future<Output = T>,
) -> Result<T, Ending> {
    tokio::pin!(write);
    tokio::select! {
        biased;
        written = &mut write => Ok(written),
        () = closing(shutdown) => {
            let code = shutdown.borrow().unwrap_or(1001);
            let late = Ending::new(code, "the server ends");
            timeout(linger, write).await.map_err(|_| late)
        }
    }
}

/// Sends what the bus has said before the server ends.
async fn last_words(
    socket: &mut Socket,
    around: &mut Surroundings,
    outbox: &mut mpsc::Receiver<ToClient>,
) -> Ending {
    let mut batch = Vec::new();
    while let Ok(item) = outbox.try_recv() {
        batch.push(item);
    }
    let sent = timeout(around.settings.linger, flush(socket, around, &mut batch)).await;
    let code = around.shutdown.borrow().unwrap_or(1001);
    sent.ok().flatten().unwrap_or(Ending::new(code, "the server ends"))
}

/// Brings a frame to the bus, and with it those that have come meanwhile.
async fn bring(
    mut incoming: Option<Result<Message, SocketError>>,
    socket: &mut Socket,
    around: &mut Surroundings,
) -> Result<(), Option<Ending>> {
    for n_frames in 1.. {
        if let Some(bytes) = take(incoming, socket, around.encoding)? {
            let frame = ToBus::Frame { session: around.session, bytes };
            let put = around.bus.put(frame).await;
            put.map_err(|Gone| Some(Ending::new(1012, "the server ends")))?;
        }
        if n_frames == TOGETHER_FRAMES_MAX {
            break;
        }
        let Some(next) = socket.next().now_or_never() else { break };
        incoming = next;
    }
    around.bus.ring();
    Ok(())
}

fn take(
    incoming: Option<Result<Message, SocketError>>,
    socket: &Socket,
    encoding: Encoding,
) -> Result<Option<Bytes>, Option<Ending>> {
    match (incoming, encoding) {
        (Some(Ok(Message::Text(text))), Encoding::Json) => Ok(Some(text.into())),
        (Some(Ok(Message::Binary(bytes))), Encoding::Proto) => Ok(Some(bytes)),
        (Some(Ok(Message::Text(_))), Encoding::Proto) => {
            Err(Some(Ending::new(4400, "arqon.v1.proto takes binary frames")))
        }
        (Some(Ok(Message::Binary(_))), Encoding::Json) => {
            Err(Some(Ending::new(4400, "arqon.v1.json takes text frames")))
        }
        (Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))), _) => Ok(None),
        (Some(Ok(Message::Close(_))) | None, _) => Err(None),
        (Some(Err(error)), _) => Err(ending_of(&error, socket.get_ref().verdict())),
    }
}

/// Writes frames and tells the bus how many bytes have left.
async fn flush(
    socket: &mut Socket,
    around: &mut Surroundings,
    batch: &mut Vec<ToClient>,
) -> Option<Ending> {
    let mut n_bytes = 0;
    let mut ending = None;
    let writing = async {
        for item in batch.drain(..) {
            match item {
                ToClient::Frames(frames) => {
                    for bytes in frames {
                        n_bytes += bytes.len();
                        socket.feed(message(bytes, around.encoding)).await?;
                    }
                }
                ToClient::Close { code, reason } => ending = Some(Ending::new(code, reason)),
            }
        }
        socket.flush().await
    };
    match timeout(around.settings.write_wait, writing).await {
        Err(_) => return Some(Ending::new(4408, "the client does not read")),
        Ok(Err(_)) => return Some(Ending::new(1011, "the connection broke")),
        Ok(Ok(())) => {}
    }
    if ending.is_none() {
        let sent = ToBus::Sent { session: around.session, n_bytes };
        if around.bus.send(sent).await.is_err() {
            return Some(Ending::new(1012, "the server ends"));
        }
    }
    ending
}

fn message(bytes: Bytes, encoding: Encoding) -> Message {
    match encoding {
        Encoding::Json => {
            let text = String::from_utf8(bytes.into()).expect("JSON frames are written as UTF-8");
            Message::Text(text.into())
        }
        Encoding::Proto => Message::Binary(bytes),
    }
}

/// The close code that an error of the websocket asks for; none if nobody is left to hear it.
fn ending_of(error: &SocketError, verdict: Option<Verdict>) -> Option<Ending> {
    match (verdict, error) {
        (Some(Verdict::Fragments), _) => Some(Ending::new(1008, "too many fragments")),
        (Some(Verdict::EmptyFragments), _) => Some(Ending::new(1008, "too many empty fragments")),
        (Some(Verdict::ControlFrames), _) => Some(Ending::new(1008, "too many control frames")),
        (None, SocketError::Capacity(CapacityError::MessageTooLong { .. })) => {
            Some(Ending::new(1009, "the message is too large"))
        }
        (None, SocketError::Utf8(_)) => Some(Ending::new(1007, "the text is not UTF-8")),
        (None, SocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => None,
        (None, SocketError::Protocol(_)) => Some(Ending::new(1002, "not a websocket frame")),
        (None, _) => None,
    }
}

/// Comes when the server ends.
pub(crate) async fn closing(shutdown: &mut watch::Receiver<Option<u16>>) {
    // A listener that is gone has ended.
    let _ = shutdown.wait_for(Option::is_some).await;
}
