//! The number as digits, in any spelling: the text of one field in, every own identifier in it out
//! (monitor/identify/plain.py, numbers.py).
//!
//! A pattern there is a function here: its digits are taken one after another, for what lies between two of them is no
//! digit, so there is one way to take it. The few that remain are tried in the order of the expression.

use std::ops::Range;

use super::names::Names;
use super::numbers::{EQUIPMENT, LONGEST_GAP, Own, is_digit_or_gap, is_gap, is_imei};
use super::surroundings::{Lead, Written, is_moment};
use super::{Form, Found, Identifier, Spelling};

/// Octets of a row of digits, far more than any number has in any spelling.
const LONGEST_SPELT: usize = 256;
/// Octets of what stands alone, digits that are no IMSI or IMEI.
const LONGEST_MSISDN: usize = 14;
/// Digits of a moment, in the order in which they are tried.
const MOMENTS: [usize; 5] = [13, 10, 14, 12, 8];
const MOST_ZEROS: usize = 8;
const MOST_DIGITS: usize = 32;
/// Numbers that were found last.
const FEW: usize = 4;

/// One pattern: for which of the own numbers, and how they are written.
#[derive(Clone, Copy, Debug)]
enum Pattern {
    International(usize),
    National(usize),
    BareNational(usize),
    Imsi(usize),
    Imei,
}

impl Pattern {
    /// The digits with which it may begin.
    fn begins(self, own: &Own) -> u16 {
        let bit = |digits: &[u8]| digits.first().map_or(ANY, |digit| 1 << (digit - b'0'));
        match self {
            // zeros, or a moment
            Pattern::International(_) => bit(&own.access) | bit(&own.country) | 0b111,
            Pattern::National(_) => bit(&own.trunk),
            Pattern::BareNational(place) => bit(&own.lengths[place].prefix),
            Pattern::Imsi(_) | Pattern::Imei => ANY,
        }
    }

    fn fewest(self, own: &Own) -> usize {
        let national = |place: usize| own.lengths[place].prefix.len() + own.lengths[place].more;
        match self {
            Pattern::International(place) => own.country.len() + national(place),
            Pattern::National(place) => own.trunk.len() + national(place),
            Pattern::BareNational(place) => national(place),
            Pattern::Imsi(_) | Pattern::Imei => EQUIPMENT,
        }
    }
}

/// Ten digits.
const ANY: u16 = 0x3FF;

/// What a pattern found.
struct Match<'a> {
    written: Written<'a>,
    /// Of the digits that count.
    digits: Range<usize>,
    /// The spelling, if nothing around it says more.
    spelling: Spelling,
    /// A digit in front of an IMSI, as a NAI has it (TS 23.003 section 19.3.2).
    root: bool,
}

/// Reads plain numbers.
#[derive(Debug)]
pub(super) struct Plain {
    /// With the digits that one may begin with, bit by bit, and how many it has at the least.
    patterns: Vec<(Pattern, u16, usize)>,
}

impl Plain {
    pub fn new(own: &Own) -> Plain {
        let of = |place| [Pattern::International(place), Pattern::National(place), Pattern::BareNational(place)];
        let mut patterns: Vec<Pattern> = (0..own.lengths.len()).flat_map(of).collect();
        patterns.extend((0..own.imsi_prefixes.len()).map(Pattern::Imsi));
        patterns.push(Pattern::Imei);
        Plain {
            patterns: patterns.into_iter().map(|pattern| (pattern, pattern.begins(own), pattern.fewest(own))).collect(),
        }
    }

    /// Every identifier in the text of a field whose name hints at `hinted`, as often as it stands there.
    pub fn read(&self, own: &Own, names: &Names, text: &[u8], hinted: Option<Identifier>, found: &mut Vec<Found>) {
        let is_inside = |octet: &u8| is_digit_or_gap(*octet);
        let mut at = 0;
        while let Some(begin) = text[at..].iter().position(is_inside).map(|more| at + more) {
            let end = begin + text[begin..].iter().take_while(|octet| is_inside(octet)).count();
            if end - begin >= own.fewest {
                self.in_stretch(own, names, text, begin..end, hinted, found);
            }
            at = end;
        }
    }

