//! Which new connections are kept while memory is full of heads that have only begun: a share, by a keyed hash.
//!
//! Whoever floods a sensor with beginnings cannot make it tear those of others: what is kept is read on, and of what is new
//! a share is kept that halves with every so many for which there was no room, and comes back as memory does. A connection
//! is kept whole or not at all: the hash is that of both ends, so it says the same of each segment and of both directions.

use sha2::{Digest, Sha256};

use crate::records::Flow;

/// New connections without room that halve the share.
const STRAIN: u32 = 64;

/// Then one in 64 is kept.
const MOST_HALVINGS: u32 = 6;

/// Whoever was silent for longer makes room for others all the same.
pub(super) const LIVELY_NS: i64 = 10_000_000_000;

/// The share of new connections that is kept.
#[derive(Debug)]
pub(super) struct Admission {
    key: [u8; 8],
    strain: u32,
}

impl Admission {
    /// Everybody is admitted.
    pub(super) fn new(key: u64) -> Admission {
        Admission { key: key.to_be_bytes(), strain: 0 }
    }

    /// Of a thousand new connections, how many are not kept.
    pub(super) fn refused_permille(&self) -> u64 {
        1000 - (1000 >> self.halvings())
    }

    /// Whether a new connection with these ends is kept.
    #[inline]
    pub(super) fn admits(&self, flow: &Flow) -> bool {
        self.strain == 0 || self.is_among_the_few(flow)
    }

    fn is_among_the_few(&self, flow: &Flow) -> bool {
        let (from, to) = ((flow.src, flow.sport), (flow.dst, flow.dport));
        let mut hasher = Sha256::new_with_prefix(self.key);
        for (address, port) in [from.min(to), from.max(to)] {
            hasher.update(address);
            hasher.update(port.to_be_bytes());
        }
        let [first, second, third, fourth, ..] = hasher.finalize()[..] else { return true };
        u64::from(u32::from_be_bytes([first, second, third, fourth])) < 1 << 32 >> self.halvings()
    }

    /// There was no room for a new one, but by tearing another.
    pub(super) fn refuse(&mut self) {
        self.strain = (self.strain + 1).min(STRAIN * MOST_HALVINGS);
    }

    /// There was room.
    pub(super) fn ease(&mut self) {
        self.strain = self.strain.saturating_sub(1);
    }

    /// A while has passed, and there is room.
    pub(super) fn relax(&mut self) {
        self.strain /= 2;
    }

    fn halvings(&self) -> u32 {
        self.strain.div_ceil(STRAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_engines_choose_the_same() {
        // the same ports stand in tests/test_admission.py
        let mut admission = Admission::new(7);
        (0..STRAIN * MOST_HALVINGS).for_each(|_| admission.refuse());
        let mut flow = Flow { src: [0; 16], dst: [0; 16], sport: 0, dport: 80, v6: false, path_hash: 0 };
        flow.src[..4].copy_from_slice(&[100, 64, 1, 2]);
        flow.dst[..4].copy_from_slice(&[203, 0, 113, 9]);
        let ports = (0..4096).filter(|&port| admission.admits(&Flow { sport: port, ..flow }));
        assert_eq!(ports.take(4).collect::<Vec<_>>(), [53, 128, 137, 258]);
        assert_eq!(admission.refused_permille(), 985);
    }
}
