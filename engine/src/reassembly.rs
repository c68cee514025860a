//! TCP reassembly of one half-stream (RFC 9293 section 3.4): takes payload with its place, yields it in order, and gaps.
//!
//! The bytes that came first are the primary reading. A later copy that differs is kept beside it as a [`Version`]:
//! receivers disagree on which one they take, so both are read. Sequence numbers become positions, which count on beyond
//! 2^32: they are compared as plain integers everywhere else.
//!
//! Only ranges are kept, and of those only what waits behind a hole: a segment that is in order passes as the slice that
//! it came in. Nothing here knows time: when a hole is to be given up is for the caller to say.

#[cfg(test)]
mod tests;

use std::array;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::iter::Flatten;

use crate::records::Oddity;

/// Bytes that one held piece costs besides its payload, so that tiny pieces count as well.
const PIECE_OVERHEAD: usize = 160;
/// Of bytes that are still looked at.
const MOST_VERSIONS: usize = 64;

/// Another copy of the bytes [start, stop); its octets may be of another length.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Position of the first byte that it replaces.
    pub start: i64,
    /// Position behind the last one.
    pub stop: i64,
    /// What it says instead.
    pub octets: Vec<u8>,
    /// Why there is one.
    pub oddity: Oddity,
}

/// What follows in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Payload.
    Data {
        /// Of its first byte.
        position: i64,
        /// Not empty.
        octets: Cow<'a, [u8]>,
        /// Of its segment.
        time_ns: i64,
    },
    /// Bytes that were never captured.
    Gap(Gap),
}

/// Bytes of one half-stream that were never captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Of the first of them.
    pub position: i64,
    /// How many.
    pub missing: i64,
    /// By the snap length; else lost.
    pub cut: bool,
}

impl Gap {
    /// Of the blind spot.
    pub fn reason(&self) -> &'static str {
        if self.cut { "snaplen" } else { "gap" }
    }
}

/// What came in order at once, before what waited behind it.
pub type Straight<'a> = Flatten<array::IntoIter<Option<Item<'a>>, 2>>;

/// What an insertion brought.
#[derive(Debug)]
pub struct Inserted<'a> {
    /// How many bytes were new.
    pub fresh: i64,
    /// For [`Assembler::ready`], before anything else is inserted.
    pub straight: Straight<'a>,
}

#[derive(Debug)]
struct Piece {
    stop: i64,
    /// None: cut off by the snap length.
    octets: Option<Box<[u8]>>,
    time_ns: i64,
}

impl Piece {
    fn cost(&self) -> usize {
        PIECE_OVERHEAD + self.octets.as_ref().map_or(0, |octets| octets.len())
    }
}

/// Copies that differ from what came first.
#[derive(Debug, Default)]
pub struct Versions {
    /// That nobody has looked at.
    pub fresh: Vec<Version>,
    /// That somebody has, so that the same ones are known again.
    pub taken: Vec<Version>,
    /// For so many there was no room.
    pub left_out: u64,
    /// Behind the latest segment that differed.
    pub copied_to: i64,
}

/// Puts the payload of one half-stream in order.
///
/// Invariants: `pieces`, by where they start, do not overlap and begin behind `next`; `held` is what they cost.
#[derive(Debug)]
pub struct Assembler {
    next: i64,
    held: usize,
    /// Seldom any.
    versions: Option<Box<Versions>>,
    pieces: BTreeMap<i64, Piece>,
}

impl Assembler {
    /// Where the copy begins that the next segment may go on with; where none does, what follows.
    #[inline]
    pub fn copied_from(&self) -> i64 {
        let open = |versions: &Versions| {
            versions.taken.last().filter(|last| last.stop == versions.copied_to).map(|last| last.start)
        };
        self.versions.as_deref().and_then(open).unwrap_or(self.next)
    }

    /// From this position on.
    pub fn new(position: i64) -> Assembler {
        Assembler { next: position, held: 0, versions: None, pieces: BTreeMap::new() }
    }

    /// Position of the first byte that is not yet in order.
    #[inline]
    pub fn next(&self) -> i64 {
        self.next
    }

    /// What waits behind a hole, in bytes of memory.
    #[inline]
    pub fn held(&self) -> usize {
        self.held
    }