    fn in_stretch(
        &self,
        own: &Own,
        names: &Names,
        text: &[u8],
        stretch: Range<usize>,
        hinted: Option<Identifier>,
        found: &mut Vec<Found>,
    ) {
        let octets = &text[stretch.clone()];
        if let Some(number) = alone(own, text, &stretch) {
            let has_plus = octets.iter().find(|octet| **octet != b' ') == Some(&b'+');
            let spelling = if has_plus { Spelling::Plus } else { Spelling::E164 };
            return found.push(Found::plain(Identifier::Msisdn, number, spelling));
        }
        if octets.len() > LONGEST_SPELT && hinted.is_none() && goes_on(own, octets) {
            let first = stretch.start + octets.iter().take_while(|octet| is_gap(**octet)).count();
            for (pattern, _, _) in &self.patterns {
                find(own, names, *pattern, text, first..stretch.end, hinted, found);
            }
            return;
        }
        let mut begins = Vec::new();
        for (row, digits) in rows(text, stretch, own.fewest) {
            begins.clear();
            begins.extend(first_digits(text, row.clone()));
            for (pattern, first, _) in self.patterns.iter().filter(|(_, _, fewest)| *fewest <= digits) {
                for &at in begins.iter().filter(|&&at| first >> (text[at] - b'0') & 1 != 0) {
                    find(own, names, *pattern, text, at..row.end, hinted, found);
                }
            }
        }
    }
}

/// The number that a stretch between two marks of a list is, and nothing else.
fn alone<'a>(own: &Own, text: &'a [u8], stretch: &Range<usize>) -> Option<&'a [u8]> {
    let is_beside = |octet: Option<&u8>| octet.is_none_or(|octet| matches!(octet, b',' | b';' | b'=' | b'|' | b'"'));
    let before = stretch.start.checked_sub(1).map(|at| &text[at]);
    if !is_beside(before) || !is_beside(text.get(stretch.end)) {
        return None;
    }
    let blanks = |octets: &[u8]| octets.iter().take_while(|octet| **octet == b' ').count();
    let octets = &text[stretch.clone()];
    let octets = &octets[blanks(octets)..];
    let octets = &octets[..octets.len() - octets.iter().rev().take_while(|octet| **octet == b' ').count()];
    if octets.len() <= LONGEST_MSISDN { own.all_of(octets) } else { None }
}

/// Whether no number stands in this long stretch but at its beginning: all of its gaps are of one kind and none is too
/// long, so a number with gaps would go on with the same punctuation.
fn goes_on(own: &Own, stretch: &[u8]) -> bool {
    let Some(gap) = stretch.iter().find(|octet| !octet.is_ascii_digit()) else { return true };
    let (mut size, mut longest) = (0, 0);
    for octet in stretch {
        size = if octet.is_ascii_digit() { 0 } else { size + 1 };
        longest = longest.max(size);
        if size > 0 && octet != gap {
            return false;
        }
    }
    *gap != b'+' && longest <= LONGEST_GAP && !own.is_whole_in(stretch)
}

/// The rows of so many digits at least, gaps included, and how many these are.
fn rows(text: &[u8], stretch: Range<usize>, fewest: usize) -> impl Iterator<Item = (Range<usize>, usize)> {
    let mut at = stretch.start;
    std::iter::from_fn(move || {
        while let Some(begin) = text[at..stretch.end].iter().position(u8::is_ascii_digit).map(|more| at + more) {
            let (mut digits, mut end, mut gap) = (0, begin, 0);
            for (place, octet) in (begin..stretch.end).zip(&text[begin..stretch.end]) {
                if octet.is_ascii_digit() {
                    (digits, end, gap) = (digits + 1, place + 1, 0);
                } else {
                    gap += 1;
                    if gap > LONGEST_GAP {
                        break;
                    }
                }
            }
            at = end;
            if digits >= fewest {
                return Some((begin..end, digits));
            }
        }
        None
    })
}

/// Where digits begin in a row.
fn first_digits(text: &[u8], row: Range<usize>) -> impl Iterator<Item = usize> {
    let mut is_inside = false;
    row.filter(move |&at| !std::mem::replace(&mut is_inside, text[at].is_ascii_digit()) && is_inside)
}

