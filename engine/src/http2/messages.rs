//! What the field blocks of one HTTP/2 connection say (RFC 9113 section 8): takes their fields, yields request heads.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::counts::{Count, Counts};
use crate::hpack::Needs;
use crate::http1::{certainty_of, is_authority};
use crate::records::{Flow, HeadText, Layer, Oddities, Oddity, RequestHead, Section};
use crate::sieve::Sieve;

const VERSION: &[u8] = b"HTTP/2";
/// Requests whose trailers may follow; servers allow 100 to 250 at a time.
pub const OPEN_STREAMS: usize = 256;
/// Octets of the method, target and authority of each of them.
const KEPT_OF_REQUEST: usize = 2048;
/// Of memory for each, in round figures.
const REQUEST_BYTES: usize = 32;

/// Of a block of which not every field is known.
const LOST: Oddities = Oddities::of(&[Oddity::Incomplete, Oddity::HpackUnresolved]);

pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// Bounded by OPEN_STREAMS.
#[derive(Clone, Debug)]
pub struct Messages {
    flow: Flow,
    path: Vec<Layer>,
    /// By stream, oldest first: what trailers that may follow need of their request, which is where it went.
    pub(super) requests: VecDeque<(u32, Arc<HeadText>)>,
    /// This is a client, whatever its field blocks say.
    pub asks: bool,
    /// These are responses.
    answers: bool,
}

impl Messages {
    /// Of a connection of which nothing has been seen.
    pub fn new(flow: Flow, path: &[Layer]) -> Messages {
        Messages { flow, path: path.to_vec(), requests: VecDeque::new(), asks: false, answers: false }
    }

    /// Whose they are: the flow, and the encapsulations around it.
    pub fn ends(&self) -> (Flow, &[Layer]) {
        (self.flow, &self.path)
    }

    /// Whether these are responses.
    pub fn answers(&self) -> bool {
        self.answers
    }

    /// Bytes of memory, about.
    pub fn weight(&self) -> usize {
        REQUEST_BYTES * self.requests.len()
    }

    /// Whether both read on alike.
    pub fn is_like(&self, other: &Messages) -> bool {
        self.asks == other.asks && self.requests == other.requests
    }

    /// No trailers follow on this stream.
    pub fn end(&mut self, stream: u32) {
        self.requests.retain(|&(awaiting, _)| awaiting != stream);
    }

    /// The head or the trailer section of these fields, as they were sent; None: they are a response's.
    pub fn read(
        &mut self,
        stream: u32,
        ends_stream: bool,
        mut fields: Fields,
        oddities: Oddities,
        time_ns: i64,
        counts: &mut Counts,
    ) -> Option<RequestHead> {
        let as_sent = fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        let mut oddities = oddities.with(field_oddities(as_sent));
        for (name, value) in &mut fields {
            name.make_ascii_lowercase();
            strip(value);
        }
        let has = |wanted: &[u8]| fields.iter().any(|(name, _)| name == wanted);
        if has(b":status") && !self.asks {
            self.answers = true;
            return None;
        }
        let awaited = self.requests.iter().position(|&(awaiting, _)| awaiting == stream);
        let request = awaited.and_then(|at| self.requests.remove(at));
        let is_request = first(&fields, b":method").is_some_and(|method| !method.is_empty());
        self.asks |= is_request;
        // "Trailers MUST NOT include pseudo-header fields" (RFC 9113 section 8.1), every request has some (8.3.1)
        let has_pseudo = fields.iter().any(|(name, _)| name.starts_with(b":"));
        let is_none = !is_request && !oddities.intersects(LOST) && (has_pseudo || (request.is_none() && has(b"host")));
        if is_none || has(b":status") {
            oddities.insert(Oddity::NotHttp);
        }
        if !is_request && (request.is_some() || !has_pseudo) {
            return Some(self.trailers(time_ns, request.map(|(_, text)| text), &fields, oddities));
        }
        let head = self.request_head(time_ns, &fields, oddities);
        if !ends_stream {
            self.await_trailers(stream, &head.text, counts);
        }
        Some(head)
    }

    /// They go where their request went, if anyone knows which one that was: its authority stands before them.
    fn trailers(
        &self,
        time_ns: i64,
        request: Option<Arc<HeadText>>,
        fields: &Fields,
        mut oddities: Oddities,
    ) -> RequestHead {
        if request.is_none() && !fields.iter().any(|(name, _)| is_authority(name)) {
            oddities.insert(Oddity::HostUnknown);
        }
        let text = request.map_or_else(|| HeadText::new(b"", b"", VERSION), Arc::unwrap_or_clone);
        self.head(time_ns, text, fields, oddities, Section::Trailer)
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

    /// RFC 9113 section 8.3.1.
    fn request_head(&self, time_ns: i64, fields: &Fields, mut oddities: Oddities) -> RequestHead {
        let first = |wanted: &[u8]| first(fields, wanted);
        let (authority, host) = (first(b":authority").unwrap_or_default(), first(b"host").unwrap_or_default());
        let method = first(b":method").unwrap_or_default();
        let target = match first(b":path") {
            None if method == b"CONNECT" => authority, // as HTTP/1 writes it: section 8.5
            path => path.unwrap_or_default(),
        };
        if authority.is_empty() && host.is_empty() {
            oddities.insert(if oddities.intersects(LOST) { Oddity::HostUnknown } else { Oddity::HostMissing });
        } else if !authority.is_empty() && !host.is_empty() && !authority.eq_ignore_ascii_case(host) {
            oddities.insert(Oddity::HostMismatch);
        }
        let differs = |(name, value): &(Vec<u8>, Vec<u8>)| {
            is_authority(name) && !first(name).is_some_and(|first| first.eq_ignore_ascii_case(value))
        };
        if fields.iter().any(differs) {
            oddities.insert(Oddity::Host);
        }
        let text = HeadText::new(method, target, VERSION);
        self.head(time_ns, text, fields, oddities, Section::Head)
    }

    /// A head whose text goes on with these fields.
    fn head(
        &self,
        time_ns: i64,
        mut text: HeadText,
        fields: &Fields,
        oddities: Oddities,
        section: Section,
    ) -> RequestHead {
        for (name, value) in fields {
            text.push(name, value);
        }
        let (flow, path) = (self.flow, self.path.clone());
        let certainty = certainty_of(oddities);
        RequestHead { time_ns, flow, path, text, oddities, certainty, section, readings: Vec::new() }
    }
}

/// Of a repeated field the first counts.
fn first<'a>(fields: &'a Fields, wanted: &[u8]) -> Option<&'a [u8]> {
    fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_slice())
}

/// What the sieve lets pass is needed, who gets the head, and whatever is odd.
pub struct Needed<'a>(pub Option<&'a Sieve>);

impl Needs for Needed<'_> {
    fn field(&self, name: &[u8], value: &[u8]) -> bool {
        let is_plain = |sieve: &Sieve| !name.starts_with(b":") && is_sound(name, value) && !sieve.keeps(name, value);
        !self.0.is_some_and(is_plain)
    }

    fn name(&self, name: &[u8]) -> bool {
        let is_plain = |sieve: &Sieve| !name.starts_with(b":") && is_sound(name, b"") && sieve.is_idle_name(name);
        !self.0.is_some_and(is_plain)
    }
}

fn is_sound(name: &[u8], value: &[u8]) -> bool {
    field_oddities([(name, value)]).is_empty()
}

/// What RFC 9113 section 8.2.1 forbids in names and values; `fields` as they were sent.
fn field_oddities<'a>(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Oddities {
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
