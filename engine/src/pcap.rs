//! Capture formats: octets in, frames out. The classic format of libpcap (draft-ietf-opsawg-pcap) in both byte orders,
//! micro- and nanoseconds, and pcapng (draft-ietf-opsawg-pcapng) with several sections and interfaces.
//!
//! A walk goes over the whole records of a chunk and hands out frames that lie in it; nothing is copied.

use crate::records::Frame;

/// Octets of a classic header, and enough to tell any format.
pub const HEADER_SIZE: usize = 24;
/// Octets of one record; a longer one is a length that lies. tcpdump itself stops at 262,144.
pub const RECORD_LIMIT: u64 = 16 << 20;

const SECTION: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE: u32 = 3;
const ENHANCED: u32 = 6;

/// How a chunk was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Walked {
    /// The next record is not whole yet.
    Hungry,
    /// What is wrong at the place where the walk stands; nothing after it can be trusted.
    Wrong(String),
}

/// What the first octets of a capture say of it.
#[derive(Clone, Debug)]
pub enum Reader {
    /// The classic format.
    Pcap(Pcap),
    /// The next generation.
    Pcapng(Pcapng),
}

impl Reader {
    /// The reader for what begins with `head` (HEADER_SIZE octets), and where its first record begins.
    pub fn recognise(head: &[u8]) -> Option<(Reader, usize)> {
        if head.get(..4)? == b"\n\r\r\n" {
            return Some((Reader::Pcapng(Pcapng::default()), 0));
        }
        Pcap::new(head).map(|reader| (Reader::Pcap(reader), HEADER_SIZE))
    }

