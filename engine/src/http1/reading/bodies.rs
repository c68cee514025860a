//! Bodies: skipped by count or chunk by chunk (RFC 9112 sections 6 and 7), in every way that their lengths can be read.

use std::mem;
use std::sync::Arc;

use memchr::{memchr, memmem};

use super::{Doubt, Habit, LINE_BYTES, Reading, State, Step, Who};
use crate::counts::Count;
use crate::http1::body::chunks::{WholeChunks, may_end_chunk, may_go_on, whole_chunks};
use crate::http1::body::{ENDLESS, Extent, Lengths, Number, OddChunks, chunk_size, may_be_size, odd_chunk_size};
use crate::http1::kept::{Kept, empty_line};
use crate::http1::octets::part;
use crate::http1::request_head::{WORDS_BYTES, begins_known_method, surely_request_line};
use crate::records::{Oddities, Oddity, Owner, Section};

/// Of empty lines behind a body that did not come.
const BLANK_BYTES: usize = 64;

impl Reading {
    /// Goes on behind the head's empty line, in every way that its body may have; `owner` is what a trailer section would
    /// belong to.
    pub fn enter_body(&mut self, extents: &Lengths, owner: Option<&Arc<Owner>>, step: &mut Step<'_, '_>) {
        self.is_misread = false;
        self.habit = Habit::Strict;
        for &extent in extents.others.iter() {
            self.fork(step, |fork| fork.enter_extent(extent, owner));
        }
        for &octets in extents.misread.iter() {
            self.fork(step, |fork| {
                fork.is_misread = true;
                fork.enter_extent(Extent::Octets(octets), owner);
            });
        }
        if extents.may_stay_away && self.who != Who::Refuser {
            self.fork(step, |fork| {
                if fork.who == Who::Anyone {
                    fork.who = Who::Refuser;
                }
                fork.enter_no_body();
            });
        }
        self.leave_out(extents.left_out, step);
        self.enter_extent(extents.first, owner);
        if extents.may_stay_away && self.who == Who::Refuser {
            self.state = State::BodyOrNone;
        }
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

    /// A head was found where a body may be, and is text in it, perhaps: so may its own body be none.
    pub fn search_beside(&mut self, extents: &Lengths, step: &mut Step<'_, '_>) {
        if extents.may_be_body() {
            self.fork(step, |fork| {
                fork.who = Who::Nobody;
                fork.oddities = Oddities::default();
                fork.turn(State::Seek, None);
            });
        }
    }

    /// The same where there is none, and nothing else follows but requests.
    #[inline]
    pub fn go_on_without_body(&mut self) {
        self.is_misread = false;
        self.habit = Habit::Strict;
        (self.spoke, self.switching) = (true, false);
        (self.state, self.doubt) = (State::Head, Doubt::Junk);
    }

    pub(super) fn enter_extent(&mut self, extent: Extent, owner: Option<&Arc<Owner>>) {
        self.doubt = if self.switching { Doubt::Tunnel } else { Doubt::Junk };
        match extent {
            Extent::Chunked => {
                self.state = State::ChunkSize;
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
        step.forks.credit.pay_part();
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
        let known = match self.habit {
            Habit::Strict => self.odd_chunks,
            Habit::Two => OddChunks::default(),
            Habit::Crlf => OddChunks::LF_ENDS_DATA,
            Habit::CrlfBehindExtension => {
                self.odd_chunks.without(OddChunks::LF_ENDS_EXTENSION).with(OddChunks::LF_ENDS_DATA)
            }
            Habit::Cr | Habit::CrAndAny => self.odd_chunks.with(OddChunks::LF_ENDS_DATA).with(OddChunks::CR_ENDS_LINE),
            _ => self.odd_chunks.with(OddChunks::LF_ENDS_DATA),
        };
        let plain = whole_chunks(kept.from(self.at), known);
        if plain.taken > 0 {
            self.at += plain.taken as i64;
            self.scan = self.at;
            self.is_misread = false;
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
        let cr = memchr(b'\r', line).filter(|cr| cr + 1 < line.len()).map(|cr| self.at + cr as i64);
        if let Some(cr) = cr.filter(|_| matches!(self.habit, Habit::Cr | Habit::CrAndAny)) {
            return self.end_at_cr(cr, step);
        }
        let Some(found) = chunk_size(line).or_else(|| self.own_size(line)) else {
            self.fork_at_no_size(line, cr, step);
            return self.break_chunks(step);
        };
        let begin = self.at;
        if found.size == ENDLESS || !line.ends_with(b"\r") || cr.is_some() {
            self.note_odd_chunk(step);
        }
        self.at = eol + 1;
        self.scan = self.at;
        let is_strict = self.habit == Habit::Strict;
        for octets in found.wraps().filter(|_| is_strict) {
            self.fork(step, |fork| {
                fork.is_misread = true;
                fork.enter_chunk(octets);
            });
        }
        let is_extended = memchr(b';', line).is_some();
        if let Some(cr) = cr.filter(|_| is_extended) {
            self.fork_at_cr(begin, cr, found.size, step);
        }
        if !line.ends_with(b"\r") && self.habit == Habit::Two {
            return self.break_chunks(step);
        }
        if !line.ends_with(b"\r") && self.ends_in_lf(found.size, is_extended, step) {
            return true;
        }
        if found.size == 0 && begins_plain_request(kept, self.at, self.at) != Some(false) {
            self.fork(step, Reading::enter_no_body); // some wait for no trailer section
        }
        self.enter_chunk(found.size);
        true
    }

    fn enter_no_body(&mut self) {
        self.is_misread = true;
        self.state = State::NoBody;
    }

    /// As who reads this way reads the size in a line that is none.
    fn own_size(&self, line: &[u8]) -> Option<Number> {
        let (digits, number) = odd_chunk_size(line);
        match self.habit {
            Habit::Digits => digits,
            Habit::Number => number,
            _ => None,
        }
    }

    /// This line is the size of a chunk to few.
    fn fork_at_no_size(&mut self, line: &[u8], cr: Option<i64>, step: &mut Step<'_, '_>) {
        let up_to_cr = cr.zip(chunk_size(part(line, b'\r').0));
        if let Some((cr, found)) = up_to_cr {
            self.fork_at_cr(self.at, cr, found.size, step);
        }
        let (digits, number) = odd_chunk_size(line);
        let data = step.kept.from(self.at + line.len() as i64 + 1);
        for (habit, found) in [(Habit::Digits, digits), (Habit::Number, number.filter(|_| number != digits))] {
            let Some(Number { size, .. }) = found.filter(|_| self.habit == Habit::Strict) else { continue };
            if may_end_chunk(data, size) && (size > 0 || up_to_cr.is_none()) {
                self.fork_with(habit, step);
            }
        }
    }

    /// The line of a size ends with LF alone. Some read on up to CRLF (w4ke.info, "Funky chunks"), where there is an
    /// extension or in any case (cpp-httplib before its pull request 2585). Whether this way does.
    fn ends_in_lf(&mut self, size: u64, is_extended: bool, step: &mut Step<'_, '_>) -> bool {
        if self.habit == Habit::Crlf || (is_extended && self.habit == Habit::CrlfBehindExtension) {
            self.enter_extension(size, self.habit);
            return true;
        }
        let (odd, habit) = if is_extended {
            (OddChunks::LF_ENDS_EXTENSION, Habit::CrlfBehindExtension)
        } else {
            (OddChunks::LF_ENDS_LINE, Habit::Crlf)
        };
        // behind the last chunk this way reads all that the other one does
        let is_new = self.odd_chunks.insert(odd) && (is_extended || size > 0);
        if is_new && may_go_on(step.kept.from(self.at - 1), size) {
            self.fork(step, |fork| {
                fork.is_misread = true;
                fork.enter_extension(size, habit);
            });
        }
        false
    }

    fn enter_extension(&mut self, size: u64, habit: Habit) {
        (self.left, self.state, self.habit) = (size, State::Extension, habit);
    }

    /// The line of a size that begins there has a CR in it, which ends it to some.
    fn fork_at_cr(&mut self, begin: i64, cr: i64, size: u64, step: &mut Step<'_, '_>) {
        if self.habit != Habit::Strict {
            return;
        }
        let kept = step.kept;
        for (habit, place) in [(Habit::Cr, cr + 1), (Habit::CrAndAny, cr + 2)] {
            let data = kept.from(place);
            let is_end = data.first() == Some(&b'\r') && habit == Habit::Cr; // the empty line
            if if size > 0 { may_end_chunk(data, size) } else { is_end } {
                self.fork(step, |fork| {
                    (fork.is_misread, fork.habit) = (true, habit);
                    (fork.at, fork.scan) = (begin, begin);
                });
            }
        }
    }

    /// To who reads this way the line ends there.
    fn end_at_cr(&mut self, cr: i64, step: &mut Step<'_, '_>) -> bool {
        let Some(Number { size, .. }) = chunk_size(step.kept.between(self.at, cr)) else {
            return self.break_chunks(step);
        };
        self.note_odd_chunk(step);
        self.at = cr + if self.habit == Habit::Cr { 1 } else { 2 };
        self.scan = self.at;
        if size > 0 {
            self.enter_chunk(size);
            return true;
        }
        if step.kept.from(cr + 1).first() != Some(&b'\r') {
            return self.break_chunks(step);
        }
        // the empty line
        (self.at, self.scan) = (cr + 2, cr + 2);
        self.enter_no_body();
        true
    }

    /// What is left of a chunk-size line that only CRLF ends.
    pub(super) fn read_extension(&mut self, step: &mut Step<'_, '_>) -> bool {
        let kept = step.kept;
        let from = self.at.max(self.scan);
        let most = self.at - 1 + WORDS_BYTES as i64;
        let Some(end) = memmem::find(kept.between(from, most), b"\r\n") else {
            self.scan = self.at.max(self.fed - 1);
            return kept.end() >= most && self.break_chunks(step);
        };
        self.at = from + end as i64 + 2;
        self.scan = self.at;
        self.enter_chunk(self.left);
        true
    }

    /// Behind a head whose body may never come: the next request begins right here, or never.
    pub(super) fn read_no_body(&mut self, kept: Kept<'_>) -> bool {
        let begins = self.next_begins(kept);
        begins.is_some_and(|begins| self.turn(if begins { State::Head } else { State::Seek }, None))
    }

    pub(super) fn read_body_or_none(&mut self, kept: Kept<'_>) -> bool {
        let begins = self.next_begins(kept);
        match begins {
            Some(true) => _ = self.turn(State::Head, None),
            Some(false) => {
                self.scan = self.at;
                self.state = if self.left > 0 { State::Body } else { State::ChunkSize };
            }
            None => {}
        }
        begins.is_some()
    }

    /// Whether a request begins here; of who refuses a body, behind empty lines as well (RFC 9112 section 2.2).
    fn next_begins(&mut self, kept: Kept<'_>) -> Option<bool> {
        let (mut at, scan) = (self.at, mem::replace(&mut self.scan, self.fed));
        if self.who == Who::Refuser {
            let beginning = kept.from(at).iter().take(BLANK_BYTES);
            let blank = beginning.take_while(|octet| matches!(octet, b'\r' | b'\n')).count();
            if blank == BLANK_BYTES {
                return Some(false);
            }
            at += blank as i64;
        }
        begins_plain_request(kept, at, at.max(scan))
    }

    pub(super) fn enter_chunk(&mut self, size: u64) {
        self.left = size;
        self.state = if size > 0 { State::ChunkData } else { State::More };
        if size == 0 {
            self.section = Section::Trailer;
        }
    }

    /// CRLF behind the data, or what a receiver takes for it: any two octets (uhttpd before its pull request 32), or all
    /// up to the end of the line (Pound before its pull request 43, eventlet); TERM.SPILL of "Funky chunks".
    pub(super) fn end_chunk(&mut self, step: &mut Step<'_, '_>) -> bool {
        if matches!(self.habit, Habit::ToLineEnd | Habit::Two) {
            return self.end_spill(step);
        }
        let rest = step.kept.from(self.at);
        let is_strict = self.habit == Habit::Strict;
        let behind_two = rest.get(2..).unwrap_or_default();
        let Some(length) = empty_line(rest) else {
            if rest == b"\r" {
                return false;
            }
            if is_strict {
                let behind = memchr(b'\n', rest).map(|eol| &rest[eol + 1..]);
                if behind.map_or(rest.len() <= LINE_BYTES, |behind| may_be_size(behind, b"")) {
                    self.fork_with(Habit::ToLineEnd, step);
                }
                if may_be_size(behind_two, b"\r") {
                    self.fork_with(Habit::Two, step);
                }
            }
            return self.break_chunks(step);
        };
        let is_new = length == 1 && is_strict && self.odd_chunks.insert(OddChunks::LF_ENDS_DATA);
        if is_new && may_be_size(behind_two, b"\r") {
            self.fork_with(Habit::Two, step);
        }
        self.is_misread = false;
        self.at += length as i64;
        self.scan = self.at;
        self.state = State::ChunkSize;
        true
    }

    fn fork_with(&mut self, habit: Habit, step: &mut Step<'_, '_>) {
        self.fork(step, |fork| (fork.is_misread, fork.habit) = (true, habit));
    }

    /// What this way takes for the end of a chunk.
    fn end_spill(&mut self, step: &mut Step<'_, '_>) -> bool {
        let rest = step.kept.from(self.at);
        let end = match self.habit {
            Habit::Two => Some(2).filter(|&two| two <= rest.len()),
            _ => step.kept.line_end(self.at.max(self.scan)).map(|eol| (eol + 1 - self.at) as usize),
        };
        let Some(end) = end else {
            self.scan = self.fed;
            return rest.len() > LINE_BYTES && self.break_chunks(step);
        };
        self.is_misread &= !matches!(&rest[..end], b"\r\n" | b"\n");
        self.at += end as i64;
        self.scan = self.at;
        self.state = State::ChunkSize;
        true
    }

    pub(super) fn break_chunks(&mut self, step: &mut Step<'_, '_>) -> bool {
        self.is_misread |= self.habit != Habit::Strict;
        self.note_odd_chunk(step);
        self.turn(State::Seek, Some(Doubt::Broken))
    }

    /// Once for a body: its head has been handed out already.
    pub(super) fn note_odd_chunk(&mut self, step: &mut Step<'_, '_>) {
        let is_news = self.odd_chunks.insert(OddChunks::ANY);
        self.count(Count::OdditiesChunkOdd, u64::from(is_news), step);
    }
}

/// Whether a request line without an oddity stands there, the LF of which stands behind `scan`; None: perhaps.
pub(super) fn begins_plain_request(kept: Kept<'_>, at: i64, scan: i64) -> Option<bool> {
    if let Some(eol) = kept.line_end(scan) {
        let line = surely_request_line(kept.between(at, eol));
        return Some(line.is_some_and(|line| line.oddities.is_empty() && begins_known_method(line.method, false)));
    }
    let rest = kept.from(at);
    let (method, target) = part(rest.get(..WORDS_BYTES).unwrap_or(rest), b' ');
    let may_begin = begins_known_method(method, target.is_none()) && rest.len() <= LINE_BYTES;
    if may_begin { None } else { Some(false) }
}
