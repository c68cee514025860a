//! Tables by mark.

use std::hash::Hasher;

/// Marks are keyed hashes already.
#[derive(Debug, Default)]
pub struct Itself(u64);

impl Hasher for Itself {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, mark: u64) {
        self.0 = mark;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
