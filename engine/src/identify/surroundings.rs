//! What stands around a run of digits: whether it may be a number there. The rules, and why they are so, are on the first
//! page of monitor/identify/surroundings.py.

use std::net::Ipv4Addr;
use std::ops::Range;

use super::Identifier;
use super::names::Names;
use super::numbers::{LONGEST_GAP, is_gap};

/// Octets before a number in which its key may stand.
const LOOK_BACK: usize = 40;
/// Letters and digits beside a number in one word.
const MOST_GLUED: usize = 8;
/// Octets of a key's end that are no letters, and of what introduces a number.
const BEHIND_KEY: usize = 6;
const LONGEST_LEAD: usize = 8;

/// What introduces a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    None,
    /// `+` and blanks.
    Plus,
    /// RFC 3966; whether a `+` stands behind it.
    Tel(bool),
    /// RFC 3261 section 19.1, the same.
    Sip(bool),
}

/// Digits that were found in a text.
#[derive(Clone, Debug)]
pub(super) struct Written<'a> {
    pub text: &'a [u8],
    /// All of the spelling.
    pub span: Range<usize>,
    /// So few marks of a number that its field must hint at it.
    pub weak: bool,
    /// What sets off the country code or prefix, where something must.
    pub gap: Option<Range<usize>>,
}

