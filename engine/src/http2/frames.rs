//! Frames as a client sends them (RFC 9113 section 4), and where they begin when nobody saw the beginning.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
/// RFC 9218 section 7.1.
pub const PRIORITY_UPDATE: u8 = 16;

pub const ACK: u8 = 0x01;
pub const END_STREAM: u8 = 0x01;
pub const END_HEADERS: u8 = 0x04;
pub const PADDED: u8 = 0x08;
pub const PRIORITISED: u8 = 0x20;

pub const HEADER_SIZE: usize = 9;
/// From a plausible header to the end of the one behind it.
pub const FURTHEST: usize = HEADER_SIZE + 0x40FF + HEADER_SIZE;

/// RFC 9113 section 4.1.
#[derive(Clone, Copy, Debug)]
pub struct FrameHeader {
    pub length: usize,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

impl FrameHeader {
    pub fn read(octets: &[u8]) -> Option<FrameHeader> {
        let &[high, middle, low, kind, flags, a, b, c, d] = octets.first_chunk()?;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        Some(FrameHeader { length, kind, flags, stream: u32::from_be_bytes([a & 0x7F, b, c, d]) })
    }
}

/// A client's frame header of at most the default length (16,384) on one of the first 16 million streams.
fn plausible(octets: &[u8]) -> bool {
    let Some(&[0, high, low, kind, flags, stream @ ..]) = octets.first_chunk::<HEADER_SIZE>() else { return false };
    let clients = stream[0] == 0 && stream[3] & 1 == 1;
    let connections = stream == [0; 4];
    match kind {
        DATA => high <= 0x40 && flags & !(END_STREAM | PADDED) == 0 && clients,
        HEADERS => high <= 0x40 && flags & !(END_STREAM | END_HEADERS | PADDED | PRIORITISED) == 0 && clients,
        PRIORITY => (high, low, flags) == (0, 5, 0) && clients,
        RST_STREAM => (high, low, flags) == (0, 4, 0) && clients,
        SETTINGS => high == 0 && flags & !ACK == 0 && connections,
        PING => (high, low) == (0, 8) && flags & !ACK == 0 && connections,
        GOAWAY | PRIORITY_UPDATE => high == 0 && flags == 0 && connections,
        WINDOW_UPDATE => (high, low, flags) == (0, 4, 0) && stream[0] == 0,
        CONTINUATION => high <= 0x40 && flags & !END_HEADERS == 0 && clients,
        _ => false,
    }
}

/// Finds where frames begin: at the first plausible header whose payload ends where another one stands.
#[derive(Clone, Debug, Default)]
pub struct Seeker {
    pub(super) held: Vec<u8>,
    /// Octets before `held`.
    dropped: usize,
    /// Where the next search begins, counted with the dropped ones like every place below.
    sought: usize,
    /// End of the frame and its start, by the nearest end: the answer must not depend on how the octets were cut.
    pub(super) candidates: BinaryHeap<Reverse<(usize, usize)>>,
}

impl Seeker {
    /// The octets from the first frame on, or None: not yet.
    pub fn feed(&mut self, octets: &[u8]) -> Option<Vec<u8>> {
        self.held.extend_from_slice(octets);
        let end = self.dropped + self.held.len();
        while self.sought + HEADER_SIZE <= end {
            let rest = &self.held[self.sought - self.dropped..];
            let Some(zero) = memchr::memchr(0, &rest[..=rest.len() - HEADER_SIZE]) else {
                self.sought = end + 1 - HEADER_SIZE;
                break;
            };
            let (start, rest) = (self.sought + zero, &rest[zero..]);
            if let Some(header) = FrameHeader::read(rest).filter(|_| plausible(rest)) {
                self.candidates.push(Reverse((start + HEADER_SIZE + header.length, start)));
            }
            self.sought = start + 1;
        }
        while let Some(&Reverse((next, start))) = self.candidates.peek().filter(|next| next.0.0 + HEADER_SIZE <= end) {
            self.candidates.pop();
            if plausible(&self.held[next - self.dropped..]) {
                return Some(self.held.split_off(start - self.dropped));
            }
        }
        if self.held.len() > 2 * FURTHEST {
            // no candidate is that far back
            let far = self.held.len() - FURTHEST;
            self.dropped += far;
            self.held.drain(..far);
        }
        None
    }

    /// Nothing follows: the octets from the first plausible header whose payload ends here, else none.
    pub fn last(mut self) -> Vec<u8> {
        let end = self.dropped + self.held.len();
        let starts = self.candidates.iter().filter(|candidate| candidate.0.0 == end).map(|candidate| candidate.0.1);
        let start = starts.min().unwrap_or(end);
        self.held.split_off(start - self.dropped)
    }
}

/// Whether here stands no frame, but perhaps a request: it would be a frame of 658 kB at the least, of a type that no
/// client sends.
pub fn is_text(octets: &[u8]) -> bool {
    let is_texts = |octet: &u8| octet.is_ascii_alphabetic() || matches!(octet, b'\r' | b'\n' | b' ' | b'-');
    octets.get(..4).is_some_and(|four| four.iter().all(is_texts))
}

/// What of the payload of HEADERS is not padding or priority; `payload` are the first octets of `length`. None when there
/// is more padding than payload: nobody knows what the block is.
pub fn header_block_fragment(payload: &[u8], length: usize, flags: u8) -> Option<&[u8]> {
    let (mut start, mut end) = (0, length);
    if flags & PADDED != 0 {
        let padding = payload.first().map_or(0, |&octet| usize::from(octet));
        start = 1;
        end = length.checked_sub(padding)?;
    }
    if flags & PRIORITISED != 0 {
        start += 5;
    }
    (start <= end).then(|| payload.get(start..end.min(payload.len())).unwrap_or_default())
}
