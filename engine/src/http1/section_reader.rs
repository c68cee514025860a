//! Sections that go on behind a head: those that are too long for one, and trailer sections.

use std::mem;
use std::sync::Arc;

use memchr::memchr;

use super::body::{NO_BODY, OddChunks, lengths};
use super::field_lines::{field_lines, field_lines_in};
use super::head_reader::{LONG, is_needed, owner_of_more, owner_of_trailer};
use super::kept::{Kept, empty_line, end_of_lines};
use super::octets::{part, word_at_end};
use super::reading::{Reading, State, Step};
use super::request_head::{MOST_NEEDED, RequestLine, WORDS_BYTES, continuation, head_of, make_head, request_line};
use super::whole_head::behind;
use crate::counts::Count;
use crate::early::Rooms;
use crate::records::{CleanHead, HeadText, Oddities, Oddity, Owner, PlacedHead, RequestHead, Said, Section};

impl Reading {
    /// A head or section beyond the bound: hands out what is whole, and reads on in [`State::More`].
    pub(super) fn read_part(&mut self, step: &mut Step<'_, '_>) -> bool {
        self.count(Count::ShedHeadBytes, 1, step);
        let start = self.at;
        let text = step.kept.between(start, start + step.head_bytes());
        let last = end_of_lines(text);
        let mut size = last;
        let mut block = mem::take(&mut self.carry);
        if last <= text.len() / 2 {
            // the last line is the long one: cut it, but through no word
            size = text.len() - word_at_end(text);
            let line = text.get(last..).unwrap_or_default();
            let colon = memchr(b':', line.get(..WORDS_BYTES).unwrap_or(line)).filter(|_| last > 0);
            let name = colon.and_then(|colon| line.get(..=colon));
            self.carry = name.map_or_else(|| block.clone(), <[u8]>::to_vec);
        }
        self.at = start + size as i64;
        self.scan = self.at;
        block.extend_from_slice(text.get(..size).unwrap_or_default());
        if size != last {
            block.extend_from_slice(b"\r\n");
        }
        if self.state == State::More {
            self.place_more(start, &block, LONG, step);
            return true;
        }
        let is_paid = step.forks.credit.is_left();
        let found = match self.line.take() {
            Some(length) => {
                let kept = Kept { octets: &block, first: start };
                let line = request_line(kept.between(start, start + i64::from(length))).unwrap_or_default();
                let (text, rooms) = (HeadText::default(), &mut Rooms::default());
                let found = field_lines_in(text, rooms, &line, kept.from(self.line_end), is_paid);
                self.pay_for_others(&found, &block, is_paid, step);
                found
            }
            None => {
                // not even the request line has ended
                let (method, target) = part(&block, b' ');
                let oddities = Oddities::of(&[Oddity::OddTarget]);
                let line =
                    RequestLine { method, target: target.unwrap_or_default(), oddities, ..RequestLine::default() };
                field_lines(&line, b"")
            }
        };
        let oddities = mem::take(&mut self.oddities).with(LONG);
        let head = make_head(self.time_ns, step.context.flow, step.context.path, found, oddities);
        self.keep_head(&head);
        self.place(start, self.at, head, step);
        self.spoke = true;
        self.state = State::More;
        self.section = Section::Head;
        true
    }

    /// Perhaps nothing follows: hands out the lines of a head that are whole, and goes on behind them.
    pub fn part(&mut self, step: &mut Step<'_, '_>) {
        let Some(length) = self.line.take_if(|_| self.state == State::Head) else { return };
        let kept = step.kept;
        let start = self.at;
        let end = self.line_end.max(kept.end_of_lines(start));
        let line = request_line(kept.between(start, start + i64::from(length))).unwrap_or_default();
        let block = kept.between(self.line_end, end);
        let is_paid = step.forks.credit.is_left();
        let found = field_lines_in(HeadText::default(), &mut Rooms::default(), &line, block, is_paid);
        self.pay_for_others(&found, block, is_paid, step);
        let oddities = mem::take(&mut self.oddities).with(Oddities::of(&[Oddity::Incomplete]));
        let head = make_head(self.time_ns, step.context.flow, step.context.path, found, oddities);
        self.at = end;
        self.scan = end;
        self.keep_head(&head);
        self.place(start, end, head, step);
        self.spoke = true;
        self.state = State::More;
        self.section = Section::Head;
    }

