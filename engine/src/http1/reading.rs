//! One way to read what an HTTP/1 client sends: heads, bodies skipped by count, and whatever else lies between them.
//!
//! A step takes the octets that are there and moves on; it says false when it needs more. `at` is where the next step
//! begins, so the caller keeps the octets from there on. Searches go on where they stopped.

mod bodies;
mod frames;
mod holes;
mod seek;
mod told;

use std::mem;
use std::sync::Arc;

use super::Context;
use super::body::OddChunks;
use super::head_reader::HOPELESS_BYTES;
use super::kept::Kept;
use super::request_head::{RequestLine, request_line};
use super::ways::Forks;
use crate::counts::Count;
use crate::early::Rooms;
use crate::http2::Http2;
use crate::reassembly::Gap;
use crate::records::{Oddities, Oddity, Owner, PlacedHead, Section};

/// Of a chunk-size line with its extensions, or of a line between requests.
const LINE_BYTES: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A request line, then field lines up to the empty line.
    Head,
    /// Field lines of the head before: its trailer section, or the rest of one that is too long.
    More,
    Body,
    ChunkSize,
    ChunkData,
    ChunkEnd,
    /// Of a chunk, up to CRLF.
    Extension,
    /// A body was announced and waits for 100 Continue: here is a request if it never comes.
    NoBody,
    /// The same, of who refuses them: it is a body unless here is a request.
    BodyOrNone,
    /// Here is no request line: the next one is looked for.
    Seek,
    /// Octets were lost, and these may be the field lines behind them.
    Hole,
    /// HTTP/2 from its preface on, which begins like a request.
    Frames,
}

/// Where a line stands that [`State::Seek`] takes for a request line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Segment,
    /// Behind an empty line.
    Empty,
    Line,
}

/// Who reads so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Anyone,
    /// Who refuses bodies that wait for 100 Continue: one did not come.
    Refuser,
    /// It is searched: that nothing is found says nothing.
    Nobody,
}

/// How a receiver reads chunks that are odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// Not at all.
    Strict,
    /// What stands behind the data is passed over up to LF.
    ToLineEnd,
    /// Any two octets end the data, and CRLF the line of a size.
    Two,
    /// Nothing else ends the line of a size.
    Crlf,
    /// Nothing else ends one that has an extension.
    CrlfBehindExtension,
    /// CR alone ends it as well.
    Cr,
    /// With whatever stands behind it.
    CrAndAny,
    /// A size is what its line begins with.
    Digits,
    /// A size is any number.
    Number,
}

/// Why [`State::Seek`] seeks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The connection began with it, or it stands between requests.
    Junk,
    /// After CONNECT or Upgrade anything may come.
    Tunnel,
    Midstream,
    /// A length may be among what was lost, and this a body.
    Lost,
    /// Nobody knows where the body ends.
    Broken,
}

impl Doubt {
    /// The oddity of a head that is found.
    fn oddity(self, mark: Mark) -> Option<Oddity> {
        match (self, mark) {
            (Doubt::Junk, _) => Some(Oddity::NotHttp),
            (Doubt::Broken, _) => Some(Oddity::Framing),
            (_, Mark::Segment) | (Doubt::Midstream, Mark::Empty) => None,
            (Doubt::Tunnel | Doubt::Midstream, _) => Some(Oddity::NotHttp),
            (Doubt::Lost, _) => Some(Oddity::Framing),
        }
    }
}

/// What the steps read, and where to they write.
pub(super) struct Step<'a, 'c> {
    pub kept: Kept<'a>,
    pub context: &'a mut Context<'c>,
    pub heads: &'a mut Vec<PlacedHead>,
    /// Ways that part from this one.
    pub forks: &'a mut Forks,
}

/// Bytes that only one way has, from `first` on; all from `until` on are those of the others.
#[derive(Clone, Debug)]
struct Copied {
    octets: Vec<u8>,
    first: i64,
    until: i64,
    /// They are used up: from here on this way reads what the others read.
    over: bool,
}

impl Step<'_, '_> {
    /// Does this with the memory of older texts.
    #[inline]
    pub fn in_rooms<T>(&mut self, act: impl FnOnce(&mut Rooms) -> T) -> T {
        match &mut self.context.early {
            Some(early) => act(early.rooms()),
            None => act(&mut Rooms::default()),
        }
    }

