//! Sixty-four octets at once, or fewer: a question to all of them, a bit of answer from each.

use std::array;
use std::ops::BitOr;

use wide::{CmpEq, CmpGt, i8x16};

const LANES: usize = 16;

/// So many times sixteen octets, four at the most.
#[derive(Clone, Copy, Debug)]
pub struct Octets<const TIMES: usize>([i8x16; TIMES]);

/// Sixty-four octets.
pub type Block = Octets<4>;

impl<const TIMES: usize> Octets<TIMES> {
    /// Octets.
    pub const SIZE: usize = TIMES * LANES;

    /// The first octets of these; `beyond` stands where there are none.
    #[inline]
    pub fn of(octets: &[u8], beyond: u8) -> Octets<TIMES> {
        match octets.as_chunks().0.first_chunk() {
            Some(whole) => Octets::whole(whole),
            None => {
                let mut block = [[beyond; LANES]; TIMES];
                block.as_flattened_mut()[..octets.len()].copy_from_slice(octets);
                Octets::whole(&block)
            }
        }
    }

    #[inline]
    fn whole(lanes: &[[u8; LANES]; TIMES]) -> Octets<TIMES> {
        Octets(array::from_fn(|lane| i8x16::new(lanes[lane].map(u8::cast_signed))))
    }

    /// Which are this octet.
    #[inline]
    pub fn are(self, octet: u8) -> Answer<TIMES> {
        let wanted = i8x16::splat(octet.cast_signed());
        Answer(self.0.map(|lane| lane.cmp_eq(wanted)))
    }

    /// Which lie between these two, which are less than 128 apart, or are one of them.
    #[inline]
    pub fn within(self, first: u8, last: u8) -> Answer<TIMES> {
        Answer(self.0.map(|lane| is_within(lane, first, last)))
    }

    /// Which are letters of ASCII.
    #[inline]
    pub fn letters(self) -> Answer<TIMES> {
        self.letters_to(b'z')
    }

    /// Which are digits to the base of sixteen.
    #[inline]
    pub fn hex_digits(self) -> Answer<TIMES> {
        self.within(b'0', b'9') | self.letters_to(b'f')
    }

    #[inline]
    fn letters_to(self, last: u8) -> Answer<TIMES> {
        let small = i8x16::splat(0x20);
        Answer(self.0.map(|lane| is_within(lane | small, b'a', last)))
    }
}

/// Sixteen octets that may begin with the name of a field.
#[derive(Clone, Copy, Debug)]
pub struct Name(i8x16);

impl Name {
    /// Octets.
    pub const SIZE: usize = LANES;

    /// These.
    #[inline]
    pub fn of(octets: &[u8; LANES]) -> Name {
        Name(i8x16::new(octets.map(u8::cast_signed)))
    }

    /// How many octets there are of letters, digits and dashes: what most names are made of, all of it tokens.
    #[inline]
    pub fn length(self) -> usize {
        let letters = is_within(self.0 | i8x16::splat(0x20), b'a', b'z');
        let dashes = self.0.cmp_eq(i8x16::splat(b'-'.cast_signed()));
        let usual = letters | dashes | is_within(self.0, b'0', b'9');
        usual.move_mask().trailing_ones() as usize
    }

    /// All sixteen in lower case.
    #[inline]
    pub fn lower(self) -> [u8; LANES] {
        let capitals = is_within(self.0, b'A', b'Z');
        (self.0 | (capitals & i8x16::splat(0x20))).to_array().map(i8::cast_unsigned)
    }
}

/// What each octet answers.
#[derive(Clone, Copy, Debug)]
pub struct Answer<const TIMES: usize>([i8x16; TIMES]);

impl<const TIMES: usize> Answer<TIMES> {
    /// Bit n: octet n says yes.
    #[inline]
    pub fn bits(self) -> u64 {
        let bits = self.0.map(|lane| u64::from(lane.move_mask().cast_unsigned()));
        bits.into_iter().rev().fold(0, |all, bits| all << LANES | bits)
    }

    /// The same, where seldom one does.
    #[inline]
    pub fn bits_if_any(self) -> u64 {
        let any = self.0.into_iter().fold(i8x16::splat(0), |any, lane| any | lane);
        if any.move_mask() == 0 { 0 } else { self.bits() }
    }
}

impl<const TIMES: usize> BitOr for Answer<TIMES> {
    type Output = Answer<TIMES>;

    #[inline]
    fn bitor(self, other: Answer<TIMES>) -> Answer<TIMES> {
        Answer(array::from_fn(|lane| self.0[lane] | other.0[lane]))
    }
}

