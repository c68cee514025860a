//! IP fragments in, whole datagrams out (RFC 791 section 3.2, RFC 8200 section 4.5).
//!
//! Fragments come in any order, more than once, and may contradict each other. What a receiver then keeps depends on its
//! system (Novak, "Target-Based Fragmentation Reassembly", 2005), so there are two readings: in one the fragment that
//! came first holds, in the other the one that came last; and one more for each fragment that neither shows, as far as
//! there is room. A datagram of which a byte was never sent is never given.
//!
//! Of a datagram in the making there are its fragments as they came and the ranges that they cover. The bytes are put
//! together when the ranges reach an end that a last fragment claimed; then everything under its key is forgotten, since
//! the next fragment may belong to another datagram that was given the same number. Only where there are bytes behind
//! that end it stays, once, for an end further away. What a first fragment holds is not given away alone: no receiver
//! takes it, and where only the capture lost the rest, it is a blind spot like any gap.
//!
//! The fragment that completes a datagram is not counted as skipped: what becomes of the datagram becomes of its frame. A
//! second reading has no frame of its own and is counted apart, so the books of `decode` balance.

#[cfg(test)]
mod tests;

use std::collections::hash_map::Entry;
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault};

use foldhash::HashMap;
use foldhash::quality::RandomState;

use crate::counts::{Count, Counts};
use crate::limits::Limits;
use crate::marks::Itself;
use crate::records::{Datagram, Fragment, Layer, Oddities, Oddity};

/// What lies beyond, no datagram holds (RFC 791 section 3.1, RFC 8200 section 4.5).
const LONGEST: usize = 0xFFFF;
const NO_END: usize = LONGEST + 1;
/// Bytes of memory that a fragment without a byte in it is counted as; the portable engine needs as many.
const OVERHEAD: usize = 1024;
/// Of one datagram.
const MOST_READINGS: usize = 4;
/// Fragments remembered after their datagram was whole; the second copy of a mirror is never far behind.
const ECHOES: usize = 4096;
/// Fragments of a datagram, if it is a packet that a tunnel made too long.
const USUAL: usize = 2;
/// Fragments of a datagram that are looked through one by one.
const FEW: usize = 16;
/// Datagrams that are no more and still have their place in the order of age, beside as many as there are.
const SPARE: usize = 64;

/// Of which datagram a fragment is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    src: [u8; 16],
    dst: [u8; 16],
    /// Of IPv4 alone: in IPv6 fragments of one datagram may name different ones.
    protocol: Option<u8>,
    ident: u32,
    path: Vec<Layer>,
}

impl Key {
    fn of(fragment: &Fragment<'_>) -> Key {
        Key {
            src: fragment.src,
            dst: fragment.dst,
            protocol: (!fragment.v6).then_some(fragment.protocol),
            ident: fragment.ident,
            path: fragment.path.to_vec(),
        }
    }
}

/// Keyed hashes, which need no hash of their own.
type Marks = HashSet<u64, BuildHasherDefault<Itself>>;

/// A fragment as it came. Many are kept whose datagram never becomes whole, so it is small.
#[derive(Debug)]
struct Piece {
    /// Keyed hash of all that tells it from others; equal ones are taken for copies.
    mark: u64,
    octets: Box<[u8]>,
    offset: u16,
    /// Bytes behind `octets` that the snap length cut.
    missing: u16,
    protocol: u8,
    more: bool,
}

impl Piece {
    fn start(&self) -> usize {
        self.offset.into()
    }

    fn end(&self) -> usize {
        self.start() + self.octets.len() + usize::from(self.missing)
    }
}

/// The fragments of one datagram in order of arrival, each once.
#[derive(Debug)]
struct Assembly {
    /// As in `Defragmenter::ages`.
    age: u64,
    pieces: Vec<Piece>,
    /// Of the pieces, once they are not few.
    marks: Marks,
    /// Bytes sent, whether or not the snap length let them through: sorted, none touching.
    ranges: Vec<(u32, u32)>,
    /// The nearest end that a last fragment has and that was not yet reached.
    claimed: usize,
    /// An end was reached, and there are bytes behind it.
    contradicted: bool,
    size: usize,
    /// Holds more than copies of what was whole before.
    fresh: bool,
}