impl Written<'_> {
    fn octets(&self) -> &[u8] {
        &self.text[self.span.clone()]
    }

    fn octet(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    fn before(&self) -> Option<u8> {
        self.octet(self.span.start.checked_sub(1)?)
    }

    pub fn has_gaps(&self) -> bool {
        !self.octets().iter().all(u8::is_ascii_digit)
    }

    /// Whether it is such an identifier, and no part of something else, in a field so named.
    pub fn stands_alone(&self, names: &Names, hinted: Option<Identifier>, identifier: Identifier) -> bool {
        let (start, end) = (self.span.start, self.span.end);
        let is_letter = |octet: Option<u8>| octet.is_some_and(|octet| octet.is_ascii_alphabetic());
        if is_letter(self.octet(end)) || (is_letter(self.before()) && !self.is_introduced(names)) {
            return !self.weak && self.is_in_named_word(names, hinted, identifier);
        }
        let has_gaps = self.has_gaps();
        if if has_gaps { is_ipv4(self.octets()) } else { ends_guid(&self.text[..start]) } {
            return false;
        }
        let is_hinted = || hinted == Some(identifier) || is_keyed(self.text, start, names, identifier);
        let lead = self.lead();
        if self.weak {
            let has_plus = matches!(lead, Lead::Plus | Lead::Tel(true) | Lead::Sip(true));
            return !has_plus && self.gap_before().is_none() && is_hinted();
        }
        let is_doubtful =
            if has_gaps { self.is_several() } else { self.is_fraction() || is_date_and_time(self.octets()) };
        !is_doubtful || lead != Lead::None || is_hinted()
    }

    /// What introduces it.
    pub fn lead(&self) -> Lead {
        let start = self.span.start;
        let window = &self.text[start.saturating_sub(LONGEST_LEAD)..start];
        let blanks = window.iter().rev().take_while(|octet| matches!(octet, b' ' | b'(' | b'+')).count();
        let (front, marks) = window.split_at(window.len() - blanks);
        let has_plus = marks.contains(&b'+');
        let ends_with = |scheme: &[u8]| {
            front.last_chunk::<5>().map_or(front, |last| &last[..]).to_ascii_lowercase().ends_with(scheme)
        };
        if front.last() == Some(&b':') && blanks <= 3 {
            if ends_with(b"tel:") {
                return Lead::Tel(has_plus);
            }
            if ends_with(b"sip:") || ends_with(b"sips:") {
                return Lead::Sip(has_plus);
            }
        }
        let last_plus = marks.iter().rposition(|octet| *octet == b'+').map(|place| marks.len() - 1 - place);
        if last_plus.is_some_and(|blanks| blanks <= 2) { Lead::Plus } else { Lead::None }
    }

    /// Whether the letters that touch it name it, or are the end of an escaped character of JSON (RFC 8259 section 7).
    fn is_introduced(&self, names: &Names) -> bool {
        let front = &self.text[..self.span.start];
        let is_escape = matches!(
            front,
            [.., b'\\', b'b' | b'f' | b'n' | b'r' | b't' | b'B' | b'F' | b'N' | b'R' | b'T']
                | [.., b'\\', b'u' | b'U', b'0', b'0', b'2', b'b' | b'B']
        );
        let window = &front[front.len().saturating_sub(LOOK_BACK)..];
        let letters = window.iter().rev().take_while(|octet| octet.is_ascii_alphabetic()).count();
        is_escape || names.hint(&window[window.len() - letters..]).is_some()
    }

    /// Whether something announces the word that it is a part of, and that word is not much longer.
    fn is_in_named_word(&self, names: &Names, hinted: Option<Identifier>, identifier: Identifier) -> bool {
        let (start, end) = (self.span.start, self.span.end);
        let glued = |octet: &&u8| octet.is_ascii_alphanumeric();
        let before = self.text[..start].iter().rev().take(MOST_GLUED + 1).take_while(glued).count();
        let behind = self.text[end..].iter().take(MOST_GLUED + 1).take_while(glued).count();
        before + behind <= MOST_GLUED
            && (hinted == Some(identifier) || is_keyed(self.text, start - before, names, identifier))
    }

    /// The gap between a group of digits in front and this one; none where there is no such group.
    fn gap_before(&self) -> Option<&[u8]> {
        let front = &self.text[..self.span.start];
        let gap = front.iter().rev().take(LONGEST_GAP).take_while(|octet| is_gap(**octet)).count();
        let (before, gap) = front.split_at(front.len() - gap);
        before.last()?.is_ascii_digit().then_some(gap)
    }

    fn gap_behind(&self) -> Option<&[u8]> {
        let rest = &self.text[self.span.end..];
        let gap = rest.iter().take(LONGEST_GAP).take_while(|octet| is_gap(**octet)).count();
        rest.get(gap)?.is_ascii_digit().then_some(&rest[..gap])
    }

    /// Whether the groups of digits are rather several numbers, a part of a longer row, or a date.
    fn is_several(&self) -> bool {
        let written = self.octets();
        let is_among_gaps = |octet: &u8| !octet.is_ascii_digit() && written.contains(octet);
        let around = [self.gap_before(), self.gap_behind()];
        self.gap.as_ref().is_some_and(Range::is_empty)
            || matches!(written, [b'0', other, ..] if !other.is_ascii_digit() && *other != b')')
            || lone_digits(written) > 1
            || around.into_iter().flatten().flatten().any(is_among_gaps)
            || has_date(written)
            || (written.iter().all(|octet| octet.is_ascii_digit() || *octet == b'.')
                && matches!(self.text[..self.span.start], [.., letter, b'/'] if letter.is_ascii_alphabetic()))
    }

    fn is_fraction(&self) -> bool {
        let (start, end) = (self.span.start, self.span.end);
        if self.before() != Some(b'.') || self.octet(end) == Some(b'.') {
            return false;
        }
        let window = start.saturating_sub(LOOK_BACK);
        let digits = self.text[window..start - 1].iter().rev().take_while(|octet| octet.is_ascii_digit()).count();
        let begin = start - 1 - digits;
        let is_apart = |octet: u8| !octet.is_ascii_alphanumeric() && octet != b'.';
        digits > 0 && begin.checked_sub(1).is_none_or(|at| is_apart(self.text[at]))
    }
}