/// There is but one comparison, and it has signs: what is not within lands at or below zero's mirror image.
#[inline]
fn is_within(lane: i8x16, first: u8, last: u8) -> i8x16 {
    let shift = i8x16::splat(i8::MAX.wrapping_sub(last.cast_signed()));
    (lane + shift).cmp_gt(i8x16::splat((i8::MAX - (last - first).cast_signed()).wrapping_sub(1)))
}

/// Bit n: so many bits are set from bit n of `here` on, and on in `behind`; of more than 64, the first 64.
#[inline(always)] // most callers know the length when this is compiled
#[expect(clippy::inline_always)]
pub fn run_starts(here: u64, behind: u64, length: usize) -> u64 {
    let (length, mut tested, mut starts) = (length.clamp(1, Block::SIZE), 1, here);
    while tested < length && starts != 0 {
        let step = tested.min(length - tested);
        starts &= starts >> step;
        tested += step;
    }
    // the last run of this block may go on in the next one
    let open = here.leading_ones() as usize;
    let whole = open + behind.trailing_ones() as usize;
    if open > 0 && whole >= length {
        let count = open.min(whole - length + 1);
        starts |= u64::MAX >> (Block::SIZE - count) << (Block::SIZE - open);
    }
    starts
}

/// The bits that are set, lowest first.
pub fn each(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        if bits == 0 {
            return None;
        }
        let lowest = bits.trailing_zeros() as usize;
        bits &= bits - 1;
        Some(lowest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_answers_for_itself() {
        for shift in 0..=u8::MAX {
            let octets: Vec<u8> = (0..Block::SIZE as u8).map(|at| at.wrapping_mul(37).wrapping_add(shift)).collect();
            for size in [0, 1, 15, 63, 64] {
                let block = Block::of(&octets[..size], b'/');
                let octet = |at: usize| if at < size { octets[at] } else { b'/' };
                let bits = |is: &dyn Fn(u8) -> bool| {
                    (0..Block::SIZE).fold(0, |bits, at| bits | u64::from(is(octet(at))) << at)
                };
                assert_eq!(block.are(b'/').bits(), bits(&|octet| octet == b'/'));
                assert_eq!(block.letters().bits(), bits(&|octet| octet.is_ascii_alphabetic()));
                assert_eq!(block.hex_digits().bits(), bits(&|octet| octet.is_ascii_hexdigit()));
                let half = Octets::<2>::of(&octets[..size], b'/');
                assert_eq!(half.letters().bits(), block.letters().bits() & u64::from(u32::MAX));
                let both = block.are(b'/') | block.within(b'%', b'*');
                assert_eq!(both.bits(), bits(&|octet| octet == b'/' || (b'%'..=b'*').contains(&octet)));
                for (first, last) in [(b'0', b'9'), (0, 0), (0, 31), (0x7F, 0x7F), (0x70, 0x90), (0xF0, 0xFF)] {
                    assert_eq!(block.within(first, last).bits(), bits(&|octet| (first..=last).contains(&octet)));
                }
            }
        }
    }

    #[test]
    fn a_name_ends_where_another_octet_stands() {
        for (octets, length) in [
            (b"Content-Length: ", 14),
            (b"X-42:\r\nA: b\r\n...", 4),
            (b"\xC3\xA4: bcdefghijklm", 0),
            (b"@[`{a-Zz09-09-09", 0),
            (b"If-Modified-Sinc", 16),
            (b"x_y: abcdefghijk", 1),
        ] {
            let name = Name::of(octets);
            assert_eq!((name.length(), name.lower()), (length, octets.to_ascii_lowercase()[..].try_into().unwrap()));
        }
    }

    #[test]
    fn a_run_starts_where_all_that_follow_are_set() {
        for (here, length, starts) in [(0b1011_1010, 3, 0b1000), (0b1011_1010, 1, 0b1011_1010), (0, 5, 0)] {
            assert_eq!(run_starts(here, 0, length), starts);
        }
        assert_eq!(run_starts(u64::MAX << 3, 0b11_1111, 64), 0b111_1000);
        assert_eq!(run_starts(u64::MAX << 3, 0b11_1111, 90), 0b111_1000);
        assert_eq!(run_starts(1 << 63, 0b1011, 3), 1 << 63);
        assert_eq!(run_starts(1 << 63, 0b1011, 4), 0);
        assert_eq!(run_starts(1 << 63 | 1, u64::MAX, 0), 1 << 63 | 1);
        assert_eq!(each(0b1001_0010).collect::<Vec<_>>(), [1, 4, 7]);
    }
}
