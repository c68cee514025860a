//! The half-streams of all connections: takes segments of both directions, yields request heads that are settled.
//!
//! Only what a client sends is put together and read. The other direction is looked at for acknowledgements alone.
//! Nothing is kept of a connection before its first payload but the number that its SYN announced, in a table of fixed
//! size: a flood of SYNs costs nothing. A half-stream that does not begin like HTTP is opaque: a small entry, whose
//! segments are looked at again where they begin.
//!
//! Two paths with the same addresses and ports are two half-streams: subscribers in different tunnels may be alike. When
//! both carry the same head at the same sequence number it is one connection, mirrored twice, and the head counts once.

mod admission;
mod beginnings;
mod clients;
mod ended;
mod ending;
mod far;
mod halves;
mod heads;
mod losses;
mod memory;
mod opening;
mod origins;
mod paths;
#[cfg(test)]
mod tests;
mod timers;

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use crate::client::{Client, first_byte, urgent_pointer};
use crate::counts::{Count, Counts};
use crate::early::Early;
use crate::limits::Limits;
use crate::looks::{Looks, may_begin_request};
use crate::marks::Itself;
use crate::records::{Flow, PlacedHead, RequestHead, Segment};
use crate::sieve::Sieve;
use admission::Admission;
use beginnings::Beginnings;
use ended::Ended;
use far::Elsewhere;
use halves::{HalfStream, Halves, Id, Link};
use origins::Origins;
use paths::{Alike, reversed};
use timers::Timers;

/// Flags of TCP (RFC 9293 section 3.1).
const FIN: u16 = 0x01;
const SYN: u16 = 0x02;
const RST: u16 = 0x04;
const ACK: u16 = 0x10;

/// Of the capture clock; more at once is no passing of time, or nothing passed the tap.
const STEP_NS: i64 = 600_000_000_000;
/// Between two looks for half-streams that have been silent for long.
const SWEEP_NS: i64 = 1_000_000_000;
/// One in so many half-streams is looked at then, and at least so many.
const SWEEP_SHARE: usize = 64;

/// What a half-stream has while it may speak HTTP.
#[derive(Debug)]
pub(crate) struct Speaker {
    client: Client,
    /// Sequence number that reading began with.
    origin: u32,
    /// Its number in `holding`; 0: it holds nothing.
    number: u64,
    /// How many bytes that it holds are accounted for it.
    held: u32,
    /// How many bytes of memory are.
    weight: u32,
    /// The same, while to forget it would tear its first head.
    begun: u32,
    /// Seldom any.
    elsewhere: Option<Box<Elsewhere>>,
}

/// All half-streams.
#[derive(Debug)]
pub struct Streams {
    limits: Limits,
    /// Dates are kept by a clock of our own: a step of the capture clock, in either direction, changes little.
    now_ns: i64,
    /// Of the capture clock.
    latest_ns: i64,
    halves: Halves,
    /// Those with a path, by the mark of addresses and ports alone.
    tunnelled: HashMap<u64, Alike, BuildHasherDefault<Itself>>,
    origins: Origins,
    beginnings: Beginnings,
    ended: Ended,
    due: Timers<Link>,
    /// When the next look for silent ones is due.
    sweep_ns: i64,
    /// Entries so far in `holding`.
    entered: u64,
    /// Who holds bytes, longest since first.
    holding: BTreeMap<u64, Id>,
    held: usize,
    /// Bytes of memory that all clients take.
    used: usize,
    /// Those that clients take whose first head has only begun.
    begun: usize,
    /// Half-streams of which anything was ever out of order.
    with_holes: usize,
    admission: Admission,
    /// The segment at hand began the first half-stream of a connection.
    is_new: bool,
    /// Heads of the client at hand, in memory that is used again.
    placed: Vec<PlacedHead>,
    /// None: all heads are kept whole until they are settled.
    early: Option<Early>,
}

impl Streams {
    /// No half-streams yet.
    pub fn new(limits: Limits) -> Streams {
        Streams {
            admission: Admission::new(limits.sampling_key),
            is_new: false,
            limits,
            now_ns: 0,
            latest_ns: 0,
            halves: Halves::default(),
            tunnelled: HashMap::default(),
            origins: Origins::default(),
            beginnings: Beginnings::default(),
            ended: Ended::default(),
            due: Timers::new(),
            sweep_ns: 0,
            entered: 0,
            holding: BTreeMap::new(),
            held: 0,
            used: 0,
            begun: 0,
            with_holes: 0,
            placed: Vec::new(),
            early: None,
        }
    }

    /// Of heads that this sieve finds clean nothing is kept while they wait; the others go through it later.
    pub fn sift_with(&mut self, sieve: Arc<Sieve>) {
        self.early = Some(Early::new(sieve, self.halves.keyed().clone()));
    }