impl Assembly {
    fn new(age: u64) -> Assembly {
        Assembly {
            age,
            pieces: Vec::with_capacity(USUAL),
            marks: Marks::default(),
            ranges: Vec::with_capacity(USUAL),
            claimed: NO_END,
            contradicted: false,
            size: 0,
            fresh: false,
        }
    }

    /// A fragment of this mark came before.
    fn knows(&mut self, mark: u64) -> bool {
        if self.pieces.len() < FEW {
            return self.pieces.iter().any(|piece| piece.mark == mark);
        }
        if self.marks.is_empty() {
            self.marks.extend(self.pieces.iter().map(|piece| piece.mark));
        }
        !self.marks.insert(mark)
    }

    /// Where the bytes that are there without a hole end.
    fn covered(&self) -> usize {
        self.ranges.first().filter(|range| range.0 == 0).map_or(0, |range| range.1 as usize)
    }

    /// No byte came twice, nor a first fragment: an empty one may name another protocol.
    fn is_plain(&self) -> bool {
        let firsts = self.pieces.iter().filter(|piece| piece.offset == 0).count();
        let sent: usize = self.pieces.iter().map(|piece| piece.end() - piece.start()).sum();
        firsts < 2 && sent == self.ranges.iter().map(|range| (range.1 - range.0) as usize).sum::<usize>()
    }
}

/// One that waits, or that waited.
#[derive(Debug)]
struct Waiting {
    age: u64,
    since_ns: i64,
    key: Key,
}

/// Puts datagrams together.
#[derive(Debug)]
pub struct Defragmenter {
    most_bytes: usize,
    longest_ns: i64,
    assemblies: HashMap<Key, Box<Assembly>>,
    /// Oldest first.
    ages: VecDeque<Waiting>,
    next_age: u64,
    /// Marks, as a set and oldest first.
    echoes: Marks,
    echo_order: VecDeque<u64>,
    size: usize,
    now_ns: i64,
    hasher: RandomState,
}

impl Defragmenter {
    /// One that holds at most `limits.fragments_bytes` for at most `limits.fragment_ns`.
    pub fn new(limits: &Limits) -> Defragmenter {
        Defragmenter {
            most_bytes: limits.fragments_bytes,
            longest_ns: limits.fragment_ns,
            assemblies: HashMap::default(),
            ages: VecDeque::new(),
            next_age: 0,
            echoes: Marks::default(),
            echo_order: VecDeque::new(),
            size: 0,
            now_ns: 0,
            hasher: RandomState::default(),
        }
    }

    /// Adds the datagram that this fragment completes to `out`, in two readings where its fragments disagree.
    pub fn feed(&mut self, fragment: &Fragment<'_>, counts: &mut Counts, out: &mut Vec<Datagram>) {
        self.expire(fragment.time_ns, counts);
        let before = out.len();
        self.add(fragment, counts, out);
        match out.len() - before {
            0 => counts[Count::SkippedFragment] += 1,
            readings => {
                counts[Count::Datagrams] += 1;
                counts[Count::SecondReadings] += readings as u64 - 1;
            }
        }
        counts[Count::MemoryDefrag] = self.size as u64;
    }

    /// Gives up what has waited for `Limits::fragment_ns`. The capture clock may go backwards, this one does not.
    pub fn expire(&mut self, now_ns: i64, counts: &mut Counts) {
        self.now_ns = self.now_ns.max(now_ns);
        while self.ages.front().is_some_and(|oldest| self.now_ns.saturating_sub(oldest.since_ns) > self.longest_ns) {
            self.give_up_first(counts);
        }
    }

    /// The capture has ended: what waits now waits in vain.
    pub fn finish(&mut self, counts: &mut Counts) {
        while !self.ages.is_empty() {
            self.give_up_first(counts);
        }
        counts[Count::MemoryDefrag] = 0;
    }

