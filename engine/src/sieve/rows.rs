//! Digits in a row that may be a number: as far as a number plan shows in the digits alone.

use std::ops::BitOrAssign;

use crate::records::{HeadText, Watch};

/// Whether an octet ends a row of digits.
pub(super) const fn ends_row(octet: u8) -> bool {
    let after_nine = matches!(octet, b':'..=b'@');
    octet.is_ascii_alphabetic() || after_nine || matches!(octet, b'"' | b'\'' | b'#' | b'&' | b'*' | b',' | b'|')
}

/// The same as a table.
static ENDS_ROW: [bool; 256] = {
    let mut ends = [false; 256];
    let mut octet = 0;
    while octet < 256 {
        ends[octet] = ends_row(octet as u8);
        octet += 1;
    }
    ends
};

/// Rows side by side in the bits of a word, a bit for each digit and one for whatever follows the last: one that is set says
/// that so many digits of its row stand before what follows.
#[derive(Debug)]
struct Word {
    /// The first digit of each row.
    begins: u64,
    /// The last, and what follows.
    unnamed_ends: u64,
    named_ends: u64,
    /// Where this digit may stand.
    of: [u64; 10],
    /// What two digits leave of the bits before them and add to them, by their number.
    pairs: Box<[Pair; 100]>,
    /// Bits in use.
    size: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    leaves: u64,
    adds: u64,
}

/// The rows of a Watch.
#[derive(Debug)]
pub(super) struct Rows {
    words: Vec<Word>,
    /// Digits of the shortest.
    pub fewest: usize,
}

/// Which rows stand in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub unnamed: bool,
    pub named: bool,
}

/// Words that octets are held against at a time: what most networks have.
const TOGETHER: usize = 2;
/// There is a bit for each in a word, and one more.
const MOST_DIGITS: usize = u64::BITS as usize - 1;
/// Octets that are looked at together.
const EIGHT: usize = size_of::<u64>();

impl Rows {
    pub fn new(watch: &Watch) -> Rows {
        let named = watch.named_rows.iter().map(|row| (row, true));
        let rows = || watch.rows.iter().map(|row| (row, false)).chain(named.clone());
        let mut words: Vec<Word> = Vec::new();
        for ((begin, more), is_named) in rows() {
            let digits = (begin.len() + more).min(MOST_DIGITS);
            if words.last().is_none_or(|word| word.size + digits > MOST_DIGITS) {
                words.push(Word::default());
            }
            if let Some(word) = words.last_mut().filter(|_| digits > 0) {
                word.add(begin, digits, is_named);
            }
        }
        words.resize_with(words.len().next_multiple_of(TOGETHER), Word::default);
        words.iter_mut().for_each(Word::pair);
        let fewest = rows().map(|((begin, more), _)| begin.len() + more).min().unwrap_or(usize::MAX);
        Rows { words, fewest }
    }

    /// Which rows stand in these octets.
    #[inline]
    pub fn find(&self, octets: impl Iterator<Item = u8> + Clone) -> Found {
        let mut found = Found::default();
        for words in self.words.as_chunks().0 {
            let mut states = States::of(words);
            octets.clone().for_each(|octet| states.read(octet));
            found |= states.found();
        }
        found
    }

    /// Which stand in the beginning of these octets, up to a letter or the end of a part.
    #[inline]
    pub fn find_before_letters(&self, octets: &[u8]) -> Found {
        let mut found = Found::default();
        for words in self.words.as_chunks().0 {
            let (mut states, mut rest) = (States::of(words), octets);
            loop {
                let digits = match rest.first_chunk() {
                    Some(&eight) => {
                        let values = u64::from_le_bytes(eight) ^ u64::from_le_bytes([b'0'; EIGHT]);
                        match digits_before_other(values) {
                            EIGHT => {
                                states.read_eight(values);
                                rest = &rest[EIGHT..];
                                continue;
                            }
                            digits => digits,
                        }
                    }
                    None => rest.iter().position(|octet| !octet.is_ascii_digit()).unwrap_or(rest.len()),
                };
                rest[..digits].iter().for_each(|&digit| states.read(digit));
                let Some((&other, behind)) = rest[digits..].split_first().filter(|(other, _)| !ends_run(**other))
                else {
                    break;
                };
                states.read(other);
                rest = behind;
            }
            found |= states.found();
        }
        found
    }
}

/// What ends all that may be one row or more.
#[inline]
pub(super) fn ends_run(octet: u8) -> bool {
    octet.is_ascii_alphabetic() || octet == HeadText::PARTED
}

/// How many octets are digits before one is none; `values` are what they say, in the bits that ASCII has for it.
#[inline]
fn digits_before_other(values: u64) -> usize {
    const LOW: u64 = u64::from_ne_bytes([0x7F; EIGHT]);
    const OVER_NINE: u64 = u64::from_ne_bytes([0x80 - 10; EIGHT]);
    let others = (((values & LOW) + OVER_NINE) | values) & !LOW;
    others.trailing_zeros() as usize / 8
}

