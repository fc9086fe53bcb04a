//! Clients that flood a running server: what it costs the server, and what it costs the others.
//!
//! The server is the built command in a process of its own, on loopback; its memory is what the
//! kernel says of that process, from a warm server on. The everyday form is short and decides by
//! close codes and memory only. With `ARQON_CASES` set, as `cargo xtask torture C04|C05|C06` does,
//! it is long, and C06 also decides by the time that another client's publishes take.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test stops where a step of it does not succeed")]
#![expect(clippy::print_stdout, reason = "the long runs print their figures")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arqon_proto::{Control, Encoding, Envelope, Hello, Secret};
use support::{Running, Scene};

const DEADLINE: Duration = Duration::from_secs(20);
const TEXT: u8 = 0x81;
const TEXT_BEGUN: u8 = 0x01;
const GOES_ON: u8 = 0x00;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const MIB: u64 = 1 << 20;
/// What a message may have by default; see `arqon_spine::Limits`.
const MESSAGE_BYTES_MAX: u64 = 4 * MIB;

#[expect(clippy::disallowed_methods, reason = "the long run chooses its seed from outside")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a flood is measured")]
    Instant::now()
}

/// A running shop with a place to connect to.
struct Server {
    running: Running,
    address: String,
    token: String,
    _scene: Scene,
}

impl Server {
    /// A server that has served a few clients, so that what it makes once is there.
    fn warm() -> Self {
        let scene = Scene::new();
        let mut command = scene.command(&["-q", "run", "shop.yaml", "--ready-file", "ready.json"]);
        let null = std::process::Stdio::null;
        // Each thread has its part of the allocator's memory: their number is part of the figures.
        command.env("TOKIO_WORKER_THREADS", "2").stdout(null()).stderr(null());
        let running = Running::start(&mut command);
        let (url, token) = scene.ready("ready.json");
        let address = url.trim_start_matches("ws://").trim_end_matches('/').to_owned();
        let server = Self { running, address, token, _scene: scene };
        for id in 0..20 {
            assert_eq!(server.session().publish(id), Answer::Text);
            server.claim(1 << 62);
        }
        server
    }

    fn session(&self) -> Client {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: arqon.v1.json\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        let mut client = Client { stream };
        let hello = Hello { token: Some(Secret(self.token.clone())), ..Hello::default() };
        let hello = Envelope::control(Control::Hello(hello)).encode(Encoding::Json);
        client.raw(&frame(TEXT, &hello));
        assert_eq!(client.hear(), Answer::Text, "the server welcomes");
        client
    }

    /// What the server says to a frame whose header claims `length` bytes, of which none come.
    fn claim(&self, length: u64) -> Answer {
        let mut client = self.session();
        let mut header = vec![TEXT, 0x80 | 0x7f];
        header.extend_from_slice(&length.to_be_bytes());
        header.extend_from_slice(&[0; 4]);
        client.raw(&header);
        client.last()
    }

    /// A figure of `/proc/PID/status`, in bytes.
    fn memory(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.running.process.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let kib = line.trim_start_matches(':').trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap() * 1024
    }

    /// Memory in use now. The peak begins anew.
    fn resident(&self) -> u64 {
        // 5 sets the peak to what is in use; where the kernel forbids it, the older peak stays,
        // and growth is judged by what is in use at the end.
        let _ = std::fs::write(format!("/proc/{}/clear_refs", self.running.process.id()), "5");
        self.memory("VmRSS")
    }
}

/// What the server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Text,
    Closed(u16),
    /// Without a word, as when it is still sent to after it has closed.
    Gone,
}