    fn add(&mut self, fragment: &Fragment<'_>, counts: &mut Counts, out: &mut Vec<Datagram>) {
        let (offset, missing) = (fragment.offset as usize, fragment.missing as usize);
        let end = offset + fragment.data.len() + missing;
        if end > LONGEST {
            return dropped(fragment.data, "malformed", counts);
        }
        let key = Key::of(fragment);
        let mark = self.hasher.hash_one((&key, offset, fragment.more, fragment.data, missing));
        let assembly = match self.assemblies.entry(key) {
            Entry::Occupied(place) => place.into_mut(),
            Entry::Vacant(place) => {
                self.next_age += 1;
                let (age, key) = (self.next_age, place.key().clone());
                self.ages.push_back(Waiting { age, since_ns: self.now_ns, key });
                place.insert(Box::new(Assembly::new(age)))
            }
        };
        if assembly.knows(mark) {
            return dropped(fragment.data, "duplicate", counts);
        }
        assembly.pieces.push(Piece {
            mark,
            octets: fragment.data.into(),
            offset: offset as u16,
            missing: missing as u16,
            protocol: fragment.protocol,
            more: fragment.more,
        });
        assembly.fresh = assembly.fresh || !self.echoes.contains(&mark);
        cover(&mut assembly.ranges, offset as u32, end as u32);
        if !fragment.more {
            assembly.claimed = assembly.claimed.min(end);
        }
        assembly.size += OVERHEAD + fragment.data.len();
        self.size += OVERHEAD + fragment.data.len();
        if assembly.claimed <= assembly.covered() {
            self.complete(fragment, counts, out);
        }
        while self.size > self.most_bytes {
            counts[Count::ShedDefrag] += u64::from(self.give_up_first(counts));
        }
    }

    fn complete(&mut self, newest: &Fragment<'_>, counts: &mut Counts, out: &mut Vec<Datagram>) {
        let key = Key::of(newest);
        let Some(assembly) = self.assemblies.get_mut(&key) else { return };
        let covered = assembly.covered();
        let ends = || assembly.pieces.iter().filter(|piece| !piece.more).map(Piece::end);
        let reached = || ends().filter(|&end| end <= covered);
        let further = ends().filter(|&end| end > covered).min().unwrap_or(NO_END);
        let beyond = assembly.ranges.last().map(|range| range.1 as usize) > reached().max();
        if let (Some(first), Some(last)) = (reached().next(), reached().next_back()) {
            let left_out = readings(assembly, (first, last), beyond, newest, out);
            counts[Count::ShedFragmentReadings] += left_out;
        }
        if beyond && !assembly.contradicted {
            assembly.contradicted = true;
            assembly.claimed = further;
            return;
        }
        let Some(assembly) = self.forget(&key) else { return };
        counts[Count::BlindFragments] += u64::from(beyond);
        // a mirror that shows every packet twice leaves copies that never become whole, and hide nothing
        for piece in assembly.pieces {
            if self.echoes.insert(piece.mark) {
                self.echo_order.push_back(piece.mark);
            }
        }
        for mark in self.echo_order.drain(..self.echo_order.len().saturating_sub(ECHOES)) {
            self.echoes.remove(&mark);
        }
    }

    fn forget(&mut self, key: &Key) -> Option<Box<Assembly>> {
        let assembly = self.assemblies.remove(key)?;
        self.size -= assembly.size;
        if self.ages.front().is_some_and(|oldest| oldest.age == assembly.age) {
            self.ages.pop_front();
        } else if self.ages.len() > 2 * self.assemblies.len() + SPARE {
            self.ages.retain(|one| self.assemblies.get(&one.key).is_some_and(|there| there.age == one.age));
        }
        Some(assembly)
    }

