//! Every maximum of a session in one place, each with what happens when it is reached.

use std::time::Duration;

/// From the first packet to the welcome; then connecting is given up.
pub(crate) const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a closing session waits for the server's last word.
pub(crate) const CLOSE_TIME_MAX: Duration = Duration::from_secs(2);
/// The shortest time between two pings, whatever the server says.
pub(crate) const PING_TIME_MIN: Duration = Duration::from_millis(100);
/// Intervals without a frame after which the server is taken for gone.
pub(crate) const SILENT_INTERVALS_MAX: u32 = 2;
/// Bytes of one received frame; a larger one ends the session.
pub(crate) const FRAME_BYTES_MAX: usize = 64 << 20;
/// Bytes that are read at once; the websocket library clears as many before every read.
pub(crate) const READ_BUFFER_BYTES: usize = 16 << 10;
/// Frames that wait for the socket; a further request waits for room.
pub(crate) const OUTGOING_FRAMES_MAX: usize = 64;
/// Requests that wait for their ack; a further one waits for an earlier one's ack.
pub(crate) const IN_FLIGHT_MAX: usize = 4096;
/// Bytes that wait to be read from one subscription; above, the socket is not read.
pub(crate) const QUEUE_BYTES_MAX: usize = 16 << 20;
/// Changes that the server may send ahead of the reader, unless a subscription asks otherwise.
pub(crate) const CREDIT_ROWS: u64 = 10_000;
/// Refusals kept that answer no waiting request; the oldest goes first.
pub(crate) const REFUSALS_MAX: usize = 16;
