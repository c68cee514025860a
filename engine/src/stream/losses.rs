//! How much of what was sent never came: takes the sequence numbers of one half-stream, whatever it speaks, and counts.
//!
//! A byte that is skipped over, or that the peer acknowledges before it was seen, is unseen; when it comes after all (the
//! mirror brought it out of order, or it was lost before the tap and TCP sent it again) it is late. So at any time
//!
//! ```text
//! lost / sent  ~  (unseen_bytes - late_bytes) / sent_bytes
//! ```
//!
//! where each byte counts once, however often it was mirrored or sent. O(1) for each segment: of holes that may still be
//! filled only the latest few are remembered. Sequence numbers are compared as RFC 1982 says.

use super::halves::{HalfStream, Id};
use super::{ACK, RST, Streams};
use crate::client::first_byte;
use crate::counts::{Count, Counts};
use crate::records::Segment;

/// Of one half-stream that are remembered.
const MOST_HOLES: usize = 8;
/// What they take, in round figures.
pub(super) const HOLES_BYTES: usize = 128;
/// A segment further ahead or behind is believed when another one follows on it.
const FARTHEST: i64 = 640 * 1024;
/// At once; more is no loss, but other sequence numbers.
const MOST_LOST: i64 = 1 << 30;
/// An acknowledgement of more that nobody saw is not of this half-stream.
const MOST_ACKED: i64 = 256 * 1024;

/// What is missing of a half-stream before its `end`.
#[derive(Debug, Default)]
pub struct Holes {
    /// From where up to where, the latest last.
    ranges: Vec<(u32, u32)>,
    /// The latest segment that lay too far away.
    far: Option<(u32, u32)>,
}

impl Streams {
    /// How many bytes of a segment are new; what stands before them and was not seen counts as lost until it comes.
    #[inline]
    pub(super) fn note_sent(&mut self, id: Id, segment: &Segment<'_>, counts: &mut Counts) -> u64 {
        let half = &mut self.halves[id];
        let (seq, size) = (first_byte(segment), segment.payload.len() as u32 + segment.missing);
        if seq == half.end {
            half.end = seq.wrapping_add(size);
            counts[Count::SentBytes] += u64::from(size);
            return u64::from(size);
        }
        let had_holes = half.has_holes();
        let fresh = half.take(seq, size, counts);
        self.with_holes += usize::from(half.has_holes() && !had_holes);
        fresh
    }

    /// The peer of a half-stream has everything before this. One more than was sent is its FIN, or a probe.
    #[inline]
    pub(super) fn note_acknowledged(&mut self, id: Id, segment: &Segment<'_>, counts: &mut Counts) {
        let half = &mut self.halves[id];
        let ahead = ahead(segment.ack, half.end);
        if 1 < ahead && ahead <= MOST_ACKED && segment.flags & (ACK | RST) == ACK {
            let had_holes = half.has_holes();
            half.skip(ahead as u32, counts);
            self.with_holes += usize::from(half.has_holes() && !had_holes);
        }
    }

    /// Where the bytes of a half-stream count from, whose first payload this is. `origin` is where its SYN said, and how
    /// many bytes from there on are counted as unseen already.
    pub(super) fn note_first(half: &mut HalfStream, origin: Option<(u32, u32)>, segment: &Segment<'_>) {
        half.end = first_byte(segment);
        if let Some((origin, missed)) = origin.filter(|&(origin, _)| (0..=FARTHEST).contains(&ahead(half.end, origin)))
        {
            let end = origin.wrapping_add(missed);
            half.end = end;
            if missed > 0 {
                half.holes().ranges.push((origin, end));
            }
        }
    }
}

impl HalfStream {
    /// Whether anything was ever out of order.
    #[inline]
    pub(super) fn has_holes(&self) -> bool {
        self.seldom.as_ref().is_some_and(|seldom| seldom.holes.is_some())
    }

    /// A SYN announced this as the first byte; the copy of an earlier one changes nothing.
    pub(super) fn begin_again(&mut self, seq: u32) {
        if !(-FARTHEST..=0).contains(&ahead(seq, self.end)) {
            self.begin(seq);
        }
    }

    fn holes(&mut self) -> &mut Holes {
        self.seldom.get_or_insert_default().holes.get_or_insert_default()
    }