    /// Hands out the whole frames of `octets` from `at` on and moves `at` behind them.
    pub fn walk(&mut self, octets: &[u8], at: &mut usize, each: &mut impl FnMut(Frame<'_>)) -> Walked {
        match self {
            Reader::Pcap(reader) => reader.walk(octets, at, each),
            Reader::Pcapng(reader) => reader.walk(octets, at, each),
        }
    }
}

fn u16_at(octets: &[u8], at: usize, big: bool) -> Option<u16> {
    let two = octets.get(at..at + 2)?.try_into().ok()?;
    Some(if big { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
}

fn u32_at(octets: &[u8], at: usize, big: bool) -> Option<u32> {
    let four = octets.get(at..at + 4)?.try_into().ok()?;
    Some(if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
}

/// The records of a classic capture.
#[derive(Clone, Debug)]
pub struct Pcap {
    big: bool,
    /// Nanoseconds of a unit of the second time field.
    unit: i64,
    /// Of a record; Kuznetzov's patched libpcap writes eight octets more.
    header_size: usize,
    link: u32,
}

impl Pcap {
    fn new(head: &[u8]) -> Option<Pcap> {
        for big in [false, true] {
            let (unit, header_size) = match u32_at(head, 0, big)? {
                0xA1B2_C3D4 => (1000, 16),
                0xA1B2_3C4D => (1, 16),
                0xA1B2_CD34 => (1000, 24),
                _ => continue,
            };
            // the upper half says how long a frame check sequence each frame ends with
            let link = u32_at(head, 20, big)? & 0xFFFF;
            return Some(Pcap { big, unit, header_size, link });
        }
        None
    }

    fn walk(&mut self, octets: &[u8], at: &mut usize, each: &mut impl FnMut(Frame<'_>)) -> Walked {
        loop {
            let Some(header) = octets.get(*at..*at + self.header_size) else { return Walked::Hungry };
            let read = |place| u32_at(header, place, self.big).unwrap_or_default();
            let (seconds, fraction, kept, wire_len) = (read(0), read(4), read(8), read(12));
            let begin = *at + self.header_size;
            let Some(data) = octets.get(begin..begin + kept as usize) else {
                if u64::from(kept) > RECORD_LIMIT {
                    return Walked::Wrong(format!("a frame of {kept} octets is claimed, which cannot be"));
                }
                return Walked::Hungry;
            };
            each(Frame {
                time_ns: i64::from(seconds) * 1_000_000_000 + i64::from(fraction) * self.unit,
                link: self.link,
                wire_len: wire_len.max(kept),
                data,
                checksum_ready: true,
            });
            *at = begin + kept as usize;
        }
    }
}

/// What an Interface Description Block says; a time is `ticks * multiply / divide + offset_ns` nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Port {
    link: u32,
    /// 0: no limit.
    snap: u32,
    multiply: u128,
    divide: u128,
    offset_ns: i128,
}

/// The blocks of a pcapng capture.
#[derive(Clone, Debug, Default)]
pub struct Pcapng {
    big: bool,
    ports: Vec<Port>,
    /// Of the last frame: a Simple Packet Block has no time of its own.
    time_ns: i64,
}

impl Pcapng {
    fn walk(&mut self, octets: &[u8], at: &mut usize, each: &mut impl FnMut(Frame<'_>)) -> Walked {
        while *at + 12 <= octets.len() {
            let mut kind = u32_at(octets, *at, self.big).unwrap_or_default();
            if kind == SECTION {
                self.big = match octets.get(*at + 8..*at + 12) {
                    Some(b"\x4d\x3c\x2b\x1a") => false,
                    Some(b"\x1a\x2b\x3c\x4d") => true,
                    _ => return Walked::Wrong("a section begins that has no byte order".into()),
                };
                self.ports.clear();
                kind = SECTION;
            }
            let length = u32_at(octets, *at + 4, self.big).unwrap_or_default() as usize;
            let end = *at + length;
            if end > octets.len() {
                if length as u64 > RECORD_LIMIT {
                    return Walked::Wrong(format!("a block of {length} octets is claimed, which cannot be"));
                }
                return Walked::Hungry;
            }
            if length < 12 || u32_at(octets, end - 4, self.big) != Some(length as u32) {
                return Walked::Wrong("a block begins whose length is another at its end".into());
            }
            let body = &octets[*at + 8..end - 4];
            match kind {
                PACKET | SIMPLE | ENHANCED => match self.frame(kind, body) {
                    Some(frame) => each(frame),
                    None => {
                        let what = "a packet block begins that does not hold its packet, or names no interface";
                        return Walked::Wrong(what.into());
                    }
                },
                INTERFACE => match port(body, self.big) {
                    Some(port) => self.ports.push(port),
                    None => {
                        return Walked::Wrong("the description of an interface begins that is cut short".into());
                    }
                },
                _ => {}
            }
            *at = end;
        }
        Walked::Hungry
    }

    /// The frame of a packet block; None when the body is too short for it.
    fn frame<'a>(&mut self, kind: u32, body: &'a [u8]) -> Option<Frame<'a>> {
        let big = self.big;
        let (link, kept, wire_len, rest);
        if kind == SIMPLE {
            let port = self.ports.first()?;
            link = port.link;
            wire_len = u32_at(body, 0, big)?;
            kept = if port.snap == 0 { wire_len } else { wire_len.min(port.snap) };
            rest = &body[4..];
        } else {
            rest = body.get(20..)?;
            // 16 bits of interface and 16 of drops where the other has 32 of interface
            let number = if kind == PACKET { u32::from(u16_at(body, 0, big)?) } else { u32_at(body, 0, big)? };
            let port = self.ports.get(number as usize)?;
            link = port.link;
            let ticks = u128::from(u32_at(body, 4, big)?) << 32 | u128::from(u32_at(body, 8, big)?);
            // a time that no clock can show is the last that one can
            let time_ns = (ticks * port.multiply / port.divide) as i128 + port.offset_ns;
            self.time_ns = time_ns.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
            kept = u32_at(body, 12, big)?;
            wire_len = u32_at(body, 16, big)?;
        }
        let data = rest.get(..kept as usize)?;
        Some(Frame { time_ns: self.time_ns, link, wire_len: wire_len.max(kept), data, checksum_ready: true })
    }
}

/// An Interface Description Block without its type and lengths; None when it is cut short.
fn port(body: &[u8], big: bool) -> Option<Port> {
    const TIME_RESOLUTION: u16 = 9;
    const TIME_OFFSET: u16 = 14;
    let link = u32::from(u16_at(body, 0, big)?);
    let snap = u32_at(body, 4, big)?;
    let mut port = Port { link, snap, multiply: 1000, divide: 1, offset_ns: 0 };
    let mut at = 8;
    while let (Some(code), Some(length)) = (u16_at(body, at, big), u16_at(body, at + 2, big)) {
        let length = usize::from(length);
        let rest = body.get(at + 4..).unwrap_or_default();
        let value = &rest[..length.min(rest.len())];
        match (code, value) {
            (0, _) => break,
            (TIME_RESOLUTION, &[octet]) => (port.multiply, port.divide) = resolution(octet),
            (TIME_OFFSET, value) if value.len() == 8 => {
                let high = u32_at(value, if big { 0 } else { 4 }, big)?;
                let low = u32_at(value, if big { 4 } else { 0 }, big)?;
                let seconds = (u64::from(high) << 32 | u64::from(low)) as i64;
                port.offset_ns = i128::from(seconds) * 1_000_000_000;
            }
            _ => {}
        }
        at += 4 + length.next_multiple_of(4);
    }
    Some(port)
}

/// if_tsresol: ticks a second as a power of ten, or of two where the highest bit is set.
fn resolution(octet: u8) -> (u128, u128) {
    let exponent = u32::from(octet & 0x7F);
    if octet & 0x80 != 0 {
        return (1_000_000_000, 1 << exponent);
    }
    // 2^64 ticks of 10^-38 s are less than a nanosecond: a larger divisor changes nothing
    (10u128.pow(9u32.saturating_sub(exponent)), 10u128.pow(exponent.saturating_sub(9).min(38)))
}
