//! The client's half of one connection, while it may speak HTTP: takes its segments, yields heads that are settled.
//!
//! A head waits until it is settled (docs/decisions/0002-heads-wait-until-settled.md): acknowledged by the peer up to its
//! end, or `settle_ns` old, or at the end of everything. A copy that differs in the meantime becomes another reading.

use std::collections::VecDeque;
use std::mem;

use crate::copies::{Copies, aside};
use crate::counts::Count;
use crate::doubts::{Doubt, Doubtful, Doubts};
use crate::http1::{Context, Http1};
use crate::http2::Http2;
use crate::limits::Limits;
use crate::looks::may_begin_request;
use crate::reassembly::{Assembler, Gap, Item, Straight, Version};
use crate::records::{Oddities, Oddity, PlacedHead, RequestHead, Segment};

/// Mirrors and receive queues deliver out of order by so much.
const REORDER_NS: i64 = 100_000_000;
/// Heads.
const MOST_WAITING: usize = 256;
/// Segments.
const MOST_DOUBTFUL: usize = 64;
/// Gaps whose bytes may still come.
const MOST_LOST: usize = 8;
/// Kept in case that the beginning comes late.
const UNPLACED_BYTES: usize = 64 * 1024;
/// Read again because the beginning came late.
const REPLAYED_BYTES: usize = 1024 * 1024;
/// Of an empty buffer that is left for the next bytes.
const SPARE_BYTES: usize = 4 * 1024;
/// What Http1 has read of HTTP/2's preface (RFC 9113 section 3.4).
const PREFACE_HEAD: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";
/// SYN of the flags of TCP (RFC 9293 section 3.1).
const SYN: u16 = 0x02;

/// Where the reading of a half-stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// With the connection: its SYN was seen.
    Connection,
    /// With what looks like a request; segments from before it may still come.
    Request,
    /// Anywhere; segments from before it may still come.
    Midstream,
}

#[derive(Debug)]
enum Reader {
    Http1(Http1),
    Http2(Box<Http2>),
}

#[derive(Debug)]
struct Waiting {
    since_ns: i64,
    placed: PlacedHead,
}

#[derive(Clone, Copy, Debug)]
struct Hole {
    position: i64,
    /// Then it is given up.
    until_ns: i64,
}

/// The sequence number of the first byte of payload: a SYN takes one of its own (RFC 9293 section 3.4).
#[inline]
pub fn first_byte(segment: &Segment<'_>) -> u32 {
    segment.seq.wrapping_add(u32::from(segment.flags & SYN != 0))
}

/// `now_ns` is a clock that never goes back; the heads have the time of their segments. Those that are settled are added
/// to `out`.
#[derive(Debug)]
pub struct Client {
    assembler: Assembler,
    reader: Reader,
    /// Delivered bytes that are still needed: [kept_from, next).
    kept: Vec<u8>,
    kept_from: i64,
    /// Where reading begins.
    origin: i64,
    /// Bytes that may still be read again.
    replays: usize,
    heads: VecDeque<Waiting>,
    /// Bytes of these.
    waiting: i64,
    copies: Copies,
    doubts: Doubts,
    /// All checksums of this client are bad, and its peer takes its segments.
    offloaded: bool,
    /// A segment came that nothing was wrong with.
    sound: bool,
    /// A request was read.
    spoke: bool,
    /// Sequence number of the FIN.
    closed: Option<u32>,
    acked: Option<i64>,
    hole: Option<Hole>,
    lost: Vec<Gap>,
    /// Of the newest segment.
    time_ns: i64,
}

impl Client {
    /// Reading begins at `position`.
    pub fn new(position: i64, beginning: Beginning) -> Client {
        Client {
            assembler: Assembler::new(position),
            reader: Reader::Http1(Http1::new(position, beginning == Beginning::Midstream)),
            kept: Vec::new(),
            kept_from: position,
            origin: position,
            replays: if beginning == Beginning::Connection { 0 } else { REPLAYED_BYTES },
            heads: VecDeque::new(),
            waiting: 0,
            copies: Copies::default(),
            doubts: Doubts::default(),
            offloaded: false,
            sound: false,
            spoke: false,
            closed: None,
            acked: None,
            hole: None,
            lost: Vec::new(),
            time_ns: 0,
        }
    }

    /// How far ahead of the next byte a sequence number is; below 0 when it is behind.
    #[inline]
    pub fn distance(&self, seq: u32) -> i64 {
        self.assembler.place(seq) - self.assembler.next()
    }

