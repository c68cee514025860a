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

use std::collections::{BTreeMap, VecDeque};
use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use foldhash::{HashMap, HashSet};

use crate::counts::{Count, Counts};
use crate::limits::Limits;
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

/// A fragment as it came.
#[derive(Debug)]
struct Piece {
    /// Keyed hash of all that tells it from others; equal ones are taken for copies.
    mark: u64,
    protocol: u8,
    offset: usize,
    more: bool,
    octets: Vec<u8>,
    /// Bytes behind `octets` that the snap length cut.
    missing: usize,
}

impl Piece {
    fn end(&self) -> usize {
        self.offset + self.octets.len() + self.missing
    }
}

/// The fragments of one datagram in order of arrival, each once.
#[derive(Debug)]
struct Assembly {
    /// Key of `Defragmenter::ages`.
    age: u64,
    since_ns: i64,
    pieces: Vec<Piece>,
    marks: HashSet<u64>,
    /// Bytes sent, whether or not the snap length let them through: sorted, none touching.
    ranges: Vec<(usize, usize)>,
    /// The nearest end that a last fragment has and that was not yet reached.
    claimed: usize,
    /// An end was reached, and there are bytes behind it.
    contradicted: bool,
    size: usize,
    /// Holds more than copies of what was whole before.
    fresh: bool,
}

impl Assembly {
    fn new(age: u64, since_ns: i64) -> Assembly {
        Assembly {
            age,
            since_ns,
            pieces: Vec::new(),
            marks: HashSet::default(),
            ranges: Vec::new(),
            claimed: NO_END,
            contradicted: false,
            size: 0,
            fresh: false,
        }
    }

    /// Where the bytes that are there without a hole end.
    fn covered(&self) -> usize {
        self.ranges.first().filter(|range| range.0 == 0).map_or(0, |range| range.1)
    }

    fn is_whole(&self) -> bool {
        self.ranges.first().is_some_and(|&(start, end)| start == 0 && self.claimed <= end)
    }
}

/// Puts datagrams together.
#[derive(Debug)]
pub struct Defragmenter {
    most_bytes: usize,
    longest_ns: i64,
    assemblies: HashMap<Key, Assembly>,
    /// Oldest first.
    ages: BTreeMap<u64, Key>,
    next_age: u64,
    /// Marks, as a set and oldest first.
    echoes: HashSet<u64>,
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
            ages: BTreeMap::new(),
            next_age: 0,
            echoes: HashSet::default(),
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
        while self.oldest().is_some_and(|oldest| self.now_ns.saturating_sub(oldest.since_ns) > self.longest_ns) {
            self.give_up_oldest(counts);
        }
    }

    /// The capture has ended: what waits now waits in vain.
    pub fn finish(&mut self, counts: &mut Counts) {
        while self.oldest().is_some() {
            self.give_up_oldest(counts);
        }
        counts[Count::MemoryDefrag] = 0;
    }

    fn add(&mut self, fragment: &Fragment<'_>, counts: &mut Counts, out: &mut Vec<Datagram>) {
        let (offset, missing) = (fragment.offset as usize, fragment.missing as usize);
        let end = offset + fragment.data.len() + missing;
        if end > LONGEST {
            return dropped(fragment.data, "malformed", counts);
        }
        let key = Key {
            src: fragment.src,
            dst: fragment.dst,
            protocol: (!fragment.v6).then_some(fragment.protocol),
            ident: fragment.ident,
            path: fragment.path.to_vec(),
        };
        let mark = self.hasher.hash_one((&key, offset, fragment.more, fragment.data, missing));
        let assembly = self.assemblies.entry(key.clone()).or_insert_with(|| {
            self.next_age += 1;
            self.ages.insert(self.next_age, key.clone());
            Assembly::new(self.next_age, self.now_ns)
        });
        if !assembly.marks.insert(mark) {
            return dropped(fragment.data, "duplicate", counts);
        }
        let (protocol, more) = (fragment.protocol, fragment.more);
        assembly.pieces.push(Piece { mark, protocol, offset, more, octets: fragment.data.to_vec(), missing });
        assembly.fresh |= !self.echoes.contains(&mark);
        cover(&mut assembly.ranges, offset, end);
        if !more {
            assembly.claimed = assembly.claimed.min(end);
        }
        assembly.size += OVERHEAD + fragment.data.len();
        self.size += OVERHEAD + fragment.data.len();
        if assembly.is_whole() {
            self.complete(&key, fragment, counts, out);
        }
        while self.size > self.most_bytes {
            counts[Count::ShedDefrag] += 1;
            self.give_up_oldest(counts);
        }
    }

    fn complete(&mut self, key: &Key, newest: &Fragment<'_>, counts: &mut Counts, out: &mut Vec<Datagram>) {
        let Some(assembly) = self.assemblies.get_mut(key) else { return };
        let covered = assembly.covered();
        let ends = || assembly.pieces.iter().filter(|piece| !piece.more).map(Piece::end);
        let reached: Vec<usize> = ends().filter(|&end| end <= covered).collect();
        let further = ends().filter(|&end| end > covered).min().unwrap_or(NO_END);
        let beyond = assembly.ranges.last().map(|range| range.1) > reached.iter().copied().max();
        let left_out = readings(&assembly.pieces, &reached, beyond || assembly.contradicted, newest, out);
        counts[Count::ShedFragmentReadings] += left_out;
        if beyond && !assembly.contradicted {
            assembly.contradicted = true;
            assembly.claimed = further;
            return;
        }
        let Some(assembly) = self.forget(key) else { return };
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

    fn oldest(&self) -> Option<&Assembly> {
        self.ages.values().next().and_then(|key| self.assemblies.get(key))
    }

    fn forget(&mut self, key: &Key) -> Option<Assembly> {
        let assembly = self.assemblies.remove(key)?;
        self.ages.remove(&assembly.age);
        self.size -= assembly.size;
        Some(assembly)
    }

    fn give_up_oldest(&mut self, counts: &mut Counts) {
        let Some(key) = self.ages.first_key_value().map(|(_, key)| key.clone()) else { return };
        let Some(assembly) = self.forget(&key) else { return };
        counts[Count::BlindFragments] += u64::from(assembly.fresh);
        for piece in &assembly.pieces {
            dropped(&piece.octets, if assembly.fresh { "fragments" } else { "duplicate" }, counts);
        }
    }
}