/// Whether the key in front of this place names such an identifier.
pub(super) fn is_keyed(text: &[u8], start: usize, names: &Names, identifier: Identifier) -> bool {
    let window = &text[start.saturating_sub(LOOK_BACK)..start];
    let Some(last) = window.iter().rposition(u8::is_ascii_alphanumeric) else { return false };
    let is_of_key = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'.' | b'-');
    let end = last + window[last..].iter().take_while(|octet| is_of_key(octet)).count();
    if window.len() - end > BEHIND_KEY {
        return false;
    }
    let begin = end - window[..end].iter().rev().take_while(|octet| is_of_key(octet)).count();
    let Some(letter) = window[begin..end].iter().position(u8::is_ascii_alphabetic) else { return false };
    names.hint(&window[begin + letter..end]) == Some(identifier)
}

/// Whether the groups of a GUID before the last end here (RFC 9562 section 4).
fn ends_guid(front: &[u8]) -> bool {
    let is_group = |group: &[u8]| group[4] == b'-' && group[..4].iter().all(u8::is_ascii_hexdigit);
    front.last_chunk::<10>().is_some_and(|last| is_group(&last[..5]) && is_group(&last[5..]))
}

fn is_ipv4(written: &[u8]) -> bool {
    std::str::from_utf8(written).is_ok_and(|text| text.parse::<Ipv4Addr>().is_ok())
}

/// Groups of one digit, but for the first group and the trunk prefix in brackets.
fn lone_digits(written: &[u8]) -> usize {
    let is_digit = |at: usize| written.get(at).is_some_and(u8::is_ascii_digit);
    let is_lone = |at: &usize| !is_digit(*at) && written[*at] != b'(' && is_digit(at + 1) && !is_digit(at + 2);
    (0..written.len()).filter(is_lone).count()
}

fn two(digits: &[u8]) -> Option<u32> {
    match digits {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some(u32::from(tens - b'0') * 10 + u32::from(ones - b'0')),
        _ => None,
    }
}

fn is_within(digits: &[u8], range: std::ops::RangeInclusive<u32>) -> bool {
    two(digits).is_some_and(|value| range.contains(&value))
}

fn is_year(digits: &[u8]) -> bool {
    is_within(&digits[..2], 19..=20) && two(&digits[2..]).is_some()
}

/// YYYYMMDD
fn is_day(digits: &[u8]) -> bool {
    is_year(&digits[..4]) && is_within(&digits[4..6], 1..=12) && is_within(&digits[6..], 1..=31)
}

/// YYYYMMDDhhmm
fn is_date_and_time(digits: &[u8]) -> bool {
    digits.len() == 12 && is_day(&digits[..8]) && is_within(&digits[8..10], 0..=23) && is_within(&digits[10..], 0..=59)
}

/// Unix time of 2001 to 2065 in seconds or milliseconds; a day, to the minute or second.
pub(super) fn is_moment(digits: &[u8]) -> bool {
    match digits.len() {
        8 => is_day(digits),
        10 | 13 => matches!(digits[0], b'1' | b'2') && digits.iter().all(u8::is_ascii_digit),
        12 => is_date_and_time(digits),
        14 => is_date_and_time(&digits[..12]) && is_within(&digits[12..], 0..=59),
        _ => false,
    }
}

/// Whether a day stands there, in groups: 25-01-2012 or 2012-01-25.
fn has_date(written: &[u8]) -> bool {
    let is_word = |octet: Option<&u8>| octet.is_some_and(|octet| octet.is_ascii_alphanumeric() || *octet == b'_');
    (0..written.len()).filter(|at| written[*at].is_ascii_digit()).any(|at| {
        let before = at.checked_sub(1).and_then(|before| written.get(before));
        let Some(date) = written.get(at..at + 10) else { return false };
        !is_word(before) && !is_word(written.get(at + 10)) && (is_date(date, 2, 5, 6) || is_date(date, 4, 7, 0))
    })
}

/// Whether a date has its two separators there, and its year here.
fn is_date(date: &[u8], first: usize, second: usize, year: usize) -> bool {
    let (month, day) = if year == 0 { (5, 8) } else { (3, 0) };
    date[first] == date[second]
        && matches!(date[first], b'-' | b'.' | b'/' | b' ')
        && is_year(&date[year..year + 4])
        && is_within(&date[month..month + 2], 1..=12)
        && is_within(&date[day..day + 2], 1..=31)
}
