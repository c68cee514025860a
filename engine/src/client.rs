//! The client's half of one connection, while it may speak HTTP: takes its segments, yields heads that are settled.
//!
//! A head waits until it is settled (docs/decisions/0002-heads-wait-until-settled.md): acknowledged by the peer up to its
//! end, or `settle_ns` old, or at the end of everything. A copy that differs in the meantime becomes another reading.

mod bytes;
mod copied;
mod doubtful;
mod ending;
mod order;
mod settling;

use std::collections::VecDeque;

use crate::copies::Copies;
use crate::counts::{Count, Counts};
use crate::doubts::{Doubt, Doubtful, Doubts};
use crate::http1::{Context, Http1};
use crate::limits::Limits;
use crate::looks::may_begin_request;
use crate::reassembly::{Assembler, Gap};
use crate::records::{PlacedHead, Segment};
use bytes::Bytes;
use settling::Waiting;

/// Mirrors and receive queues deliver out of order by so much.
const REORDER_NS: i64 = 100_000_000;
/// What a client takes before it holds anything, in round figures: [`Client::weight`].
const CLIENT_BYTES: usize = 640;
/// Of a head that waits or is remembered, besides its bytes.
const HEAD_BYTES: usize = 384;
/// Of an admitted connection: shed last of all.
const EARLY_BYTES: i64 = 16 * 1024;
/// That these take while they wait, at worst: an octet a segment, none in order.
const EARLY_HOLD_BYTES: usize = EARLY_BYTES as usize * 161;
/// Read again because the beginning came late: 16 kB in full segments, the last one first, need so much.
const REPLAYED_BYTES: u32 = 96 * 1024;
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
    /// Something that is no request stood before.
    Doubtful,
    /// In the middle of HTTP/2.
    Frames,
}

#[derive(Clone, Copy, Debug)]
struct Hole {
    position: i64,
    /// Then it is given up.
    until_ns: i64,
}

#[derive(Clone, Copy, Debug)]
struct Closed {
    /// Sequence number of the FIN.
    seq: u32,
    /// It came with data: when it is sent once more, they are.
    with_data: bool,
}

/// The sequence number to which the urgent pointer leads (RFC 9293 section 3.8.5).
#[inline]
pub fn urgent_pointer(segment: &Segment<'_>) -> Option<u32> {
    (segment.urgent > 0).then(|| first_byte(segment).wrapping_add(u32::from(segment.urgent)))
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
    http1: Http1,
    /// Delivered bytes that are still needed, or a copy is compared with: [kept_from, next).
    kept: Bytes,
    kept_from: i64,
    /// Bytes that were skipped last: from where, up to where.
    body: (i64, i64),
    /// Where reading begins.
    origin: i64,
    /// A SYN said that its bytes begin here.
    placed: bool,
    /// Bytes that may still be read again.
    replays: u32,
    /// So many of the acknowledged bytes belong to a request that had not ended then: no copy changes what was before.
    unended: u32,
    heads: VecDeque<Waiting>,
    /// Bytes of these.
    waiting: i64,
    /// Let go of late, and a copy may still come.
    past: Vec<PlacedHead>,
    copies: Copies,
    doubts: Doubts,
    /// All checksums of this client are bad, and its peer takes its segments.
    offloaded: bool,
    /// A segment came that nothing was wrong with.
    sound: bool,
    /// A request was read.
    spoke: bool,
    /// By a FIN.
    closed: Option<Closed>,
    acked: Option<i64>,
    /// Where the first head began that an acknowledgement let go last, and when that was, in milliseconds.
    answered: (u32, u32),
    /// Behind `acked` the peer takes nothing for now.
    shut: bool,
    /// Seldom any.
    hole: Option<Box<Hole>>,
    /// Seldom any.
    lost: Box<[Gap]>,
    /// Of the newest segment.
    time_ns: i64,
    /// Its number in the audit's trace; 0: none.
    reading: u32,
}

impl Client {
    /// Reading begins at `position`.
    pub fn new(position: i64, beginning: Beginning, reading: u32, context: &Context<'_>) -> Client {
        let mut http1 = Http1::new(position, beginning == Beginning::Midstream);
        if beginning == Beginning::Doubtful {
            http1.distrust();
        }
        let may_begin_before = matches!(beginning, Beginning::Request | Beginning::Midstream);
        if beginning == Beginning::Frames {
            http1.expect_frames(context);
        }
        Client {
            assembler: Assembler::new(position),
            http1,
            kept: Bytes::default(),
            kept_from: position,
            body: (position, position),
            origin: position,
            placed: beginning == Beginning::Connection,
            replays: if may_begin_before { REPLAYED_BYTES } else { 0 },
            heads: VecDeque::new(),
            waiting: 0,
            past: Vec::new(),
            copies: Copies::default(),
            doubts: Doubts::default(),
            offloaded: false,
            sound: false,
            spoke: false,
            closed: None,
            acked: None,
            answered: (0, 0),
            shut: false,
            unended: 0,
            hole: None,
            lost: Box::default(),
            time_ns: 0,
            reading,
        }
    }

