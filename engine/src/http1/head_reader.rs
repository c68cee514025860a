//! The heads and trailer sections of one HTTP/1 half-stream, as far as they follow one another without a hole.

use std::cell::Cell;
use std::mem;
use std::sync::Arc;

use memchr::memchr_iter;

use super::body::chunks::whole_body;
use super::body::{Extent, OddChunks, lengths};
use super::field_lines::FieldLines;
use super::kept::{Kept, empty_line};
use super::octets::part;
use super::reading::{Reading, State, Step};
use super::request_head::{
    MOST_NEEDED, RequestLine, WORDS_BYTES, begins_behind_junk, begins_request, certainty_of, clean_request_line,
    continued, head_of, may_begin_line, readings_of, request_line, target_again, with_recipient,
};
use super::whole_head::{FirstLine, fields_in, fields_of_cr_head};
use crate::counts::Count;
use crate::http2::PREFACE_HEAD;
use crate::records::{Certainty, CleanHead, HeadText, Oddities, Oddity, Owner, PlacedHead, RequestHead, Said, Section};

/// Without a line end or a request, and it is no HTTP.
pub(super) const HOPELESS_BYTES: i64 = 4096;
/// haproxy.org, proxy-protocol.txt, section 2.2.
const PROXY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Before the addresses.
const PROXY_BYTES: usize = 16;
/// For each so many octets that a part says again it has as many lines more: what is copied stays in proportion.
const SAID_AGAIN_BYTES: usize = 4 * 1024;
pub(super) const LONG: Oddities = Oddities::of(&[Oddity::Long]);

impl Reading {
    /// [`State::Head`]
    pub fn read_head(&mut self, step: &mut Step<'_, '_>) -> bool {
        let kept = step.kept;
        let mut line = None;
        if self.line.is_none() {
            if self.scan <= self.at && self.pass_bare_heads(step) {
                return true;
            }
            if self.scan <= self.at && step.forks.are_more {
                if !self.skip_before_line(kept) {
                    return false;
                }
                if self.joins(step) {
                    return false;
                }
            }
            match self.read_line(step) {
                Ok(found) => line = Some(found),
                Err(goes_on) => return goes_on,
            }
        }
        // seldom is a request line all
        let bare = empty_line(kept.from(self.line_end)).map(|length| self.line_end + length as i64);
        let end = bare.or_else(|| kept.end_of_head(self.scan));
        if end.unwrap_or(kept.end()) - self.at > step.head_bytes() {
            return self.read_part(step);
        }
        let Some(end) = end else {
            self.scan = self.scan.max(self.fed - 2);
            return false;
        };
        // read again only now: not for every segment of a head that comes in small ones
        let line =
            line.or_else(|| request_line(kept.between(self.at, self.at + i64::from(self.line?)))).unwrap_or_default();
        if bare.is_some() && self.place_bare(end, &line, step) {
            return true;
        }
        let (octets, line_end) = (kept.between(self.at, end), (self.line_end - self.at) as usize);
        let (ends_in_cr, is_paid) = (self.oddities.contains(Oddity::Cr), step.forks.credit.is_left());
        let found = step.in_rooms(|rooms| fields_in(rooms, &line, octets, line_end, ends_in_cr, is_paid));
        self.pay_for_others(&found, octets, is_paid, step);
        self.place_head(end, found, is_paid, step);
        true
    }

