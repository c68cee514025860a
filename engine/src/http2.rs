//! Cleartext HTTP/2 (RFC 9113), the client's half: takes the octets of one connection in order, yields request heads.
//!
//! Begins with the preface (prior knowledge, or after `Upgrade: h2c`: the upgraded request itself was HTTP/1 and is read
//! there) or anywhere: where frames cannot be followed it looks for the next plausible ones. Only header blocks are
//! looked at; every other payload is skipped by count. The server's half is not seen, so nothing here depends on SETTINGS.

mod frames;
mod messages;
#[cfg(test)]
mod tests;
mod told;
mod tunnels;

use std::mem;
use std::sync::Arc;

use crate::counts::{Count, Counts};
use crate::hpack::Hpack;
use crate::limits::Limits;
use crate::records::{Flow, Layer, Oddities, Oddity, PlacedHead, Section};
use crate::sieve::Sieve;
use frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, FrameHeader, HEADER_SIZE, HEADERS, PADDED, RST_STREAM, Seeker,
    header_block_fragment, is_text,
};
use messages::{Messages, Needed};
use told::{tell, tell_payload};
use tunnels::Tunnels;

/// RFC 9113 section 3.4.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What of it reads as a head of HTTP/1.
pub const PREFACE_HEAD: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// Of memory for all that has no size of its own, in round figures.
const STATE_BYTES: usize = 512;

/// HEADERS whose END_HEADERS has not come yet; RFC 9113 section 4.3 allows one at a time on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OpenBlock {
    /// Position of the frame.
    start: i64,
    stream: u32,
    /// No trailers follow.
    ends_stream: bool,
    octets: Vec<u8>,
    /// Oddity of a block that is not whole.
    lack: Option<Oddity>,
}

/// The client's half of one connection. Bounded by `Limits::head_bytes`, Messages and the table of HPACK.
#[derive(Clone, Debug)]
pub struct Http2 {
    time_ns: i64,
    /// Position of the first octet.
    origin: i64,
    /// Position behind the newest one.
    fed: i64,
    hpack: Hpack,
    /// What it finds nothing in is not told again and again. None: all is told.
    sieve: Option<Arc<Sieve>>,
    begun: bool,
    seeker: Option<Seeker>,
    /// From a frame header on.
    held: Vec<u8>,
    /// Octets of `held` that let the next frame be read.
    needed: usize,
    /// Octets of a payload that are still to come and that nobody looks at.
    skip: usize,
    /// They are DATA.
    skips_body: bool,
    block: Option<OpenBlock>,
    messages: Messages,
    tunnels: Tunnels,
    /// What is in streams of CONNECT is read.
    opens_tunnels: bool,
    /// Read, not yet yielded.
    heads: Vec<PlacedHead>,
    /// Octets of DATA so far.
    bodies: u64,
    /// Here stands text in place of a frame: it was not read, nor is what follows.
    astray: Option<i64>,
}

impl Http2 {
    /// Whether these are responses.
    pub fn answers(&self) -> bool {
        self.messages.answers()
    }

    /// Whether this is a client, whatever its field blocks say.
    pub fn asks(&self) -> bool {
        self.messages.asks
    }

    /// Octets of DATA so far.
    pub fn bodies(&self) -> u64 {
        self.bodies
    }

    /// Position of the first octet.
    pub fn origin(&self) -> i64 {
        self.origin
    }

    /// Position behind the newest octet.
    pub fn fed(&self) -> i64 {
        self.fed
    }

    /// Where text stands in place of a frame: it was not read, nor is what follows.
    pub fn astray(&self) -> Option<i64> {
        self.astray
    }

    /// Whether frames cannot be followed.
    pub fn seeks(&self) -> bool {
        self.seeker.is_some()
    }

    /// Before this position stands no head that is not handed out yet.
    pub fn unsettled(&self) -> i64 {
        let held = self.seeker.as_ref().map_or(self.held.len(), |seeker| seeker.held.len());
        self.block.as_ref().map_or(self.fed - held as i64, |block| block.start)
    }

    /// Octets at the end that may be text yet.
    pub fn pending(&self) -> usize {
        let is_short = !self.begun || (self.seeker.is_none() && self.held.len() < HEADER_SIZE);
        if is_short { self.held.len() } else { 0 }
    }

    /// Bytes of memory, about; and what it costs to have another one like it.
    pub fn weight(&self) -> usize {
        let held = self.seeker.as_ref().map_or(self.held.len(), |seeker| seeker.held.len());
        let block = self.block.as_ref().map_or(0, |block| block.octets.len());
        STATE_BYTES + self.hpack.table_bytes() + held + block + self.messages.weight() + self.tunnels.weight()
    }

