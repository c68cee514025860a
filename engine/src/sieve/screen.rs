//! The first look at a text, sixty-four octets at a time: where may a number show at all?
//!
//! Whatever stands for a number has something that seldom stands in other text: many digits without a letter between
//! them, `%`, a long word that begins like a coded number, digits in base64 or hex, a run as long as a digest. Each is
//! asked for with a few comparisons, so all other octets cost next to nothing; who knows the whole form is asked where
//! one begins.

use super::Sieve;
use super::coded::SHORTEST as SHORTEST_WORD;
use super::digest::{self, SHORTEST as SHORTEST_DIGEST, begins_with_digest};
use super::rows::Found;
use super::texts::{self, FIRST_OF_BASE64, FIRST_OF_HEX};
use crate::block::{Block, each, run_starts};
use crate::records::HeadText;

/// Kinds of what may be a number.
#[allow(missing_docs)]
pub mod kinds {
    pub const ROW: u8 = 1;
    pub const BASE64: u8 = 2;
    pub const HEX: u8 = 4;
    pub const TOKEN: u8 = 8;
    pub const DIGEST: u8 = 16;
    /// A row, coded or not, that is one where it is named so.
    pub const NAMED: u8 = 32;
}

/// What begins at a place; there may be several.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    /// The kinds of what is a number, for all that the sieve knows.
    pub kinds: u8,
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
    /// The first of six digits in base64, and of one in hex.
    base64: u64,
    hex: u64,
    percent: u64,
}

/// Whether a run, long enough, goes on from the block before.
#[derive(Debug, Default)]
struct Open {
    rows: bool,
    words: bool,
    digests: bool,
    texts: texts::Ends,
}

/// Bit n: what begins with octet n of a block.
#[derive(Clone, Copy, Debug, Default)]
struct Hits {
    rows: u64,
    base64: u64,
    hex: u64,
    tokens: u64,
    digests: u64,
    named_rows: u64,
}

impl Hits {
    #[inline]
    fn any(&self) -> u64 {
        self.rows | self.base64 | self.hex | self.tokens | self.digests | self.named_rows
    }