    /// The request line of [`State::Head`]; when there is none, whether the next step can be made.
    fn read_line<'a>(&mut self, step: &mut Step<'a, '_>) -> Result<RequestLine<'a>, bool> {
        let kept = step.kept;
        if self.scan <= self.at {
            self.no_cr_head = false; // this is another head
            if !self.skip_before_line(kept) {
                return Err(false);
            }
            if self.at == self.fed {
                return Err(true);
            }
        }
        let eol = kept.line_end(self.at.max(self.scan));
        if let Some(eol) = eol
            && eol - self.at <= step.head_bytes()
            && let Some(text) = kept.between(self.at, eol).strip_suffix(b"\r")
            && let Some(line) = clean_request_line(text)
        {
            self.line = Some(text.len() as u32);
            (self.scan, self.line_end) = (eol, eol + 1);
            return Ok(line);
        }
        if self.read_cr_head(eol.unwrap_or(kept.end()), false, step) {
            return Err(true);
        }
        let Some(eol) = eol.filter(|eol| eol - self.at <= step.head_bytes()) else {
            return Err(self.read_on_in_line(step));
        };
        let octets = kept.between(self.at, eol);
        let Some(FirstLine { line, size, ends_in_cr }) = FirstLine::of(octets) else {
            if self.is_at_beginning() && octets.starts_with(b"PROXY ") {
                return Err(self.skip_proxy(eol + 1 - self.at));
            }
            return Err(self.refuse());
        };
        self.line = Some(size as u32);
        self.scan = eol;
        self.line_end = eol + 1;
        if ends_in_cr {
            self.line_end = self.at + size as i64 + 1;
            self.oddities.insert(Oddity::Cr);
        }
        Ok(line)
    }

    /// Here is no request line.
    fn refuse(&mut self) -> bool {
        self.refused = self.at;
        self.turn(State::Seek, None)
    }

    /// Of the connection, where the PROXY protocol stands (haproxy.org, proxy-protocol.txt, section 2).
    fn is_at_beginning(&self) -> bool {
        self.at == self.origin && !self.spoke
    }

    fn skip_proxy(&mut self, size: i64) -> bool {
        self.at += size;
        self.scan = self.at;
        self.oddities.insert(Oddity::ProxyProtocol);
        true
    }

    /// Empty lines (RFC 9112 section 2.2), and version 2 of the PROXY protocol, which begins like some.
    fn skip_before_line(&mut self, kept: Kept<'_>) -> bool {
        let rest = kept.from(self.at);
        let blank = rest.iter().position(|octet| !matches!(octet, b'\r' | b'\n')).unwrap_or(rest.len());
        if blank == 0 {
            return true;
        }
        if self.is_at_beginning() {
            if let Some([.., high, low]) = rest.first_chunk::<PROXY_BYTES>().filter(|start| start.starts_with(PROXY)) {
                let size = PROXY_BYTES as i64 + i64::from(u16::from_be_bytes([*high, *low]));
                return self.fed - self.at >= size && self.skip_proxy(size);
            }
            if rest.len() < PROXY_BYTES && rest.starts_with(PROXY.get(..rest.len()).unwrap_or(PROXY)) {
                return false;
            }
        }
        self.at += blank as i64;
        self.scan = self.at;
        self.oddities.insert(Oddity::LeadingCrlf);
        true
    }

    /// The request line has not ended, or only beyond the bound.
    fn read_on_in_line(&mut self, step: &mut Step<'_, '_>) -> bool {
        let rest = step.kept.from(self.at);
        let may_begin = may_begin_line(rest)
            && (rest.len() as i64 <= HOPELESS_BYTES || begins_request(rest.get(..WORDS_BYTES).unwrap_or(rest)));
        if !may_begin && !begins_behind_junk(rest.get(..WORDS_BYTES).unwrap_or(rest)) {
            return self.refuse();
        }
        self.scan = self.fed;
        rest.len() as i64 > step.head_bytes() && self.read_part(step)
    }

