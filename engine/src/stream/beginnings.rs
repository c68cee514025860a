//! Requests that begin in small segments behind something else: takes such segments, yields their first bytes.
//!
//! A half-stream that began with something else is looked at again where a segment begins like a request. Whoever sends
//! one byte at a time shows no such segment: so the latest few bytes are kept here, in whatever order they come, and
//! looked at together as soon as they touch.

use std::collections::BTreeMap;
use std::ops::Range;

use super::halves::Link;
use crate::counts::{Count, Counts};
use crate::http1::{begins_known_method, is_space, trim_start};
use crate::looks::surely_begins_request;

/// Bytes: the longest method and where its target begins; so far from the newest one pieces are kept.
const LONGEST: usize = 32;
/// Bytes: a piece so small may be any part of a request line.
const TINY: usize = 4;
/// Half-streams; the one that was begun on first makes room.
const MOST: usize = 4096;

/// Part of what may be a request line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub seq: u32,
    length: u8,
    octets: [u8; LONGEST],
}

impl Piece {
    /// Of fewer octets than the longest.
    fn new(seq: u32, payload: &[u8]) -> Piece {
        let mut octets = [0; LONGEST];
        octets[..payload.len()].copy_from_slice(payload);
        Piece { seq, length: payload.len() as u8, octets }
    }

    pub fn octets(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }

    fn overlaps(&self, other: &Piece) -> bool {
        let ahead = ahead(other.seq, self.seq);
        -i64::from(other.length) < ahead && ahead < i64::from(self.length)
    }

    fn touches(&self, following: &Piece) -> bool {
        ahead(following.seq, self.seq) == i64::from(self.length)
    }
}

/// Of one half-stream.
#[derive(Debug)]
struct Begun {
    number: u64,
    pieces: Vec<Piece>,
}

#[derive(Debug, Default)]
pub(super) struct Beginnings {
    begun: BTreeMap<Link, Begun>,
    /// Whose each is, by its number.
    order: BTreeMap<u64, Link>,
    /// How many were begun on so far.
    numbers: u64,
}

impl Beginnings {
    /// Whether this payload and what touches it surely begin a request.
    pub fn join(&mut self, whose: Link, seq: u32, payload: &[u8], counts: &mut Counts) -> bool {
        if !(1..LONGEST).contains(&payload.len()) {
            return false;
        }
        let mut none = Vec::new();
        let near = self.begun.get_mut(&whose).map_or(&mut none, |begun| &mut begun.pieces);
        let holds = |piece: &Piece| {
            let at = usize::try_from(ahead(seq, piece.seq)).ok();
            at.and_then(|at| piece.octets().get(at..)).is_some_and(|octets| octets.starts_with(payload))
        };
        if near.iter().any(holds) {
            return false; // once more
        }
        let new = Piece::new(seq, payload);
        near.retain(|piece| ahead(piece.seq, seq).unsigned_abs() < LONGEST as u64 && !piece.overlaps(&new));
        let at = near.partition_point(|piece| ahead(piece.seq, seq) < 0);
        near.insert(at, new);
        if let Some(joined) = joined(near, at) {
            near.truncate(joined.end);
            near.remove(at);
            near.drain(..joined.start);
            if !none.is_empty() {
                self.enter(whose, none, counts);
            }
            return true;
        }
        let is_text = payload.iter().all(|&octet| matches!(octet, b'\t' | b'\r' | b'\n' | b' '..=b'~'));
        let is_kept = (payload.len() <= TINY && is_text) || may_begin(payload);
        if !is_kept {
            near.remove(at);
        }
        let is_empty = near.is_empty();
        if !none.is_empty() {
            self.enter(whose, none, counts);
        } else if is_empty {
            self.forget(whose);
        }
        false
    }

    /// What was joined, in its order.
    pub fn forget(&mut self, whose: Link) -> Vec<Piece> {
        let Some(begun) = self.begun.remove(&whose) else { return Vec::new() };
        self.order.remove(&begun.number);
        begun.pieces
    }

    fn enter(&mut self, whose: Link, pieces: Vec<Piece>, counts: &mut Counts) {
        self.numbers += 1;
        self.order.insert(self.numbers, whose);
        self.begun.insert(whose, Begun { number: self.numbers, pieces });
        if self.begun.len() > MOST
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.begun.remove(&oldest);
            counts[Count::ShedBeginnings] += 1;
        }
    }
}

/// Those of the pieces that surely begin a request, with the one at this place and what touches it.
fn joined(pieces: &[Piece], at: usize) -> Option<Range<usize>> {
    let parts = |place: &usize| !pieces[place - 1].touches(&pieces[*place]);
    let first = (1..=at).rev().find(parts).unwrap_or(0);
    let last = (at + 1..pieces.len()).find(parts).unwrap_or(pieces.len());
    let mut octets = [0; 4 * LONGEST];
    let (mut starts, mut length) = ([0; 4 * LONGEST], 0);
    for (start, piece) in starts.iter_mut().zip(&pieces[first..last]) {
        *start = length;
        octets[length..length + piece.octets().len()].copy_from_slice(piece.octets());
        length += piece.octets().len();
    }
    let octets = &octets[..length];
    if octets.iter().all(u8::is_ascii_graphic) {
        return None; // no word ends here
    }
    (first..=at).find(|begin| surely_begins_request(&octets[starts[begin - first]..])).map(|begin| begin..last)
}

/// How far a sequence number is ahead of another (RFC 1982).
fn ahead(seq: u32, other: u32) -> i64 {
    i64::from(seq.wrapping_sub(other) as i32)
}

/// Whether a request line with a method that is known begins so, or may yet.
fn may_begin(octets: &[u8]) -> bool {
    let line = trim_start(octets, |octet| matches!(octet, b'\r' | b'\n'));
    let line = trim_start(line, |octet| matches!(octet, b' ' | b'\t'));
    let end = line.iter().position(|octet| !octet.is_ascii_alphabetic() && *octet != b'-').unwrap_or(line.len());
    let (method, rest) = line.split_at(end);
    let target = trim_start(rest, is_space);
    octets.len() <= LONGEST
        && (rest.is_empty() || target.len() < rest.len())
        && target.iter().all(u8::is_ascii_graphic)
        && begins_known_method(method, rest.is_empty())
}