    /// Whether something waits behind a hole.
    #[inline]
    pub fn waiting(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// The position of a sequence number: the one nearest to `next` (serial number arithmetic, RFC 1982).
    #[inline]
    pub fn place(&self, seq: u32) -> i64 {
        self.next + i64::from(seq.wrapping_sub(self.next as u32) as i32)
    }

    /// Takes a segment's payload and, behind it, `missing` bytes that the capture cut off.
    ///
    /// `known` is what the caller still has of the bytes before `next`, to be compared with a copy of them.
    pub fn insert<'a>(
        &mut self,
        mut position: i64,
        mut octets: &'a [u8],
        missing: u32,
        time_ns: i64,
        known: &[u8],
        known_from: i64,
    ) -> Inserted<'a> {
        let stop = position + octets.len() as i64;
        if position < self.next {
            if let Some(version) = difference(position, octets, known_from, known) {
                self.add_version(version);
            }
            octets = octets.get((self.next - position) as usize..).unwrap_or_default();
            position = self.next;
        }
        let (mut fresh, mut payload, mut cut) = (0, None, None);
        if !octets.is_empty() {
            (fresh, payload) = self.fill(position, stop, Some(octets), time_ns);
        }
        let end = stop + i64::from(missing);
        if missing > 0 && end > self.next {
            let (more, gap) = self.fill(stop.max(self.next), end, None, time_ns);
            (fresh, cut) = (fresh + more, gap);
        }
        Inserted { fresh, straight: [payload, cut].into_iter().flatten() }
    }

    /// What is next in order now: first what came `straight`.
    pub fn ready<'a>(&mut self, straight: &mut Straight<'a>) -> Option<Item<'a>> {
        straight.next().or_else(|| if self.pieces.is_empty() { None } else { self.ready_behind_hole() })
    }

    fn ready_behind_hole<'a>(&mut self) -> Option<Item<'a>> {
        let first = self.pieces.first_entry().filter(|first| *first.key() <= self.next)?;
        let (start, piece) = first.remove_entry();
        self.let_go(&piece);
        Some(self.pass(start, piece.stop, piece.octets.map(|octets| Cow::Owned(octets.into())), piece.time_ns))
    }

    /// Gives the first hole up: it becomes a gap.
    pub fn skip(&mut self) -> Straight<'static> {
        let hole = self.pieces.first_key_value().map(|(&start, _)| {
            let gap = Gap { position: self.next, missing: start - self.next, cut: false };
            self.next = start;
            Item::Gap(gap)
        });
        [hole, None].into_iter().flatten()
    }

    /// Holds no longer what came furthest behind the hole, as if it had never come: from where, up to where.
    pub fn drop_last(&mut self) -> Option<(i64, i64)> {
        let (start, piece) = self.pieces.pop_last()?;
        self.let_go(&piece);
        Some((start, piece.stop))
    }

    /// Begins again at `position`: what was thought to be the beginning was not. `octets` are all up to `next`.
    pub fn rewind(&mut self, position: i64, octets: &[u8], time_ns: i64) {
        if !octets.is_empty() {
            let (start, stop) = (self.next - octets.len() as i64, self.next);
            self.hold(start, Piece { stop, octets: Some(octets.into()), time_ns });
        }
        self.next = position;
        if let Some(versions) = &mut self.versions {
            versions.taken.append(&mut versions.fresh); // all is read anew
            std::mem::swap(&mut versions.taken, &mut versions.fresh);
        }
    }

    /// Keeps another copy, unless it is known or there are too many already.
    pub fn add_version(&mut self, version: Version) {
        let Versions { fresh, taken, left_out, .. } = &mut **self.versions.get_or_insert_default();
        if fresh.contains(&version) || taken.iter().any(|known| holds(known, &version)) {
            return;
        }
        if fresh.len() + taken.len() < MOST_VERSIONS {
            fresh.push(version);
        } else {
            *left_out += 1;
        }
    }

    /// Copies that differ, if there are any.
    #[inline]
    pub fn versions(&mut self) -> Option<&mut Versions> {
        self.versions.as_deref_mut()
    }

    /// How many of them nobody has looked at.
    #[inline]
    pub fn fresh_versions(&self) -> usize {
        self.versions.as_ref().map_or(0, |versions| versions.fresh.len())
    }

    /// The copies of bytes that are all in order by now, in the order in which they came.
    pub fn take_versions(&mut self) -> Vec<Version> {
        let next = self.next;
        let Some(versions) = &mut self.versions else { return Vec::new() };
        versions.fresh.extract_if(.., |version| version.stop <= next).collect()
    }

    /// Nobody will look at bytes before this position again.
    #[inline]
    pub fn forget_versions(&mut self, before: i64) {
        if let Some(versions) = &mut self.versions {
            versions.taken.retain(|version| version.stop > before);
            if versions.fresh.is_empty() && versions.taken.is_empty() && versions.left_out == 0 {
                self.versions = None;
            }
        }
    }

    /// Takes [position, stop), all of it behind `next`; where pieces are already, they stay.
    fn fill<'a>(
        &mut self,
        position: i64,
        stop: i64,
        octets: Option<&'a [u8]>,
        time_ns: i64,
    ) -> (i64, Option<Item<'a>>) {
        if position == self.next && self.pieces.first_key_value().is_none_or(|(&first, _)| stop <= first) {
            return (stop - position, Some(self.pass(position, stop, octets.map(Cow::Borrowed), time_ns)));
        }
        let (mut fresh, mut at) = (0, position);
        while at < stop {
            let over = self.pieces.range(..=at).next_back().filter(|(_, piece)| piece.stop > at);
            let following = over.or_else(|| self.pieces.range(at..stop).next());
            let Some((&start, piece)) = following else {
                fresh += self.hold_part(at, stop, position, octets, time_ns);
                break;
            };
            let end = piece.stop;
            if let (Some(octets), Some(known)) = (octets, piece.octets.as_deref())
                && let Some(version) = difference(position, octets, start, known)
            {
                self.add_version(version);
            }
            if at < start {
                fresh += self.hold_part(at, start, position, octets, time_ns);
            }
            at = end;
        }
        (fresh, None)
    }

    /// Of a segment at `position` the bytes [at, stop): how many.
    fn hold_part(&mut self, at: i64, stop: i64, position: i64, octets: Option<&[u8]>, time_ns: i64) -> i64 {
        let part = octets.and_then(|octets| octets.get((at - position) as usize..(stop - position) as usize));
        self.hold(at, Piece { stop, octets: part.map(Box::from), time_ns });
        stop - at
    }

    fn hold(&mut self, start: i64, piece: Piece) {
        self.held += piece.cost();
        self.pieces.insert(start, piece);
    }

    /// A piece is not held any more.
    fn let_go(&mut self, piece: &Piece) {
        self.held -= piece.cost();
        if self.pieces.is_empty() {
            self.pieces = BTreeMap::new(); // one that was emptied has room for eleven
        }
    }

    fn pass<'a>(&mut self, position: i64, stop: i64, octets: Option<Cow<'a, [u8]>>, time_ns: i64) -> Item<'a> {
        self.next = stop;
        match octets {
            Some(octets) => Item::Data { position, octets, time_ns },
            None => Item::Gap(Gap { position, missing: stop - position, cut: true }),
        }
    }
}

/// Whether a copy says the same, and perhaps more.
fn holds(known: &Version, version: &Version) -> bool {
    if known.oddity != version.oddity || version.octets.len() as i64 != version.stop - version.start {
        return known == version;
    }
    let part = usize::try_from(version.start - known.start).ok().and_then(|begin| known.octets.get(begin..));
    part.is_some_and(|part| part.starts_with(&version.octets))
}

/// The part of `octets` that says otherwise than `known` does.
#[inline]
fn difference(position: i64, octets: &[u8], start: i64, known: &[u8]) -> Option<Version> {
    let first = position.max(start);
    let stop = (position + octets.len() as i64).min(start + known.len() as i64);
    if first >= stop {
        return None;
    }
    let copy = &octets[(first - position) as usize..(stop - position) as usize];
    let differs = copy != &known[(first - start) as usize..(stop - start) as usize];
    differs.then(|| Version { start: first, stop, octets: copy.into(), oddity: Oddity::Overlap })
}
