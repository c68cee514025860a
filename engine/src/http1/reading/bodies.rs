//! Bodies: skipped by count or chunk by chunk (RFC 9112 sections 6 and 7), in every way that their lengths can be read.

use std::mem;
use std::sync::Arc;

use memchr::{memchr, memmem};

use super::{BROKEN, JUNK, LINE_BYTES, Reading, State, Step, TUNNEL};
use crate::counts::Count;
use crate::http1::body::chunks::{WholeChunks, may_end_chunk, may_go_on, whole_chunks};
use crate::http1::body::{ENDLESS, Extent, Lengths, chunk_size};
use crate::http1::kept::{Kept, empty_line};
use crate::http1::octets::part;
use crate::http1::request_head::{WORDS_BYTES, begins_known_method, surely_request_line};
use crate::records::{Oddity, Owner, Section};

impl Reading {
    /// Goes on behind the head's empty line, in every way that its body may have; `owner` is what a trailer section would
    /// belong to.
    pub fn enter_body(&mut self, extents: &Lengths, owner: Option<&Arc<Owner>>, step: &mut Step<'_, '_>) {
        self.is_misread = false;
        for &extent in &extents.others {
            self.fork(step, |fork| fork.enter_extent(extent, owner));
        }
        for &octets in &extents.misread {
            self.fork(step, |fork| {
                fork.is_misread = true;
                fork.enter_extent(Extent::Octets(octets), owner);
            });
        }
        if extents.may_stay_away {
            self.fork(step, Reading::enter_no_body);
        }
        self.leave_out(extents.left_out, step);
        self.enter_extent(extents.first, owner);
    }

    /// All of it is here and read in one look, with a trailer section that is empty.
    pub fn pass_body(&mut self, body: &WholeChunks, step: &mut Step<'_, '_>) {
        self.at += body.taken as i64;
        self.scan = self.at;
        self.state = State::Head;
        self.count_bodies(body.body, step);
        if body.is_odd {
            self.note_odd_chunk(step);
        }
    }

    /// The same where there is none, and nothing else follows but requests.
    #[inline]
    pub fn go_on_without_body(&mut self) {
        self.is_misread = false;
        (self.spoke, self.switching) = (true, false);
        (self.state, self.doubt) = (State::Head, JUNK);
    }

    pub(super) fn enter_extent(&mut self, extent: Extent, owner: Option<&Arc<Owner>>) {
        self.doubt = if self.switching { TUNNEL } else { JUNK };
        match extent {
            Extent::Chunked => {
                self.state = State::ChunkSize;
                self.odd_chunk = false;
                self.head = owner.cloned();
            }
            Extent::Octets(0) => self.state = State::Head,
            Extent::Octets(octets) => {
                self.state = State::Body;
                self.left = octets;
            }
        }
    }

    /// So many ways do not part from this one that might.
    fn leave_out(&mut self, ways: usize, step: &mut Step<'_, '_>) {
        if step.forks.room.is_some() && ways > 0 {
            step.forks.left_out += ways;
            self.is_not_all = true;
        }
    }

