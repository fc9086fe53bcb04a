//! Every maximum and every wait of the edge in one place.

use std::time::Duration;

use arqon_spine::Limits;

/// How the edge treats connections.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The maxima that the bus announces and the edge enforces.
    pub limits: Limits,
    /// Connections at once; a further one is dropped before a byte is read.
    pub connections_max: usize,
    /// Bytes of a request's head; above, 431.
    pub head_bytes_max: usize,
    /// Header lines of a request; above, 431.
    pub head_lines_max: usize,
    /// How long a request's head may take.
    pub upgrade_wait: Duration,
    /// Bytes of a request's body; above, 413.
    pub body_bytes_max: usize,
    /// How long a request's body may take; then 408.
    pub body_wait: Duration,
    /// How long a `hello` may take; then 4401.
    pub hello_wait: Duration,
    /// How long one write may take; then 4408.
    pub write_wait: Duration,
    /// How long the edge reads on after it has closed, so that its last words arrive.
    pub linger: Duration,
    /// Fragments of one message; above, 1008.
    pub fragments_max: u32,
    /// Empty fragments of one message; above, 1008.
    pub empty_fragments_max: u32,
    /// Pings, pongs and closes that may come at once; above, 1008.
    pub control_frames_burst: u32,
    /// Of these, how many more may come each second.
    pub control_frames_per_second: u32,
    /// Origins of web pages that may connect, besides the server's own.
    pub origins: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            limits,
            connections_max: limits.sessions_max + 64,
            head_bytes_max: 16 << 10,
            head_lines_max: 100,
            upgrade_wait: Duration::from_secs(10),
            body_bytes_max: 32 << 20,
            body_wait: Duration::from_secs(30),
            hello_wait: Duration::from_secs(5),
            write_wait: Duration::from_secs(30),
            linger: Duration::from_secs(1),
            fragments_max: 16_384,
            empty_fragments_max: 64,
            control_frames_burst: 100,
            control_frames_per_second: 10,
            origins: Vec::new(),
        }
    }
}