    /// How far ahead of the next byte a sequence number is; below 0 when it is behind.
    #[inline]
    pub fn distance(&self, seq: u32) -> i64 {
        self.assembler.place(seq) - self.assembler.next()
    }

    /// Bytes that came in order.
    pub fn came(&self) -> i64 {
        self.assembler.next() - self.origin
    }

    /// Whether the last bytes may be sent once more, as far as the peer has shown.
    pub fn may_come_again(&self) -> bool {
        self.closed.is_some_and(|closed| closed.with_data)
            || self.acked.is_none_or(|acked| acked < self.assembler.next())
    }

    /// Whether all that was begun has ended.
    pub fn is_idle(&self) -> bool {
        self.http1.idle()
    }

    /// Whether its first byte, as far as anybody said, stands behind what is so far ahead.
    pub fn begins_behind(&self, ahead: i64) -> bool {
        self.assembler.next() + ahead < self.origin
    }

    /// Whether these octets in its window, where another SYN said that a connection begins, may be the first of one.
    ///
    /// Amid a head the SYN does not count: an endpoint only challenges it (RFC 9293 section 3.10.7.4), and who reads on
    /// loses nothing. Nor where the octets are copies of what came, and can be compared; but before all that it does.
    pub fn gives_way_to(&self, ahead: i64, octets: &[u8], is_first: bool) -> bool {
        let next = self.assembler.next();
        let position = next + ahead;
        if position < self.origin {
            return self.replays == 0; // else reading begins anew there
        }
        if !is_first {
            return false;
        }
        if (self.kept_from..next).contains(&position) {
            return false;
        }
        self.is_idle() || (self.http1.skips(1) && may_begin_request(octets))
    }

