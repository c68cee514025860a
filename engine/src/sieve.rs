//! Drops the request heads in which `identify` can find nothing.
//!
//! The sieve may pass too much, never too little, so of the number plan it knows only with which digits an identifier
//! begins and how many it has: a head passes when that many stand in a row, or when a field name hints at a subscriber
//! identifier. An identifier that only its name gives away (15 digits are an IMEI or anything) needs that name in the
//! same field. What may lie between the digits of one number is drawn wider than `identify` draws it; letters and the
//! delimiters of lists, parameters and clock times end a row.
//!
//! So many octets that end no row seldom stand together, and whoever looks for them must see but one octet of ten in most
//! text. Nothing is copied, no head costs an allocation.

mod coded;
mod digest;
#[cfg(test)]
mod tests;

use std::iter;
use std::sync::Arc;

use crate::counts::{Count, Counts};
use crate::hashes::HashTable;
use crate::records::{RequestHead, Watch};
use crate::sieve::coded::Coded;
use crate::sieve::digest::shows_digest;

/// Whether an octet ends a row of digits. Comparisons alone: the compiler makes them for many octets at once.
const fn ends_row(octet: u8) -> bool {
    let letter = (octet | 0x20).wrapping_sub(b'a') < 26;
    let after_nine = octet.wrapping_sub(b':') < 7; // : ; < = > ? @
    let quote = (octet == b'"') | (octet == b'\'');
    letter
        | after_nine
        | quote
        | (octet == b'#')
        | (octet == b'&')
        | (octet == b'*')
        | (octet == b',')
        | (octet == b'|')
}

/// The same for one octet after another.
static ENDS_ROW: [bool; 256] = {
    let mut ends = [false; 256];
    let mut octet = 0;
    while octet < 256 {
        ends[octet] = ends_row(octet as u8);
        octet += 1;
    }
    ends
};

/// Whether it does so in coded text as well, where letters may code a digit.
static ENDS_CODED_ROW: [bool; 256] = {
    let mut ends = ENDS_ROW;
    let mut octet = 0;
    while octet < 256 {
        ends[octet] &= !(octet as u8).is_ascii_hexdigit();
        octet += 1;
    }
    ends
};

/// Octets that are looked at together.
const BLOCK: usize = u64::BITS as usize;

/// What a Watch asks for, made ready.
#[derive(Debug)]
pub struct Sieve {
    every_head: bool,
    /// What rows begin with, and how many digits follow.
    rows: Vec<(Vec<u8>, usize)>,
    /// How many of these, at the front, count in any field; the others need `named_by` beside them.
    unnamed: usize,
    named_by: Vec<u8>,
    /// Digits of the shortest of them.
    fewest: usize,
    coded: Coded,
    digests: Option<Arc<HashTable>>,
    /// By length, those of one length in order.
    names: Vec<Vec<u8>>,
    stems: Vec<Vec<u8>>,
    /// By the kinds of the last three octets of a name: whether it may hint. Most names end otherwise.
    hinting_ends: Vec<bool>,
}

impl Sieve {
    /// The sieve of this watch.
    pub fn new(watch: &Watch) -> Sieve {
        let mut names = watch.names.clone();
        names.sort_by(|one, other| one.len().cmp(&other.len()).then_with(|| one.cmp(other)));
        let all_ends = (0..KINDS.pow(3)).map(|end| [end / KINDS / KINDS, end / KINDS % KINDS, end % KINDS]);
        let mut hinting_ends: Vec<bool> =
            all_ends.map(|end| watch.stems.iter().any(|stem| may_end(end, stem))).collect();
        for name in &names {
            if let Some(end) = [b"http-", name.as_slice()].concat().last_chunk() {
                hinting_ends[place(end)] = true;
            }
        }
        let (rows, stems) = ([watch.rows.clone(), watch.named_rows.clone()].concat(), watch.stems.clone());
        let (unnamed, named_by) = (watch.rows.len(), watch.named_by.clone());
        let fewest = rows.iter().map(|(begin, more)| begin.len() + more).min().unwrap_or(usize::MAX);
        let (every_head, coded) = (watch.every_head || fewest == 0, Coded::new(&watch.tokens));
        let digests = watch.digests.clone();
        Sieve { every_head, rows, unnamed, named_by, fewest, coded, digests, names, stems, hinting_ends }
    }

    /// Whether the head must be judged; counts `clean_heads` when not.
    pub fn passes(&self, head: &RequestHead, counts: &mut Counts) -> bool {
        let mut readings = iter::once(head).chain(&head.readings);
        let passes = readings.any(|reading| self.suspect(reading.text.target(), reading.text.fields()));
        counts[Count::CleanHeads] += u64::from(!passes);
        passes
    }