    /// Bytes of memory, about, that streams of CONNECT take.
    pub fn tunnels_weight(&self) -> usize {
        self.tunnels.weight()
    }

    /// It is in a tunnel itself: one in the other is enough.
    pub fn open_no_tunnels(&mut self) {
        self.opens_tunnels = false;
    }

    /// The same, to go on by itself with what stands at `position`, without what is in streams of CONNECT.
    pub fn beside(&self, position: i64) -> Http2 {
        Http2 { fed: position, tunnels: Tunnels::default(), ..self.clone() }
    }

    /// Whether both read on alike, from the same place.
    pub fn is_like(&self, other: &Http2) -> bool {
        (self.fed, self.begun, self.skip) == (other.fed, other.begun, other.skip)
            && self.held == other.held
            && self.seeker.is_none()
            && other.seeker.is_none()
            && self.block == other.block
            && self.messages.is_like(&other.messages)
            && self.hpack.is_like(&other.hpack)
    }

    /// Whether the next `size` octets are part of one payload that nobody looks at.
    pub fn skips(&self, size: u64) -> bool {
        self.skip as u64 >= size
    }

    /// A connection of which nothing has been seen; its first octet stands at `position`.
    pub fn new(limits: &Limits, flow: Flow, path: &[Layer], position: i64) -> Http2 {
        Http2 {
            origin: position,
            fed: position,
            time_ns: 0,
            hpack: Hpack::new(limits.head_bytes),
            sieve: None,
            begun: false,
            seeker: None,
            held: Vec::new(),
            needed: HEADER_SIZE,
            skip: 0,
            skips_body: false,
            block: None,
            messages: Messages::new(flow, path),
            tunnels: Tunnels::default(),
            opens_tunnels: true,
            heads: Vec::new(),
            bodies: 0,
            astray: None,
        }
    }

    /// From now on nobody but this sieve looks at the heads; None: all of them are wanted.
    pub fn sift_with(&mut self, sieve: Option<&Arc<Sieve>>) {
        if self.sieve.as_ref().map(Arc::as_ptr) != sieve.map(Arc::as_ptr) {
            self.sieve = sieve.cloned();
            self.hpack.ask_again();
        }
    }

    /// Adds the heads that these octets complete to `out`; `time_ns` becomes theirs.
    pub fn feed(
        &mut self,
        octets: &[u8],
        time_ns: i64,
        limits: &Limits,
        counts: &mut Counts,
        out: &mut Vec<PlacedHead>,
    ) {
        if self.astray.is_some() {
            return;
        }
        self.time_ns = time_ns;
        self.fed += octets.len() as i64;
        let skipped = self.skip.min(octets.len());
        self.skip -= skipped;
        if self.skips_body {
            self.bodies += skipped as u64;
        }
        let octets = &octets[skipped..];
        if !octets.is_empty() {
            self.follow(octets, limits, counts);
        }
        out.append(&mut self.heads);
    }

    /// `missing` octets were never captured. Inside one skipped payload nothing else is lost with them. Adds to `out` what
    /// was seen of a head.
    pub fn gap(&mut self, missing: usize, limits: &Limits, counts: &mut Counts, out: &mut Vec<PlacedHead>) {
        if missing <= self.skip {
            self.skip -= missing;
            self.fed += missing as i64;
            return;
        }
        let fed = self.fed;
        let behind = self.cut(limits, counts);
        self.tunnels.cut(&self.messages, limits, counts, &mut self.heads);
        out.append(&mut self.heads);
        self.fed = fed + missing as i64;
        self.astray = None; // whatever stood there, frames may follow
        self.hpack.forget();
        self.begun = true;
        self.skip = behind.saturating_sub(missing);
        self.skips_body = false;
        if missing > behind {
            self.seeker = Some(Seeker::default());
        }
    }

    /// The connection is over: what was seen of a head is read.
    pub fn finish(&mut self, limits: &Limits, counts: &mut Counts, out: &mut Vec<PlacedHead>) {
        self.cut(limits, counts);
        self.tunnels.cut(&self.messages, limits, counts, &mut self.heads);
        out.append(&mut self.heads);
    }

