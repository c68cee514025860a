//! What was decoded of one chunk of a capture, until it is read on: then the memory of its connections can be asked for
//! before it is needed, or another thread can do it.

use crate::counts::Counts;
use crate::records::{Flow, Layer, Oddities, Segment};
use crate::stream::Streams;
use crate::worker::{Fate, Origin, Route};

/// A segment without what it borrows, in as few octets as hold it: each is written and read once for every segment.
#[derive(Debug)]
struct Kept {
    time_ns: i64,
    flow: Flow,
    oddities: Oddities,
    seq: u32,
    ack: u32,
    missing: u32,
    /// Where its octets are: the lower half of the address, in the chunk; or, when it was put together, the place in
    /// `Decoded::copied`.
    at: u32,
    size: u32,
    /// In `Decoded::paths`, and how many layers.
    path: u32,
    layers: u32,
    flags: u16,
    urgent: u16,
    header: u8,
    from_copy: bool,
    verifiable: bool,
}

/// The segments of one chunk, in order.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    kept: Vec<Kept>,
    copied: Vec<u8>,
    paths: Vec<Layer>,
    /// The lower half of the address of the chunk, when it was read.
    base: u32,
}

impl Route for Decoded {
    #[inline]
    fn segment(&mut self, found: &Segment<'_>, from: Origin, _: &Streams, _: &mut Counts) -> Fate {
        self.keep(found, from == Origin::Datagram);
        Fate::Elsewhere
    }
}

impl Decoded {
    /// One more, with a copy of its octets.
    #[inline]
    pub fn copy(&mut self, found: &Segment<'_>) {
        self.keep(found, true);
    }

    #[inline]
    fn keep(&mut self, found: &Segment<'_>, from_copy: bool) {
        let at = if from_copy { self.copied.len() } else { found.octets.as_ptr().addr() } as u32;
        if from_copy {
            self.copied.extend_from_slice(found.octets);
        }
        let path = self.paths.len() as u32;
        self.paths.extend_from_slice(found.path);
        self.kept.push(Kept {
            time_ns: found.time_ns,
            flow: found.flow,
            oddities: found.oddities,
            seq: found.seq,
            ack: found.ack,
            missing: found.missing,
            at,
            size: found.octets.len() as u32,
            path,
            layers: found.path.len() as u32,
            flags: found.flags,
            urgent: found.urgent,
            header: (found.octets.len() - found.payload.len()) as u8,
            from_copy,
            verifiable: found.verifiable,
        });
    }

    /// This chunk was read: from here on it may lie elsewhere.
    pub fn settle(&mut self, chunk: &[u8]) {
        self.base = chunk.as_ptr().addr() as u32;
    }

    /// How many segments there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// One of them, of this chunk.
    #[inline]
    pub fn nth<'a>(&'a self, number: usize, chunk: &'a [u8]) -> Option<Segment<'a>> {
        let kept = self.kept.get(number)?;
        let (memory, at) =
            if kept.from_copy { (self.copied.as_slice(), kept.at) } else { (chunk, kept.at.wrapping_sub(self.base)) };
        let octets = memory.get(at as usize..).and_then(|rest| rest.get(..kept.size as usize)).unwrap_or_default();
        let layers = self.paths.get(kept.path as usize..).and_then(|rest| rest.get(..kept.layers as usize));
        Some(Segment {
            time_ns: kept.time_ns,
            flow: kept.flow,
            path: layers.unwrap_or_default(),
            seq: kept.seq,
            ack: kept.ack,
            flags: kept.flags,
            octets,
            payload: octets.get(usize::from(kept.header)..).unwrap_or_default(),
            missing: kept.missing,
            urgent: kept.urgent,
            verifiable: kept.verifiable,
            oddities: kept.oddities,
        })
    }

    /// Whose one of them is.
    #[inline]
    pub fn flow(&self, number: usize) -> Option<&Flow> {
        self.kept.get(number).map(|kept| &kept.flow)
    }

    /// Nothing is left, but room for more.
    pub fn clear(&mut self) {
        self.kept.clear();
        self.copied.clear();
        self.paths.clear();
    }
}
