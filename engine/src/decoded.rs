//! What was decoded of one chunk of a capture, until it is read on: then the memory of its connections can be asked for
//! before it is needed, or another thread can do it.

use std::ops::Range;

use crate::counts::Counts;
use crate::records::{Flow, Fragment, Layer, Segment};
use crate::stream::Streams;
use crate::worker::{Fate, Origin, Route};

/// A segment without what it borrows.
#[derive(Debug)]
struct Kept {
    segment: Segment<'static>,
    /// In the chunk or, when it was put together, in `Decoded::copied`.
    from_copy: bool,
    octets: Range<usize>,
    header: usize,
    path: Range<u32>,
}

/// The segments of one chunk, in order.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    kept: Vec<Kept>,
    copied: Vec<u8>,
    paths: Vec<Layer>,
}

impl Route for Decoded {
    #[inline]
    fn segment(&mut self, found: &Segment<'_>, from: Origin<'_>, _: &Streams, _: &mut Counts) -> Fate {
        let (mut begin, size) = (found.octets.as_ptr().addr(), found.octets.len());
        let from_copy = matches!(from, Origin::Datagram(_));
        if from_copy {
            begin = self.copied.len();
            self.copied.extend_from_slice(found.octets);
        }
        let paths = self.paths.len() as u32;
        self.paths.extend_from_slice(found.path);
        self.kept.push(Kept {
            segment: Segment { path: &[], octets: &[], payload: &[], ..*found },
            from_copy,
            octets: begin..begin + size,
            header: size - found.payload.len(),
            path: paths..self.paths.len() as u32,
        });
        Fate::Nowhere
    }

    #[inline]
    fn fragment(&mut self, _: &Fragment<'_>, _: Origin<'_>) -> Fate {
        Fate::Here
    }
}

impl Decoded {
    /// Places become those in the chunk: until here they are addresses, for it was being read.
    pub fn settle(&mut self, chunk: &[u8]) {
        let begin = chunk.as_ptr().addr();
        for kept in self.kept.iter_mut().filter(|kept| !kept.from_copy) {
            kept.octets = kept.octets.start.wrapping_sub(begin)..kept.octets.end.wrapping_sub(begin);
        }
    }

    /// How many segments there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// One of them, of this chunk.
    #[inline]
    pub fn nth<'a>(&'a self, at: usize, chunk: &'a [u8]) -> Option<Segment<'a>> {
        let kept = self.kept.get(at)?;
        let memory = if kept.from_copy { &self.copied } else { chunk };
        let octets = memory.get(kept.octets.clone()).unwrap_or_default();
        let path = self.paths.get(kept.path.start as usize..kept.path.end as usize).unwrap_or_default();
        Some(Segment { octets, payload: octets.get(kept.header..).unwrap_or_default(), path, ..kept.segment })
    }

    /// Whose one of them is.
    #[inline]
    pub fn flow(&self, at: usize) -> Option<&Flow> {
        self.kept.get(at).map(|kept| &kept.segment.flow)
    }

    /// Nothing is left, but room for more.
    pub fn clear(&mut self) {
        self.kept.clear();
        self.copied.clear();
        self.paths.clear();
    }
}
