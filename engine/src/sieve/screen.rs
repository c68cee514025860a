//! The first look at a text, sixty-four octets at a time: where may a number show at all?
//!
//! Whatever stands for a number has something that seldom stands in other text: many digits without a letter between
//! them, `%`, a long word that begins like a coded number, six digits in base64, a run as long as a digest. Each is asked
//! for with a few comparisons, so all other octets cost next to nothing; who knows the whole form is asked where one
//! begins.

use super::Sieve;
use super::coded::{FIRST_OF_DIGITS, SHORTEST as SHORTEST_WORD, begins_with_digits};
use super::digest::{SHORTEST as SHORTEST_DIGEST, begins_with_digest};
use crate::block::{Block, each, run_starts};
use crate::records::HeadText;

/// What begins at a place; there may be several.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    /// A number, for all that the sieve knows.
    pub number: bool,
    /// A row that is one where it is named so.
    pub named_row: bool,
    /// Something else, when it is unquoted.
    pub percent: bool,
}

/// Bit n: what octet n of a block may be part of.
#[derive(Clone, Copy, Debug, Default)]
struct Kinds {
    /// No letter and no colon: a row.
    rows: u64,
    /// Letters and digits: a word.
    words: u64,
    /// The letters of base64.
    digests: u64,
    /// The first of six digits in base64.
    digits: u64,
    percent: u64,
}

/// Whether a run, long enough, goes on from the block before.
#[derive(Debug, Default)]
struct Open {
    rows: bool,
    words: bool,
    digests: bool,
}

/// Bit n: what begins with octet n of a block.
#[derive(Clone, Copy, Debug, Default)]
struct Hits {
    numbers: u64,
    named_rows: u64,
}

impl Kinds {
    /// What is a row and a word is a digit.
    #[inline]
    fn figures(self) -> u64 {
        self.rows & self.words
    }
}

impl Sieve {
    /// Calls `show` with each place where something begins, in order.
    #[inline]
    pub(super) fn screen(&self, octets: &[u8], mut show: impl FnMut(usize, Shown)) {
        let (mut open, mut start, mut rest) = (Open::default(), 0, octets);
        let mut here = self.kinds(rest);
        while !rest.is_empty() {
            let following = rest.get(Block::SIZE..).unwrap_or_default();
            let behind = if following.is_empty() { Kinds::default() } else { self.kinds(following) };
            let Hits { numbers, named_rows } = self.hits(here, behind, &mut open, rest);
            for bit in each(numbers | named_rows | here.percent) {
                let is_in = |bits: u64| bits >> bit & 1 != 0;
                let (number, named_row, percent) = (is_in(numbers), is_in(named_rows), is_in(here.percent));
                show(start + bit, Shown { number, named_row, percent });
            }
            (here, rest, start) = (behind, following, start + Block::SIZE);
        }
    }

    #[inline]
    fn kinds(&self, octets: &[u8]) -> Kinds {
        let block = Block::of(octets, HeadText::PARTED);
        let letters = block.letters();
        let words = letters | block.within(b'0', b'9');
        let digests = || words | block.are(b'+') | block.are(b'-') | block.are(b'/') | block.are(b'_');
        let (first, last) = FIRST_OF_DIGITS;
        Kinds {
            rows: !(letters | block.are(HeadText::PARTED)).bits(),
            words: words.bits(),
            digests: if self.digests.is_some() { digests().bits() } else { 0 },
            digits: block.within(first, last).bits(),
            percent: block.are(b'%').bits_if_any(),
        }
    }

    /// In the block `here`, with which `octets` begin.
    #[inline]
    fn hits(&self, here: Kinds, behind: Kinds, open: &mut Open, octets: &[u8]) -> Hits {
        let mut hits = Hits::default();
        let rows = run_starts(here.rows, behind.rows, self.rows.fewest);
        for bit in each(first_starts(rows, &mut open.rows)) {
            if may_have_figures(here, behind, bit, self.rows.fewest) {
                let is_inside = |&octet: &u8| !octet.is_ascii_alphabetic() && octet != HeadText::PARTED;
                let found = self.rows.find(octets[bit..].iter().copied().take_while(is_inside));
                hits.numbers |= u64::from(found.unnamed) << bit;
                hits.named_rows |= u64::from(found.named) << bit;
            }
        }
        let words = run_starts(here.words, behind.words, SHORTEST_WORD);
        for bit in each(first_starts(words, &mut open.words)) {
            hits.numbers |= u64::from(self.coded.begins(&octets[bit..])) << bit;
        }
        for bit in each(words & here.digits) {
            hits.numbers |= u64::from(begins_with_digits(&octets[bit..])) << bit;
        }
        if let Some(table) = &self.digests {
            let runs = run_starts(here.digests, behind.digests, SHORTEST_DIGEST);
            for bit in each(first_starts(runs, &mut open.digests)) {
                hits.numbers |= u64::from(begins_with_digest(&octets[bit..], table)) << bit;
            }
        }
        hits
    }
}

/// Whether a row that starts with this octet may have so many digits.
#[inline]
fn may_have_figures(here: Kinds, behind: Kinds, bit: usize, fewest: usize) -> bool {
    let from = |here: u64, behind: u64| here >> bit | behind << 1 << (Block::SIZE - 1 - bit);
    let length = from(here.rows, behind.rows).trailing_ones();
    let inside = 1_u64.checked_shl(length).map(|behind| behind - 1);
    let figures = from(here.figures(), behind.figures());
    inside.is_none_or(|inside| (figures & inside).count_ones() as usize >= fewest)
}

/// Of the places where a run may be said to start, those where it does.
#[inline]
fn first_starts(starts: u64, open: &mut bool) -> u64 {
    let goes_on = std::mem::replace(open, starts >> (Block::SIZE - 1) != 0);
    starts & !(starts << 1 | u64::from(goes_on))
}