    /// Adds the heads to `out` that this segment settles, of either direction, behind those that were due before it.
    #[inline]
    pub fn feed(&mut self, segment: &Segment<'_>, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        self.feed_marked(segment, self.halves.mark(&segment.flow), counts, out);
    }

    /// The mark of a flow, and the half-streams whose memory can be asked for.
    #[inline]
    pub(crate) fn halves(&self) -> &Halves {
        &self.halves
    }

    /// As `feed`, with the mark of the segment's flow.
    #[inline]
    pub(crate) fn feed_marked(
        &mut self,
        segment: &Segment<'_>,
        mark: u64,
        counts: &mut Counts,
        out: &mut Vec<RequestHead>,
    ) {
        if segment.time_ns > self.latest_ns {
            self.advance(segment.time_ns);
            if self.now_ns >= self.sweep_ns || self.due.may_be_due(self.now_ns) {
                self.let_go_of_due(counts, out);
            }
        }
        match self.halves.find(&segment.flow, mark) {
            Some(id) => self.go_on(id, segment, mark, counts, out),
            None => self.meet(segment, mark, counts, out),
        }
        if self.is_new
            && let Some(id) = self.halves.find(&segment.flow, mark)
        {
            self.admit(id, counts, out);
        }
        while self.memory() > self.limits.memory_bytes
            && self.shed_memory(self.halves.find(&segment.flow, mark), counts, out)
        {}
        self.is_new = false;
    }

    /// What is due at `now_ns` of the capture clock.
    ///
    /// `feed` sees to this by itself, so in a replay nothing depends on how many frames were read at a time; a live port
    /// that falls silent needs to be told the time.
    pub fn expire(&mut self, now_ns: i64, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        self.advance(now_ns);
        self.let_go_of_due(counts, out);
    }

    /// How long of the capture clock until something that waits is due; None: nothing does.
    pub fn due_in_ns(&self) -> Option<i64> {
        self.due.next_ns().map(|next_ns| (next_ns - self.now_ns).max(0))
    }

    /// Whether a half-stream of this connection, on this path, is kept.
    pub fn knows(&self, flow: &Flow) -> bool {
        let known = |flow: &Flow| self.halves.find(flow, self.halves.mark(flow)).is_some();
        known(flow) || known(&reversed(flow))
    }

    fn advance(&mut self, time_ns: i64) {
        if time_ns > self.latest_ns {
            self.now_ns += time_ns.saturating_sub(self.latest_ns).min(STEP_NS);
            self.latest_ns = time_ns;
        }
    }

    fn let_go_of_due(&mut self, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        while let Some((wake_ns, link)) = self.due.take(self.now_ns) {
            if let Some(id) = self.halves.follow(link)
                && self.halves[id].wake_ns == wake_ns
            {
                self.halves[id].wake_ns = 0;
                self.wake(id, counts, out);
            }
        }
        if self.now_ns >= self.sweep_ns {
            self.sweep_ns = self.now_ns + SWEEP_NS;
            self.sweep(counts, out);
            if !self.is_full_of_beginnings() {
                self.admission.relax();
            }
        }
        counts[Count::NotAdmittedPermille] = self.admission.refused_permille();
        counts[Count::HalfStreams] = self.halves.len() as u64;
        counts[Count::MemoryHalfStreams] = self.memory() as u64;
        counts[Count::MemoryHold] = self.held as u64;
    }

    /// Forgets the half-streams that have been silent for long, as far as one look finds them.
    fn sweep(&mut self, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        let silent_ns = self.now_ns - self.limits.idle_ns;
        let all = self.halves.len();
        for _ in 0..all.min(SWEEP_SHARE.max(all / SWEEP_SHARE)) {
            match self.halves.oldest() {
                Some(id) if self.halves[id].last_ns <= silent_ns => self.forget(id, counts, out),
                Some(id) => self.halves.renew(id),
                None => break,
            }
        }
    }

    /// The capture is over. Stops when `out` has `most` heads, and is to be called again then: says whether that was all.
    pub fn finish(&mut self, now_ns: i64, most: usize, counts: &mut Counts, out: &mut Vec<RequestHead>) -> bool {
        self.advance(now_ns);
        while out.len() < most {
            let Some(id) = self.halves.oldest() else {
                for gauge in
                    [Count::HalfStreams, Count::MemoryHalfStreams, Count::MemoryHold, Count::NotAdmittedPermille]
                {
                    counts[gauge] = 0;
                }
                return true;
            };
            self.forget(id, counts, out);
        }
        false
    }

