//! What is let go when a worker does not keep up with its port, and how much of it.
//!
//! Responses, what is no HTTP, and bodies are never more than looked at; half-streams that were idle longest make room for
//! new ones at their bound. What is left to save time on is connections: while much of the ring waits, only a share of the
//! *new* ones is admitted, chosen by a keyed hash of both ends, so that a connection is read whole or not at all. What is
//! kept already is read on, whatever happens. The share is published (`not_admitted_permille`), and each segment of a connection
//! that was not admitted is counted as `shed{new_flows}`.

/// Below so many eighths of the ring that wait, everybody is admitted.
const EASY: usize = 4;
/// The whole of the hash.
const ALL: u64 = 1 << 32;

/// How much of the ring waits, and who is admitted meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Pressure {
    /// Of 2^32.
    admitted: u64,
}

impl Default for Pressure {
    fn default() -> Pressure {
        Pressure { admitted: ALL }
    }
}

impl Pressure {
    /// Looks at the ring again, once a block: a quarter as many with every eighth beyond the half, and twice as many again
    /// when it has emptied to a quarter.
    pub fn note(&mut self, eighths_full: usize) {
        let most = ALL >> (2 * (eighths_full.max(EASY) - EASY));
        if most < self.admitted {
            self.admitted = most;
        } else if eighths_full <= EASY / 2 {
            self.admitted = (self.admitted * 2).min(ALL);
        }
    }

    /// Whether everybody is admitted.
    #[inline]
    pub fn is_easy(self) -> bool {
        self.admitted == ALL
    }

    /// Whether a new connection with this hash is.
    #[inline]
    pub fn admits(self, mark: u64) -> bool {
        mark >> 32 < self.admitted
    }

    /// Of a thousand new connections, how many are not admitted.
    pub fn refused_permille(self) -> u64 {
        1000 - ((self.admitted * 1000) >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_ring_is_no_reason() {
        let mut pressure = Pressure::default();
        (0..=4).for_each(|eighths| pressure.note(eighths));
        assert!(pressure.is_easy() && pressure.admits(u64::MAX));
    }

    #[test]
    fn the_fuller_the_fewer_and_slowly_back() {
        let mut pressure = Pressure::default();
        let shares: Vec<_> = (4..8)
            .map(|eighths| {
                pressure.note(eighths);
                pressure.refused_permille()
            })
            .collect();
        assert_eq!(shares, [0, 750, 938, 985]);
        pressure.note(3);
        assert_eq!(pressure.refused_permille(), 985, "not before most of it is empty");
        pressure.note(2);
        assert_eq!(pressure.refused_permille(), 969);
        (0..5).for_each(|_| pressure.note(0));
        assert!(pressure.is_easy());
    }

    #[test]
    fn who_is_admitted_at_a_small_share_is_at_a_larger_one() {
        let (mut few, mut many) = (Pressure::default(), Pressure::default());
        few.note(7);
        many.note(5);
        let marks = || (0..1000u64).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let admitted = |pressure: Pressure| marks().filter(|&mark| pressure.admits(mark)).collect::<Vec<_>>();
        let (few, many) = (admitted(few), admitted(many));
        assert!(few.iter().all(|mark| many.contains(mark)));
        assert!((5..30).contains(&few.len()) && (200..300).contains(&many.len()));
    }
}