    /// Whether one reading of a head must be judged.
    pub fn suspect<'a>(&self, target: &[u8], fields: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) -> bool {
        self.every_head
            || fields.clone().any(|(name, _)| self.hints(name))
            || self.has_number(target, b"")
            // a line without a colon may have come as a name, so names are searched like values
            || { fields }.any(|(name, value)| self.has_number(value, name) || self.has_number(name, value))
    }

    /// Leaves of a suspect head what `identify` and `judge` need, and says whether its target is clean.
    pub fn strip(&self, head: &mut RequestHead) {
        if !self.suspect(head.text.target(), iter::empty()) {
            head.text.note_clean_target();
        }
        head.text.retain(|name, value| self.keeps(name, value));
        head.readings.iter_mut().for_each(|reading| self.strip(reading));
    }

    /// Whether `identify` and `judge` need this field of a suspect head: it may show a number, or who got it.
    pub fn keeps(&self, name: &[u8], value: &[u8]) -> bool {
        self.every_head
            || name == b"host"
            || name == b":authority"
            || self.hints(name)
            || self.has_number(value, name)
            || self.has_number(name, value)
    }

    /// Whether a number may stand in these octets; `beside` are the others of the same field.
    fn has_number(&self, octets: &[u8], beside: &[u8]) -> bool {
        self.coded.may_be_in(octets)
            || (self.may_have_row(octets) && {
                let (unnamed, named) = self.rows.split_at(self.unnamed);
                // whether the letters stand there is asked last: seldom is there a row that needs them
                self.shows_row(octets, unnamed)
                    || (self.shows_row(octets, named) && (self.names(octets) || self.names(beside)))
            })
            || self.is_coded_in_quoted(octets)
            || self.digests.as_ref().is_some_and(|digests| shows_digest(octets, digests))
    }

    /// Whether one of these rows stands there, plain, coded or quoted.
    fn shows_row(&self, octets: &[u8], rows: &[(Vec<u8>, usize)]) -> bool {
        !rows.is_empty() && (self.has_plain_row(octets, rows) || self.has_row_in_quoted(octets, rows))
    }

    /// Whether the letters `named_by` stand there: as the octets are, or unquoted once or twice.
    fn names(&self, octets: &[u8]) -> bool {
        let once = Unquoted(octets.iter().copied());
        self.is_spelt(octets.iter().copied())
            || (memchr::memchr(b'%', octets).is_some()
                && (self.is_spelt(once.clone()) || self.is_spelt(Unquoted(once))))
    }

    fn is_spelt(&self, octets: impl Iterator<Item = u8> + Clone) -> bool {
        let mut letters = octets.filter(u8::is_ascii_alphabetic).map(|letter| letter.to_ascii_lowercase());
        loop {
            let mut ahead = letters.clone();
            if self.named_by.iter().all(|&wanted| ahead.next() == Some(wanted)) {
                return true;
            }
            if letters.next().is_none() {
                return false;
            }
        }
    }

    /// Whether there may be a row, plain or coded; a coded digit has two digits itself, so there are never fewer of them.
    fn may_have_row(&self, octets: &[u8]) -> bool {
        let ends = |&octet: &u8| ENDS_CODED_ROW[usize::from(octet)];
        let mut rest = octets;
        while let Some(shortest) = rest.get(..self.fewest) {
            let end = match shortest.iter().rposition(ends) {
                Some(end) => end,
                None => {
                    let end = rest.iter().position(ends).unwrap_or(rest.len());
                    if rest[..end].iter().filter(|octet| octet.is_ascii_digit()).count() >= self.fewest {
                        return true;
                    }
                    end
                }
            };
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        false
    }

    fn has_plain_row(&self, octets: &[u8], rows: &[(Vec<u8>, usize)]) -> bool {
        let mut rest = octets;
        while rest.len() >= self.fewest {
            let ends = row_ends(rest);
            let runs = run_starts(!ends, self.fewest);
            if runs == 0 {
                // what the block ends with may go on
                rest = rest.get(BLOCK - ends.leading_zeros() as usize..).unwrap_or_default();
                continue;
            }
            let run = &rest[runs.trailing_zeros() as usize..];
            let end = run.iter().position(|&octet| ENDS_ROW[usize::from(octet)]).unwrap_or(run.len());
            if self.has_row(run[..end].iter().copied(), rows) {
                return true;
            }
            rest = &run[end..];
        }
        false
    }

    fn has_row(&self, mut octets: impl Iterator<Item = u8> + Clone, rows: &[(Vec<u8>, usize)]) -> bool {
        let (mut row, mut digits) = (octets.clone(), 0);
        while let Some(octet) = octets.next() {
            if ENDS_ROW[usize::from(octet)] {
                (row, digits) = (octets.clone(), 0);
            } else if octet.is_ascii_digit() {
                digits += 1;
                if digits == self.fewest && is_row(row.clone(), rows) {
                    return true;
                }
            }
        }
        false
    }

    /// RFC 3986 section 2.1, and once more: a Referer quotes an address that was quoted before.
    fn has_row_in_quoted(&self, octets: &[u8], rows: &[(Vec<u8>, usize)]) -> bool {
        let once = Unquoted(octets.iter().copied());
        memchr::memchr(b'%', octets).is_some()
            && (self.has_row(once.clone(), rows) || self.has_row(Unquoted(once), rows))
    }

    /// The same for what is coded otherwise.
    fn is_coded_in_quoted(&self, octets: &[u8]) -> bool {
        let once = Unquoted(octets.iter().copied());
        memchr::memchr(b'%', octets).is_some()
            && (self.coded.are_in(once.clone())
                || (once.clone().any(|octet| octet == b'%') && self.coded.are_in(Unquoted(once))))
    }

    /// Whether a name hints at an identifier.
    #[inline]
    fn hints(&self, name: &[u8]) -> bool {
        name.last_chunk().is_none_or(|end| self.hinting_ends[place(end)]) && self.is_named(name)
    }

    fn is_named(&self, name: &[u8]) -> bool {
        let octets = name.iter().copied().map(normal);
        let prefix = if octets.clone().take(5).eq(*b"http-") { 5 } else { 0 };
        let octets = octets.skip(prefix);
        let found = self.names.binary_search_by(|known| {
            known.len().cmp(&octets.len()).then_with(|| known.iter().copied().cmp(octets.clone()))
        });
        let letters = octets.rev().filter(u8::is_ascii_alphabetic);
        let ends_with = |stem: &Vec<u8>| {
            let mut letters = letters.clone();
            stem.iter().rev().all(|&letter| letters.next() == Some(letter))
        };
        found.is_ok() || self.stems.iter().any(ends_with)
    }
}

