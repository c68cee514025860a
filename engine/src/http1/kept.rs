//! The octets of a half-stream that its caller keeps, addressed by their positions.

use memchr::{memchr, memrchr};

use crate::block::{Block, each};

/// The octets from position `first` on; a position outside of them is that of their nearest end.
#[derive(Clone, Copy)]
pub(super) struct Kept<'a> {
    pub octets: &'a [u8],
    pub first: i64,
}

impl<'a> Kept<'a> {
    pub fn end(self) -> i64 {
        self.first + self.octets.len() as i64
    }

    #[inline]
    pub fn from(self, position: i64) -> &'a [u8] {
        self.octets.get(self.place(position)..).unwrap_or_default()
    }

    #[inline]
    pub fn between(self, start: i64, end: i64) -> &'a [u8] {
        self.octets.get(self.place(start)..self.place(end)).unwrap_or_default()
    }

    /// Position of the first line end from there on.
    #[inline]
    pub fn line_end(self, from: i64) -> Option<i64> {
        memchr(b'\n', self.from(from)).map(|length| from + length as i64)
    }

    /// Position behind the last line that is whole, of those that begin there or later.
    pub fn end_of_lines(self, from: i64) -> i64 {
        from + end_of_lines(self.from(from)) as i64
    }

    /// Position behind the first empty line from there on.
    #[inline]
    pub fn end_of_head(self, from: i64) -> Option<i64> {
        end_of_head(self.from(from)).map(|length| from + length as i64)
    }

    #[inline]
    fn place(self, position: i64) -> usize {
        usize::try_from(position - self.first).unwrap_or_default().min(self.octets.len())
    }
}

/// How long the lines are that are whole.
pub(super) fn end_of_lines(octets: &[u8]) -> usize {
    memrchr(b'\n', octets).map_or(0, |eol| eol + 1)
}

/// How long a head is that began before these octets: up to the end of the first empty line.
///
/// Sixty-four octets at a time: a head may have a line end in every second one.
#[inline]
fn end_of_head(octets: &[u8]) -> Option<usize> {
    for start in (0..octets.len()).step_by(Block::SIZE) {
        let block = Block::of(&octets[start..], b' ');
        let ends = block.are(b'\n').bits();
        if ends == 0 {
            continue;
        }
        // what stands behind the last one is in the next block
        let before_end = (ends | block.are(b'\r').bits()) >> 1 | 1 << (Block::SIZE - 1);
        for bit in each(ends & before_end) {
            let behind = start + bit + 1;
            if let Some(length) = empty_line(octets.get(behind..).unwrap_or_default()) {
                return Some(behind + length);
            }
        }
    }
    None
}

/// The length of an empty line that these octets begin with.
#[inline]
pub(super) fn empty_line(octets: &[u8]) -> Option<usize> {
    match octets {
        [b'\n', ..] => Some(1),
        [b'\r', b'\n', ..] => Some(2),
        _ => None,
    }
}