    /// Whether the first byte may be this one, which has not come yet.
    pub fn may_begin_at(&self, seq: u32, limits: &Limits) -> bool {
        self.replays > 0 && (-i64::from(limits.window_bytes)..0).contains(&self.distance(seq))
    }

    /// Bytes that wait behind a hole or a doubt.
    #[inline]
    pub fn held(&self) -> usize {
        self.assembler.held() + self.doubts.held()
    }

    /// Whether an acknowledgement would change something.
    #[inline]
    pub fn awaits(&self) -> bool {
        !self.heads.is_empty() || !self.doubts.is_empty() || self.hole.is_some()
    }

    /// Whether a request was read.
    #[inline]
    pub fn spoke(&self) -> bool {
        self.spoke
    }

    /// Whether this is no HTTP.
    #[inline]
    pub fn hopeless(&self) -> bool {
        matches!(&self.reader, Reader::Http1(http1) if http1.hopeless()) && !self.awaits()
    }

    /// When `expire` has something to do.
    #[inline]
    pub fn wake_ns(&self, limits: &Limits) -> Option<i64> {
        let settled = self.heads.front().map(|first| first.since_ns + limits.settle_ns);
        let given_up = self.hole.map(|hole| hole.until_ns);
        let decided = self.doubts.since_ns().map(|since_ns| since_ns + limits.gap_ns);
        [settled, given_up, decided].into_iter().flatten().min()
    }

    /// A FIN with this sequence number.
    pub fn close(&mut self, seq: u32) {
        self.closed = Some(seq);
    }

    /// A segment with payload.
    pub fn take(
        &mut self,
        segment: &Segment<'_>,
        mut doubt: Option<Doubt>,
        now_ns: i64,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) {
        let octets = segment.payload;
        let position = self.assembler.place(first_byte(segment));
        self.time_ns = segment.time_ns;
        if octets.len() == 1 && position == self.assembler.next() && self.is_idle() && !may_begin_request(octets) {
            doubt = doubt.or(Some(Doubt::Probe));
        }
        match doubt {
            Some(doubt) if !(self.offloaded && doubt == Doubt::BadChecksum) => {
                let (missing, time_ns) = (segment.missing, segment.time_ns);
                let new = Doubtful { position, octets: octets.into(), missing, time_ns, doubt, since_ns: now_ns };
                self.put_aside(new, context, out);
            }
            _ => self.take_sound(segment, position, now_ns, context, out),
        }
        self.done(now_ns, context, out);
    }

    fn take_sound(
        &mut self,
        segment: &Segment<'_>,
        position: i64,
        now_ns: i64,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) {
        let octets = segment.payload;
        let stop = position + octets.len() as i64;
        if position < self.origin && self.replays > 0 && !octets.is_empty() {
            self.rewind(position, octets);
        }
        if !self.doubts.is_empty() {
            self.doubts.contradict(position, octets, context.counts);
        }
        self.sound = true;
        if !segment.oddities.is_empty() {
            self.copies.mark(position, stop, segment.oddities);
        }
        self.insert(position, octets, segment.missing, segment.time_ns, now_ns, context, out);
        if segment.urgent > 0 {
            // RFC 6093: receivers take the urgent byte out of the stream, and do not agree on which one it is
            let last = position + i64::from(segment.urgent);
            for start in [last - 1, last].into_iter().filter(|at| (position..stop).contains(at)) {
                let (stop, oddity) = (start + 1, Oddity::Urgent);
                self.assembler.add_version(Version { start, stop, octets: Vec::new(), oddity, used: false });
            }
        }
    }

    /// The peer has taken everything before this sequence number.
    pub fn acknowledge(&mut self, ack: u32, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        let position = self.assembler.place(ack);
        let acked = self.acked.map_or(position, |acked| acked.max(position));
        self.acked = Some(acked);
        for each in self.doubts.take(|each| each.stop() <= acked) {
            self.believe(each, now_ns, context, out);
        }
        if let Some(hole) = self.hole.as_mut().filter(|hole| acked > hole.position) {
            hole.until_ns = hole.until_ns.min(now_ns + REORDER_NS);
        }
        self.done(now_ns, context, out);
    }

    /// What is due by now: doubts, holes, heads.
    pub fn expire(&mut self, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        let due_ns = now_ns - context.limits.gap_ns;
        for each in self.doubts.take(|each| each.since_ns <= due_ns) {
            self.decide(each, now_ns, context, out);
        }
        if self.hole.is_some_and(|hole| hole.until_ns <= now_ns) {
            self.give_up_hole(now_ns, context, out);
        }
        self.done(now_ns, context, out);
    }

