//! Bodies: skipped by count or chunk by chunk (RFC 9112 sections 6 and 7), in every way that their lengths can be read.

use std::mem;
use std::sync::Arc;

use super::{BROKEN, JUNK, LINE_BYTES, Reading, State, Step, TUNNEL};
use crate::counts::Count;
use crate::http1::body::{ENDLESS, Extent, Lengths, chunk_size, whole_chunks};
use crate::http1::kept::empty_line;
use crate::records::{Oddity, RequestHead, Section};

impl Reading {
    /// Goes on behind the head's empty line, in every way that its body may have; `kept` is what a trailer section would
    /// depend on.
    pub fn enter_body(&mut self, extents: &Lengths, kept: Option<&Arc<RequestHead>>, step: &mut Step<'_, '_>) {
        self.is_misread = false;
        for &extent in &extents.others {
            self.fork(step, |fork| fork.enter_extent(extent, kept));
        }
        for &octets in &extents.misread {
            self.fork(step, |fork| {
                fork.is_misread = true;
                fork.enter_extent(Extent::Octets(octets), kept);
            });
        }
        step.forks.left_out += extents.left_out;
        self.enter_extent(extents.first, kept);
    }

    /// The same where there is none, and nothing else follows but requests.
    #[inline]
    pub fn go_on_without_body(&mut self) {
        self.is_misread = false;
        (self.spoke, self.switching) = (true, false);
        (self.state, self.doubt) = (State::Head, JUNK);
    }

    pub(super) fn enter_extent(&mut self, extent: Extent, kept: Option<&Arc<RequestHead>>) {
        self.doubt = if self.switching { TUNNEL } else { JUNK };
        match extent {
            Extent::Chunked => {
                self.state = State::ChunkSize;
                self.odd_chunk = false;
                self.head = kept.cloned();
            }
            Extent::Octets(0) => self.state = State::Head,
            Extent::Octets(octets) => {
                self.state = State::Body;
                self.left = octets;
            }
        }
    }

    /// The same way up to here goes on otherwise, if there is room for one more.
    pub(super) fn fork(&self, step: &mut Step<'_, '_>, turn_off: impl FnOnce(&mut Reading)) {
        if step.forks.ways.len() >= step.forks.room {
            step.forks.left_out += 1;
            return;
        }
        let why = self.why.or(Some(Oddity::Framing));
        let mut fork = Reading { origin: self.at, is_fork: true, why, shift: 0, ..self.clone() };
        turn_off(&mut fork);
        step.forks.ways.push(fork);
    }

    pub(super) fn skip_body(&mut self, step: &mut Step<'_, '_>) -> bool {
        let size = self.left.min(step.kept.from(self.at).len() as u64);
        self.at += size as i64;
        self.scan = self.at;
        self.count_body(size, step);
        true
    }

    pub(super) fn count_body(&mut self, size: u64, step: &mut Step<'_, '_>) {
        self.left -= size;
        self.count_bodies(size, step);
        if self.left == 0 {
            self.state = if self.state == State::ChunkData { State::ChunkEnd } else { State::Head };
        }
    }

    pub(super) fn count_bodies(&mut self, size: u64, step: &mut Step<'_, '_>) {
        self.bodies = self.bodies.saturating_add(u32::try_from(size).unwrap_or(u32::MAX));
        let again = size.min(u64::from(self.again));
        self.again -= again as u32;
        self.count(Count::BodyBytes, size - again, step);
    }

    /// RFC 9112 section 7.1.
    pub(super) fn read_chunk_size(&mut self, step: &mut Step<'_, '_>) -> bool {
        let kept = step.kept;
        let plain = whole_chunks(kept.from(self.at));
        if plain.taken > 0 {
            self.at += plain.taken as i64;
            self.scan = self.at;
            self.count_bodies(plain.body, step);
            if plain.is_odd {
                self.note_odd_chunk(step);
            }
            return true;
        }
        let Some(eol) = kept.line_end(self.at.max(self.scan)) else {
            self.scan = self.fed;
            return kept.from(self.at).len() > LINE_BYTES && self.break_chunks(step);
        };
        let line = kept.between(self.at, eol);
        let Some(found) = chunk_size(line) else { return self.break_chunks(step) };
        if found.size == ENDLESS || !line.ends_with(b"\r") {
            self.note_odd_chunk(step);
        }
        self.at = eol + 1;
        self.scan = self.at;
        for octets in found.wraps() {
            self.fork(step, |fork| {
                fork.is_misread = true;
                fork.enter_chunk(octets);
            });
        }
        self.enter_chunk(found.size);
        true
    }

    pub(super) fn enter_chunk(&mut self, size: u64) {
        self.left = size;
        self.state = if size > 0 { State::ChunkData } else { State::More };
        if size == 0 {
            self.section = Section::Trailer;
        }
    }

    pub(super) fn end_chunk(&mut self, step: &mut Step<'_, '_>) -> bool {
        let rest = step.kept.from(self.at);
        let Some(length) = empty_line(rest) else { return rest != b"\r" && self.break_chunks(step) };
        self.at += length as i64;
        self.scan = self.at;
        self.state = State::ChunkSize;
        self.is_misread = false;
        true
    }

    pub(super) fn break_chunks(&mut self, step: &mut Step<'_, '_>) -> bool {
        self.note_odd_chunk(step);
        self.turn(State::Seek, Some(BROKEN))
    }

    /// Once for a body: its head has been handed out already.
    pub(super) fn note_odd_chunk(&mut self, step: &mut Step<'_, '_>) {
        let is_news = !mem::replace(&mut self.odd_chunk, true);
        self.count(Count::OdditiesChunkOdd, u64::from(is_news), step);
    }
}
