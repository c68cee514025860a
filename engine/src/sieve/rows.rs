//! Digits in a row that may be a number: as far as a number plan shows in the digits alone.

use crate::records::Watch;

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

/// Rows side by side in the bits of a word, a bit for each digit: one that is set says that so many digits of its row
/// stand before what follows.
#[derive(Debug, Default)]
struct Word {
    /// The first digit of each row.
    begins: u64,
    /// The last.
    unnamed_ends: u64,
    named_ends: u64,
    /// Where this digit may stand.
    of: [u64; 10],
    /// Bits in use.
    size: usize,
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

impl Rows {
    pub fn new(watch: &Watch) -> Rows {
        let named = watch.named_rows.iter().map(|row| (row, true));
        let rows = || watch.rows.iter().map(|row| (row, false)).chain(named.clone());
        let mut words: Vec<Word> = Vec::new();
        for ((begin, more), is_named) in rows() {
            let digits = (begin.len() + more).min(u64::BITS as usize);
            if words.last().is_none_or(|word| word.size + digits > u64::BITS as usize) {
                words.push(Word::default());
            }
            if let Some(word) = words.last_mut().filter(|_| digits > 0) {
                word.add(begin, digits, is_named);
            }
        }
        words.resize_with(words.len().next_multiple_of(TOGETHER), Word::default);
        let fewest = rows().map(|((begin, more), _)| begin.len() + more).min().unwrap_or(usize::MAX);
        Rows { words, fewest }
    }

    /// Which rows stand in these octets.
    #[inline]
    pub fn find(&self, octets: impl Iterator<Item = u8> + Clone) -> Found {
        let (mut unnamed, mut named) = (0, 0);
        for words in self.words.as_chunks::<TOGETHER>().0 {
            let mut states = [0; TOGETHER];
            for octet in octets.clone() {
                if octet.is_ascii_digit() {
                    for (word, state) in words.iter().zip(&mut states) {
                        *state = (*state << 1 | word.begins) & word.of[usize::from(octet - b'0')];
                        unnamed |= *state & word.unnamed_ends;
                        named |= *state & word.named_ends;
                    }
                } else if ENDS_ROW[usize::from(octet)] {
                    states = [0; TOGETHER];
                }
            }
        }
        Found { unnamed: unnamed != 0, named: named != 0 }
    }
}

impl Word {
    /// One more row: what it begins with (`.` is any digit), and how many digits it has in all.
    fn add(&mut self, begin: &[u8], digits: usize, is_named: bool) {
        let first = self.size;
        self.size += digits;
        self.begins |= 1 << first;
        *(if is_named { &mut self.named_ends } else { &mut self.unnamed_ends }) |= 1 << (self.size - 1);
        for place in 0..digits {
            let wanted = begin.get(place).filter(|digit| digit.is_ascii_digit());
            for (digit, places) in (b'0'..).zip(&mut self.of) {
                *places |= u64::from(wanted.is_none_or(|wanted| *wanted == digit)) << (first + place);
            }
        }
    }
}