    pub fn head_bytes(&self) -> i64 {
        self.context.limits.head_bytes as i64
    }
}

/// What is whole of a head before a hole; `block` are its field lines.
#[derive(Clone, Debug)]
struct CutHead {
    start: i64,
    end: i64,
    time_ns: i64,
    line: Vec<u8>,
    block: Vec<u8>,
}

impl CutHead {
    fn line(&self) -> RequestLine<'_> {
        request_line(&self.line).unwrap_or_default()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub state: State,
    doubt: Doubt,
    /// Which doubt a line at `at` is under.
    mark: Mark,
    /// Which section [`State::More`] reads.
    pub section: Section,
    /// Of this body.
    pub odd_chunks: OddChunks,
    habit: Habit,
    who: Who,
    /// A request was read.
    pub spoke: bool,
    /// Behind CONNECT.
    pub tunnel: bool,
    /// Another protocol may follow.
    pub switching: bool,
    /// What it counts has been counted by the way that it parted from.
    pub is_fork: bool,
    /// Somewhere before, a way was left out or given up: it may lead elsewhere for ever.
    pub is_not_all: bool,
    /// There was HTTP/2, and it was a client's, whatever its field blocks say.
    pub asks: bool,
    /// This way counts to where a length ends that few read so.
    is_misread: bool,
    /// Of the newest segment.
    pub time_ns: i64,
    pub at: i64,
    /// Where this way began.
    pub origin: i64,
    /// The next search begins here.
    pub scan: i64,
    /// Where the newest segment begins.
    segment: i64,
    /// Behind the newest octet.
    pub fed: i64,
    /// Since when no request was found.
    sought: i64,
    /// Where a line stands that [`State::Head`] did not take for a request line.
    pub refused: i64,
    /// Not all lines of the head at `at` end in CR alone, as its first one shows.
    pub no_cr_head: bool,
    /// How long the request line of the head at hand is.
    pub line: Option<u32>,
    /// Where its field lines begin.
    pub line_end: i64,
    /// Of the next head, known before it is read.
    pub oddities: Oddities,
    /// Octets of the body or chunk.
    left: u64,
    /// Octets of bodies so far.
    pub bodies: u32,
    /// So many that follow have been counted before, when the beginning was not known.
    pub again: u32,
    /// Whose section [`State::More`] reads, with the fields that what follows depends on.
    pub head: Option<Arc<Owner>>,
    /// Name of the field whose value goes on.
    pub carry: Vec<u8>,
    before: Option<Box<CutHead>>,
    /// In [`State::Frames`].
    pub frames: Option<Box<Http2>>,
    /// Why it parted from the first way.
    pub why: Option<Oddity>,
    /// How much later its first head begins, since its copy is shorter.
    pub shift: i64,
    copied: Option<Box<Copied>>,
}

impl Reading {
    pub fn new(position: i64, midstream: bool) -> Reading {
        Reading {
            state: if midstream { State::Seek } else { State::Head },
            doubt: if midstream { Doubt::Midstream } else { Doubt::Junk },
            mark: Mark::Segment,
            section: Section::Head,
            odd_chunks: OddChunks::default(),
            habit: Habit::Strict,
            who: Who::Anyone,
            spoke: false,
            tunnel: false,
            switching: false,
            is_fork: false,
            is_not_all: false,
            asks: false,
            is_misread: false,
            time_ns: 0,
            at: position,
            origin: position,
            scan: position,
            segment: position,
            fed: position,
            sought: position,
            refused: i64::MIN,
            no_cr_head: false,
            line: None,
            line_end: position,
            oddities: Oddities::default(),
            left: 0,
            bodies: 0,
            again: 0,
            head: None,
            carry: Vec::new(),
            before: None,
            frames: None,
            why: None,
            shift: 0,
            copied: None,
        }
    }

    pub fn distrust(&mut self) {
        (self.state, self.doubt) = (State::Seek, Doubt::Junk);
    }

    /// Behind CONNECT.
    pub fn enter_tunnel(&mut self) {
        (self.tunnel, self.switching) = (true, true);
        if self.state != State::Seek {
            self.doubt = Doubt::Tunnel;
        }
    }

