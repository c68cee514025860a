//! Sections that go on behind a head: those that are too long for one, and trailer sections.

use std::mem;
use std::sync::Arc;

use memchr::memchr;

use super::body::{NO_BODY, lengths};
use super::field_lines::{field_lines, field_lines_in};
use super::head_reader::{LONG, is_needed, kept_of};
use super::kept::{Kept, empty_line, end_of_lines};
use super::octets::{part, word_at_end};
use super::reading::{Reading, State, Step};
use super::request_head::{MOST_NEEDED, RequestLine, WORDS_BYTES, continuation, make_head, request_line};
use crate::counts::Count;
use crate::early::Rooms;
use crate::records::{HeadText, Oddities, Oddity, RequestHead, Section};

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
        let found = match self.line.take() {
            Some(length) => {
                let block = Kept { octets: &block, first: start };
                let line = request_line(block.between(start, start + i64::from(length))).unwrap_or_default();
                field_lines(&line, block.from(self.line_end))
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
        let found = field_lines(&line, kept.between(self.line_end, end));
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
        if let Some(head) = self.head.take() {
            let extents = if of_trailer { NO_BODY } else { lengths(&head.text, Oddities::default(), None) };
            let kept = extents.may_be_chunked().then(|| kept_of(&head));
            self.enter_body(&extents, kept.as_ref(), step);
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
        let is_paid = step.forks.credit.is_left();
        let (text, rooms) = (HeadText::default(), &mut Rooms::default());
        let found = field_lines_in(text, rooms, &RequestLine::default(), block, is_paid);
        if self.head.is_none() || found.text.field_count() == 0 {
            return;
        }
        self.pay_for_others(&found, self.at - start, is_paid, step);
        let Some(head) = &mut self.head else { return };
        let head = Arc::make_mut(head);
        let more = continuation(self.time_ns, head, &found, oddities, self.section);
        let room = MOST_NEEDED.saturating_sub(head.text.field_count());
        if room > 0 && found.text.may_be_needed() {
            for (name, value) in found.text.fields().filter(|(name, _)| is_needed(name)).take(room) {
                head.text.push(name, value);
            }
        }
        self.place_part(start, self.at, more, self.section == Section::Head, step);
    }

    /// Keeps of a head what its sections that follow depend on.
    pub fn keep_head(&mut self, head: &RequestHead) {
        self.head = Some(kept_of(head));
    }
}