    /// Of what is a number by itself.
    fn kinds(&self, bit: usize) -> u8 {
        let kinds = [
            (self.rows, kinds::ROW),
            (self.base64, kinds::BASE64),
            (self.hex, kinds::HEX),
            (self.tokens, kinds::TOKEN),
            (self.digests, kinds::DIGEST),
        ];
        kinds.into_iter().filter(|(bits, _)| bits >> bit & 1 != 0).fold(0, |all, (_, kind)| all | kind)
    }
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
        if octets.len() <= Block::SIZE && !self.may_show_in(octets) {
            return;
        }
        let (mut open, mut start, mut rest) = (Open::default(), 0, octets);
        let mut here = self.kinds(rest);
        while !rest.is_empty() {
            let following = rest.get(Block::SIZE..).unwrap_or_default();
            let behind = if following.is_empty() { Kinds::default() } else { self.kinds(following) };
            let hits = self.hits(here, behind, &mut open, octets, start);
            for bit in each(hits.any() | here.percent) {
                let is_in = |bits: u64| bits >> bit & 1 != 0;
                let (named_row, percent) = (is_in(hits.named_rows), is_in(here.percent));
                show(start + bit, Shown { kinds: hits.kinds(bit), named_row, percent });
            }
            (here, rest, start) = (behind, following, start + Block::SIZE);
        }
    }

    /// Whether anything may begin in the octets of one block at the most: short heads come by the million.
    #[inline]
    fn may_show_in(&self, octets: &[u8]) -> bool {
        let block = Block::of(octets, HeadText::PARTED);
        let figures = block.within(b'0', b'9').bits();
        let words = block.letters().bits() | figures;
        figures.count_ones() as usize >= self.rows.fewest
            || run_starts(words, 0, self.coded.shortest) != 0
            || block.are(b'%').bits_if_any() != 0
            || (self.digests.is_some() && octets.len() >= SHORTEST_DIGEST && {
                let others = block.are(b'+') | block.are(b'-') | block.are(b'/') | block.are(b'_');
                run_starts(words | others.bits(), 0, SHORTEST_DIGEST) != 0
            })
    }

    #[inline]
    fn kinds(&self, octets: &[u8]) -> Kinds {
        let block = Block::of(octets, HeadText::PARTED);
        let letters = block.letters();
        let words = letters | block.within(b'0', b'9');
        let digests = || words | digest::marks(block);
        let (first, last) = FIRST_OF_BASE64;
        Kinds {
            rows: !(letters | block.are(HeadText::PARTED)).bits(),
            words: words.bits(),
            digests: if self.digests.is_some() { digests().bits() } else { 0 },
            base64: block.within(first, last).bits(),
            hex: block.are(FIRST_OF_HEX).bits(),
            percent: block.are(b'%').bits_if_any(),
        }
    }

    /// In the block `here`, which begins at `start` of all `octets`.
    #[inline]
    fn hits(&self, here: Kinds, behind: Kinds, open: &mut Open, octets: &[u8], start: usize) -> Hits {
        let (mut hits, all, octets) = (Hits::default(), octets, &octets[start..]);
        let rows = run_starts(here.rows, behind.rows, self.rows.fewest);
        for bit in each(first_starts(rows, &mut open.rows)) {
            if may_have_figures(here, behind, bit, self.rows.fewest) {
                let found = self.rows.find_before_letters(&octets[bit..]);
                hits.rows |= u64::from(found.unnamed) << bit;
                hits.named_rows |= u64::from(found.named) << bit;
            }
        }
        let words = match self.coded.shortest {
            SHORTEST_WORD => run_starts(here.words, behind.words, SHORTEST_WORD),
            shorter => run_starts(here.words, behind.words, shorter),
        };
        for bit in each(first_starts(words, &mut open.words)) {
            hits.tokens |= u64::from(self.coded.begins(&octets[bit..])) << bit;
        }
        for bit in each(words & begin_groups(here.base64, behind.base64, 4, texts::BASE64_SHOWN)) {
            if let Some(run) = texts::base64_at(all, start + bit, &mut open.texts) {
                let found = self.read(texts::from_base64(&all[run]));
                hits.base64 |= u64::from(found.unnamed) << bit;
                hits.named_rows |= u64::from(found.named) << bit;
            }
        }
        for bit in each(words & begin_groups(here.hex, behind.hex, 2, texts::HEX_SHOWN)) {
            if let Some(run) = texts::hex_at(all, start + bit, &mut open.texts) {
                let found = self.read(texts::from_hex(&all[run]));
                hits.hex |= u64::from(found.unnamed) << bit;
                hits.named_rows |= u64::from(found.named) << bit;
            }
        }
        if let Some(table) = &self.digests {
            let runs = run_starts(here.digests, behind.digests, SHORTEST_DIGEST);
            for bit in each(first_starts(runs, &mut open.digests)) {
                hits.digests |= u64::from(begins_with_digest(&octets[bit..], table)) << bit;
            }
        }
        hits
    }

    /// What shows in a text that was decoded: a row that is one where it is named may have its name in there as well.
    fn read(&self, text: impl Iterator<Item = u8> + Clone) -> Found {
        let mut found = self.rows.find(text.clone());
        found.unnamed |= found.named && self.is_spelt(text);
        found
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

/// Where groups of letters may begin, so many octets in all: the first letter of each may.
#[inline]
fn begin_groups(here: u64, behind: u64, group: usize, octets: usize) -> u64 {
    if here == 0 {
        return 0;
    }
    let all = u128::from(behind) << Block::SIZE | u128::from(here);
    let (mut begin, mut known) = (all, group);
    while known < octets {
        let step = known.min(octets - known);
        begin &= begin >> step;
        known += step;
    }
    begin as u64
}

/// Of the places where a run may be said to start, those where it does.
#[inline]
fn first_starts(starts: u64, open: &mut bool) -> u64 {
    let goes_on = std::mem::replace(open, starts >> (Block::SIZE - 1) != 0);
    starts & !(starts << 1 | u64::from(goes_on))
}