    /// Holds less: gives the first hole up, else the oldest doubt.
    pub fn shed(&mut self, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        if self.assembler.waiting() {
            self.give_up_hole(now_ns, context, out);
        } else {
            self.decide_oldest(now_ns, context, out);
        }
        self.done(now_ns, context, out);
    }

    /// Nothing follows.
    pub fn finish(&mut self, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        for each in self.doubts.take(|_| true) {
            self.decide(each, now_ns, context, out);
        }
        while self.assembler.waiting() {
            self.give_up_hole(now_ns, context, out);
        }
        self.count_lost_end(context);
        match &mut self.reader {
            Reader::Http2(http2) => {
                let mut heads = Vec::new();
                http2.finish(context.limits, context.counts, &mut heads);
                self.take_frames(heads, out);
            }
            Reader::Http1(http1) => {
                let settled = out.len();
                http1.finish(&self.kept, self.kept_from, context, out);
                self.wait(settled, now_ns, out);
            }
        }
        while let Some(first) = self.heads.pop_front() {
            self.let_go(first.placed, context, out);
        }
        let end = self.assembler.next() + 1;
        self.copies.forget(&mut self.assembler.versions, end, self.time_ns, context, out);
        self.done(now_ns, context, out);
    }

    // --- bytes in order ---------------------------------------------------------------------------------------------

    #[expect(clippy::too_many_arguments)]
    fn insert(
        &mut self,
        position: i64,
        octets: &[u8],
        missing: u32,
        time_ns: i64,
        now_ns: i64,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) {
        if position < self.assembler.next()
            && !self.lost.is_empty()
            && self.fill_late(position, octets, time_ns, now_ns, context, out)
        {
            return;
        }
        let known = self.assembler.versions.len();
        let remembered = remembered(&self.heads, &self.copies, self.kept_from, &self.kept);
        let inserted = self.assembler.insert(position, octets, missing, time_ns, remembered);
        if inserted.fresh == 0 && self.assembler.versions.len() == known {
            context.counts[Count::Duplicates] += 1;
        }
        self.read(inserted.straight, now_ns, context, out);
    }

    fn give_up_hole(&mut self, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        let hole = self.assembler.skip();
        self.read(hole, now_ns, context, out);
    }