    /// A head whose lines all end in CR alone; most receivers wait for an LF for ever. `over`: nothing follows.
    pub fn read_cr_head(&mut self, eol: i64, over: bool, step: &mut Step<'_, '_>) -> bool {
        if self.no_cr_head {
            return false;
        }
        let kept = step.kept;
        let from = self.at.max(self.scan - 2);
        let text = kept.between(from, eol);
        let Some(cr) = memchr_iter(b'\r', text).find(|cr| text.get(cr + 1) == Some(&b'\r')) else { return false };
        let end = from + cr as i64 + 2;
        if kept.from(end).first().map_or(!over, |&behind| behind == b'\n') {
            return false;
        }
        let (text, rest) = part(kept.between(self.at, end), b'\r');
        let Some(line) = request_line(text) else {
            self.no_cr_head = true; // and will not be one, whatever follows
            return false;
        };
        let rest = rest.unwrap_or_default();
        if rest == b"\r" {
            return false;
        }
        self.oddities = self.oddities.with(Oddities::of(&[Oddity::Cr, Oddity::NotHttp]));
        let is_paid = step.forks.credit.is_left();
        let found = step.in_rooms(|rooms| fields_of_cr_head(rooms, &line, rest, is_paid));
        self.pay_for_others(&found, kept.between(self.at, end), is_paid, step);
        self.place_head(end, found, is_paid, step);
        true
    }

    /// Lines that others read otherwise were read so as well, or there was no credit for that.
    #[inline]
    pub(super) fn pay_for_others(&self, found: &FieldLines, block: &[u8], is_paid: bool, step: &mut Step<'_, '_>) {
        if found.may_differ {
            if !is_paid {
                self.count(Count::ShedReadings, 1, step);
            } else if !self.is_fork {
                step.forks.credit.pay_lines(block);
            }
        }
    }

    /// A head is whole: places it, and goes on behind it. It was read in all ways, or only in the first.
    fn place_head(&mut self, end: i64, mut found: FieldLines, in_all_ways: bool, step: &mut Step<'_, '_>) {
        self.line = None;
        if step.kept.between(self.at, end) == PREFACE_HEAD {
            self.state = State::Frames;
            return;
        }
        let start = mem::replace(&mut self.at, end);
        self.scan = end;
        let extents = lengths(&found.text, found.oddities, found.hidden.as_deref());
        let doubt = self.doubted();
        if self.oddities.contains(Oddity::Framing) {
            self.search_beside(&extents, step);
        }
        let mut oddities = extents.oddities.with(mem::take(&mut self.oddities));
        if self.tunnel {
            oddities.insert(Oddity::InConnect);
        }
        let own = found.oddities.with(oddities);
        let all = with_recipient(own, &found.text);
        let (time_ns, flow, path) = (self.time_ns, step.context.flow, step.context.path);
        let is_chunked = extents.first == Extent::Chunked;
        let body =
            if is_chunked && step.context.counts.tracer.is_none() { whole_body(step.kept.from(end)) } else { None };
        let has_trailer = (is_chunked && body.is_none()) || (step.forks.have_room() && extents.may_be_chunked());
        self.odd_chunks = OddChunks::behind(own);
        self.pay_head(end - start, step); // before ways part here
        let owner = has_trailer.then(|| owner_of_trailer(&found.text, certainty_of(all)));
        self.go_on_behind(is_connect(&found.text), is_upgrade(&found.text), &extents, owner.as_ref(), step);
        step.forks.note_start(start, doubt);
        if let Some(body) = &body {
            self.pass_body(body, step);
        }
        let fits = found.text.field_count() <= step.context.limits.head_lines;
        if let Some(early) = &mut step.context.early {
            if !fits || step.forks.are_copies {
                early.keep(&mut found.text, &mut found.others);
            } else if let Some(mark) = early.sift(&mut found.text, &mut found.others) {
                let (start, certainty) = (self.shown_start(start), certainty_of(all));
                let said =
                    Said::Clean(CleanHead { time_ns, oddities: all, own, certainty, in_all_ways, mark, owner: None });
                return step.heads.push(PlacedHead { start, end, said, why: None, part: false });
            }
        }
        let mut head = head_of(time_ns, flow, path, found.text, all);
        head.readings = readings_of(&head, found.others, own);
        self.hand_out(start, end, head, false, step);
    }

    /// Where a head begins for those whose copy is longer.
    #[inline]
    pub(super) fn shown_start(&self, start: i64) -> i64 {
        if self.shift > 0 && start == self.origin + self.shift { self.origin } else { start }
    }