    /// So many bytes from this sequence number on were sent: seen, or cut off by the snap length. How many are new.
    ///
    /// A size of 0 says that the next byte would be that one (a FIN).
    fn take(&mut self, seq: u32, size: u32, counts: &mut Counts) -> u64 {
        let mut before = ahead(seq, self.end);
        if before.abs() > FARTHEST {
            if !self.follows(seq, counts) {
                self.holes().far = Some((seq, seq.wrapping_add(size)));
                return u64::from(size);
            }
            before = ahead(seq, self.end);
        }
        if before > 0 {
            self.skip(before as u32, counts);
            before = 0;
        }
        let again = size.min(-before as u32);
        let late = if again > 0 && self.has_holes() { self.fill(seq, again, counts) } else { 0 };
        let more = size - again;
        self.end = self.end.wrapping_add(more);
        counts[Count::SentBytes] += u64::from(more);
        late + u64::from(more)
    }

    /// What follows stands here, and says nothing of what stood before.
    fn begin(&mut self, seq: u32) {
        self.end = seq;
        if self.has_holes() {
            *self.holes() = Holes::default();
        }
    }

    /// Whether two segments in a row are far away, and near to each other: then what lies between was lost.
    fn follows(&mut self, seq: u32, counts: &mut Counts) -> bool {
        let far = self.seldom.as_mut().and_then(|seldom| seldom.holes.as_mut()).and_then(|holes| {
            let is_near = |&mut (_, stop): &mut (u32, u32)| ahead(seq, stop).abs() <= FARTHEST;
            holes.far.take_if(is_near)
        });
        let Some((start, stop)) = far else { return false };
        let lost = ahead(start, self.end);
        if 0 < lost && lost <= MOST_LOST {
            self.skip(lost as u32, counts);
        } else {
            self.begin(start);
        }
        counts[Count::SentBytes] += u64::from(stop.wrapping_sub(start));
        self.end = stop;
        true
    }

    /// The next bytes were not seen.
    fn skip(&mut self, size: u32, counts: &mut Counts) {
        counts[Count::SentBytes] += u64::from(size);
        counts[Count::UnseenBytes] += u64::from(size);
        let (start, stop) = (self.end, self.end.wrapping_add(size));
        self.end = stop;
        let ranges = &mut self.holes().ranges;
        match ranges.last_mut() {
            Some(last) if last.1 == start => last.1 = stop,
            _ => remember(ranges, start, stop),
        }
    }

    /// These bytes came: what of them was missing is late.
    fn fill(&mut self, seq: u32, size: u32, counts: &mut Counts) -> u64 {
        let behind_last = seq.wrapping_add(size);
        let mut late = 0;
        let ranges = &mut self.holes().ranges;
        for (start, stop) in std::mem::take(ranges) {
            let length = ahead(stop, start);
            let before = ahead(seq, start).clamp(0, length); // of the hole, what stands in front of them
            let behind = ahead(stop, behind_last).clamp(0, length);
            if before + behind >= length {
                remember(ranges, start, stop);
                continue;
            }
            late += (length - before - behind) as u64;
            if before > 0 {
                remember(ranges, start, start.wrapping_add(before as u32));
            }
            if behind > 0 {
                remember(ranges, stop.wrapping_sub(behind as u32), stop);
            }
        }
        counts[Count::LateBytes] += late;
        late
    }
}

fn remember(ranges: &mut Vec<(u32, u32)>, start: u32, stop: u32) {
    if ranges.len() == MOST_HOLES {
        ranges.remove(0);
    }
    ranges.push((start, stop));
}

/// The end of a half-stream of which nothing was seen tells how many bytes it had: they are unseen.
pub(super) fn missed(seq: u32, origin: u32, counts: &mut Counts) -> u32 {
    let ahead = ahead(seq, origin);
    if !(1..=FARTHEST).contains(&ahead) {
        return 0;
    }
    counts[Count::SentBytes] += ahead as u64;
    counts[Count::UnseenBytes] += ahead as u64;
    ahead as u32
}

/// How far one sequence number lies ahead of another one; below 0 when it lies behind.
#[inline]
fn ahead(seq: u32, other: u32) -> i64 {
    i64::from(seq.wrapping_sub(other).cast_signed())
}
