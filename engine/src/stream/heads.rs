//! Heads that clients let go: counted, and handed on when they are requests that no twin had before.

use std::hash::{Hash, Hasher};
use std::mem;

use super::Streams;
use super::halves::Id;
use crate::counts::{Count, Counts};
use crate::looks::Looks;
use crate::records::{Certainty, PlacedHead, RequestHead, Section};

/// Remembered of a half-stream that has a twin.
const TWIN_HEADS: usize = 64;
/// That no response has.
const REQUEST_FIELDS: &[&[u8]] =
    &[b"host", b"user-agent", b"referer", b"cookie", b"accept", b"accept-language", b"accept-encoding"];

impl Streams {
    /// Counts the heads in `placed` and adds those to `out` that are requests and were not seen before.
    #[inline]
    pub(super) fn publish(&mut self, id: Id, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        if !self.placed.is_empty() {
            self.publish_placed(id, counts, out);
        }
    }

    fn publish_placed(&mut self, id: Id, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        let published = out.len();
        let mut all = mem::take(&mut self.placed);
        for placed in all.drain(..) {
            // one without a place is of HTTP/2, and counted there
            let why_not = if placed.start == placed.end { None } else { self.why_no_news(id, &placed, counts) };
            self.trace(id, &placed, why_not, counts);
            if why_not.is_none() {
                out.push(placed.head);
            }
        }
        self.placed = all;
        if out.len() > published
            && let Some(peer) = self.halves.peer(id)
            && self.halves[peer].speaker.as_ref().is_some_and(|speaker| !speaker.client.spoke())
        {
            self.count_opaque(peer, Looks::Response, counts);
        }
    }

    /// Counts a head of HTTP/1 that is a request and was not seen before; says what it is instead.
    fn why_no_news(&mut self, id: Id, placed: &PlacedHead, counts: &mut Counts) -> Option<&'static str> {
        let head = &placed.head;
        if head.text.method().is_empty() && !self.is_request(id, head) {
            return Some("response");
        }
        if self.is_of_a_twin(id, placed) {
            counts[Count::TwinHeads] += 1;
            return Some("twin");
        }
        let is_trailer = head.section == Section::Trailer;
        if placed.part {
            counts[Count::HeadParts] += 1;
        } else {
            counts[if is_trailer { Count::Trailers } else { Count::Requests }] += 1;
            counts[Count::AmbiguousRequests] += u64::from(head.certainty == Certainty::Ambiguous);
        }
        counts.odd(head.oddities);
        None
    }

    fn trace(&self, id: Id, placed: &PlacedHead, why_not: Option<&'static str>, counts: &mut Counts) {
        if let Some(tracer) = &mut counts.tracer
            && let Some(speaker) = &self.halves[id].speaker
        {
            let reading = speaker.client.reading();
            match why_not {
                None => tracer.head(reading, placed),
                Some(what) => tracer.stretch(reading, placed.start, placed.end, what),
            }
        }
    }

    /// Whether fields without a request line are those of a request: a response has fields as well.
    fn is_request(&self, id: Id, head: &RequestHead) -> bool {
        let answers = self.halves.peer(id).is_some_and(|peer| self.halves[peer].looks == Looks::Response);
        answers || head.text.fields().any(|(name, _)| REQUEST_FIELDS.contains(&name))
    }

    /// Remembers this head, and says whether a twin had the same.
    fn is_of_a_twin(&mut self, id: Id, placed: &PlacedHead) -> bool {
        let mark = self.mark_of(placed);
        let half = &mut self.halves[id];
        half.last_head = mark;
        if half.seldom.as_ref().is_none_or(|seldom| seldom.last_heads.is_none()) {
            return false;
        }
        let last_heads = |id: Id| self.halves[id].seldom.as_ref().and_then(|seldom| seldom.last_heads.as_ref());
        let is_seen = self.twins(id).filter_map(last_heads).any(|heads| heads.contains(&mark));
        if let Some(heads) = self.halves[id].seldom.as_mut().and_then(|seldom| seldom.last_heads.as_mut()) {
            if heads.len() == TWIN_HEADS {
                heads.pop_front();
            }
            heads.push_back(mark);
        }
        is_seen
    }

    /// Of its sequence number and of all that it says in its readings; the time and what is odd may be another where it
    /// was mirrored twice.
    fn mark_of(&self, placed: &PlacedHead) -> u32 {
        let mut hasher = self.halves.hasher();
        hasher.write_u32(placed.start as u32);
        placed.head.text.hash(&mut hasher);
        for reading in &placed.head.readings {
            reading.text.hash(&mut hasher);
        }
        (hasher.finish() as u32).max(1)
    }
}