/// A websocket client that masks with zeros and keeps to no rule by itself.
struct Client {
    stream: TcpStream,
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match u16::try_from(payload.len()).unwrap() {
        short @ 0..126 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        medium => {
            bytes.push(0x80 | 0x7e);
            bytes.extend_from_slice(&medium.to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

impl Client {
    /// The server may have closed already; what it said is heard afterwards.
    fn raw(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    fn hear(&mut self) -> Answer {
        self.read().unwrap_or(Answer::Gone)
    }

    fn read(&mut self) -> std::io::Result<Answer> {
        loop {
            let mut head = [0; 2];
            self.stream.read_exact(&mut head)?;
            let mut long = [0; 8];
            let length = match head[1] {
                126 => {
                    self.stream.read_exact(&mut long[6..])?;
                    u64::from_be_bytes(long)
                }
                127 => {
                    self.stream.read_exact(&mut long)?;
                    u64::from_be_bytes(long)
                }
                short => u64::from(short),
            };
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.stream.read_exact(&mut payload)?;
            match head[0] & 0xf {
                0x1 => return Ok(Answer::Text),
                CLOSE => return Ok(Answer::Closed(u16::from_be_bytes([payload[0], payload[1]]))),
                _ => {}
            }
        }
    }

    /// How the server closes.
    fn last(&mut self) -> Answer {
        loop {
            match self.hear() {
                Answer::Text => {}
                end => return end,
            }
        }
    }

    /// Publishes a row and waits for its acknowledgement.
    fn publish(&mut self, id: u64) -> Answer {
        let row = format!(r#"{{"id":{id},"region":"EU","name":null}}"#);
        let event = format!(r#"{{"type":"event","topic":"shop.customers","payload":{row}}}"#);
        self.raw(&frame(TEXT, event.as_bytes()));
        self.hear()
    }
}

/// A generator of numbers, so that a seed tells the whole run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// Asserts that the server has grown by less than `limit` since it had `before`, at its peak too.
fn grown_less(server: &Server, before: u64, limit: u64) {
    let growth = server.memory("VmRSS").saturating_sub(before);
    let peak = server.memory("VmHWM").saturating_sub(before);
    println!(
        "memory: {} KiB before, +{} KiB now, +{} KiB at the peak, {} KiB allowed",
        before >> 10,
        growth >> 10,
        peak >> 10,
        limit >> 10
    );
    assert!(growth < limit, "it has grown by {growth} bytes of {limit}");
    assert!(peak < limit, "its peak is {peak} bytes above, of {limit}");
}

#[test]
fn a_frame_that_claims_2_to_the_63_bytes_costs_no_memory() {
    let mut random = Random(setting("ARQON_SEED").unwrap_or(1));
    let server = Server::warm();
    let before = server.resident();
    let cases = setting("ARQON_CASES").unwrap_or(50);
    for case in 0..cases {
        // The length itself, and others that no message has.
        let below = if case % 2 == 0 { 0 } else { random.below((1 << 63) - MESSAGE_BYTES_MAX) };
        assert_eq!(server.claim((1 << 63) - below), Answer::Closed(1009), "2^63 - {below}");
    }
    println!("C04: {cases} frames, each closed with 1009");
    grown_less(&server, before, MIB);
}

#[test]
fn a_message_without_end_costs_no_more_than_its_limit() {
    let long = setting("ARQON_CASES");
    let server = Server::warm();
    let cold = server.resident();
    // The allocator keeps the buffers through which a message has grown, once for each thread.
    for _ in 0..if long.is_some() { 16 } else { 2 } {
        endless(&server);
    }
    grown_less(&server, cold, 16 * MESSAGE_BYTES_MAX);
    let Some(cases) = long else { return };
    let before = server.resident();
    for _ in 0..cases {
        endless(&server);
    }
    println!("C05: {cases} messages of 1,000,000 fragments of 1 KiB, each ended at the limit");
    grown_less(&server, before, MESSAGE_BYTES_MAX + 2 * MIB);
}

/// A message of 1,000,000 fragments, if it were let.
fn endless(server: &Server) {
    let mut client = server.session();
    client.raw(&frame(TEXT_BEGUN, &[b' '; 1024]));
    let fragment = frame(GOES_ON, &[b' '; 1024]);
    // The server reads on for a second after its close, and keeps nothing of it.
    let _ = (0..1_000_000).take_while(|_| client.raw(&fragment)).count();
    // A close that crosses with what is still sent may be lost with the connection.
    let end = client.last();
    assert!(matches!(end, Answer::Closed(1009) | Answer::Gone), "{end:?}");
}

/// Floods without a message, over and over, until told to end; how many connections it took.
fn flood(server: &Server, mut random: Random, is_over: &AtomicBool) -> u64 {
    let mut n_closed = 0;
    while !is_over.load(Ordering::Relaxed) {
        let mut client = server.session();
        let (first, repeated) = match random.below(4) {
            0 => (Vec::new(), frame(PING, b"")),
            1 => (Vec::new(), frame(PONG, b"")),
            2 => (Vec::new(), frame(PING, &[b'x'; 125])),
            _ => (frame(TEXT_BEGUN, b"{"), frame(GOES_ON, b"")),
        };
        client.raw(&first);
        let at_once = 1 + usize::try_from(random.below(200)).unwrap();
        let burst = repeated.repeat(at_once);
        let _ = (0..1_000_000 / at_once).take_while(|_| client.raw(&burst)).count();
        let end = client.last();
        assert!(matches!(end, Answer::Closed(1008) | Answer::Gone), "{end:?}");
        n_closed += 1;
    }
    n_closed
}

/// The times of `n` publishes, each until its acknowledgement.
fn publishes(client: &mut Client, n: u64) -> Vec<Duration> {
    (0..n)
        .map(|id| {
            let begun = now();
            assert_eq!(client.publish(id), Answer::Text);
            begun.elapsed()
        })
        .collect()
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100]
}

#[test]
fn a_flood_without_messages_does_not_hold_up_others() {
    let long = setting("ARQON_CASES");
    let seed = setting("ARQON_SEED").unwrap_or(1);
    let server = Server::warm();
    let mut client = server.session();
    publishes(&mut client, 200);
    let before = server.resident();
    let (mut quiet, mut flooded, mut n_closed) = (Vec::new(), Vec::new(), 0);
    // Quiet and flooded in turn, so that other work on the machine falls on both alike.
    for round in 0..long.unwrap_or(2) {
        quiet.extend(publishes(&mut client, 400));
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let attacker = scope.spawn(|| flood(&server, Random(seed + round), &is_over));
            flooded.extend(publishes(&mut client, 400));
            is_over.store(true, Ordering::Relaxed);
            n_closed += attacker.join().unwrap();
        });
    }
    assert!(0 < n_closed);
    let quiet = [50, 99].map(|percent| percentile(&mut quiet, percent));
    let flooded = [50, 99].map(|percent| percentile(&mut flooded, percent));
    let ratio = flooded[1].as_secs_f64() / quiet[1].as_secs_f64();
    println!(
        "C06: {n_closed} floods closed; publish p50 {:?} -> {:?}, p99 {:?} -> {:?}: {ratio:.2}x",
        quiet[0], flooded[0], quiet[1], flooded[1]
    );
    // What the rows and their ids take is in it.
    grown_less(&server, before, 32 * MIB);
    if long.is_some() {
        assert!(ratio < 2.0, "seed {seed}: the p99 of another client's publishes is {ratio:.2}x");
    }
}