    /// Reads what was seen of the frame at hand and ends its block; says how many of its octets are still to come.
    fn cut(&mut self, limits: &Limits, counts: &mut Counts) -> usize {
        if let Some(seeker) = self.seeker.take() {
            self.frames(&seeker.last(), limits, counts);
        }
        let held = mem::take(&mut self.held);
        self.needed = HEADER_SIZE;
        let mut behind = 0;
        if self.begun
            && let Some(header) = FrameHeader::read(&held)
        {
            behind = (HEADER_SIZE + header.length).saturating_sub(held.len());
            let start = self.fed - held.len() as i64;
            self.frame(start, header, &held[HEADER_SIZE..], Oddity::Incomplete, limits, counts);
        }
        if let Some(block) = self.block.take() {
            self.end_block(block, self.fed, Some(Oddity::Incomplete), limits, counts);
        }
        behind
    }

    fn follow(&mut self, octets: &[u8], limits: &Limits, counts: &mut Counts) {
        if self.begun {
            return self.seek(octets, limits, counts);
        }
        self.held.extend_from_slice(octets);
        if self.held.len() < PREFACE.len() && PREFACE.starts_with(&self.held) {
            return;
        }
        self.begun = true;
        let held = mem::take(&mut self.held);
        if held.starts_with(PREFACE_HEAD) && !held.starts_with(PREFACE) {
            return self.go_astray(self.origin + PREFACE_HEAD.len() as i64, limits, counts);
        }
        let behind = held.strip_prefix(PREFACE);
        if behind.is_some() {
            self.messages.asks = true;
        } else {
            counts[Count::BlindMidstream] += 1;
            self.seeker = Some(Seeker::default());
        }
        self.seek(behind.unwrap_or(&held), limits, counts);
    }

    /// Text stands at this position: the block at hand has no end.
    fn go_astray(&mut self, position: i64, limits: &Limits, counts: &mut Counts) {
        (self.astray, self.fed) = (Some(position), position);
        if let Some(block) = self.block.take() {
            self.end_block(block, position, Some(Oddity::Incomplete), limits, counts);
        }
    }

    fn seek(&mut self, octets: &[u8], limits: &Limits, counts: &mut Counts) {
        let Some(seeker) = &mut self.seeker else { return self.frames(octets, limits, counts) };
        if let Some(found) = seeker.feed(octets) {
            self.seeker = None;
            self.frames(&found, limits, counts);
        }
    }

    /// Takes frames; the octets begin with a header or go on where `held` ends.
    fn frames(&mut self, octets: &[u8], limits: &Limits, counts: &mut Counts) {
        self.held.extend_from_slice(octets);
        if self.held.len() < self.needed {
            return;
        }
        let mut held = mem::take(&mut self.held);
        let (mut at, first) = (0, self.fed - held.len() as i64);
        self.needed = HEADER_SIZE;
        while let Some(header) = held.get(at..).and_then(FrameHeader::read) {
            if is_text(&held[at..]) {
                return self.go_astray(first + at as i64, limits, counts);
            }
            let looked_at = header.length.min(self.room(header, limits));
            let payload = &held[at + HEADER_SIZE..];
            let Some(seen) = payload.get(..looked_at) else {
                self.needed = HEADER_SIZE + looked_at;
                break;
            };
            self.frame(first + at as i64, header, seen, Oddity::Long, limits, counts);
            tell_payload(first + (at + HEADER_SIZE) as i64, header, looked_at, counts);
            let is_body = header.kind == DATA && looked_at == 0;
            if is_body {
                self.bodies += header.length.min(payload.len()) as u64;
            }
            if header.length > payload.len() {
                self.skip = header.length - payload.len();
                self.skips_body = header.kind == DATA;
            }
            at += HEADER_SIZE + header.length;
        }
        held.drain(..at.min(held.len()));
        self.held = held;
    }

    /// Octets of a payload of this kind that are looked at.
    fn room(&self, header: FrameHeader, limits: &Limits) -> usize {
        match (header.kind, &self.block) {
            (HEADERS, _) => limits.head_bytes,
            (DATA, _) if self.tunnels.has(header.stream) => limits.head_bytes,
            (CONTINUATION, Some(block)) => limits.head_bytes.saturating_sub(block.octets.len()),
            _ => 0,
        }
    }