/// For the audit: nothing will be made of this fragment.
fn dropped(octets: &[u8], why: &'static str, counts: &mut Counts) {
    if let Some(tracer) = &mut counts.tracer {
        tracer.dropped(octets, why);
    }
}

/// Adds one range to those that are sorted and do not touch, and keeps them so.
fn cover(ranges: &mut Vec<(usize, usize)>, mut start: usize, mut end: usize) {
    let first = ranges.partition_point(|range| range.1 < start);
    let last = ranges.partition_point(|range| range.0 <= end);
    for &(other_start, other_end) in &ranges[first..last] {
        start = start.min(other_start);
        end = end.max(other_end);
    }
    ranges.splice(first..last, [(start, end)]);
}

/// The datagram of pieces in order of arrival, of which the last ones claimed `ends`; several if they disagree. Says how
/// many pieces none of these shows.
fn readings(
    pieces: &[Piece],
    ends: &[usize],
    contradicted: bool,
    newest: &Fragment<'_>,
    out: &mut Vec<Datagram>,
) -> u64 {
    let (Some(&first_end), Some(&last_end)) = (ends.first(), ends.last()) else { return 0 };
    let last = read(pieces.iter(), last_end);
    let mut ways = vec![read(pieces.iter().rev(), first_end)];
    let mut left_out = 0;
    if ways.first() != Some(&last) {
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
    let seen = octets.get(piece.offset..).unwrap_or_default();
    seen.iter().zip(&piece.octets).all(|(one, other)| one == other)
}

/// Protocol, bytes and number of missing bytes, the later of two pieces before the earlier.
fn read<'a>(pieces: impl Iterator<Item = &'a Piece>, end: usize) -> (u8, Vec<u8>, u32) {
    let (mut protocol, mut octets, mut kept) = (0, vec![0; end], end);
    for piece in pieces {
        if piece.offset == 0 {
            protocol = piece.protocol; // RFC 8200 section 4.5: "only the Offset zero fragment is used"
        }
        if let Some(room) = octets.get_mut(piece.offset..) {
            let length = room.len().min(piece.octets.len());
            room[..length].copy_from_slice(&piece.octets[..length]);
        }
        if piece.missing > 0 {
            kept = kept.min(piece.offset + piece.octets.len());
        }
    }
    octets.truncate(kept);
    (protocol, octets, (end - kept) as u32)
}