/// The number that the pattern finds where this row begins, if it may be one there.
fn find(
    own: &Own,
    names: &Names,
    pattern: Pattern,
    text: &[u8],
    row: Range<usize>,
    hinted: Option<Identifier>,
    found: &mut Vec<Found>,
) {
    let row = Row { own, text, end: row.end, start: row.start };
    let (identifier, found_there) = match pattern {
        Pattern::International(place) => (Identifier::Msisdn, row.international(place)),
        Pattern::National(place) => (Identifier::Msisdn, row.national(place)),
        Pattern::BareNational(place) => (Identifier::Msisdn, row.bare_national(place)),
        Pattern::Imsi(place) => (Identifier::Imsi, row.imsi(place)),
        Pattern::Imei => (Identifier::Imei, row.imei()),
    };
    let Some(found_there) = found_there else { return };
    let (mut room, mut size) = ([0; MOST_DIGITS], 0);
    let country: &[u8] = if identifier == Identifier::Msisdn { &own.country } else { b"" };
    let digits = text[found_there.digits.clone()].iter().filter(|octet| octet.is_ascii_digit());
    for (place, digit) in room.iter_mut().zip(country.iter().chain(digits)) {
        *place = *digit;
        size += 1;
    }
    let digits = &room[..size];
    let is_nai = text.get(found_there.written.span.end) == Some(&b'@');
    let is_one = match identifier {
        Identifier::Msisdn => own.has_msisdn(digits),
        Identifier::Imsi => !found_there.root || is_nai,
        Identifier::Imei => is_imei(digits),
    };
    // the same number again is the same finding
    let is_known = |one: &Found| one.identifier == identifier && one.digits == digits;
    if !is_one || found.iter().rev().take(FEW).any(is_known) {
        return;
    }
    if found_there.written.stands_alone(names, hinted, identifier) {
        let spelling = match found_there.written.lead() {
            Lead::Tel(_) => Spelling::TelUri,
            Lead::Sip(_) => Spelling::SipUri,
            _ if is_nai => Spelling::Nai,
            _ if found_there.written.has_gaps() => Spelling::Gaps,
            Lead::Plus if is_plus(found_there.spelling) => Spelling::Plus,
            _ => found_there.spelling,
        };
        found.push(Found::plain(identifier, digits, spelling));
    }
}

/// Whether a `+` in front of it is its spelling.
fn is_plus(spelling: Spelling) -> bool {
    matches!(spelling, Spelling::E164 | Spelling::International | Spelling::ZeroPadded)
}

/// Digits from a place on, before which no digit stands, to the end of their row.
struct Row<'a> {
    own: &'a Own,
    text: &'a [u8],
    start: usize,
    end: usize,
}

impl<'a> Row<'a> {
    fn octet(&self, at: usize) -> Option<u8> {
        self.text[..self.end].get(at).copied()
    }

    fn is_digit(&self, at: usize) -> bool {
        self.octet(at).is_some_and(|octet| octet.is_ascii_digit())
    }

    fn is_there(&self, at: usize, wanted: &[u8]) -> bool {
        self.text[at.min(self.end)..self.end].starts_with(wanted)
    }

    /// How many octets of a gap stand there, at most one more than there may be before a bracket.
    fn gap(&self, at: usize) -> usize {
        (at..self.end.min(at + LONGEST_GAP + 2)).take_while(|at| is_gap(self.text[*at])).count()
    }

    fn behind_gap(&self, at: usize) -> usize {
        at + self.gap(at).min(LONGEST_GAP)
    }

    /// Where these digits and so many more end, with gaps between them.
    #[inline]
    fn spelt(&self, at: usize, digits: &[u8], more: usize) -> Option<usize> {
        let mut at = at;
        for place in 0..digits.len() + more {
            if place > 0 && !self.is_digit(at) {
                at = self.behind_gap(at);
            }
            let is_wanted = match digits.get(place) {
                Some(digit) => self.octet(at) == Some(*digit),
                None => self.is_digit(at),
            };
            if !is_wanted {
                return None;
            }
            at += 1;
        }
        Some(at)
    }