    /// One frame; `lack` is the oddity of a head of which the payload has not everything.
    fn frame(
        &mut self,
        start: i64,
        header: FrameHeader,
        payload: &[u8],
        lack: Oddity,
        limits: &Limits,
        counts: &mut Counts,
    ) {
        let FrameHeader { length, kind, flags, stream } = header;
        let mut block = match kind {
            // RFC 9113 section 6.2
            HEADERS => {
                if let Some(before) = self.block.take() {
                    self.end_block(before, start, Some(Oddity::Incomplete), limits, counts);
                }
                let fragment = header_block_fragment(payload, length, flags);
                let lack = fragment.is_none().then_some(Oddity::Incomplete);
                let octets = fragment.unwrap_or_default().to_vec();
                OpenBlock { start, stream, ends_stream: flags & END_STREAM != 0, octets, lack }
            }
            // section 6.10
            CONTINUATION => {
                let Some(mut block) = self.block.take_if(|block| block.stream == stream) else {
                    self.hpack.forget(); // a block whose beginning was missed may have filled the table
                    return;
                };
                block.octets.extend_from_slice(payload);
                block
            }
            _ => {
                if kind == DATA && self.tunnels.has(stream) {
                    self.feed_tunnel(start + HEADER_SIZE as i64, header, payload, lack, limits, counts);
                }
                if kind == RST_STREAM || (kind == DATA && flags & END_STREAM != 0) {
                    self.messages.end(stream);
                    self.tunnels.end(stream, &self.messages, limits, counts, &mut self.heads);
                }
                return;
            }
        };
        if payload.len() < length {
            block.lack = Some(lack);
        }
        if flags & END_HEADERS != 0 {
            let lack = block.lack;
            let end = start + (HEADER_SIZE + payload.len()) as i64;
            self.end_block(block, end, lack, limits, counts);
        } else {
            self.block = Some(block);
        }
    }

    /// The payload of DATA (RFC 9113 section 6.1) in a stream of CONNECT, or what was seen of it.
    fn feed_tunnel(
        &mut self,
        position: i64,
        header: FrameHeader,
        payload: &[u8],
        lack: Oddity,
        limits: &Limits,
        counts: &mut Counts,
    ) {
        let FrameHeader { length, flags, stream, .. } = header;
        let (mut begin, mut end) = (0, length);
        if flags & PADDED != 0 {
            begin = 1;
            end = length.saturating_sub(payload.first().map_or(0, |&octet| usize::from(octet)));
        }
        let octets = payload.get(begin..end.min(payload.len())).unwrap_or_default();
        let (messages, heads) = (&self.messages, &mut self.heads);
        let position = position + begin as i64;
        self.tunnels.feed(stream, octets, position, self.time_ns, messages, limits, counts, heads);
        if payload.len() < length && lack == Oddity::Long {
            counts[Count::ShedHeadBytes] += 1; // behind a gap all tunnels begin anew
            self.tunnels.end(stream, &self.messages, limits, counts, &mut self.heads);
            self.tunnels.open(stream, position, true, counts);
        }
    }

    /// Decodes what ends at position `end`; `lack` is the oddity of a block that is not whole.
    fn end_block(
        &mut self,
        coded: OpenBlock,
        end: i64,
        mut lack: Option<Oddity>,
        limits: &Limits,
        counts: &mut Counts,
    ) {
        let block = self.hpack.decode(&coded.octets, limits.head_lines, &Needed(self.sieve.as_deref()));
        counts[Count::BlindHpack] += block.unresolved;
        if lack.is_some() {
            self.hpack.forget(); // the rest of the block may have filled the table
            if lack == Some(Oddity::Long) {
                counts[Count::ShedHeadBytes] += 1;
            }
        } else if block.bounded {
            lack = Some(Oddity::Long);
            counts[Count::ShedHpack] += 1;
        } else if block.count > limits.head_lines {
            lack = Some(Oddity::Long);
            counts[Count::ShedHeadLines] += 1;
        } else if !block.whole {
            lack = Some(Oddity::Incomplete);
        }
        if lack == Some(Oddity::Incomplete) {
            counts[Count::BlindHeadIncomplete] += 1;
        }
        let mut oddities = Oddities::default();
        if let Some(lack) = lack {
            let what = if lack == Oddity::Incomplete { "head_incomplete" } else { "head_bytes" };
            tell(coded.start, end, what, counts);
            oddities.insert(lack);
        }
        if block.unresolved > 0 {
            oddities.insert(Oddity::HpackUnresolved);
        }
        if block.count == 0 {
            return;
        }
        let OpenBlock { start, stream, ends_stream, .. } = coded;
        match self.messages.read(stream, ends_stream, block.fields, oddities, self.time_ns, counts) {
            Some(head) => {
                let is_connect = head.text.method() == b"CONNECT" && head.section == Section::Head;
                let is_tunnel = is_connect && !ends_stream && self.opens_tunnels && !head.text.has(b":protocol");
                self.heads.push(PlacedHead::new(start, end, head));
                if is_tunnel {
                    self.tunnels.end(stream, &self.messages, limits, counts, &mut self.heads);
                    self.tunnels.open(stream, end, false, counts);
                }
            }
            None => tell(start, end, "response", counts),
        }
    }
}