    /// The same way up to here goes on otherwise, if there is room for one more.
    pub(super) fn fork(&mut self, step: &mut Step<'_, '_>, turn_off: impl FnOnce(&mut Reading)) {
        if !step.forks.have_room() {
            return self.leave_out(1, step);
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
        let plain = whole_chunks(kept.from(self.at), !step.forks.have_room());
        if plain.taken > 0 {
            self.at += plain.taken as i64;
            self.scan = self.at;
            self.is_misread = false;
            self.count_bodies(plain.body, step);
            if plain.is_odd {
                self.note_odd_chunk(step);
            }
            self.leave_out(plain.left_out, step);
            return true;
        }
        let Some(eol) = kept.line_end(self.at.max(self.scan)) else {
            self.scan = self.fed;
            return kept.from(self.at).len() > LINE_BYTES && self.break_chunks(step);
        };
        let line = kept.between(self.at, eol);
        let cr = memchr(b'\r', line).filter(|cr| cr + 1 < line.len()).map(|cr| self.at + cr as i64);
        let Some(found) = chunk_size(line) else {
            if let (Some(cr), Some(found)) = (cr, chunk_size(part(line, b'\r').0)) {
                self.fork_at_cr(cr, found.size, step);
            }
            return self.break_chunks(step);
        };
        if found.size == ENDLESS || !line.ends_with(b"\r") || cr.is_some() {
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
        if memchr(b';', line).is_some() {
            self.fork_at_line_ends(line, cr, found.size, step);
        }
        if found.size == 0 && begins_request(kept, self.at, self.at) != Some(false) {
            self.fork(step, Reading::enter_no_body); // some wait for no trailer section
        }
        self.enter_chunk(found.size);
        true
    }

    fn enter_no_body(&mut self) {
        self.is_misread = true;
        self.state = State::NoBody;
    }

    /// Lines of a chunk's size end elsewhere to who takes CR alone for an end, and the octet behind it for LF; or to who
    /// takes an LF alone for a part of the extension (w4ke.info, "Funky chunks").
    fn fork_at_line_ends(&mut self, line: &[u8], cr: Option<i64>, size: u64, step: &mut Step<'_, '_>) {
        let kept = step.kept;
        if !line.ends_with(b"\r") && may_go_on(kept.from(self.at - 1), size) {
            self.fork(step, |fork| {
                fork.is_misread = true;
                (fork.left, fork.state) = (size, State::Extension);
            });
        }
        if let Some(cr) = cr {
            self.fork_at_cr(cr, size, step);
        }
    }

    fn fork_at_cr(&mut self, cr: i64, size: u64, step: &mut Step<'_, '_>) {
        let kept = step.kept;
        for at in [cr + 1, cr + 2] {
            if size > 0 && may_end_chunk(kept.from(at), size) {
                self.fork(step, |fork| {
                    fork.is_misread = true;
                    (fork.at, fork.scan) = (at, at);
                    fork.enter_chunk(size);
                });
            }
        }
        if size == 0 && kept.from(cr + 1).first() == Some(&b'\r') {
            // the empty line
            self.fork(step, |fork| {
                (fork.at, fork.scan) = (cr + 2, cr + 2);
                fork.enter_no_body();
            });
        }
    }

    /// What is left of a chunk-size line that only CRLF ends.
    pub(super) fn read_extension(&mut self, step: &mut Step<'_, '_>) -> bool {
        let kept = step.kept;
        let from = self.at.max(self.scan);
        let Some(end) = memmem::find(kept.from(from), b"\r\n") else {
            self.scan = self.at.max(self.fed - 1);
            return kept.from(self.at).len() > LINE_BYTES && self.break_chunks(step);
        };
        self.at = from + end as i64 + 2;
        self.scan = self.at;
        self.enter_chunk(self.left);
        true
    }

    /// Behind a head whose body may never come: the next request begins right here, or never.
    pub(super) fn read_no_body(&mut self, kept: Kept<'_>) -> bool {
        let begins = begins_request(kept, self.at, self.at.max(self.scan));
        self.scan = self.fed;
        begins.is_some_and(|begins| self.turn(if begins { State::Head } else { State::Seek }, None))
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
        self.is_misread = false;
        self.at += length as i64;
        self.scan = self.at;
        self.state = State::ChunkSize;
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

/// Whether a request line without an oddity stands there, the LF of which stands behind `scan`; None: perhaps.
fn begins_request(kept: Kept<'_>, at: i64, scan: i64) -> Option<bool> {
    if let Some(eol) = kept.line_end(scan) {
        let line = surely_request_line(kept.between(at, eol));
        return Some(line.is_some_and(|line| line.oddities.is_empty() && begins_known_method(line.method, false)));
    }
    let rest = kept.from(at);
    let (method, target) = part(rest.get(..WORDS_BYTES).unwrap_or(rest), b' ');
    let may_begin = begins_known_method(method, target.is_none()) && rest.len() <= LINE_BYTES;
    if may_begin { None } else { Some(false) }
}
