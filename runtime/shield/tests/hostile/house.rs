//! A listener with a bus behind it, and a client that writes whatever bytes it is told to.

use std::collections::BTreeMap;
use std::time::Duration;

use arqon_proto::{Control, Encoding, Envelope, Hello, Secret};
use arqon_shield::{
    Listener, Rooms, Settings, ShutdownHandle, ToBus, ToClient, TokenRequest, TokenSecret,
    install_crypto,
};
use arqon_spine::{Bus, BusOptions, Keep, Limits, Output, Source, TopicSpec};
use arqon_types::{Discipline, Edge, Field, Schema, TopicName, Type};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

pub(crate) const DEADLINE: Duration = Duration::from_secs(10);
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// A listener with a bus of one topic behind it.
pub(crate) struct House {
    pub(crate) port: u16,
    secret: TokenSecret,
    pub(crate) shutdown: ShutdownHandle,
    pub(crate) ended: tokio::task::JoinHandle<()>,
}

fn bus(limits: Limits) -> Bus {
    Bus::new(BusOptions {
        topics: vec![TopicSpec {
            name: TopicName::parse("shop.clicks").unwrap(),
            schema: Schema::new("Click", vec![Field::new("id", Type::Int64)]),
            schema_id: "shop.Click".into(),
            discipline: Discipline::Events,
            edge: Edge::Both,
            key: Vec::new(),
            source: Source::Outside,
            keep: Keep::All,
        }],
        limits,
        filters: Box::new(|_, _| Err("no filters here".into())),
        seed: 1,
    })
}

pub(crate) async fn house(settings: Settings) -> House {
    install_crypto();
    let secret = TokenSecret::new(vec![7; 32]).unwrap();
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (port, shutdown) = (listener.address().port(), listener.shutdown_handle());
    let (to_bus, mut from_edge) = mpsc::channel(64);
    let mut bus = bus(settings.limits);
    let ended =
        tokio::spawn(listener.run(settings, secret.clone(), Rooms { bus: to_bus, control: None }));
    tokio::spawn(async move {
        let mut outboxes = BTreeMap::new();
        while let Some(message) = from_edge.recv().await {
            let outputs = match message {
                ToBus::Open { session, principal, encoding, outbox, .. } => {
                    outboxes.insert(session, outbox);
                    bus.open(session, principal, encoding, 0)
                }
                ToBus::Frame { session, bytes } => bus.handle(session, &bytes, 0),
                ToBus::Sent { session, n_bytes } => bus.sent(session, n_bytes, 0),
                ToBus::Closed { session } => {
                    bus.close(session);
                    Vec::new()
                }
            };
            for output in outputs {
                let (session, item) = match output {
                    Output::Frame { session, bytes } => (session, ToClient::Frames(vec![bytes])),
                    Output::Close { session, code, reason } => {
                        (session, ToClient::Close { code, reason })
                    }
                };
                // A session that has gone hears nothing.
                let _ = outboxes[&session].send(item).await;
            }
        }
    });
    House { port, secret, shutdown, ended }
}

impl House {
    pub(crate) async fn dial(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    /// Sends a request's head and returns the status line of the answer.
    pub(crate) async fn ask(&self, lines: &str) -> String {
        let mut stream = self.dial().await;
        // The server may answer and close before it has read all of a large request.
        let _ = stream.write_all(lines.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    }

    pub(crate) fn upgrade(&self, more: &str) -> String {
        format!(
            "GET / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n",
            self.port
        )
    }

    pub(crate) async fn connect(&self, subprotocol: &str) -> Client {
        let mut stream = self.dial().await;
        let request = self.upgrade(&format!("Sec-WebSocket-Protocol: {subprotocol}\r\n"));
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(timeout(DEADLINE, stream.read_u8()).await.unwrap().unwrap());
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        assert!(answer.to_lowercase().contains(&format!("sec-websocket-protocol: {subprotocol}")));
        Client { stream }
    }

    pub(crate) fn token(&self, valid_seconds: u64) -> String {
        let issued_at = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let grants = vec!["can_publish:>".to_owned(), "can_subscribe:>".to_owned()];
        let request = TokenRequest { principal: "p".into(), grants, issued_at, valid_seconds };
        self.secret.mint(&request).unwrap()
    }

    /// A client that has been welcomed.
    pub(crate) async fn session(&self) -> Client {
        let mut client = self.connect("arqon.v1.json").await;
        client.say(TEXT, &hello(&self.token(60), Encoding::Json)).await;
        let welcome = client.hear().await.unwrap();
        assert!(String::from_utf8_lossy(&welcome.1).contains("\"welcome\""));
        client
    }
}

pub(crate) fn hello(token: &str, encoding: Encoding) -> Bytes {
    let hello = Hello { token: Some(Secret(token.to_owned())), ..Hello::default() };
    Envelope::control(Control::Hello(hello)).encode(encoding)
}

/// A websocket client that masks nothing by itself.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
}

/// A frame with a mask of zeros, whose length is written in the shortest form.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        medium @ 126..65_536 => {
            bytes.push(0x80 | 0x7e);
            bytes.extend_from_slice(&u16::try_from(medium).unwrap().to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 0x7f);
            bytes.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

impl Client {
    pub(crate) async fn say(&mut self, first: u8, payload: &[u8]) {
        self.raw(&frame(first, payload)).await;
    }

    /// The server may have closed already; what it said is heard afterwards.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        let _ = timeout(DEADLINE, self.stream.write_all(bytes)).await.unwrap();
    }

    /// The next frame; none when the connection is closed.
    pub(crate) async fn hear(&mut self) -> Option<(u8, Vec<u8>)> {
        timeout(DEADLINE, async {
            let first = self.stream.read_u8().await.ok()?;
            let length = match self.stream.read_u8().await.ok()? {
                126 => u64::from(self.stream.read_u16().await.ok()?),
                127 => self.stream.read_u64().await.ok()?,
                short => u64::from(short),
            };
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.stream.read_exact(&mut payload).await.ok()?;
            Some((first, payload))
        })
        .await
        .expect("the server says something or closes")
    }

    /// The close code, after whatever frames come before it.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        while let Some((first, payload)) = self.hear().await {
            if first == CLOSE {
                return Some(u16::from_be_bytes([payload[0], payload[1]]));
            }
        }
        None
    }
}
