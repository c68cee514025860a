//! Heads that clients let go: counted, and handed on when they are requests that no twin had before.

use std::collections::VecDeque;
use std::mem;

use super::Streams;
use super::halves::{Id, LastHead, Side};
use crate::counts::{Count, Counts};
use crate::early::mark_of;
use crate::looks::Looks;
use crate::records::{Certainty, PlacedHead, RequestHead, Said, Section};

/// Remembered of a half-stream that has a twin.
const TWIN_HEADS: usize = 64;
/// That no response has.
const REQUEST_FIELDS: &[&[u8]] =
    &[b"host", b"user-agent", b"referer", b"cookie", b"accept", b"accept-language", b"accept-encoding"];

impl Streams {
    /// Counts the heads in `placed` and adds those to `out` that are requests and were not seen before, but for those that
    /// the sieve has found clean.
    #[inline]
    pub(super) fn publish(&mut self, id: Id, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        if !self.placed.is_empty() {
            self.publish_placed(id, counts, out);
        }
    }

    fn publish_placed(&mut self, id: Id, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        let mut are_news = false;
        let mut all = mem::take(&mut self.placed);
        for placed in all.drain(..) {
            let why_not = self.why_no_news(id, &placed, counts);
            self.trace(id, &placed, why_not, counts);
            are_news |= why_not.is_none();
            if why_not.is_none() {
                match placed.said {
                    Said::Whole(head) if head.text.sifted() != Some(true) => out.push(*head),
                    _ => counts[Count::CleanHeads] += 1,
                }
            }
        }
        self.placed = all;
        if are_news
            && let Some(peer) = self.halves.peer(id)
            && self.halves[peer].speaker.as_ref().is_some_and(|speaker| !speaker.client.spoke())
        {
            self.count_opaque(peer, Looks::Response, counts);
        }
    }

    /// Counts a head of HTTP/1 that is a request and was not seen before; says what it is instead.
    #[inline]
    fn why_no_news(&mut self, id: Id, placed: &PlacedHead, counts: &mut Counts) -> Option<&'static str> {
        let nameless = placed.head().filter(|head| head.text.sifted().is_none() && head.text.method().is_empty());
        if nameless.is_some_and(|head| !self.is_request(id, head)) {
            counts[Count::NotRequests] += 1;
            return Some("response");
        }
        if self.is_of_a_twin(id, placed, counts) {
            counts[Count::TwinHeads] += 1;
            return Some("twin");
        }
        if self.is_known(id, placed.part) {
            counts[Count::Duplicates] += 1;
            return Some("duplicate");
        }
        let is_trailer = placed.section() == Section::Trailer;
        if placed.part {
            counts[Count::HeadParts] += 1;
        } else {
            counts[if is_trailer { Count::Trailers } else { Count::Requests }] += 1;
            counts[Count::AmbiguousRequests] += u64::from(placed.certainty() == Certainty::Ambiguous);
        }
        counts.odd(placed.oddities());
        None
    }

    /// Whether the latest head was seen at its place before: here, or in a connection that has ended. Of one whose SYN
    /// was seen only copies from its first head on are looked for.
    fn is_known(&mut self, id: Id, is_part: bool) -> bool {
        let half = &self.halves[id];
        let (head, seldom) = (half.last_head, half.seldom.as_ref());
        let has_others = seldom.is_some_and(|seldom| seldom.had_any());
        let may_be_copy = !has_others || half.side == Side::Unknown || seldom.is_some_and(|seldom| seldom.is_copy);
        if may_be_copy && !self.ended.is_empty() && self.ended.knows(self.halves.mark(&half.flow), head, self.now_ns) {
            self.halves[id].seldom.get_or_insert_default().is_copy = true;
            return true;
        }
        has_others && !is_part && seldom.is_some_and(|seldom| seldom.is_again()) // parts may be alike
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

    /// Whether fields without a request line are those of a request: a response has fields as well, and so has mail.
    fn is_request(&self, id: Id, head: &RequestHead) -> bool {
        let is_answered = match self.halves.peer(id) {
            Some(peer) => self.halves[peer].looks == Looks::Response,
            None => self.halves[id].side == Side::Client,
        };
        let asks = self.halves[id].speaker.as_ref().is_some_and(|speaker| speaker.client.asks());
        let has_asked = self.halves[id].last_head != 0;
        asks || is_answered || has_asked || head.text.fields().any(|(name, _)| REQUEST_FIELDS.contains(&name))
    }

    /// Remembers this head, and says whether a twin had the same.
    #[inline]
    fn is_of_a_twin(&mut self, id: Id, placed: &PlacedHead, counts: &mut Counts) -> bool {
        let mark = self.mark_of(placed);
        let half = &mut self.halves[id];
        let before = mem::replace(&mut half.last_head, mark);
        if before != 0 {
            half.seldom.get_or_insert_default().note_head(before, mark);
        }
        let has_twin = half.seldom.as_ref().is_some_and(|seldom| seldom.last_heads.is_some());
        has_twin && self.had_a_twin(id, mark, counts)
    }

    fn had_a_twin(&mut self, id: Id, mark: u32, counts: &mut Counts) -> bool {
        let mut is_seen = false;
        let twins: Vec<_> = self.twins(id).collect();
        for twin in twins {
            let heads = self.last_heads(twin).into_iter().flatten();
            for known in heads.filter(|known| known.mark == mark) {
                (known.seen, is_seen) = (true, true);
            }
        }
        if let Some(heads) = self.last_heads(id) {
            match heads.iter_mut().find(|known| known.mark == mark) {
                Some(known) => known.seen |= is_seen, // parts of one head may be alike
                None => heads.push_back(LastHead { mark, seen: is_seen }),
            }
            if heads.len() > TWIN_HEADS
                && let Some(oldest) = heads.pop_front()
            {
                counts[Count::ShedTwinHeads] += u64::from(!oldest.seen);
            }
        }
        is_seen
    }

    fn last_heads(&mut self, id: Id) -> Option<&mut VecDeque<LastHead>> {
        self.halves[id].seldom.as_mut()?.last_heads.as_mut()
    }

    /// Of its sequence number and of all that it says in its readings; the time and what is odd may be another where it
    /// was mirrored twice.
    #[inline]
    fn mark_of(&self, placed: &PlacedHead) -> u32 {
        let mark = match &placed.said {
            Said::Clean(clean) => clean.mark,
            Said::Whole(head) => {
                let others = head.readings.iter().map(|reading| &reading.text);
                mark_of([&head.text].into_iter().chain(others), self.halves.keyed())
            }
        };
        // the texts are keyed; the same one at another place has another mark
        mark.wrapping_add((placed.start as u32).wrapping_mul(0x9E37_79B9)).max(1)
    }
}
