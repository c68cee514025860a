//! What several unit tests need.

use crate::records::{Certainty, Flow, HeadText, Oddities, RequestHead, Section};

/// The head of a request that nothing is odd about, with this text.
pub fn head_of(text: HeadText) -> RequestHead {
    RequestHead {
        time_ns: 0,
        flow: Flow { src: [0; 16], dst: [0; 16], sport: 1, dport: 80, v6: false, path_hash: 0 },
        path: Vec::new(),
        text,
        oddities: Oddities::default(),
        certainty: Certainty::Confirmed,
        section: Section::Head,
        readings: Vec::new(),
    }
}

/// Numbers that look random and are the same in every run (Vigna's SplitMix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// From 0 to `bound` - 1.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ mixed >> 31) % bound as u64) as usize
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// At most `most` octets.
    pub fn octets(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.below(256) as u8).collect()
    }
}

/// The octets that pairs of hexadecimal digits write.
pub fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}
