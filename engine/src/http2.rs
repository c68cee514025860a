//! Cleartext HTTP/2 (RFC 9113), the client's half: takes the octets of one connection in order, yields request heads.
//!
//! Begins with the preface (prior knowledge, or after `Upgrade: h2c`: the upgraded request itself was HTTP/1 and is read
//! there) or anywhere: where frames cannot be followed it looks for the next plausible ones. Only header blocks are
//! looked at; every other payload is skipped by count. The server's half is not seen, so nothing here depends on SETTINGS.

mod frames;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use crate::counts::{Count, Counts};
use crate::hpack::Hpack;
use crate::http1::{certainty_of, is_authority};
use crate::limits::Limits;
use crate::records::{Certainty, Flow, HeadText, Layer, Oddities, Oddity, PlacedHead, RequestHead, Section};
use frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, FrameHeader, HEADER_SIZE, HEADERS, RST_STREAM, Seeker,
    header_block_fragment, is_text,
};

/// RFC 9113 section 3.4.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What of it reads as a head of HTTP/1.
pub const PREFACE_HEAD: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

const VERSION: &[u8] = b"HTTP/2";
/// Requests whose trailers may follow; servers allow 100 to 250 at a time.
const OPEN_STREAMS: usize = 256;
/// Octets of the method, target and authority of each of them.
const KEPT_OF_REQUEST: usize = 2048;
/// Of memory for each, in round figures.
const REQUEST_BYTES: usize = 32;
/// The same of all the rest that has no size of its own.
const STATE_BYTES: usize = 512;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

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

/// The client's half of one connection. Bounded by `Limits::head_bytes`, OPEN_STREAMS and the table of HPACK.
#[derive(Clone, Debug)]
pub struct Http2 {
    flow: Flow,
    path: Vec<Layer>,
    time_ns: i64,
    /// Position of the first octet.
    origin: i64,
    /// Position behind the newest one.
    fed: i64,
    hpack: Hpack,
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
    /// By stream, oldest first: what trailers that may follow need of their request, which is where it went.
    requests: VecDeque<(u32, Arc<HeadText>)>,
    /// Read, not yet yielded.
    heads: Vec<PlacedHead>,
    /// These are responses.
    answers: bool,
    /// Octets of DATA so far.
    bodies: u64,
    /// Here stands text in place of a frame: it was not read, nor is what follows.
    astray: Option<i64>,
}

impl Http2 {
    /// Whether these are responses.
    pub fn answers(&self) -> bool {
        self.answers
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
        STATE_BYTES + self.hpack.table_bytes() + held + block + REQUEST_BYTES * self.requests.len()
    }

    /// The same, to go on by itself with what stands at `position`.
    pub fn beside(&self, position: i64) -> Http2 {
        Http2 { fed: position, ..self.clone() }
    }