/// Whether the row with which these octets begin may be one of these.
fn is_row(octets: impl Iterator<Item = u8> + Clone, rows: &[(Vec<u8>, usize)]) -> bool {
    let digits = octets.take_while(|&octet| !ENDS_ROW[usize::from(octet)]).filter(u8::is_ascii_digit);
    rows.iter().any(|(begin, more)| {
        let mut digits = digits.clone();
        loop {
            let mut ahead = digits.clone();
            if begin.iter().all(|&wanted| ahead.next().is_some_and(|digit| digit == wanted || wanted == b'.')) {
                return ahead.take(*more).count() == *more;
            }
            if digits.next().is_none() {
                return false;
            }
        }
    })
}

/// Bit n: octet n ends a row, or there is no such octet.
fn row_ends(octets: &[u8]) -> u64 {
    let mut block = [b','; BLOCK];
    match octets.first_chunk() {
        Some(first) => block = *first,
        None => block[..octets.len()].copy_from_slice(octets),
    }
    let ends = block.map(|octet| u8::from(ends_row(octet)));
    ends.as_chunks().0.iter().rev().fold(0, |bits, &eight| {
        // brings the lowest bit of each octet into the highest octet
        bits << 8 | u64::from_le_bytes(eight).wrapping_mul(0x0102_0408_1020_4080) >> 56
    })
}

/// Bit n: so many bits are set from n on, or all that there can be.
fn run_starts(mut bits: u64, length: usize) -> u64 {
    let (length, mut tested) = (length.min(BLOCK), 1);
    while tested < length {
        let step = tested.min(length - tested);
        bits &= bits >> step;
        tested += step;
    }
    bits
}

/// An octet of a name as `identify` compares it.
#[inline]
fn normal(octet: u8) -> u8 {
    if octet == b'_' { b'-' } else { octet.to_ascii_lowercase() }
}

/// Of octets in a name: the letters are the first 26, then the dash, then all others.
const KINDS: usize = 28;

static KIND: [u8; 256] = {
    let mut kinds = [27; 256];
    let mut letter = 0;
    while letter < 26 {
        kinds[(b'a' + letter) as usize] = letter;
        kinds[(b'A' + letter) as usize] = letter;
        letter += 1;
    }
    kinds[b'-' as usize] = 26;
    kinds[b'_' as usize] = 26;
    kinds
};

#[inline]
fn kind(octet: u8) -> usize {
    usize::from(KIND[usize::from(octet)])
}

/// In `Sieve::hinting_ends`.
#[inline]
fn place(end: &[u8; 3]) -> usize {
    end.iter().fold(0, |place, &octet| place * KINDS + kind(octet))
}

/// Whether the letters of a name that has octets of these kinds at its end may end with a stem.
fn may_end(end: [usize; 3], stem: &[u8]) -> bool {
    let letters = end.into_iter().rev().take_while(|&kind| kind < 26);
    letters.zip(stem.iter().rev()).all(|(letter, &wanted)| letter == kind(wanted))
}

/// Octets without their percent-encoding; what is not coded well stays.
#[derive(Clone)]
struct Unquoted<I>(I);

impl<I: Iterator<Item = u8> + Clone> Iterator for Unquoted<I> {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        let octet = self.0.next()?;
        if octet != b'%' {
            return Some(octet);
        }
        let mut ahead = self.0.clone();
        let mut nibble = || char::from(ahead.next()?).to_digit(16);
        let (Some(high), Some(low)) = (nibble(), nibble()) else { return Some(octet) };
        self.0 = ahead;
        Some((high << 4 | low) as u8)
    }
}
