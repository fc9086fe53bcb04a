//! A server on loopback, and a client that waits for each answer with a deadline.

use std::time::Duration;

use arqon_compiler::{Options, compile};
use arqon_engine::{EngineOptions, RowOutput};
use arqon_proto::Encoding;
use arqon_server::{EdgeOptions, EpochClock, Idle, Server, ServerOptions, random_secret};
use arqon_shield::Settings;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value as Json, json};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

const DEADLINE: Duration = Duration::from_secs(20);

/// A circuit with an edge on loopback.
pub(crate) fn server(circuit: &str) -> Server {
    server_with(circuit, |_| {})
}

/// As [`server`]; `on_output` hears of each epoch.
pub(crate) fn server_with(
    circuit: &str,
    on_output: impl FnMut(&RowOutput) + Send + 'static,
) -> Server {
    server_of(circuit, (None, Idle::Tick), on_output)
}

/// As [`server_with`], by a clock.
pub(crate) fn server_of(
    circuit: &str,
    (clock, idle): (Option<Box<dyn EpochClock>>, Idle),
    on_output: impl FnMut(&RowOutput) + Send + 'static,
) -> Server {
    let compiled = compile(circuit, "circuit.yaml", &Options::default());
    let plan = compiled.dataflow.expect("the circuit compiles");
    let edge = EdgeOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        settings: Settings::default(),
        secret: random_secret().unwrap(),
    };
    let options = ServerOptions { engine: EngineOptions::default(), edge: Some(edge), clock, idle };
    Server::start(plan, options, on_output).unwrap()
}

/// A client with a thread's patience.
pub(crate) struct Client {
    runtime: Runtime,
    socket: WebSocketStream<TcpStream>,
    pub(crate) encoding: Encoding,
}

impl Client {
    pub(crate) fn dial(server: &Server, encoding: Encoding) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let address = server.address().unwrap();
        let subprotocol = match encoding {
            Encoding::Json => "arqon.v1.json",
            Encoding::Proto => "arqon.v1.proto",
        };
        let socket = runtime.block_on(async {
            let mut request = format!("ws://{address}/").into_client_request().unwrap();
            let name = "Sec-WebSocket-Protocol";
            request.headers_mut().insert(name, subprotocol.parse().unwrap());
            let stream = TcpStream::connect(address).await.unwrap();
            timeout(DEADLINE, client_async(request, stream)).await.unwrap().unwrap().0
        });
        Self { runtime, socket, encoding }
    }

    pub(crate) fn connect(server: &Server) -> Self {
        let mut client = Self::dial(server, Encoding::Json);
        client.control(&json!({"hello": {"token": server.token().unwrap(), "client": "test"}}));
        let welcome = client.hear();
        assert_eq!(welcome["type"], "control");
        assert_eq!(welcome["topic"], "system.control.session");
        let welcome = &welcome["payload"]["welcome"];
        for field in ["session", "principal", "server_time"] {
            assert!(welcome[field].is_string(), "{welcome}");
        }
        assert!(welcome["limits"].is_object() && welcome["features"].is_array(), "{welcome}");
        client
    }

    pub(crate) fn send(&mut self, message: Message) {
        let sending = async { timeout(DEADLINE, self.socket.send(message)).await };
        self.runtime.block_on(sending).unwrap().unwrap();
    }

    pub(crate) fn say(&mut self, frame: &Json) {
        self.send(Message::Text(frame.to_string().into()));
    }

    pub(crate) fn control(&mut self, payload: &Json) {
        let topic = "system.control.session";
        self.say(&json!({"type": "control", "topic": topic, "payload": payload}));
    }

    pub(crate) fn message(&mut self) -> Option<Message> {
        let hearing = async {
            loop {
                match timeout(DEADLINE, self.socket.next()).await.expect("an answer in time") {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(message)) => return Some(message),
                    Some(Err(_)) | None => return None,
                }
            }
        };
        self.runtime.block_on(hearing)
    }

    pub(crate) fn hear(&mut self) -> Json {
        let message = self.message().expect("the session is open");
        let frame: Json = serde_json::from_str(message.to_text().unwrap()).unwrap();
        assert!(frame["id"].is_string() && frame["ts"].is_string(), "{frame}");
        frame
    }

    /// The next payload that is no progress mark.
    pub(crate) fn payload(&mut self) -> Json {
        loop {
            let mut frame = self.hear();
            if frame["payload"]["progress"].is_null() {
                return frame["payload"].take();
            }
        }
    }

    /// Publishes and waits for the ack.
    pub(crate) fn publish(&mut self, topic: &str, payload: &Json) -> Json {
        let headers = json!({"ack": "applied"});
        self.say(&json!({"type": "event", "topic": topic, "payload": payload, "headers": headers}));
        loop {
            let answer = self.payload();
            if !answer["ack"].is_null() {
                return answer;
            }
            assert!(answer["error"].is_null(), "{answer}");
        }
    }
}
