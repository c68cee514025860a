//! Segments that a receiver may not have taken: put aside until something says whether it did.
//!
//! A doubtful segment counts only if nothing contradicts it: it is acknowledged where acknowledgements are visible, and
//! no sound segment says otherwise about the same bytes.

use crate::counts::{Count, Counts};
use crate::records::Oddity;

/// Why a receiver may not have taken a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// RFC 9293 section 3.1.
    BadChecksum,
    /// RFC 7413: only a server that knows the client takes it.
    SynData,
    /// No ACK flag, or one for what was never sent: RFC 9293 section 3.10.7.4 drops it.
    NoAck,
    /// One octet that begins no request: a window or keep-alive probe (section 3.8.6.1).
    Probe,
}

impl Doubt {
    /// What counts it when it is not believed.
    pub fn rejected(self) -> Count {
        if self == Doubt::BadChecksum { Count::RejectedBadChecksum } else { Count::RejectedNotAccepted }
    }

    /// What the audit calls it then.
    pub fn reason(self) -> &'static str {
        if self == Doubt::BadChecksum { "bad_checksum" } else { "not_accepted" }
    }

    /// What is odd about a head that is made of such a segment all the same.
    pub fn oddity(self) -> Option<Oddity> {
        match self {
            Doubt::BadChecksum => Some(Oddity::BadChecksum),
            Doubt::SynData => Some(Oddity::SynData),
            Doubt::NoAck | Doubt::Probe => None,
        }
    }

    /// Whether it is not believed where the peer's acknowledgements are visible and leave it out.
    pub fn needs_acknowledgement(self) -> bool {
        self.oddity().is_some()
    }
}

/// A segment put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubtful {
    /// Of its first byte.
    pub position: i64,
    /// Its payload.
    pub octets: Box<[u8]>,
    /// Bytes behind `octets` that the snap length cut.
    pub missing: u32,
    /// Capture time.
    pub time_ns: i64,
    /// Why.
    pub doubt: Doubt,
    /// When it was put aside.
    pub since_ns: i64,
}

impl Doubtful {
    /// Position behind its last byte.
    pub fn stop(&self) -> i64 {
        self.position + self.octets.len() as i64
    }
}

/// Those of one half-stream, the oldest first.
#[derive(Debug, Default)]
pub struct Doubts {
    aside: Vec<Doubtful>,
}

impl Doubts {
    /// Bytes of all of them.
    #[inline]
    pub fn held(&self) -> usize {
        self.aside.iter().map(|each| each.octets.len()).sum()
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.aside.len()
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.aside.is_empty()
    }

    /// When the oldest was put aside.
    #[inline]
    pub fn since_ns(&self) -> Option<i64> {
        self.aside.first().map(|oldest| oldest.since_ns)
    }

    /// Puts one aside.
    pub fn add(&mut self, new: Doubtful, counts: &mut Counts) {
        if self.aside.iter().any(|each| new.position == each.position && new.octets == each.octets) {
            counts[Count::Duplicates] += 1;
            if let Some(tracer) = &mut counts.tracer {
                tracer.fate_at(new.position, "duplicate");
            }
        } else {
            self.aside.push(new);
        }
    }

    /// Those of which this is true, in the order of their bytes.
    pub fn take(&mut self, is_wanted: impl Fn(&Doubtful) -> bool) -> Vec<Doubtful> {
        let mut taken: Vec<_> = self.aside.extract_if(.., |each| is_wanted(each)).collect();
        taken.sort_unstable_by(|one, other| (one.position, &one.octets).cmp(&(other.position, &other.octets)));
        taken
    }

    /// A sound segment says what was sent: one that agrees is a duplicate, one that does not is rejected.
    pub fn contradict(&mut self, position: i64, octets: &[u8], reading: u32, counts: &mut Counts) {
        let stop = position + octets.len() as i64;
        self.aside.retain(|each| {
            let (begin, end) = (position.max(each.position), stop.min(each.stop()));
            if begin >= end {
                return true;
            }
            let said = &octets[(begin - position) as usize..(end - position) as usize];
            let agrees = said == &each.octets[(begin - each.position) as usize..(end - each.position) as usize];
            let (count, what) = match agrees {
                false => (each.doubt.rejected(), each.doubt.reason()),
                true if said.len() == each.octets.len() => (Count::Duplicates, "duplicate"),
                true => return true,
            };
            counts[count] += 1;
            if let Some(tracer) = &mut counts.tracer {
                tracer.stretch(reading, each.position, each.stop(), what);
            }
            false
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubtful(position: i64, octets: &[u8], since_ns: i64) -> Doubtful {
        Doubtful { position, octets: octets.into(), missing: 0, time_ns: 0, doubt: Doubt::BadChecksum, since_ns }
    }

    fn positions(doubtful: &[Doubtful]) -> Vec<i64> {
        doubtful.iter().map(|each| each.position).collect()
    }

    #[test]
    fn what_is_taken_comes_in_the_order_of_its_bytes() {
        let mut counts = Counts::default();
        let mut doubts = Doubts::default();
        for (since_ns, position) in [(1, 30), (2, 10), (3, 20)] {
            doubts.add(doubtful(position, b"abcde", since_ns), &mut counts);
        }
        assert_eq!((doubts.held(), doubts.since_ns()), (15, Some(1)));
        assert_eq!(positions(&doubts.take(|each| each.stop() <= 25)), [10, 20]);
        assert_eq!((doubts.held(), doubts.since_ns()), (5, Some(1)));
        assert!(doubts.take(|each| each.since_ns < 1).is_empty());
        assert_eq!(positions(&doubts.take(|_| true)), [30]);
        assert!(doubts.is_empty());
    }

    #[test]
    fn the_same_twice_is_a_duplicate() {
        let mut counts = Counts::default();
        let mut doubts = Doubts::default();
        doubts.add(doubtful(10, b"abc", 0), &mut counts);
        doubts.add(doubtful(10, b"abc", 1), &mut counts);
        doubts.add(doubtful(10, b"abd", 2), &mut counts);
        assert_eq!((doubts.len(), counts[Count::Duplicates]), (2, 1));
    }

    #[test]
    fn a_sound_segment_decides_what_it_covers() {
        let mut counts = Counts::default();
        let mut doubts = Doubts::default();
        for (position, octets) in [(0, b"abcd"), (2, b"cdef"), (4, b"efgh"), (4, b"xfgh"), (8, b"ijkl")] {
            doubts.add(doubtful(position, octets, 0), &mut counts);
        }
        doubts.contradict(0, b"abcde", 0, &mut counts);
        assert_eq!(positions(&doubts.aside), [2, 4, 8]);
        assert_eq!((counts[Count::Duplicates], counts[Count::RejectedBadChecksum]), (1, 1));
    }
}
