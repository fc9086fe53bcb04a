//! Every maximum of the bus in one place, each with what happens when it is reached.

/// The maxima of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one frame; a larger one closes the session with 1009.
    pub message_bytes_max: usize,
    /// Messages of one batch; a longer one is refused with `TOO_LARGE`.
    pub batch_messages_max: usize,
    /// Sessions at once; a further one is refused with `RESOURCE_EXHAUSTED`.
    pub sessions_max: usize,
    /// Subscriptions of one session; a further one is refused with `QUOTA`.
    pub subscriptions_max: usize,
    /// Characters of a filter; a longer one is refused with `TOO_LARGE`.
    pub filter_chars_max: usize,
    /// The largest diff of one change, either way, so that sums stay far from overflow; a larger
    /// one is refused with `TOO_LARGE`.
    pub diff_max: u64,
    /// Rows that wait for the engine; a message above is refused with `RESOURCE_EXHAUSTED`.
    pub queue_rows_max: usize,
    /// Message ids remembered per topic; the oldest is forgotten first.
    pub dedupe_ids_max: usize,
    /// Changes kept per topic for `from: {"epoch": …}` and `{"offset": …}`; the oldest go first.
    pub history_rows_max: usize,
    /// Bytes that may wait for a slow client; above, its subscriptions wait and conflate.
    pub outbox_bytes_max: usize,
    /// Bytes of answers that may wait for a client that does not read; above, it is closed.
    pub outbox_bytes_close: usize,
    /// Changes that wait for one subscription before they are merged, or, as events, dropped.
    pub pending_rows_max: usize,
    /// Bytes of rows in one frame; a larger epoch comes in parts.
    pub frame_bytes_max: usize,
    /// Unreadable frames of one session before it is closed with 4400.
    pub faults_max: usize,
    /// How often the edge pings; after two intervals of silence it closes.
    pub ping_interval_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 4 << 20,
            batch_messages_max: 10_000,
            sessions_max: 10_000,
            subscriptions_max: 256,
            filter_chars_max: 4096,
            diff_max: 1 << 32,
            queue_rows_max: 200_000,
            dedupe_ids_max: 65_536,
            history_rows_max: 65_536,
            outbox_bytes_max: 1 << 20,
            outbox_bytes_close: 4 << 20,
            pending_rows_max: 65_536,
            frame_bytes_max: 256 << 10,
            faults_max: 16,
            ping_interval_ms: 20_000,
        }
    }
}