    /// [`State::More`]
    pub fn read_more(&mut self, step: &mut Step<'_, '_>) -> bool {
        let kept = step.kept;
        let is_beginning = self.carry.is_empty() && self.scan <= self.at;
        let empty = empty_line(kept.from(self.at)).filter(|_| is_beginning).map(|length| self.at + length as i64);
        let end = empty.or_else(|| kept.end_of_head(self.at.max(self.scan)));
        if end.unwrap_or(kept.end()) - self.at > step.head_bytes() {
            return self.read_part(step);
        }
        let Some(end) = end else {
            self.scan = self.at.max(self.fed - 2);
            return false;
        };
        self.place_lines_up_to(end, Oddities::default(), step);
        let of_trailer = mem::replace(&mut self.section, Section::Head) == Section::Trailer;
        let head = self.head.take();
        if of_trailer {
            self.enter_body(&NO_BODY, None, step);
        } else if let Some(head) = head {
            let extents = lengths(&head.text, Oddities::default(), None);
            let owner = extents.may_be_chunked().then(|| owner_of_trailer(&head.text, head.certainty));
            self.enter_body(&extents, owner.as_ref(), step);
        }
        true
    }

    /// What follows is missing: hands out the lines of [`State::More`] that are whole.
    pub fn end_section(&mut self, step: &mut Step<'_, '_>) {
        if self.state == State::More {
            let end = step.kept.end_of_lines(self.at);
            self.place_lines_up_to(end, Oddities::of(&[Oddity::Incomplete]), step);
            self.count(Count::BlindHeadIncomplete, 1, step);
            self.section = Section::Head;
        }
    }

    fn place_lines_up_to(&mut self, end: i64, oddities: Oddities, step: &mut Step<'_, '_>) {
        let start = mem::replace(&mut self.at, end);
        self.scan = end;
        let lines = step.kept.between(start, end);
        if self.carry.is_empty() {
            return self.place_more(start, lines, oddities, step);
        }
        let mut block = mem::take(&mut self.carry);
        block.extend_from_slice(lines);
        self.place_more(start, &block, oddities, step);
    }

    fn place_more(&mut self, start: i64, block: &[u8], oddities: Oddities, step: &mut Step<'_, '_>) {
        if empty_line(block) == Some(block.len()) {
            return; // no field at all, as in most trailer sections
        }
        if self.section == Section::Trailer && oddities.is_empty() && self.place_clean_trailer(start, block, step) {
            return;
        }
        let is_paid = step.forks.credit.is_left();
        let (text, rooms) = (HeadText::default(), &mut Rooms::default());
        let found = field_lines_in(text, rooms, &RequestLine::default(), block, is_paid);
        if found.text.field_count() == 0 {
            return;
        }
        let Some(owner) = self.head.take() else { return };
        self.pay_for_others(&found, block, is_paid, step);
        let (flow, path) = (step.context.flow, step.context.path);
        let Owner { text, certainty } = Arc::unwrap_or_clone(owner);
        let mut head = RequestHead { certainty, ..head_of(self.time_ns, flow, path, text, Oddities::default()) };
        let more = continuation(self.time_ns, &head, &found, oddities, self.section);
        let room = MOST_NEEDED.saturating_sub(head.text.field_count());
        if room > 0 && found.text.may_be_needed() {
            for (name, value) in found.text.fields().filter(|(name, _)| is_needed(name)).take(room) {
                head.text.push(name, value);
            }
        }
        self.head = Some(Arc::new(Owner { text: head.text, certainty }));
        self.place_part(start, self.at, more, self.section == Section::Head, step);
    }

    /// Places all of a trailer section, if the sieve finds nothing in it and it can be read in one way only.
    fn place_clean_trailer(&mut self, start: i64, block: &[u8], step: &mut Step<'_, '_>) -> bool {
        let (Some(owner), Some(early)) = (&self.head, &mut step.context.early) else { return false };
        if step.forks.are_copies || owner.text.method().is_empty() {
            return false;
        }
        let rooms = early.rooms();
        let found = field_lines_in(rooms.text(), rooms, &RequestLine::default(), block, false);
        let text = behind(rooms.other(), &owner.text, &found.text);
        let (fields, may_differ, oddities) = (found.text.field_count(), found.may_differ, found.oddities);
        rooms.take_back(found.text);
        let fits = (1..=step.context.limits.head_lines).contains(&text.field_count());
        let mark = if fields > 0 && fits && !may_differ { early.mark_of_trailer(&text) } else { None };
        early.rooms().take_other_back(text);
        let Some(mark) = mark else { return false };
        let (time_ns, certainty, owner) = (self.time_ns, owner.certainty, Some(Arc::clone(owner)));
        let said = CleanHead { time_ns, oddities, own: oddities, certainty, in_all_ways: true, mark, owner };
        self.pay_head(self.at - start, step);
        step.heads.push(PlacedHead { start, end: self.at, said: Said::Clean(said), why: None, part: false });
        true
    }

    /// Keeps of a head what its sections that follow depend on.
    pub fn keep_head(&mut self, head: &RequestHead) {
        self.head = Some(owner_of_more(head));
        self.odd_chunks = OddChunks::behind(head.oddities);
    }
}
