//! How long an editor waits for an answer to a keystroke in a large circuit.
//!
//! `cargo xtask bench editor [LINES]`: the language server with its real messages, over a pipe in
//! memory. A letter is typed in a condition somewhere in the circuit, 200 times; printed is the
//! time from the first byte of the change to the last byte of the answer: the completion that an
//! editor asks for at once, the diagnostics of the new text, and the hints of all steps.

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use arqon_bench_report::{Table, percentile};
use arqon_benches::large::circuit;
use arqon_compiler::Options;
use arqon_editor::{ImportRoot, Workspace, serve};
use serde_json::{Value, json};

const N_KEYSTROKES: usize = 200;
const URI: &str = "file:///large.yaml";

fn main() -> ExitCode {
    let wanted: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5_000);
    let mut n_nodes = wanted / 6;
    while circuit(n_nodes).lines().count() < wanted {
        n_nodes += 1;
    }
    let text = circuit(n_nodes);
    let n_lines = text.lines().count();
    let mut editor = Editor::start();
    editor.request("initialize", &json!({ "capabilities": {} }));
    let document = json!({ "uri": URI, "languageId": "yaml", "version": 1, "text": text });
    let start = Instant::now();
    editor.notify("textDocument/didOpen", &json!({ "textDocument": document }));
    editor.diagnostics();
    let opened = start.elapsed().as_secs_f64() * 1e3;
    let places: Vec<(usize, usize)> = text
        .lines()
        .enumerate()
        .filter_map(|(line, text)| Some((line, text.find("amount > ")? + "amount > ".len())))
        .collect();
    let (mut completions, mut diagnostics, mut hints) = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..N_KEYSTROKES {
        let (line, column) = places[at * 7919 % places.len()];
        let typed = json!({ "line": line, "character": column });
        let behind = json!({ "line": line, "character": column + 1 });
        // A digit is put in, and taken out again the next time.
        let change = json!({ "range": { "start": typed, "end": typed }, "text": "1" });
        let version = 2 + 2 * at;
        let start = Instant::now();
        editor.change(version, &change);
        let place = json!({ "textDocument": { "uri": URI }, "position": behind });
        editor.request("textDocument/completion", &place);
        completions.push(start.elapsed().as_secs_f64() * 1e3);
        editor.diagnostics();
        diagnostics.push(start.elapsed().as_secs_f64() * 1e3);
        let whole = json!({ "start": { "line": 0, "character": 0 },
            "end": { "line": n_lines, "character": 0 } });
        let params = json!({ "textDocument": { "uri": URI }, "range": whole });
        let start = Instant::now();
        editor.request("textDocument/inlayHint", &params);
        hints.push(start.elapsed().as_secs_f64() * 1e3);
        editor.change(
            version + 1,
            &json!({ "range": { "start": typed, "end": behind }, "text": "" }),
        );
        editor.diagnostics();
    }
    let title = format!("editor: a keystroke in {n_lines} lines, {} KB of YAML", text.len() / 1024);
    let table = Table::begin(title, &["answer", "p50 ms", "p99 ms"]);
    table.row(&[&"opened", &format_args!("{opened:.1}"), &""]);
    for (name, times) in
        [("completion", completions), ("diagnostics", diagnostics), ("hints of all steps", hints)]
    {
        let [p50, p99] = [50, 99].map(|percent| percentile(&times, percent));
        table.row(&[&name, &format_args!("{p50:.1}"), &format_args!("{p99:.1}")]);
    }
    table.end();
    ExitCode::SUCCESS
}

/// The client's end of the pipes.
struct Editor {
    input: Sender<Vec<u8>>,
    output: BufReader<Pipe>,
    next_id: i64,
    n_diagnostics: usize,
}

impl Editor {
    fn start() -> Self {
        let (input, received) = channel();
        let (sent, output) = channel();
        std::thread::spawn(move || {
            let input = BufReader::new(Pipe { chunks: received, rest: Vec::new() });
            serve(input, Sink(sent), &Alone)
        });
        let output = BufReader::new(Pipe { chunks: output, rest: Vec::new() });
        Self { input, output, next_id: 0, n_diagnostics: 0 }
    }

    fn send(&self, message: &Value) {
        let body = message.to_string();
        let framed = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        self.input.send(framed.into_bytes()).expect("the server runs");
    }

    fn notify(&self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn change(&self, version: usize, change: &Value) {
        let document = json!({ "uri": URI, "version": version });
        self.notify(
            "textDocument/didChange",
            &json!({ "textDocument": document, "contentChanges": [change] }),
        );
    }

    fn request(&mut self, method: &str, params: &Value) -> Value {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let message = self.receive();
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message;
            }
            self.n_diagnostics += usize::from(message.get("method").is_some());
        }
    }

    /// Waits for the diagnostics of the last change.
    fn diagnostics(&mut self) {
        while self.n_diagnostics == 0 {
            let message = self.receive();
            self.n_diagnostics += usize::from(message.get("method").is_some());
        }
        self.n_diagnostics -= 1;
    }

    fn receive(&mut self) -> Value {
        let mut header = Vec::new();
        let mut byte = [0];
        while !header.ends_with(b"\r\n\r\n") {
            self.output.read_exact(&mut byte).expect("the server answers");
            header.push(byte[0]);
        }
        let text = String::from_utf8(header).expect("headers are text");
        let length = text.trim().rsplit(' ').next().and_then(|it| it.parse().ok());
        let mut body = vec![0; length.expect("a length")];
        self.output.read_exact(&mut body).expect("a whole body");
        serde_json::from_slice(&body).expect("a message is JSON")
    }
}

/// Reads what arrives on a channel.
struct Pipe {
    chunks: Receiver<Vec<u8>>,
    rest: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            match self.chunks.recv() {
                Ok(chunk) => self.rest = chunk,
                Err(_) => return Ok(0),
            }
        }
        let n_bytes = buffer.len().min(self.rest.len());
        buffer[..n_bytes].copy_from_slice(&self.rest[..n_bytes]);
        self.rest.drain(..n_bytes);
        Ok(n_bytes)
    }
}

/// Writes to a channel.
struct Sink(Sender<Vec<u8>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Alone;

impl Workspace for Alone {
    fn importable(&self, _: &Path) -> Vec<String> {
        Vec::new()
    }

    fn circuits(&self, _folder: &Path) -> Vec<(PathBuf, String)> {
        Vec::new()
    }

    fn options(&self) -> Options {
        Options::default()
    }

    fn root(&self, _file: &Path) -> Option<ImportRoot> {
        None
    }
}