    /// These are octets of HTTP/2, from its middle perhaps.
    pub fn expect_frames(&mut self, context: &Context<'_>) {
        self.state = State::Frames;
        let mut frames = Http2::new(context.limits, context.flow, context.path, self.at);
        if self.tunnel {
            frames.open_no_tunnels();
        }
        self.frames = Some(Box::new(frames));
    }

    /// Another way beside this one: `octets`, from the place `first` on, are a copy up to `until`.
    ///
    /// A head begins there, or it lies amid HTTP/2 that was read up to there by `frames`. A copy that lacks some bytes
    /// begins so much later and ends at the same place.
    pub fn beside(&self, octets: Vec<u8>, first: i64, until: i64, why: Oddity, frames: Option<&Http2>) -> Reading {
        let shift = self.fed - octets.len() as i64 - first;
        let frames = frames.map(|frames| Box::new(frames.beside(first + shift)));
        Reading {
            state: if frames.is_some() { State::Frames } else { State::Head },
            frames,
            origin: first,
            is_fork: true,
            spoke: self.spoke,
            tunnel: self.tunnel,
            switching: self.switching,
            why: Some(why),
            shift,
            copied: Some(Box::new(Copied { octets, first: first + shift, until, over: false })),
            ..Reading::new(first + shift, false)
        }
    }

    /// As `run`, in the bytes of this way.
    pub fn read_on(&mut self, time_ns: i64, step: &mut Step<'_, '_>) {
        let before = step.heads.len();
        self.read_own(time_ns, step);
        self.unshift(&mut step.heads[before..]);
    }

    fn read_own(&mut self, time_ns: i64, step: &mut Step<'_, '_>) {
        let Some(mut copied) = self.copied.take_if(|copied| !copied.over) else { return self.run(time_ns, step) };
        copied.octets.extend_from_slice(step.kept.from(self.fed));
        let known = step.forks.ways.len();
        let kept = Kept { octets: &copied.octets, first: copied.first };
        step.forks.until = copied.until;
        self.run(time_ns, &mut Step { kept, context: step.context, heads: step.heads, forks: step.forks });
        step.forks.until = i64::MIN;
        for fork in step.forks.ways.iter_mut().skip(known) {
            fork.copied = Some(copied.clone());
        }
        copied.over = self.at >= copied.until;
        if copied.over {
            copied.octets = Vec::new();
        } else {
            copied.octets.drain(..(self.at - copied.first) as usize);
            copied.first = self.at;
        }
        self.copied = Some(copied);
    }

    /// Does this in the bytes of this way, at the end of them.
    pub fn end_with(&mut self, step: &mut Step<'_, '_>, end: impl FnOnce(&mut Reading, &mut Step<'_, '_>)) {
        let before = step.heads.len();
        self.end_own(step, end);
        self.unshift(&mut step.heads[before..]);
    }

    fn end_own(&mut self, step: &mut Step<'_, '_>, end: impl FnOnce(&mut Reading, &mut Step<'_, '_>)) {
        let Some(mut copied) = self.copied.take_if(|copied| !copied.over) else { return end(self, step) };
        let kept = Kept { octets: &copied.octets, first: copied.first };
        end(self, &mut Step { kept, context: step.context, heads: step.heads, forks: step.forks });
        copied.over = self.at > copied.first + copied.octets.len() as i64; // behind a gap
        self.copied = Some(copied);
    }

    /// It reads, or began with, octets that the others do not.
    pub fn has_own_octets(&self) -> bool {
        self.copied.is_some()
    }

    /// A request ended here and nothing of another one was seen.
    pub fn is_idle(&self) -> bool {
        self.spoke && self.state == State::Head && self.at == self.fed
    }

    pub fn is_hopeless(&self) -> bool {
        if let Some(frames) = &self.frames {
            return frames.answers();
        }
        self.state == State::Seek && !self.spoke && self.fed - self.sought > HOPELESS_BYTES
    }

    /// A length that few read so led to where nothing begins.
    pub fn is_refuted(&self) -> bool {
        self.is_misread && self.state == State::Seek
    }

    /// A head that this way did not find is in no more doubt for it.
    pub fn says_nothing(&self) -> bool {
        self.is_refuted() || self.who == Who::Nobody
    }

    /// A body that waits for 100 Continue is none to this way.
    pub fn refuses(&self) -> bool {
        self.who == Who::Refuser
    }

