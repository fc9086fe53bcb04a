//! Seeded breaches of the websocket protocol: whatever comes before and in however many pieces,
//! the connection is closed with the code of the breach, and others are served on.
//!
//! `ARQON_CASES` and `ARQON_SEED` choose how many and from which seed; `cargo xtask torture C03` and
//! `C07` set them.

use arqon_shield::Settings;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::house::{BINARY, CLOSE, Client, DEADLINE, House, PING, PONG, TEXT, frame, house};

#[expect(clippy::disallowed_methods, reason = "the long run chooses its cases from outside")]
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A generator of numbers, so that a seed tells the whole run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit as u64).unwrap()
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| u8::try_from(self.below(256)).unwrap()).collect()
    }

    /// Text of one- to four-byte characters, of about `n` bytes.
    fn text(&mut self, n: usize) -> String {
        let mut text = String::new();
        while text.len() < n {
            text.push(self.one_of(&[
                'a',
                '"',
                '\\',
                '\0',
                'é',
                '€',
                '\u{ffff}',
                '𝄞',
                '\u{10ffff}',
            ]));
        }
        text
    }
}

/// Bytes that break the protocol, and the close code for it.
struct Breach {
    name: &'static str,
    bytes: Vec<u8>,
    code: u16,
}

/// A frame of any kind, as it would be right but for its missing mask.
fn unmasked(random: &mut Random) -> Breach {
    let first = random.one_of(&[TEXT, BINARY, 0x01, 0x02, PING, PONG, CLOSE]);
    let length = if first & 0x08 == 0 { random.below(9_000) } else { random.below(126) };
    let payload = if first == CLOSE {
        1000_u16.to_be_bytes().to_vec()
    } else {
        random.text(length).into_bytes()
    };
    let mut bytes = vec![first];
    if let Ok(short @ 0..126) = u8::try_from(payload.len()) {
        bytes.push(short);
    } else {
        bytes.push(126);
        bytes.extend_from_slice(&u16::try_from(payload.len()).unwrap().to_be_bytes());
    }
    bytes.extend_from_slice(&payload);
    Breach { name: "no mask", bytes, code: 1002 }
}

/// Text that is not UTF-8, in one frame or in fragments that fall anywhere.
fn not_utf_8(random: &mut Random) -> Breach {
    let wrong: &[u8] = random.one_of(&[
        b"\x80".as_slice(),
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfe",
        b"\xff",
        b"\xc3(",
        b"\xe2\x82(",
        b"\xf0\x9d\x84(",
    ]);
    let (before, after) = (random.below(3_000), random.below(3_000));
    let mut text = random.text(before).into_bytes();
    text.extend_from_slice(wrong);
    text.extend_from_slice(random.text(after).as_bytes());
    if random.below(4) == 0 {
        // A character that the message ends within.
        text = random.text(before).into_bytes();
        text.extend_from_slice(random.one_of(&[b"\xc3".as_slice(), b"\xe2\x82", b"\xf0\x9d\x84"]));
    }
    let mut bytes = Vec::new();
    let mut first = 0x01;
    while random.below(3) > 0 {
        let part: Vec<u8> = text.drain(..random.below(text.len() + 1)).collect();
        bytes.extend(frame(first, &part));
        first = 0x00;
    }
    bytes.extend(frame(first | 0x80, &text));
    Breach { name: "not UTF-8", bytes, code: 1007 }
}

/// A frame whose first byte has no meaning.
fn no_such_frame(random: &mut Random) -> Breach {
    let reserved = u8::try_from(1 + random.below(7)).unwrap() << 4;
    let known = random.one_of(&[TEXT, BINARY, 0x01, PING, PONG, CLOSE]);
    let unknown = 0x80 | random.one_of(&[3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf]);
    let (name, first) = random.one_of(&[
        ("reserved bits", known | reserved),
        ("unknown opcode", unknown),
        ("unknown opcode, to be continued", unknown & 0x7f),
        ("reserved bits and unknown opcode", unknown | reserved),
        ("continuation of nothing", 0x80),
        ("continuation of nothing, to be continued", 0x00),
        ("fragmented ping", PING & 0x7f),
        ("fragmented pong", PONG & 0x7f),
        ("fragmented close", CLOSE & 0x7f),
    ]);
    let length = random.below(126);
    Breach { name, bytes: frame(first, &random.bytes(length)), code: 1002 }
}

/// Frames in the wrong order, or of a length that their kind may not have.
fn out_of_place(random: &mut Random) -> Breach {
    let begun = frame(0x01, b"{");
    let more = 126 + random.below(2_000);
    let long = random.bytes(more);
    let (name, bytes) = match random.below(4) {
        0 => ("a text within a text", [begun, frame(TEXT, b"{}")].concat()),
        1 => ("a beginning within a text", [begun, frame(0x02, b"x")].concat()),
        2 => ("a long ping", frame(random.one_of(&[PING, PONG]), &long)),
        _ => ("a close of one byte", frame(CLOSE, b"x")),
    };
    Breach { name, bytes, code: 1002 }
}

impl Client {
    /// Says a ping and hears its pong, whatever the server asks in between.
    async fn ping(&mut self, random: &mut Random) {
        let length = random.below(126);
        let payload = random.bytes(length);
        self.say(PING, &payload).await;
        let mut heard = self.hear().await;
        while let Some((PING, question)) = heard {
            self.say(PONG, &question).await;
            heard = self.hear().await;
        }
        assert_eq!(heard, Some((PONG, payload)));
    }

    /// Writes in pieces that fall anywhere; the server may have closed before the last.
    async fn pieces(&mut self, random: &mut Random, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece =
                if random.below(2) == 0 { rest.len() } else { 1 + random.below(rest.len()) };
            let written = timeout(DEADLINE, self.stream.write_all(&rest[..piece])).await.unwrap();
            if written.is_err() {
                return;
            }
            rest = &rest[piece..];
        }
    }
}

/// One case: pings, the breach, the close code.
async fn commit(house: &House, random: &mut Random, breach: Breach, case: &str) {
    let mut client = house.session().await;
    for _ in 0..random.below(3) {
        client.ping(random).await;
    }
    client.pieces(random, &breach.bytes).await;
    assert_eq!(client.close_code().await, Some(breach.code), "{case}: {}", breach.name);
}

async fn breaches(name: &str, makers: &[fn(&mut Random) -> Breach]) {
    let (cases, first) = (setting("ARQON_CASES", 40), setting("ARQON_SEED", 1));
    let house = house(Settings::default()).await;
    let mut other = house.session().await;
    for seed in first..first + cases {
        let mut random = Random(seed);
        let make = random.one_of(makers);
        let breach = make(&mut random);
        commit(&house, &mut random, breach, &format!("seed {seed}")).await;
        // One who keeps to the protocol is served all the while, and has a new token in time.
        if seed % 16 == 0 {
            other.ping(&mut random).await;
        }
        if seed % 512 == 0 {
            other = house.session().await;
        }
    }
    #[expect(clippy::print_stdout, reason = "the long run says what it has done")]
    {
        println!("{name}: {cases} breaches from seed {first}, each closed with its code");
    }
}

#[tokio::test]
async fn frames_without_a_mask_close_with_1002() {
    breaches("C03", &[unmasked]).await;
}

#[tokio::test]
async fn no_text_and_no_frame_close_with_1007_and_1002() {
    breaches("C07", &[not_utf_8, no_such_frame, out_of_place]).await;
}