    /// Whether both read on alike, from the same place.
    pub fn is_like(&self, other: &Http2) -> bool {
        (self.fed, self.begun, self.skip) == (other.fed, other.begun, other.skip)
            && self.held == other.held
            && self.seeker.is_none()
            && other.seeker.is_none()
            && self.block == other.block
            && self.requests == other.requests
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
            flow,
            path: path.to_vec(),
            time_ns: 0,
            hpack: Hpack::new(limits.head_bytes),
            begun: false,
            seeker: None,
            held: Vec::new(),
            needed: HEADER_SIZE,
            skip: 0,
            skips_body: false,
            block: None,
            requests: VecDeque::new(),
            heads: Vec::new(),
            answers: false,
            bodies: 0,
            astray: None,
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
        let behind = held.strip_prefix(PREFACE).unwrap_or_else(|| {
            counts[Count::BlindMidstream] += 1;
            self.seeker = Some(Seeker::default());
            &held
        });
        self.seek(behind, limits, counts);
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
            let looked_at = header.length.min(self.room(header.kind, limits));
            let payload = &held[at + HEADER_SIZE..];
            let Some(seen) = payload.get(..looked_at) else {
                self.needed = HEADER_SIZE + looked_at;
                break;
            };
            self.frame(first + at as i64, header, seen, Oddity::Long, limits, counts);
            tell_payload(first + (at + HEADER_SIZE) as i64, header, looked_at, counts);
            let is_body = header.kind == DATA;
            if is_body {
                self.bodies += header.length.min(payload.len()) as u64;
            }
            if header.length > payload.len() {
                self.skip = header.length - payload.len();
                self.skips_body = is_body;
            }
            at += HEADER_SIZE + header.length;
        }
        held.drain(..at.min(held.len()));
        self.held = held;
    }

    /// Octets of a payload of this kind that are looked at.
    fn room(&self, kind: u8, limits: &Limits) -> usize {
        match (kind, &self.block) {
            (HEADERS, _) => limits.head_bytes,
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
                if kind == RST_STREAM || (kind == DATA && flags & END_STREAM != 0) {
                    self.requests.retain(|&(awaiting, _)| awaiting != stream);
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

    /// Decodes what ends at position `end`; `lack` is the oddity of a block that is not whole.
    fn end_block(
        &mut self,
        coded: OpenBlock,
        end: i64,
        mut lack: Option<Oddity>,
        limits: &Limits,
        counts: &mut Counts,
    ) {
        let mut block = self.hpack.decode(&coded.octets);
        counts[Count::BlindHpack] += block.unresolved;
        if lack.is_some() {
            self.hpack.forget(); // the rest of the block may have filled the table
            if lack == Some(Oddity::Long) {
                counts[Count::ShedHeadBytes] += 1;
            }
        } else if block.bounded {
            lack = Some(Oddity::Long);
            counts[Count::ShedHpack] += 1;
        } else if block.fields.len() > limits.head_lines {
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
        block.fields.truncate(limits.head_lines);
        if !block.fields.is_empty() {
            self.message(&coded, end, block.fields, oddities, counts);
        }
    }

    /// A head or a trailer section of these fields, as they were sent.
    fn message(&mut self, coded: &OpenBlock, end: i64, mut fields: Fields, oddities: Oddities, counts: &mut Counts) {
        let &OpenBlock { start, stream, ends_stream, .. } = coded;
        let oddities = oddities.with(field_oddities(&fields));
        for (name, value) in &mut fields {
            name.make_ascii_lowercase();
            strip(value);
        }
        if fields.iter().any(|(name, _)| name == b":status") {
            self.answers = true;
            tell(start, end, "response", counts);
            return;
        }
        let awaited = self.requests.iter().position(|&(awaiting, _)| awaiting == stream);
        let request = awaited.and_then(|at| self.requests.remove(at));
        // "Trailers MUST NOT include pseudo-header fields" (RFC 9113 section 8.1), every request has some (8.3.1)
        let head = if fields.iter().any(|(name, _)| name.starts_with(b":")) {
            let head = self.request_head(&fields, oddities);
            if !ends_stream {
                self.await_trailers(stream, &head.text, counts);
            }
            head
        } else {
            // they go where their request went: its authority stands before them
            let text = request.map_or_else(|| HeadText::new(b"", b"", VERSION), |(_, text)| Arc::unwrap_or_clone(text));
            self.head(text, &fields, oddities, Certainty::Confirmed, Section::Trailer)
        };
        self.heads.push(PlacedHead::new(start, end, head));
    }

    fn await_trailers(&mut self, stream: u32, text: &HeadText, counts: &mut Counts) {
        let authority = text.fields().filter(|(name, _)| is_authority(name));
        let size =
            text.method().len() + text.target().len() + authority.clone().map(|(_, value)| value.len()).sum::<usize>();
        let full = self.requests.len() >= OPEN_STREAMS;
        counts[Count::ShedHttp2Streams] += u64::from(full || size > KEPT_OF_REQUEST);
        if full {
            self.requests.pop_front();
        }
        if size <= KEPT_OF_REQUEST {
            let mut kept = HeadText::new(text.method(), text.target(), VERSION);
            authority.for_each(|(name, value)| kept.push(name, value));
            self.requests.push_back((stream, Arc::new(kept)));
        }
    }

    /// RFC 9113 section 8.3.1; of a repeated field the first counts.
    fn request_head(&self, fields: &Fields, mut oddities: Oddities) -> RequestHead {
        let first = |wanted: &[u8]| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_slice());
        let (authority, host) = (first(b":authority").unwrap_or_default(), first(b"host").unwrap_or_default());
        let method = first(b":method").unwrap_or_default();
        let target = match first(b":path") {
            None if method == b"CONNECT" => authority, // as HTTP/1 writes it: section 8.5
            path => path.unwrap_or_default(),
        };
        if authority.is_empty() && host.is_empty() {
            let lost = oddities.intersects(Oddities::of(&[Oddity::Incomplete, Oddity::HpackUnresolved]));
            oddities.insert(if lost { Oddity::HostUnknown } else { Oddity::HostMissing });
        } else if !authority.is_empty() && !host.is_empty() && !authority.eq_ignore_ascii_case(host) {
            oddities.insert(Oddity::HostMismatch);
        }
        let differs = |(name, value): &(Vec<u8>, Vec<u8>)| {
            is_authority(name) && !first(name).is_some_and(|first| first.eq_ignore_ascii_case(value))
        };
        if fields.iter().any(differs) {
            oddities.insert(Oddity::Host);
        }
        self.head(HeadText::new(method, target, VERSION), fields, oddities, certainty_of(oddities), Section::Head)
    }

    /// A head whose text goes on with these fields.
    fn head(
        &self,
        mut text: HeadText,
        fields: &Fields,
        oddities: Oddities,
        certainty: Certainty,
        section: Section,
    ) -> RequestHead {
        for (name, value) in fields {
            text.push(name, value);
        }
        let (time_ns, flow, path) = (self.time_ns, self.flow, self.path.clone());
        RequestHead { time_ns, flow, path, text, oddities, certainty, section, readings: Vec::new() }
    }
}

/// For the audit.
fn tell(start: i64, stop: i64, what: &'static str, counts: &mut Counts) {
    if let Some(tracer) = &mut counts.tracer {
        tracer.passed(start, stop, what);
    }
}

/// The same of a payload that begins at `start`, so far as it is not looked at.
fn tell_payload(start: i64, header: FrameHeader, looked_at: usize, counts: &mut Counts) {
    let stop = start + header.length as i64;
    match header.kind {
        DATA => tell(start, stop, "body", counts),
        HEADERS | CONTINUATION => tell(start + looked_at as i64, stop, "head_bytes", counts),
        _ => {}
    }
}

/// What RFC 9113 section 8.2.1 forbids in names and values; `fields` as they were sent.
fn field_oddities(fields: &Fields) -> Oddities {
    let mut oddities = Oddities::default();
    for (name, value) in fields {
        if !name.is_empty() && !is_token(name) {
            oddities.insert(Oddity::OddName);
        }
        for octet in value {
            match octet {
                0 => oddities.insert(Oddity::Nul),
                b'\t' => {}
                0x01..=0x1F | 0x7F => oddities.insert(Oddity::Control),
                _ => {}
            }
        }
    }
    oddities
}

/// RFC 9113 section 8.2.1: upper case is malformed.
fn is_token(name: &[u8]) -> bool {
    let name = name.strip_prefix(b":").unwrap_or(name);
    !name.is_empty()
        && name.iter().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'z') || b"!#$%&'*+-.^_`|~".contains(octet))
}

/// Takes the white space around a value away.
fn strip(value: &mut Vec<u8>) {
    let is_text = |octet: &u8| !matches!(octet, b' ' | b'\t');
    value.truncate(value.iter().rposition(is_text).map_or(0, |last| last + 1));
    value.drain(..value.iter().position(is_text).unwrap_or(0));
}
