//! A segment that outlives its frame: one that is out of the window, until something bears it out.

use crate::records::{Flow, Layer, Oddities, Segment};

/// A segment that outlives its frame.
#[derive(Debug)]
pub(super) struct Far {
    time_ns: i64,
    seq: u32,
    ack: u32,
    flags: u16,
    octets: Box<[u8]>,
    header: usize,
    missing: u32,
    urgent: u16,
    verifiable: bool,
    oddities: Oddities,
}

impl Far {
    pub(super) fn of(segment: &Segment<'_>) -> Far {
        let &Segment { time_ns, seq, ack, flags, octets, payload, missing, urgent, verifiable, oddities, .. } = segment;
        let header = octets.len() - payload.len();
        Far { time_ns, seq, ack, flags, octets: octets.into(), header, missing, urgent, verifiable, oddities }
    }

    /// Behind its last byte.
    pub(super) fn end(&self) -> u32 {
        self.seq.wrapping_add((self.octets.len() - self.header) as u32)
    }

    pub(super) fn segment<'a>(&'a self, flow: Flow, path: &'a [Layer]) -> Segment<'a> {
        let &Far { time_ns, seq, ack, flags, ref octets, header, missing, urgent, verifiable, oddities } = self;
        let payload = octets.get(header..).unwrap_or_default();
        Segment { time_ns, flow, path, seq, ack, flags, octets, payload, missing, urgent, verifiable, oddities }
    }
}