    fn read(&mut self, mut straight: Straight<'_>, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        while let Some(item) = self.assembler.ready(&mut straight) {
            match (item, &mut self.reader) {
                (Item::Gap(gap), _) => self.pass_gap(gap, now_ns, context, out),
                (Item::Data { octets, time_ns, .. }, Reader::Http2(http2)) => {
                    let mut heads = Vec::new();
                    http2.feed(&octets, time_ns, context.limits, context.counts, &mut heads);
                    self.take_frames(heads, out);
                }
                (Item::Data { position, octets, time_ns }, Reader::Http1(_)) => {
                    self.read_http1(position, &octets, time_ns, now_ns, context, out);
                }
            }
        }
        let next = self.assembler.next();
        if !self.assembler.waiting() {
            self.hole = None;
        } else if self.hole.is_none_or(|hole| hole.position != next) {
            self.hole = Some(Hole { position: next, until_ns: now_ns + context.limits.gap_ns });
        }
    }

    fn read_http1(
        &mut self,
        position: i64,
        fresh: &[u8],
        time_ns: i64,
        now_ns: i64,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) {
        let Reader::Http1(http1) = &mut self.reader else { return };
        if !self.assembler.versions.is_empty() && http1.skips(fresh.len() as i64) {
            // skipped by count: no copy of these bytes matters
            let stop = position + fresh.len() as i64;
            self.assembler.versions.retain(|version| version.start < position || version.stop > stop);
        }
        let mut kept = mem::take(&mut self.kept);
        let is_joined = !kept.is_empty();
        if is_joined {
            kept.extend_from_slice(fresh);
        }
        let (octets, first) = if is_joined { (kept.as_slice(), self.kept_from) } else { (fresh, position) };
        let settled = out.len();
        http1.feed(octets, first, time_ns, context, out);
        let (mut start, is_over) = (http1.start(), http1.over());
        self.wait(settled, now_ns, out);
        if is_over {
            let frames = [PREFACE_HEAD, from(octets, start - first)].concat();
            self.replays = 0;
            return self.read_http2(&frames, time_ns, context, out);
        }
        if self.replays > 0 {
            start = self.origin;
            if octets.len() > UNPLACED_BYTES {
                self.replays = 0;
            }
        }
        if is_joined {
            kept.drain(..kept.len() - from(&kept, start - first).len());
        } else {
            kept.extend_from_slice(from(fresh, start - first));
        }
        if kept.is_empty() && kept.capacity() > SPARE_BYTES {
            kept = Vec::new();
        }
        (self.kept, self.kept_from) = (kept, start);
    }

    /// From HTTP/2's preface on.
    fn read_http2(&mut self, frames: &[u8], time_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        let mut http2 = Http2::new(context.limits, context.flow, context.path);
        let mut heads = Vec::new();
        http2.feed(frames, time_ns, context.limits, context.counts, &mut heads);
        self.reader = Reader::Http2(Box::new(http2));
        self.take_frames(heads, out);
    }

    fn pass_gap(&mut self, gap: Gap, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        context.counts[Count::GapBytes] += gap.missing as u64;
        context.counts[if gap.cut { Count::BlindSnaplen } else { Count::BlindGap }] += 1;
        match &mut self.reader {
            Reader::Http2(http2) => http2.gap(gap.missing as usize, context.limits, context.counts),
            Reader::Http1(http1) => {
                self.lost.push(gap);
                let settled = out.len();
                http1.gap(&self.kept, self.kept_from, gap.position, gap.missing, context, out);
                self.wait(settled, now_ns, out);
                self.replays = 0;
                self.kept.clear();
                self.kept_from = gap.position + gap.missing;
                self.forget_lost();
            }
        }
    }

    /// Bytes that were given up: whole heads in them are read for themselves.
    fn fill_late(
        &mut self,
        position: i64,
        octets: &[u8],
        time_ns: i64,
        now_ns: i64,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) -> bool {
        let stop = position + octets.len() as i64;
        let holds = |gap: &Gap| gap.position <= position && stop <= gap.position + gap.missing;
        let Some(at) = self.lost.iter().position(holds) else { return false };
        let gap = self.lost.remove(at);
        let before = Gap { missing: position - gap.position, ..gap };
        let behind = Gap { position: stop, missing: gap.position + gap.missing - stop, ..gap };
        self.lost.extend([before, behind].into_iter().filter(|rest| rest.missing > 0));
        self.forget_lost();
        if may_begin_request(octets) {
            let settled = out.len();
            aside(context, |context| Http1::new(position, false).feed(octets, position, time_ns, context, out));
            self.wait(settled, now_ns, out);
        }
        true
    }

    fn forget_lost(&mut self) {
        let too_many = self.lost.len().saturating_sub(MOST_LOST);
        self.lost.drain(..too_many);
    }

    /// Bytes that nothing followed: only the FIN or an acknowledgement tells of them.
    fn count_lost_end(&self, context: &mut Context<'_>) {
        let following = self.assembler.next();
        let acked = self.acked.unwrap_or(0) - 1; // which may be that of a FIN
        let end = self.closed.map_or(acked, |closed| self.assembler.place(closed));
        if following < end && end <= following + i64::from(context.limits.window_bytes) {
            context.counts[Count::GapBytes] += (end - following) as u64;
            context.counts[Count::BlindGap] += 1;
        }
    }

    /// A segment from before what was thought to be the beginning: begins again with it.
    fn rewind(&mut self, position: i64, octets: &[u8]) {
        self.replays = self.replays.saturating_sub(self.kept.len() + octets.len());
        self.assembler.rewind(position, &self.kept, self.time_ns);
        self.heads.clear();
        self.waiting = 0;
        self.kept.clear();
        (self.kept_from, self.origin) = (position, position);
        self.reader = Reader::Http1(Http1::new(position, !may_begin_request(octets)));
    }

    /// Whether a request ended here and nothing of another one was seen.
    fn is_idle(&self) -> bool {
        matches!(&self.reader, Reader::Http1(http1) if http1.idle())
    }

    // --- doubtful segments ------------------------------------------------------------------------------------------

    fn put_aside(&mut self, new: Doubtful, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        if new.stop() <= self.assembler.next() {
            let is_known = remembered(&self.heads, &self.copies, self.kept_from, &self.kept).any(|(first, known)| {
                first <= new.position && from(known, new.position - first).starts_with(&new.octets)
            });
            context.counts[if is_known { Count::Duplicates } else { new.doubt.rejected() }] += 1;
        } else if self.acked.is_some_and(|acked| new.stop() <= acked) {
            let now_ns = new.since_ns;
            self.believe(new, now_ns, context, out);
        } else {
            let now_ns = new.since_ns;
            self.doubts.add(new, context.counts);
            if self.doubts.len() > MOST_DOUBTFUL {
                self.decide_oldest(now_ns, context, out);
            }
        }
    }

    fn decide_oldest(&mut self, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        let Some(oldest_ns) = self.doubts.since_ns() else { return };
        for each in self.doubts.take(|each| each.since_ns <= oldest_ns) {
            self.decide(each, now_ns, context, out);
        }
    }

    /// Nothing contradicted it in time.
    fn decide(&mut self, each: Doubtful, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        let is_refusable = self.sound || each.doubt == Doubt::SynData;
        if self.acked.is_some() && is_refusable && each.doubt.needs_acknowledgement() {
            context.counts[each.doubt.rejected()] += 1;
        } else {
            self.believe(each, now_ns, context, out);
        }
    }

    fn believe(&mut self, each: Doubtful, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        if let Some(oddity) = each.doubt.oddity() {
            self.copies.mark(each.position, each.stop(), Oddities::of(&[oddity]));
        }
        self.insert(each.position, &each.octets, each.missing, each.time_ns, now_ns, context, out);
        if each.doubt == Doubt::BadChecksum && !self.sound && !self.offloaded {
            self.offloaded = true;
            for other in self.doubts.take(|other| other.doubt == Doubt::BadChecksum) {
                self.believe(other, now_ns, context, out);
            }
        }
    }

    // --- heads ------------------------------------------------------------------------------------------------------

    /// What http1 added to `out` behind those that are settled has to wait.
    #[inline]
    fn wait(&mut self, settled: usize, now_ns: i64, out: &mut Vec<PlacedHead>) {
        if out.len() > settled {
            self.spoke = true;
            self.heads.reserve_exact(out.len() - settled);
            self.waiting += out.iter().skip(settled).map(|placed| placed.end - placed.start).sum::<i64>();
            self.heads.extend(out.drain(settled..).map(|placed| Waiting { since_ns: now_ns, placed }));
        }
    }

    /// HTTP/2: frames cannot be read again in another way, so their heads need not wait.
    fn take_frames(&mut self, heads: Vec<RequestHead>, out: &mut Vec<PlacedHead>) {
        self.spoke |= !heads.is_empty();
        let at = self.assembler.next();
        out.extend(heads.into_iter().map(|head| PlacedHead { start: at, end: at, octets: Vec::new(), head }));
    }

    /// Lets the heads go that are settled by now.
    #[inline]
    fn done(&mut self, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        let settled_ns = now_ns - context.limits.settle_ns;
        let acked = self.acked.unwrap_or(self.origin);
        while let Some(first) = self.heads.front() {
            let is_settled = first.placed.end <= acked || first.since_ns <= settled_ns;
            let fits = self.waiting <= context.limits.hold_bytes_per_half_stream as i64;
            if !is_settled && self.heads.len() <= MOST_WAITING && fits {
                break;
            }
            context.counts[Count::ShedSettle] += u64::from(!is_settled);
            if let Some(first) = self.heads.pop_front() {
                self.let_go(first.placed, context, out);
            }
        }
        if self.has_copies() {
            let waiting = self.heads.iter().map(|waiting| waiting.placed.start);
            let before = waiting.fold(self.kept_from, i64::min);
            self.copies.forget(&mut self.assembler.versions, before, self.time_ns, context, out);
        }
    }

    #[inline]
    fn has_copies(&self) -> bool {
        !self.assembler.versions.is_empty() || !self.copies.is_empty()
    }

    fn let_go(&mut self, placed: PlacedHead, context: &Context<'_>, out: &mut Vec<PlacedHead>) {
        self.replays = 0;
        self.waiting -= placed.end - placed.start;
        let is_acked = self.acked.is_some_and(|acked| placed.end <= acked);
        let past = (!is_acked).then(|| Box::new(placed.clone()));
        if self.has_copies() {
            self.copies.with_readings(&mut self.assembler.versions, placed, context, out);
        } else {
            out.push(placed);
        }
        self.copies.past = past;
    }
}

/// What is still known of the bytes that were read.
fn remembered<'a>(
    heads: &'a VecDeque<Waiting>,
    copies: &'a Copies,
    kept_from: i64,
    kept: &'a [u8],
) -> impl Iterator<Item = (i64, &'a [u8])> {
    let waiting = heads.iter().map(|waiting| &waiting.placed);
    let placed = waiting.chain(copies.past.as_deref()).map(|placed| (placed.start, placed.octets.as_slice()));
    placed.chain([(kept_from, kept)])
}

/// What lies behind the first `count` of them.
#[inline]
fn from(octets: &[u8], count: i64) -> &[u8] {
    usize::try_from(count).ok().and_then(|count| octets.get(count..)).unwrap_or_default()
}