    fn found(&self, end: usize, digits: Range<usize>, spelling: Spelling) -> Match<'a> {
        let written = Written { text: self.text, span: self.start..end, weak: false, gap: None };
        Match { written, digits, spelling, root: false }
    }

    /// `(before)?? (access gap | zeros)? country gap (\(trunk\) gap)? digits clock?`
    fn international(&self, place: usize) -> Option<Match<'a>> {
        self.with_lead(place, self.start, false).or_else(|| {
            let is_clock =
                |size: &usize| self.start + size <= self.end && is_moment(&self.text[self.start..self.start + size]);
            let may_be = matches!(self.octet(self.start), Some(b'1' | b'2'));
            let mut sizes = MOMENTS.into_iter().filter(|size| may_be && is_clock(size));
            sizes.find_map(|size| self.with_lead(place, self.start + size, true))
        })
    }

    fn with_lead(&self, place: usize, at: usize, is_timed: bool) -> Option<Match<'a>> {
        let access = &self.own.access;
        if !access.is_empty() && self.is_there(at, access) {
            let country = self.behind_gap(at + access.len());
            if let Some(found) = self.with_country(place, country, is_timed, Spelling::International) {
                return Some(found);
            }
        }
        let zeros = (at..self.end).take(MOST_ZEROS).take_while(|at| self.text[*at] == b'0').count();
        (1..=zeros)
            .rev()
            .find_map(|zeros| self.with_country(place, at + zeros, is_timed, Spelling::ZeroPadded))
            .or_else(|| self.with_country(place, at, is_timed, Spelling::E164))
    }

    fn with_country(&self, place: usize, at: usize, is_timed: bool, spelling: Spelling) -> Option<Match<'a>> {
        let from = self.spelt(at, &self.own.country, 0)?;
        let gap = self.gap(from);
        let plain = (gap <= LONGEST_GAP).then_some(from + gap);
        let trunk = &self.own.trunk;
        let bracket = from + gap;
        let is_trunk = !trunk.is_empty()
            && (1..=LONGEST_GAP + 1).contains(&gap)
            && self.text[bracket - 1] == b'('
            && self.is_there(bracket, trunk)
            && self.octet(bracket + trunk.len()) == Some(b')');
        let behind_trunk = is_trunk.then(|| self.behind_gap(bracket + trunk.len() + 1));
        plain.into_iter().chain(behind_trunk).find_map(|at| {
            let length = &self.own.lengths[place];
            let end = self.spelt(at, &length.prefix, length.more)?;
            let clock = (end..self.end).take(MOMENTS[2] + 1).take_while(|at| self.is_digit(*at)).count();
            if clock > 0 && !is_moment(&self.text[end..end + clock]) {
                return None;
            }
            let spelling = if is_timed || clock > 0 { Spelling::MsisdnTs } else { spelling };
            let mut found = self.found(end + clock, at..end, spelling);
            found.written.gap = Some(from..at);
            Some(found)
        })
    }

    /// `trunk gap digits`
    fn national(&self, place: usize) -> Option<Match<'a>> {
        let (trunk, length) = (&self.own.trunk, &self.own.lengths[place]);
        if trunk.is_empty() || !self.is_there(self.start, trunk) {
            return None;
        }
        let from = self.start + trunk.len();
        let at = self.behind_gap(from);
        let end = self.spelt(at, &length.prefix, length.more)?;
        if self.is_digit(end) {
            return None;
        }
        let mut found = self.found(end, at..end, Spelling::National);
        // a zero in front marks a national number by itself, a 1 or 8 does not
        found.written.gap = (!trunk.starts_with(b"0")).then_some(from..at);
        Some(found)
    }

    fn bare_national(&self, place: usize) -> Option<Match<'a>> {
        let length = &self.own.lengths[place];
        let end = self.spelt(self.start, &length.prefix, length.more)?;
        if self.is_digit(end) {
            return None;
        }
        let mut found = self.found(end, self.start..end, Spelling::BareNational);
        found.written.weak = true;
        Some(found)
    }

    /// `root? MCC gap MNC gap digits`
    fn imsi(&self, place: usize) -> Option<Match<'a>> {
        let prefix = &self.own.imsi_prefixes[place];
        let (mcc, mnc) = prefix.split_at(prefix.len().min(3));
        let from = |start: usize| {
            let network = self.is_there(start, mcc).then(|| self.behind_gap(start + mcc.len()))?;
            let rest = self.is_there(network, mnc).then(|| self.behind_gap(network + mnc.len()))?;
            let end = rest + EQUIPMENT - prefix.len();
            let is_whole = (rest..end).all(|at| self.is_digit(at)) && !self.is_digit(end);
            is_whole.then(|| self.found(end, start..end, Spelling::Digits))
        };
        let has_root = self.octet(self.start).is_some_and(|octet| matches!(octet, b'0'..=b'8'));
        let with_root = has_root.then(|| from(self.start + 1)).flatten().map(|found| Match { root: true, ..found });
        with_root.or_else(|| from(self.start))
    }

    /// 2 + 6 + 6 digits and a check digit, or two digits of the software version (TS 23.003 section 6.2).
    fn imei(&self) -> Option<Match<'a>> {
        let mut at = self.start;
        for size in [2, 6, 6] {
            if !(at..at + size).all(|at| self.is_digit(at)) {
                return None;
            }
            at += size;
            at += usize::from(matches!(self.octet(at), Some(b'-' | b'.' | b'/' | b' ')));
        }
        let end = at + (at..at + 3).take_while(|at| self.is_digit(*at)).count();
        if !(1..=2).contains(&(end - at)) {
            return None;
        }
        let mut found = self.found(end, self.start..end, Spelling::Digits);
        found.written.weak = true;
        Some(found)
    }
}

impl Found {
    fn plain(identifier: Identifier, digits: &[u8], spelling: Spelling) -> Found {
        Found { identifier, digits: digits.to_vec(), spelling, form: Form::Plain }
    }
}