    /// Hands a head out, in parts when it has too many lines.
    #[inline]
    pub fn place(&mut self, start: i64, end: i64, head: RequestHead, step: &mut Step<'_, '_>) {
        self.place_part(start, end, head, false, step);
    }

    #[inline]
    pub(super) fn place_part(
        &mut self,
        start: i64,
        end: i64,
        head: RequestHead,
        is_part: bool,
        step: &mut Step<'_, '_>,
    ) {
        self.pay_head(end - start, step);
        self.hand_out(start, end, head, is_part, step);
    }

    fn hand_out(&mut self, start: i64, end: i64, head: RequestHead, is_part: bool, step: &mut Step<'_, '_>) {
        let start = self.shown_start(start);
        if head.text.field_count() <= step.context.limits.head_lines {
            step.heads.push(PlacedHead { part: is_part, ..PlacedHead::new(start, end, head) });
        } else {
            self.place_parts(start, end, head, is_part, step);
        }
    }

    /// A head with too many lines.
    fn place_parts(&mut self, start: i64, end: i64, mut head: RequestHead, is_part: bool, step: &mut Step<'_, '_>) {
        self.count(Count::ShedHeadLines, 1, step);
        let fields = head.text.field_count();
        let bound =
            step.context.limits.head_lines.max(1) * (1 + said_again(&head.text, head.section) / SAID_AGAIN_BYTES);
        let mut text = head.text.only(|_| false, 0);
        text.push_fields(&head.text, 0..bound);
        let readings = mem::take(&mut head.readings);
        let (path, oddities) = (head.path.clone(), head.oddities.with(LONG));
        // not the whole text: who gets the head is looked for in each part
        let hosts = head.text.only(|name| name == b"host", MOST_NEEDED);
        let owner = RequestHead { path: path.clone(), text: hosts, readings: Vec::new(), ..head };
        let first = RequestHead { path, text, oddities, readings, ..head };
        step.heads.push(PlacedHead { part: is_part, ..PlacedHead::new(start, end, first) });
        for begin in (bound..fields).step_by(bound) {
            let part = begin..fields.min(begin + bound);
            let more = continued(head.time_ns, &owner, &head.text, part, LONG, head.section);
            step.heads.push(PlacedHead { part: true, ..PlacedHead::new(start, end, more) });
        }
    }
}

/// How many octets each part of a head has besides its own.
fn said_again(text: &HeadText, section: Section) -> usize {
    let hosts = text.fields().filter(|(name, _)| *name == b"host").take(MOST_NEEDED);
    target_again(text, section).len() + hosts.map(|(name, value)| name.len() + value.len()).sum::<usize>()
}

/// For the rest of a long head, which ends where its fields say.
pub(super) fn owner_of_more(head: &RequestHead) -> Arc<Owner> {
    Arc::new(Owner { text: head.text.only(is_needed, MOST_NEEDED), certainty: head.certainty })
}

/// For a trailer section.
pub(super) fn owner_of_trailer(text: &HeadText, certainty: Certainty) -> Arc<Owner> {
    let left = Cell::new(MOST_NEEDED);
    let is_host = |name: &[u8]| {
        let fits = left.get() > 0;
        left.set(left.get() - usize::from(fits && is_needed(name)));
        fits && name == b"host"
    };
    Arc::new(Owner { text: text.only(is_host, MOST_NEEDED), certainty })
}

/// What follows is for somebody else.
pub(super) fn is_connect(text: &HeadText) -> bool {
    text.method() == b"CONNECT"
}

/// What follows may be another protocol.
pub(super) fn is_upgrade(text: &HeadText) -> bool {
    text.may_upgrade() && text.has(b"upgrade")
}

pub(super) fn is_needed(name: &[u8]) -> bool {
    matches!(name, b"host" | b"content-length" | b"transfer-encoding")
}