    /// The higher, the more speaks for it that these bytes arrive where they go to.
    pub fn standing(&self) -> (bool, i64) {
        (self.acked.is_some(), self.came())
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

    /// Bytes of memory, about: counted alike by both engines, whatever their allocators take.
    #[inline]
    pub fn weight(&self) -> usize {
        let past: i64 = self.past.iter().map(|placed| placed.end - placed.start).sum();
        let heads = HEAD_BYTES * (self.heads.len() + self.past.len()) + (self.waiting + past) as usize;
        CLIENT_BYTES + self.http1.weight() + self.kept.len() + self.held() + heads
    }

    /// Whether it is in the middle of something: a head that waits or has not ended, bytes in doubt or behind a hole. Then
    /// an acknowledgement would change something.
    #[inline]
    pub fn awaits(&self) -> bool {
        !self.heads.is_empty() || !self.doubts.is_empty() || self.hole.is_some() || self.is_amid_head()
    }

    /// Whether a request was read.
    #[inline]
    pub fn spoke(&self) -> bool {
        self.spoke
    }

    /// Whether it has shown by HTTP/2 that it is a client, whatever its field blocks say.
    pub fn asks(&self) -> bool {
        self.http1.asks()
    }

    /// Whether this is no HTTP.
    #[inline]
    pub fn hopeless(&self) -> bool {
        self.http1.hopeless() && !self.awaits()
    }

    /// When `expire` has something to do.
    #[inline]
    pub fn wake_ns(&self, limits: &Limits) -> Option<i64> {
        let settled = self.heads.front().map(|first| first.since_ns + limits.settle_ns);
        let given_up = self.hole.as_ref().map(|hole| hole.until_ns);
        let decided = self.doubts.since_ns().map(|since_ns| since_ns + limits.gap_ns);
        [settled, given_up, decided].into_iter().flatten().min()
    }

    /// A FIN with this sequence number.
    pub fn close(&mut self, seq: u32, with_data: bool) {
        self.closed = Some(Closed { seq, with_data });
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
        #[cfg(test)]
        assert!(!octets.starts_with(b"PANIC /"), "as a test asked for");
        let position = self.assembler.place(first_byte(segment));
        self.time_ns = segment.time_ns;
        if let Some(tracer) = &mut context.counts.tracer {
            let waiting = self.heads.iter().map(|waiting| waiting.placed.start);
            let settled = waiting.fold(self.kept_from.min(self.http1.unsettled()), i64::min);
            tracer.stretch(self.reading, self.origin, settled, "settled");
            tracer.taken(self.reading, position);
        }
        let ahead = position - self.assembler.next();
        if octets.len() == 1 && matches!(ahead, -1 | 0) && self.is_probe(octets, ahead) {
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
        self.begin_with(position, octets);
        let mut untold = Vec::new();
        if !self.doubts.is_empty() {
            if self.acked.is_none() {
                untold = self.doubts.take(|each| each.doubt == Doubt::SynData);
            }
            self.doubts.contradict(position, octets, self.reading, context.counts);
        }
        self.sound = true;
        if !segment.oddities.is_empty() {
            self.copies.mark(position, stop, segment.oddities, context.counts);
        }
        self.insert(position, octets, segment.missing, segment.time_ns, now_ns, context, out);
        for each in untold {
            self.believe(each, now_ns, context, out); // nobody says whether it was taken
        }
        if let Some(pointer) = urgent_pointer(segment) {
            self.leave_urgent_out(pointer);
            self.read_copies(now_ns, context);
        }
    }

    /// The peer has acknowledged this much before anything was seen.
    pub fn refuse(&mut self, ack: u32) {
        self.acked = Some(self.assembler.place(ack));
    }

    /// The peer has taken everything before the sequence number that this segment of his acknowledges.
    pub fn acknowledge(
        &mut self,
        segment: &Segment<'_>,
        now_ns: i64,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) {
        let position = self.assembler.place(segment.ack);
        let acked = self.acked.map_or(position, |acked| acked.max(position));
        if acked == position {
            self.shut = segment.closes_window();
        }
        if self.acked.replace(acked) != Some(acked) {
            self.unended = u32::try_from(acked - self.http1.start()).unwrap_or(0);
        }
        if let Some(first) = self.heads.front().filter(|first| first.placed.end <= acked) {
            self.answered = (first.placed.start as u32, milliseconds(now_ns));
        }
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
        if self.hole.as_ref().is_some_and(|hole| hole.until_ns <= now_ns) {
            self.give_up_hole(now_ns, context, out);
        }
        self.done(now_ns, context, out);
        if self.heads.is_empty() {
            self.heads = VecDeque::new(); // nobody acknowledges: this client may say nothing else
        }
    }

    /// Holds less: gives the first hole up, else the oldest doubt, and neither waits nor keeps anything for late copies.
    pub fn shed(&mut self, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        if self.assembler.waiting() {
            self.give_up_hole(now_ns, context, out);
        } else {
            self.decide_oldest(now_ns, context, out);
        }
        self.done(now_ns, context, out);
        context.counts[Count::ShedSettle] += self.heads.len() as u64;
        self.let_go(self.heads.len(), out);
        self.keep_least();
        self.forget(context.limits);
    }

    /// Bytes that may wait here: what the first ones wait for has room of its own.
    #[inline]
    pub fn may_hold(&self, limits: &Limits) -> usize {
        limits.hold_bytes_per_half_stream + if self.waits_early() { EARLY_HOLD_BYTES } else { 0 }
    }

    /// Whether a hole is open among the first bytes of the connection.
    #[inline]
    fn waits_early(&self) -> bool {
        self.assembler.waiting() && self.came() < EARLY_BYTES
    }

    /// Holds less than here may wait, but of the first bytes all: what came furthest behind them goes.
    pub fn make_room(&mut self, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        if !self.waits_early() {
            return self.shed(now_ns, context, out);
        }
        if !self.doubts.is_empty() {
            self.decide_oldest(now_ns, context, out);
        } else if let Some((start, stop)) = self.assembler.drop_last() {
            self.trace(start, stop, "hold", context.counts);
            self.hole = self.hole.take().filter(|_| self.assembler.waiting());
        }
        self.done(now_ns, context, out);
    }

    /// Bytes that were read and are kept in case that copies of them come.
    pub fn spare(&mut self) -> i64 {
        if self.replays > 0 { 0 } else { self.http1.keep(self.http1.start()) - self.kept_from }
    }

    /// Whether forgetting it now would tear a head that has only begun, and that early in its connection.
    pub fn is_torn(&self) -> bool {
        let is_early = self.assembler.next() - self.origin < EARLY_BYTES;
        is_early && (self.is_amid_head() || self.hole.is_some() || !self.doubts.is_empty())
    }

    /// Whether some lines of a head were read and its end was not.
    pub fn is_amid_head(&self) -> bool {
        self.http1.is_amid_head()
    }

    /// Its number in the audit's trace.
    pub fn reading(&self) -> u32 {
        self.reading
    }

    fn trace(&self, start: i64, stop: i64, what: &'static str, counts: &mut Counts) {
        if let Some(tracer) = &mut counts.tracer {
            tracer.stretch(self.reading, start, stop, what);
        }
    }

    /// Whether one octet at the end of what came, or behind it, asks for an acknowledgement and says nothing.
    fn is_probe(&self, octets: &[u8], ahead: i64) -> bool {
        if self.http1.idle() {
            return ahead < 0 || !may_begin_request(octets);
        }
        if ahead == 0 {
            return self.shut && self.acked == Some(self.assembler.next());
        }
        self.acked.is_some_and(|acked| acked >= self.assembler.next())
    }
}

/// Since some time: of dates that are near to each other.
fn milliseconds(now_ns: i64) -> u32 {
    (now_ns / 1_000_000) as u32
}

/// Of the segment that is being taken, unless these bytes were put aside before.
fn fate(position: i64, what: &'static str, counts: &mut Counts) {
    if let Some(tracer) = &mut counts.tracer {
        tracer.fate_at(position, what);
    }
}