/// What a text has shown so far of the rows of some words.
struct States<'a> {
    words: &'a [Word; TOGETHER],
    now: [u64; TOGETHER],
    seen: [u64; TOGETHER],
}

impl States<'_> {
    #[inline]
    fn of(words: &[Word; TOGETHER]) -> States<'_> {
        States { words, now: [0; TOGETHER], seen: [0; TOGETHER] }
    }

    #[inline]
    fn read(&mut self, octet: u8) {
        if octet.is_ascii_digit() {
            for ((word, state), seen) in self.words.iter().zip(&mut self.now).zip(&mut self.seen) {
                *state = (*state << 1 | word.begins) & word.of[usize::from(octet - b'0')];
                *seen |= *state;
            }
        } else if ENDS_ROW[usize::from(octet)] {
            self.now = [0; TOGETHER];
        }
    }

    /// Eight digits, the first lowest: two at a time, for each waits for the one before.
    #[inline]
    fn read_eight(&mut self, values: u64) {
        const EVEN: u64 = 0x00FF_00FF_00FF_00FF;
        let pairs = (values & EVEN) * 10 + (values >> 8 & EVEN);
        for at in (0..64).step_by(16) {
            let pair = (pairs >> at) as usize & 0x7F;
            for ((word, state), seen) in self.words.iter().zip(&mut self.now).zip(&mut self.seen) {
                let Pair { leaves, adds } = word.pairs[pair];
                *state = *state << 2 & leaves | adds;
                *seen |= *state;
            }
        }
    }

    fn found(&self) -> Found {
        let seen = |ends: fn(&Word) -> u64| self.words.iter().zip(self.seen).any(|(word, seen)| seen & ends(word) != 0);
        Found { unnamed: seen(|word| word.unnamed_ends), named: seen(|word| word.named_ends) }
    }
}

impl Word {
    /// One more row: what it begins with (`.` is any digit), and how many digits it has in all.
    fn add(&mut self, begin: &[u8], digits: usize, is_named: bool) {
        let (first, behind) = (self.size, self.size + digits);
        self.size = behind + 1;
        self.begins |= 1 << first;
        *(if is_named { &mut self.named_ends } else { &mut self.unnamed_ends }) |= 0b11 << (behind - 1);
        for place in 0..=digits {
            let wanted = begin.get(place).filter(|digit| digit.is_ascii_digit() && place < digits);
            for (digit, places) in (b'0'..).zip(&mut self.of) {
                *places |= u64::from(wanted.is_none_or(|wanted| *wanted == digit)) << (first + place);
            }
        }
    }

    /// Makes the pairs, when all rows are there: one digit and then the other.
    fn pair(&mut self) {
        for (place, pair) in self.pairs.iter_mut().enumerate() {
            let (one, other) = (self.of[place / 10], self.of[place % 10]);
            let leaves = one << 1 & other;
            *pair = Pair { leaves, adds: self.begins << 1 & leaves | self.begins & other };
        }
    }
}

impl Default for Word {
    fn default() -> Word {
        let pairs = Box::new([Pair::default(); 100]);
        Word { begins: 0, unnamed_ends: 0, named_ends: 0, of: [0; 10], pairs, size: 0 }
    }
}

impl BitOrAssign for Found {
    fn bitor_assign(&mut self, other: Found) {
        self.unnamed |= other.unnamed;
        self.named |= other.named;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    fn random_row(random: &mut Random) -> (Vec<u8>, usize) {
        let begin = (0..random.below(4)).map(|_| *random.pick(b"12.")).collect();
        (begin, *random.pick(&[1, 2, 3, 7, 8, 9, 30, 70]))
    }

    #[test]
    fn eight_digits_at_a_time_say_what_each_of_them_does() {
        let mut random = Random::new(85);
        let mut found = [0; 3];
        for _ in 0..2000 {
            let mut rows = |most| (0..random.below(most)).map(|_| random_row(&mut random)).collect::<Vec<_>>();
            let watch = Watch { rows: rows(6), named_rows: rows(3), ..Watch::default() };
            let rows = Rows::new(&watch);
            let others = *random.pick(&[0, 1, 4]);
            let octet = |random: &mut Random| {
                let kinds: &[u8] = if random.below(40) < others { b"  .-,;a\x1f\xff:" } else { b"0112" };
                *random.pick(kinds)
            };
            let text: Vec<u8> = (0..random.below(200)).map(|_| octet(&mut random)).collect();
            let plainly = rows.find(text.iter().copied().take_while(|&octet| !ends_run(octet)));
            assert_eq!(rows.find_before_letters(&text), plainly, "{watch:?} {}", text.escape_ascii());
            found[usize::from(plainly.unnamed) + usize::from(plainly.named)] += 1;
        }
        assert!(found.iter().all(|&times| times > 200), "{found:?}");
    }
}
