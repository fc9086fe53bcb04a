//! docs/PROTOCOL.md is true: its sessions are played against a running server, frame by frame.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use arqon_compiler::{Options, compile};
use arqon_engine::EngineOptions;
use arqon_proto::ErrorCode;
use arqon_server::{EdgeOptions, Idle, Server, ServerOptions, random_secret};
use arqon_shield::Settings;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value as Json;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const DEADLINE: Duration = Duration::from_secs(20);

fn page() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent");
    fs::read_to_string(root.join("docs/PROTOCOL.md")).expect("the page is there")
}

/// The fenced blocks of one kind.
fn blocks(page: &str, kind: &str) -> Vec<String> {
    let fence = format!("```{kind}\n");
    let texts = page.split(fence.as_str()).skip(1);
    texts.map(|text| text.split("```").next().expect("a fence is closed").to_owned()).collect()
}

#[test]
fn every_session_of_the_page_is_played() {
    let page = page();
    let [circuit] = <[String; 1]>::try_from(blocks(&page, "yaml circuit")).expect("one circuit");
    let plan = compile(&circuit, "page.yaml", &Options::default()).dataflow;
    let edge = EdgeOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        settings: Settings::default(),
        secret: random_secret().unwrap(),
    };
    let options = ServerOptions {
        engine: EngineOptions::default(),
        edge: Some(edge),
        clock: None,
        idle: Idle::Tick,
    };
    let server = Server::start(plan.expect("the circuit compiles"), options, |_| {}).unwrap();
    let sessions = blocks(&page, "session");
    assert!(sessions.len() > 6, "the page has sessions");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(play(&server, &sessions));
}

async fn play(server: &Server, sessions: &[String]) {
    let address = server.address().unwrap();
    let mut request = format!("ws://{address}/").into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "arqon.v1.json".parse().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let mut socket = timeout(DEADLINE, client_async(request, stream)).await.unwrap().unwrap().0;
    for line in sessions.iter().flat_map(|session| session.lines()) {
        if let Some(frame) = line.strip_prefix("-> ") {
            let token = format!("\"token\":\"{}\"", server.token().unwrap());
            let frame = frame.replace("\"token\":\"…\"", &token);
            timeout(DEADLINE, socket.send(Message::Text(frame.into()))).await.unwrap().unwrap();
        } else if let Some(wanted) = line.strip_prefix("<- ") {
            let wanted: Json = serde_json::from_str(wanted).expect("the page holds JSON");
            let found = loop {
                let heard = timeout(DEADLINE, socket.next()).await.unwrap_or_else(|_| {
                    panic!("no answer in time; the page says {wanted}");
                });
                match heard.expect("the session is open").unwrap() {
                    Message::Text(text) => break serde_json::from_str::<Json>(&text).unwrap(),
                    Message::Ping(_) | Message::Pong(_) => {}
                    other => panic!("{other:?} instead of\n{wanted}"),
                }
            };
            assert!(matches(&wanted, &found), "the page says\n{wanted}\nthe server said\n{found}");
        } else {
            panic!("a line of a session is neither sent nor received: {line}");
        }
    }
}

/// Equal, but that `…` stands for any text.
fn matches(wanted: &Json, found: &Json) -> bool {
    match (wanted, found) {
        (Json::String(text), Json::String(_)) if text == "…" => true,
        (Json::Array(wanted), Json::Array(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(w, f)| matches(w, f))
        }
        (Json::Object(wanted), Json::Object(found)) => {
            wanted.len() == found.len()
                && wanted
                    .iter()
                    .all(|(name, w)| found.get(name).is_some_and(|found| matches(w, found)))
        }
        (wanted, found) => wanted == found,
    }
}

#[test]
fn every_error_code_is_explained() {
    let page = page();
    for code in ErrorCode::ALL {
        assert!(page.contains(&format!("| `{code}` | ")), "{code} is explained");
    }
    for row in page.lines().filter_map(|line| line.strip_prefix("| `")) {
        let name = row.split('`').next().expect("split yields one at least");
        let is_code = name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        assert!(!is_code || ErrorCode::ALL.iter().any(|code| code.as_str() == name), "{name}");
    }
}