    /// A segment of a flow of which nothing is kept.
    fn meet(&mut self, segment: &Segment<'_>, mark: u64, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        let flags = segment.flags;
        let mut peer = self.peer_of(segment);
        if let Some(peer) = peer.filter(|_| flags & ACK != 0) {
            self.acknowledge(peer, segment, counts, out);
            self.note_acknowledged(peer, segment, counts);
        }
        if flags & SYN != 0 && (segment.payload.is_empty() || !self.is_disputed(segment, mark)) {
            self.note_origin(segment, mark, counts);
            if flags & ACK != 0 {
                self.note_answered(peer, segment, counts);
            }
        }
        if segment.payload.is_empty() || flags & RST != 0 {
            if flags & (FIN | RST) == FIN {
                self.origins.end(mark, first_byte(segment), counts);
            }
            if let Some(pointer) = urgent_pointer(segment) {
                self.origins.note_urgent(mark, pointer);
            }
            fate("reset", counts);
            counts[Count::BlindSnaplen] += u64::from(segment.missing > 0);
            return;
        }
        counts[Count::PayloadBytes] += segment.payload.len() as u64;
        if self.halves.len() >= self.limits.half_streams {
            self.make_room(peer.is_none(), counts, out);
            peer = self.peer_of(segment);
        }
        let mut half = HalfStream::new(segment.flow, segment.path, self.now_ns);
        Streams::note_first(&mut half, self.origins.meet(mark), segment);
        half.peer = peer.map(|peer| self.halves.link(peer));
        self.with_holes += usize::from(half.has_holes());
        let Some(id) = self.enter(half, mark, counts) else { return };
        self.is_new = peer.is_none();
        let fresh = self.note_sent(id, segment, counts);
        self.open(id, segment, counts, out);
        counts[Count::HttpBytes] += if self.halves[id].speaker.is_some() { captured(fresh, segment) } else { 0 };
        if flags & FIN != 0 {
            self.close(id, segment);
        }
    }

    /// A segment of a half-stream.
    #[inline]
    fn go_on(&mut self, id: Id, segment: &Segment<'_>, mark: u64, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        let &Segment { flags, payload, .. } = segment;
        self.halves[id].last_ns = self.now_ns;
        if flags & ACK != 0
            && let Some(peer) = self.halves.peer(id)
        {
            self.note_acknowledged(peer, segment, counts);
            if self.halves[peer].awaits {
                self.acknowledge(peer, segment, counts, out);
            }
        }
        if flags & SYN != 0 {
            self.begin_again(id, segment, mark, counts);
            if flags & ACK != 0 {
                self.note_answered(self.halves.peer(id), segment, counts);
            }
        }
        if flags & RST == 0 && (!payload.is_empty() || segment.missing > 0) {
            counts[Count::PayloadBytes] += payload.len() as u64;
            let fresh = self.note_sent(id, segment, counts);
            let half = &mut self.halves[id];
            half.closing_ns = 0;
            if half.speaker.is_some() {
                self.take(id, segment, counts, out);
            } else {
                let is_copy = fresh == 0;
                let is_other = half.looks == Looks::Other;
                if is_other && may_begin_request(payload) {
                    self.open(id, segment, counts, out);
                } else if !is_other && self.is_misjudged(id, segment, counts) {
                    self.open_doubtful(id, segment, mark, counts, out);
                } else {
                    counts[Count::Duplicates] += u64::from(is_copy);
                    let what = if is_copy { "duplicate" } else { self.halves[id].looks.name() };
                    fate(what, counts);
                }
            }
            counts[Count::HttpBytes] += if self.halves[id].speaker.is_some() { captured(fresh, segment) } else { 0 };
        } else if !payload.is_empty() {
            fate("reset", counts);
        } else if flags & FIN != 0 {
            self.note_sent(id, segment, counts);
        } else if let Some(pointer) = urgent_pointer(segment)
            && self.halves[id].speaker.is_some()
        {
            let now_ns = self.now_ns;
            self.speak(id, counts, |client, context, out| client.announce_urgent(pointer, now_ns, context, out));
            self.after(id, counts, out);
        }
        if flags & (FIN | RST) != 0 {
            self.close(id, segment);
        }
    }
}

/// The sequence number behind a segment's payload.
#[inline]
fn behind(segment: &Segment<'_>) -> u32 {
    segment.seq.wrapping_add(segment.payload.len() as u32)
}

/// Of so many bytes of a segment that are new, those that the snap length did not cut: it cuts the last ones.
#[inline]
fn captured(fresh: u64, segment: &Segment<'_>) -> u64 {
    fresh.saturating_sub(u64::from(segment.missing))
}

/// Of the segment at hand, for the audit.
fn fate(what: &'static str, counts: &mut Counts) {
    if let Some(tracer) = &mut counts.tracer {
        tracer.fate(what);
    }
}
