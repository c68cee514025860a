//! Where octets are missing: the lines of a head before the hole, and those behind it.

use std::mem;

use memchr::memchr;

use super::{CutHead, Doubt, LINE_BYTES, Mark, Reading, State, Step};
use crate::counts::Count;
use crate::http1::body::{OddChunks, lengths};
use crate::http1::field_lines::{FieldLines, field_lines, looks_like_field, may_end_field};
use crate::http1::head_reader::owner_of_trailer;
use crate::http1::kept::end_of_lines;
use crate::http1::octets::part;
use crate::http1::request_head::{RequestLine, make_head, surely_request_line};
use crate::records::{Oddities, Oddity, RequestHead};

impl Reading {
    /// Nothing joins on to what is kept: keeps the head's lines that are whole.
    pub(super) fn keep_whole_lines(&mut self, step: &mut Step<'_, '_>) {
        let kept = step.kept;
        let end = kept.end_of_lines(self.at);
        match (self.state, self.line.take()) {
            (State::Head, None) => {
                self.read_cr_head(kept.end(), true, step);
            }
            (State::Head, Some(length)) => {
                self.before = Some(Box::new(CutHead {
                    start: self.at,
                    end,
                    time_ns: self.time_ns,
                    line: kept.between(self.at, self.at + i64::from(length)).to_vec(),
                    block: kept.between(self.line_end, end).to_vec(),
                }));
            }
            (State::Hole, _) => {
                self.join(end, Oddity::Incomplete, step);
            }
            _ => {}
        }
    }

    /// What followed was lost or belongs elsewhere: judges the lines before the hole.
    pub(super) fn end_before(&mut self, step: &mut Step<'_, '_>) {
        let Some(before) = self.before.take() else { return };
        self.count(Count::BlindHeadIncomplete, 1, step);
        let found = field_lines(&before.line(), &before.block);
        let head = self.cut_head(found, Oddity::Incomplete, step);
        self.place(before.start, before.end, RequestHead { time_ns: before.time_ns, ..head }, step);
    }

    pub(super) fn cut_head(&mut self, found: FieldLines, oddity: Oddity, step: &Step<'_, '_>) -> RequestHead {
        self.spoke = true;
        let oddities = mem::take(&mut self.oddities).with(Oddities::of(&[oddity]));
        make_head(self.time_ns, step.context.flow, step.context.path, found, oddities)
    }

    /// Field lines of a head whose beginning a hole swallowed, if that is what they are.
    pub(super) fn read_hole(&mut self, step: &mut Step<'_, '_>) -> bool {
        let kept = step.kept;
        let segment = self.segment;
        if self.is_request(kept, segment, kept.line_end(segment)) {
            let end = self.at + end_of_lines(kept.between(self.at, segment)) as i64;
            if end > self.at {
                self.join(end, Oddity::Incomplete, step);
            }
            self.tell(self.at, segment, "gap", step);
            self.end_before(step);
            return self.found(segment, Mark::Segment);
        }
        if let Some(end) = kept.end_of_head(self.at.max(self.scan)) {
            return self.join(end, Oddity::AfterGap, step);
        }
        self.scan = self.at.max(self.fed - 2);
        kept.from(self.at).len() > LINE_BYTES && self.give_up_hole(step)
    }

    pub(super) fn give_up_hole(&mut self, step: &mut Step<'_, '_>) -> bool {
        self.end_before(step);
        self.turn(State::Seek, None)
    }

    /// Joins the field lines up to `end` to those before the hole. The first line is what is left of one.
    pub(super) fn join(&mut self, end: i64, oddity: Oddity, step: &mut Step<'_, '_>) -> bool {
        let (cut, rest) = part(step.kept.between(self.at, end), b'\n');
        let rest = rest.unwrap_or_default();
        let mut at = self.at + cut.len() as i64 + 1;
        for line in rest.split(|&octet| octet == b'\n') {
            if surely_request_line(line).is_some() {
                self.tell(self.at, at, "gap", step);
                self.end_before(step);
                return self.found(at, Mark::Line);
            }
            if !looks_like_field(line) {
                return self.give_up_hole(step);
            }
            at += line.len() as i64 + 1;
        }
        let mut found = field_lines(&RequestLine::default(), rest);
        let has_host = |block: &[u8]| field_lines(&RequestLine::default(), block).text.has(b"host");
        if found.text.has(b"host") && self.before.as_ref().is_some_and(|before| has_host(&before.block)) {
            self.end_before(step); // two Hosts: two heads
        }
        let before = self.before.take();
        let start = before.as_ref().map_or(self.at, |before| before.start);
        if let Some(before) = &before {
            found = field_lines(&before.line(), &[before.block.as_slice(), rest].concat());
        }
        self.tell(self.at, self.at + cut.len() as i64, "gap", step);
        self.at = end;
        self.scan = end;
        self.state = State::Head;
        if before.is_some() || found.text.field_count() > 0 || may_end_field(cut) {
            let mut extents = lengths(&found.text, found.oddities, found.hidden.as_deref());
            if extents.may_be_body() {
                extents.or_none(); // the body may have begun in the hole
            }
            let mut head = self.cut_head(found, oddity, step);
            if memchr(b':', cut).is_some() {
                // its value is whole, its name may not be
                let torn = field_lines(&RequestLine::default(), &[cut, b"\n"].concat());
                let mut reading = RequestHead { readings: Vec::new(), ..head.clone() };
                for (name, value) in torn.text.fields() {
                    reading.text.push(name, value);
                }
                head.readings.push(reading);
            }
            let owner = extents.may_be_chunked().then(|| owner_of_trailer(&head.text, head.certainty));
            self.odd_chunks = OddChunks::behind(head.oddities);
            self.enter_body(&extents, owner.as_ref(), step);
            self.place(start, end, head, step);
        }
        self.seek_lost();
        step.forks.ways.iter_mut().for_each(Reading::seek_lost);
        true
    }

    /// What follows the body that may stand here is no sure beginning.
    pub(super) fn seek_lost(&mut self) {
        self.doubt = Doubt::Lost;
        if self.state == State::Head {
            self.turn(State::Seek, None);
        }
    }
}