    /// Whether there still was anything to give up.
    fn give_up_first(&mut self, counts: &mut Counts) -> bool {
        let Some(oldest) = self.ages.pop_front() else { return false };
        if self.assemblies.get(&oldest.key).is_none_or(|there| there.age != oldest.age) {
            return false;
        }
        let Some(assembly) = self.forget(&oldest.key) else { return false };
        counts[Count::BlindFragments] += u64::from(assembly.fresh);
        for piece in &assembly.pieces {
            dropped(&piece.octets, if assembly.fresh { "fragments" } else { "duplicate" }, counts);
        }
        true
    }
}

/// For the audit: nothing will be made of this fragment.
fn dropped(octets: &[u8], why: &'static str, counts: &mut Counts) {
    if let Some(tracer) = &mut counts.tracer {
        tracer.dropped(octets, why);
    }
}

/// Adds one range to those that are sorted and do not touch, and keeps them so.
fn cover(ranges: &mut Vec<(u32, u32)>, mut start: u32, mut end: u32) {
    if let Some(last) = ranges.last_mut()
        && (last.0..=last.1).contains(&start)
    {
        last.1 = end.max(last.1);
        return;
    }
    let first = ranges.partition_point(|range| range.1 < start);
    let last = ranges.partition_point(|range| range.0 <= end);
    for &(other_start, other_end) in &ranges[first..last] {
        start = start.min(other_start);
        end = end.max(other_end);
    }
    ranges.splice(first..last, [(start, end)]);
}

/// The datagram of pieces in order of arrival, the first and the last of which claimed to end it at `ends`; several if
/// they disagree. Says how many pieces none of these shows.
fn readings(
    assembly: &Assembly,
    (first_end, last_end): (usize, usize),
    beyond: bool,
    newest: &Fragment<'_>,
    out: &mut Vec<Datagram>,
) -> u64 {
    let (pieces, contradicted) = (&assembly.pieces, beyond || assembly.contradicted);
    let mut ways = vec![read(pieces.iter().rev(), first_end)];
    let mut left_out = 0;
    let last = (first_end != last_end || !assembly.is_plain()).then(|| read(pieces.iter(), last_end));
    if let Some(last) = last.filter(|last| ways.first() != Some(last)) {
        ways.push(last);
        for piece in pieces.iter().filter(|_| pieces.len() > 2) {
            if ways.iter().any(|way| shows(&way.1, piece)) {
                continue;
            }
            if ways.len() < MOST_READINGS {
                ways.push(read(pieces.iter().chain([piece]), last_end));
            } else {
                left_out += 1;
            }
        }
    }
    let is_odd = contradicted || ways.len() > 1;
    let oddities = if is_odd { Oddities::of(&[Oddity::FragOverlap]) } else { Oddities::default() };
    for (protocol, data, missing) in ways {
        out.push(Datagram {
            time_ns: newest.time_ns,
            src: newest.src,
            dst: newest.dst,
            v6: newest.v6,
            protocol,
            data,
            missing,
            path: newest.path.to_vec(),
            depth: newest.depth,
            oddities,
        });
    }
    left_out
}

/// Whether the bytes of a piece, as far as they lie in it, are in this reading.
fn shows(octets: &[u8], piece: &Piece) -> bool {
    let seen = octets.get(piece.start()..).unwrap_or_default();
    seen.iter().zip(&*piece.octets).all(|(one, other)| one == other)
}

/// Protocol, bytes and number of missing bytes, the later of two pieces before the earlier.
fn read<'a>(pieces: impl Iterator<Item = &'a Piece>, end: usize) -> (u8, Vec<u8>, u32) {
    let (mut protocol, mut octets, mut kept) = (0, vec![0; end], end);
    for piece in pieces {
        if piece.offset == 0 {
            protocol = piece.protocol; // RFC 8200 section 4.5: "only the Offset zero fragment is used"
        }
        if let Some(room) = octets.get_mut(piece.start()..) {
            let length = room.len().min(piece.octets.len());
            room[..length].copy_from_slice(&piece.octets[..length]);
        }
        if piece.missing > 0 {
            kept = kept.min(piece.start() + piece.octets.len());
        }
    }
    octets.truncate(kept);
    (protocol, octets, (end - kept) as u32)
}