    /// The next octets, so many, are part of a body.
    pub fn skips(&self, size: u64) -> bool {
        if let Some(frames) = &self.frames {
            return frames.skips(size);
        }
        matches!(self.state, State::Body | State::ChunkData) && self.left >= size
    }

    /// Readings of one place go on alike.
    pub fn is_beside(&self, other: &Reading) -> bool {
        (self.state, self.at, self.left, self.habit) == (other.state, other.at, other.left, other.habit)
            && self.own() == other.own()
            && match (&self.frames, &other.frames) {
                (Some(one), Some(other)) => one.is_like(other),
                (one, other) => one.is_none() && other.is_none(),
            }
    }

    fn own(&self) -> Option<&[u8]> {
        self.copied.as_ref().filter(|copied| !copied.over).map(|copied| copied.octets.as_slice())
    }

    /// Whether it began with a copy of what stands before `until`.
    pub fn is_of_copy_until(&self, until: i64, why: Oddity) -> bool {
        self.why == Some(why) && self.copied.as_ref().is_some_and(|copied| copied.until == until)
    }

    /// Reads on until octets are missing. What is kept begins at or before `at`; what is new in it is one segment.
    pub fn run(&mut self, time_ns: i64, step: &mut Step<'_, '_>) {
        self.time_ns = time_ns;
        let end = step.kept.end();
        if end > self.fed {
            self.segment = mem::replace(&mut self.fed, end);
        }
        if step.context.counts.tracer.is_some() && !self.is_fork {
            return self.run_telling(end, step);
        }
        while self.at < end && self.step(step) {}
    }

    fn step(&mut self, step: &mut Step<'_, '_>) -> bool {
        match self.state {
            State::Head => self.read_head(step),
            State::More => self.read_more(step),
            State::Body | State::ChunkData => self.skip_body(step),
            State::ChunkSize => self.read_chunk_size(step),
            State::ChunkEnd => self.end_chunk(step),
            State::Extension => self.read_extension(step),
            State::NoBody => self.read_no_body(step.kept),
            State::BodyOrNone => self.read_body_or_none(step.kept),
            State::Seek => self.seek(step),
            State::Hole => self.read_hole(step),
            State::Frames => self.read_frames(step),
        }
    }

    /// Octets are missing behind what is kept. Whole lines before them wait for what follows.
    pub fn gap(&mut self, gap: &Gap, step: &mut Step<'_, '_>) {
        let lost = u64::try_from(gap.missing).unwrap_or_default();
        let mut read = self.at;
        match self.state {
            State::Frames => {
                self.with_frames(step, |frames, limits, counts, heads| {
                    frames.gap(lost as usize, limits, counts, heads);
                });
            }
            State::Body | State::ChunkData if lost <= self.left => self.count_body(lost, step),
            State::Head | State::Body | State::Hole => read = self.open_hole(step),
            _ if self.is_between() => read = self.open_hole(step),
            _ => {
                self.end_section(step);
                read = self.at;
                self.turn(State::Seek, Some(Doubt::Lost));
            }
        }
        self.tell(read, gap.position, gap.reason(), step);
        self.at = gap.position + gap.missing;
        self.fed = self.at;
        self.scan = self.at;
    }

    /// A head that a hole cut has ended just here: the next one may begin.
    fn is_between(&self) -> bool {
        self.state == State::Seek && self.doubt == Doubt::Lost && self.at == self.fed
    }

    /// Says up to where the octets before the hole are read.
    fn open_hole(&mut self, step: &mut Step<'_, '_>) -> i64 {
        self.keep_whole_lines(step);
        let read = self.read_to();
        self.turn(State::Hole, Some(Doubt::Lost));
        read
    }

    /// Nothing follows: judges the lines that are whole.
    pub fn finish(&mut self, step: &mut Step<'_, '_>) {
        if self.frames.is_some() {
            self.with_frames(step, Http2::finish);
        }
        self.keep_whole_lines(step);
        let read = self.read_to();
        self.end_before(step);
        self.end_section(step);
        self.tell(read.max(self.at), self.fed, "head_incomplete", step);
    }

    pub fn is_amid_head(&self) -> bool {
        self.state == State::Head && self.line.is_some()
    }

    pub fn count(&self, count: Count, number: u64, step: &mut Step<'_, '_>) {
        if !self.is_fork {
            step.context.counts[count] += number;
        }
    }
}
