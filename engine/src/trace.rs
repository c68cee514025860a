//! What became of every payload, written down while it happens: for the audit (monitor/audit.py), which knows nothing of
//! reassembly.
//!
//! The stages say it where bytes are taken, read, doubted or dropped; the words are those of `audit.FATES`. Nothing here
//! decides anything, and without an audit there is no tracer: it goes with the counts, which every stage has at hand.

use std::hash::BuildHasher;
use std::mem;

use foldhash::quality::RandomState;

use crate::records::{Flow, PlacedHead, RequestHead};

/// Steps that wait to be taken: beyond them no further payload is traced, so that memory has a bound where nobody takes
/// them.
const MOST_STEPS: usize = 1 << 22;
/// The same of a sample, which may leave some out: Python looks at so many in a twentieth of a second.
const MOST_OF_SAMPLE: usize = 1 << 13;
/// Octets of what a sample carries meanwhile.
const SAMPLE_BYTES: usize = 4 << 20;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The payload of a segment as it was decoded, or a frame that became none.
    Carried {
        /// Of the payload; 0: it never was one.
        number: u64,
        /// All of it.
        octets: Box<[u8]>,
        /// Why it became no segment.
        skipped: &'static str,
    },
    /// What became of a payload; of several, the latest is it.
    Fate {
        /// Of the payload.
        number: u64,
        /// `taken`, or a reason.
        what: &'static str,
        /// That took it: one client's half of one connection.
        reading: u32,
        /// Where it begins there.
        position: i64,
    },
    /// What became of the bytes [start, stop) of a reading.
    Stretch {
        /// Whose.
        reading: u32,
        /// Of the first byte.
        start: i64,
        /// Behind the last byte.
        stop: i64,
        /// `head`; `settled`: of what stands before `stop` nothing more will be said, unless it comes again; `end`, and
        /// then nothing of the reading at all; or a reason.
        what: &'static str,
        /// What they are.
        head: Option<Box<RequestHead>>,
    },
}

/// Writes down what becomes of one in so many half-streams (`Watch.audited`).
#[derive(Clone, Debug)]
pub struct Tracer {
    steps: Vec<Step>,
    /// Of the payloads in them.
    octets: usize,
    share: u64,
    payloads: u64,
    readings: u32,
    /// Number of the payload that is being fed; 0: it is not traced.
    now: u64,
    /// Where it stands.
    position: i64,
    /// The reading that reads on.
    speaking: u32,
    /// Why the latest frame became no segment.
    skipped: &'static str,
    /// Keyed per process: nobody outside can choose flows that are not traced.
    hasher: RandomState,
}

impl Tracer {
    /// `share`: one in so many half-streams is traced, at least one in one. `worker` sets its numbers apart.
    pub fn new(share: u64, worker: u32) -> Tracer {
        Tracer {
            steps: Vec::new(),
            octets: 0,
            share: share.max(1),
            payloads: u64::from(worker) << 48,
            readings: worker << 24,
            now: 0,
            position: 0,
            speaking: 0,
            skipped: "",
            hasher: RandomState::default(),
        }
    }

    fn is_traced(&self, flow: &Flow) -> bool {
        self.share == 1 || self.hasher.hash_one(flow).is_multiple_of(self.share)
    }

    /// Why this frame becomes no segment; which frame, `skipped` says.
    pub fn skip(&mut self, key: &'static str) {
        self.skipped = key.rsplit('.').next().unwrap_or(key);
    }

    /// A frame that became no segment.
    pub fn skipped(&mut self, octets: &[u8]) {
        self.dropped(octets, self.skipped);
    }

    /// A frame or a datagram's fragment that became no segment.
    pub fn dropped(&mut self, octets: &[u8], why: &'static str) {
        if self.share == 1 && !octets.is_empty() {
            self.steps.push(Step::Carried { number: 0, octets: octets.into(), skipped: why });
        }
    }

    fn has_room(&self) -> bool {
        if self.share == 1 {
            return self.steps.len() < MOST_STEPS;
        }
        self.steps.len() < MOST_OF_SAMPLE && self.octets < SAMPLE_BYTES
    }

    /// A segment comes.
    pub fn carried(&mut self, flow: &Flow, octets: &[u8]) {
        self.now = 0;
        if !octets.is_empty() && self.has_room() && self.is_traced(flow) {
            self.payloads += 1;
            self.octets += octets.len();
            self.now = self.payloads;
            self.steps.push(Step::Carried { number: self.now, octets: octets.into(), skipped: "" });
        }
    }

    /// A number for a new client; 0 when its half-stream is not traced.
    pub fn reading(&mut self, flow: &Flow) -> u32 {
        if !self.is_traced(flow) {
            return 0;
        }
        self.readings += 1;
        self.readings
    }

    /// This reading reads on.
    pub fn speaks(&mut self, reading: u32) {
        self.speaking = reading;
    }

    /// It passed these bytes, and they are in no head.
    pub fn passed(&mut self, start: i64, stop: i64, what: &'static str) {
        if start < stop {
            self.stretch(self.speaking, start, stop, what);
        }
    }

    /// Of the payload that is being fed.
    pub fn fate(&mut self, what: &'static str) {
        if self.now > 0 {
            self.steps.push(Step::Fate { number: self.now, what, reading: 0, position: 0 });
        }
    }

    /// The payload that is being fed has its place in a reading.
    pub fn taken(&mut self, reading: u32, position: i64) {
        self.position = position;
        if self.now > 0 {
            self.steps.push(Step::Fate { number: self.now, what: "taken", reading, position });
        }
    }

    /// Of the payload that has been taken, if it stands there: what stands elsewhere was put aside before.
    pub fn fate_at(&mut self, position: i64, what: &'static str) {
        if position == self.position {
            self.fate(what);
        }
    }

    /// Of bytes of a reading.
    pub fn stretch(&mut self, reading: u32, start: i64, stop: i64, what: &'static str) {
        if reading > 0 {
            self.steps.push(Step::Stretch { reading, start, stop, what, head: None });
        }
    }

    /// A head that is handed on.
    pub fn head(&mut self, reading: u32, placed: &PlacedHead) {
        if reading > 0 {
            let (start, stop, head) = (placed.start, placed.end, placed.head().cloned().map(Box::new));
            self.steps.push(Step::Stretch { reading, start, stop, what: "head", head });
        }
    }

    /// What was written since the last call.
    pub fn take(&mut self) -> Vec<Step> {
        self.octets = 0;
        mem::take(&mut self.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_that_nobody_takes_leaves_payloads_out() {
        let ends = Flow { src: [1; 16], dst: [2; 16], sport: 0, dport: 80, v6: false, path_hash: 0 };
        let mut flows = (0..999).map(|sport| Flow { sport, ..ends });
        let mut sample = Tracer::new(2, 0);
        let traced = flows.find(|flow| sample.is_traced(flow)).unwrap();
        (0..3 * MOST_OF_SAMPLE).for_each(|_| sample.carried(&traced, b"x"));
        assert_eq!(sample.take().len(), MOST_OF_SAMPLE);
        (0..9).for_each(|_| sample.carried(&traced, &[0; SAMPLE_BYTES / 2]));
        assert_eq!(sample.take().len(), 2);
        sample.carried(&traced, b"x");
        assert_eq!(sample.take().len(), 1, "there is room again");
    }
}
