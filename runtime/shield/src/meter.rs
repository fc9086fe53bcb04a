//! A stream that counts websocket frames as they pass, to stop floods that carry no message.
//!
//! The websocket library hands over whole messages only: a million empty fragments, or pings that
//! it answers by itself, never come to light there. This looks at frame headers and nothing else;
//! what they mean, and whether they are well formed, remains the library's business.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::settings::Settings;

/// What was wrong with the frames of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Too many fragments of one message.
    Fragments,
    /// Too many empty fragments of one message.
    EmptyFragments,
    /// Too many pings, pongs and closes in a short time.
    ControlFrames,
}

/// A byte stream with a frame counter on its reading side.
#[derive(Debug)]
pub(crate) struct Metered<S> {
    stream: S,
    /// Bytes that were read before the counting began and are to be read again.
    head: Vec<u8>,
    head_at: usize,
    counter: FrameCounter,
    verdict: Option<Verdict>,
}

impl<S> Metered<S> {
    /// `head` is the upgrade request, which is read again and not counted.
    pub(crate) fn new(stream: S, head: Vec<u8>, settings: &Settings) -> Self {
        Self { stream, head, head_at: 0, counter: FrameCounter::new(settings), verdict: None }
    }

    pub(crate) fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.head_at < this.head.len() {
            let n_bytes = buf.remaining().min(this.head.len() - this.head_at);
            buf.put_slice(&this.head[this.head_at..this.head_at + n_bytes]);
            this.head_at += n_bytes;
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {}
            other => return other,
        }
        if let Err(verdict) = this.counter.count(&buf.filled()[before..], Instant::now()) {
            this.verdict = Some(verdict);
            return Poll::Ready(Err(io::Error::other("the frames are against the policy")));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Follows frame headers through a byte stream cut anywhere.
#[derive(Debug)]
struct FrameCounter {
    header: Vec<u8>,
    payload_left: u64,
    n_fragments: u32,
    n_empty: u32,
    fragments_max: u32,
    empty_max: u32,
    /// Control frames that may still come, in thousandths.
    control_credit: u64,
    control_burst: u64,
    control_per_second: u64,
    refilled: Option<Instant>,
}

impl FrameCounter {
    fn new(settings: &Settings) -> Self {
        let control_burst = u64::from(settings.control_frames_burst) * 1000;
        Self {
            header: Vec::with_capacity(14),
            payload_left: 0,
            n_fragments: 0,
            n_empty: 0,
            fragments_max: settings.fragments_max,
            empty_max: settings.empty_fragments_max,
            control_credit: control_burst,
            control_burst,
            control_per_second: u64::from(settings.control_frames_per_second),
            refilled: None,
        }
    }

    fn count(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), Verdict> {
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let passed = self.payload_left.min(bytes.len() as u64);
                self.payload_left -= passed;
                bytes = &bytes[usize::try_from(passed).expect("at most the slice's length")..];
                continue;
            }
            self.header.push(bytes[0]);
            bytes = &bytes[1..];
            if let Some((opcode, is_last, payload)) = self.whole_header() {
                self.header.clear();
                self.payload_left = payload;
                self.judge(opcode, is_last, payload, now)?;
            }
        }
        Ok(())
    }

    /// Opcode, whether it ends its message, and the payload's length, once the header is there.
    fn whole_header(&self) -> Option<(u8, bool, u64)> {
        let [first, second, rest @ ..] = self.header.as_slice() else { return None };
        let mask_bytes = if second & 0x80 == 0 { 0 } else { 4 };
        let (payload, length_bytes) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?)), 2),
            127 => (u64::from_be_bytes(rest.get(..8)?.try_into().ok()?), 8),
            short => (u64::from(short), 0),
        };
        (rest.len() >= length_bytes + mask_bytes).then_some((
            first & 0x0f,
            first & 0x80 != 0,
            payload,
        ))
    }

    fn judge(
        &mut self,
        opcode: u8,
        is_last: bool,
        payload: u64,
        now: Instant,
    ) -> Result<(), Verdict> {
        if opcode >= 8 {
            return self.spend_control(now);
        }
        if opcode != 0 {
            self.n_fragments = 0;
            self.n_empty = 0;
        }
        self.n_fragments += 1;
        if payload == 0 && !is_last {
            self.n_empty += 1;
        }
        if self.n_empty > self.empty_max {
            return Err(Verdict::EmptyFragments);
        }
        if self.n_fragments > self.fragments_max {
            return Err(Verdict::Fragments);
        }
        Ok(())
    }

    fn spend_control(&mut self, now: Instant) -> Result<(), Verdict> {
        let since = self.refilled.replace(now).map_or(0, |before| (now - before).as_millis());
        let refill =
            u64::try_from(since).unwrap_or(u64::MAX).saturating_mul(self.control_per_second);
        self.control_credit = self.control_credit.saturating_add(refill).min(self.control_burst);
        match self.control_credit.checked_sub(1000) {
            Some(left) => {
                self.control_credit = left;
                Ok(())
            }
            None => Err(Verdict::ControlFrames),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..126 => bytes.push(0x80 | u8::try_from(short).unwrap()),
            long => {
                bytes.push(0x80 | 0x7e);
                bytes.extend_from_slice(&u16::try_from(long).unwrap().to_be_bytes());
            }
        }
        bytes.extend_from_slice(&[1, 2, 3, 4]);
        bytes.extend_from_slice(payload);
        bytes
    }

    #[tokio::test(flavor = "current_thread")]
    async fn frames_are_counted_wherever_the_stream_is_cut() {
        let settings = Settings { fragments_max: 3, ..Settings::default() };
        let mut stream = frame(0x01, &[0; 300]);
        stream.extend(frame(0x00, b"x"));
        stream.extend(frame(0x80, b"x"));
        stream.extend(frame(0x82, b"next"));
        let now = Instant::now();
        for step in 1..20 {
            let mut counter = FrameCounter::new(&settings);
            for part in stream.chunks(step) {
                assert_eq!(counter.count(part, now), Ok(()));
            }
            assert_eq!(counter.n_fragments, 1, "the last message is one frame");
            for part in frame(0x00, b"x").repeat(3).chunks(step) {
                if let Err(verdict) = counter.count(part, now) {
                    assert_eq!(verdict, Verdict::Fragments);
                }
            }
            assert_eq!(counter.n_fragments, 4);
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn floods_are_stopped_and_a_steady_rate_is_not() {
        let settings = Settings::default();
        let now = Instant::now();
        let mut counter = FrameCounter::new(&settings);
        let mut n_pings = 0;
        while counter.count(&frame(0x89, b""), now).is_ok() {
            n_pings += 1;
        }
        assert_eq!(n_pings, settings.control_frames_burst);
        let later = now + std::time::Duration::from_secs(1);
        for _ in 0..settings.control_frames_per_second {
            assert_eq!(counter.count(&frame(0x8a, b""), later), Ok(()));
        }
        let mut counter = FrameCounter::new(&settings);
        assert_eq!(counter.count(&frame(0x01, b"a"), now), Ok(()));
        let mut n_empty = 0;
        while counter.count(&frame(0x00, b""), now).is_ok() {
            n_empty += 1;
        }
        assert_eq!(n_empty, settings.empty_fragments_max);
    }
}
