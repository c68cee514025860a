//! The operator's own numbers: which digits are one, and what may lie between them (monitor/identify/numbers.py).

use crate::records::{Wanted, WantedLength};

/// Octets between two digits of one number.
pub(super) const LONGEST_GAP: usize = 4;

/// 1: a gap; 2: a digit.
static GAPS: [u8; 256] = {
    let (mut gaps, mut octet) = ([0; 256], 0);
    while octet < 256 {
        let is_mark = matches!(octet as u8, b'(' | b')' | b'+' | b'-' | b'.' | b'/');
        let is_gap = (octet <= 0x20 && octet != b'\n' as usize) || octet >= 0x80 || is_mark;
        gaps[octet] = is_gap as u8 | ((octet as u8).is_ascii_digit() as u8) << 1;
        octet += 1;
    }
    gaps
};

/// What people and programs put between the digits of one number.
#[inline]
pub(super) fn is_gap(octet: u8) -> bool {
    GAPS[usize::from(octet)] == 1
}

#[inline]
pub(super) fn is_digit_or_gap(octet: u8) -> bool {
    GAPS[usize::from(octet)] != 0
}

/// Own numbers of one length.
#[derive(Debug)]
pub(super) struct Length {
    /// Digits in E.164.
    size: usize,
    /// What all of them begin with behind the country code, and how many digits follow.
    pub prefix: Vec<u8>,
    pub more: usize,
    /// First and last numbers, ascending, none overlapping another.
    spans: Vec<(u64, u64)>,
}

/// What is asked of digits.
#[derive(Debug)]
pub(super) struct Own {
    pub country: Vec<u8>,
    pub trunk: Vec<u8>,
    /// Dialled before a country code.
    pub access: Vec<u8>,
    pub lengths: Vec<Length>,
    pub imsi_prefixes: Vec<Vec<u8>>,
    /// Digits of the shortest identifier in a row.
    pub fewest: usize,
}

/// Digits of an IMEI, and of an IMSI.
pub(super) const EQUIPMENT: usize = 15;

impl Own {
    pub fn new(wanted: &Wanted) -> Own {
        let country = wanted.country.clone();
        let length = |(size, prefix, spans): &WantedLength| Length {
            size: *size,
            prefix: prefix.clone(),
            more: size.saturating_sub(country.len() + prefix.len()),
            spans: spans.clone(),
        };
        let lengths: Vec<Length> = wanted.lengths.iter().map(length).collect();
        let fewest = lengths.iter().map(|length| length.prefix.len() + length.more).min().unwrap_or(EQUIPMENT);
        Own {
            trunk: wanted.trunk.clone(),
            access: wanted.access.clone(),
            imsi_prefixes: wanted.imsi_prefixes.clone(),
            fewest: fewest.min(EQUIPMENT),
            country,
            lengths,
        }
    }

    /// Whether this is an own number in E.164; what is none may be any text.
    #[inline]
    pub fn has_msisdn(&self, digits: &[u8]) -> bool {
        let Some(length) = self.lengths.iter().find(|length| length.size == digits.len()) else { return false };
        if !digits.iter().all(u8::is_ascii_digit) {
            return false;
        }
        let number = digits.iter().fold(0_u64, |number, digit| number.wrapping_mul(10) + u64::from(digit - b'0'));
        let at = length.spans.partition_point(|&(first, _)| first <= number);
        at > 0 && number <= length.spans[at - 1].1
    }

    /// The own number in E.164, with `+` or without, that a text is and nothing else: no date and time.
    #[inline]
    pub fn all_of<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        let digits = text.strip_prefix(b"+").unwrap_or(text);
        (self.has_msisdn(digits) && !matches!(digits, [b'1', b'9', ..] | [b'2', b'0', ..])).then_some(digits)
    }

    /// Whether an MSISDN or IMSI without gaps could be found there.
    pub fn is_whole_in(&self, text: &[u8]) -> bool {
        let lengths = self.lengths.iter().map(|length| (&length.prefix, length.more));
        let imsis = self.imsi_prefixes.iter().map(|prefix| (prefix, EQUIPMENT - prefix.len()));
        lengths.chain(imsis).any(|(prefix, more)| {
            let is_row = |row: &[u8]| row.starts_with(prefix) && row.iter().all(u8::is_ascii_digit);
            text.windows((prefix.len() + more).max(1)).any(is_row)
        })
    }
}

/// Numbers that programs put where they know none: 99999999999, 5500000000000, 1234567890.
pub(super) fn is_dummy(digits: &[u8]) -> bool {
    let has = |wanted: &[u8]| digits.windows(wanted.len()).any(|some| some == wanted);
    let is_one = digits.len() > 1 && digits.iter().all(|digit| *digit == digits[0]);
    is_one || digits.ends_with(b"0000000") || has(b"12345678") || has(b"87654321")
}

/// 15 digits of which the last is the check digit of ISO/IEC 7812 (TS 23.003 annex B), or 16 of an IMEISV.
pub(super) fn is_imei(digits: &[u8]) -> bool {
    let value = |(place, digit): (usize, &u8)| {
        let digit = u32::from(digit - b'0');
        if place % 2 == 0 { digit } else { 2 * digit % 10 + 2 * digit / 10 }
    };
    let checked = || digits.iter().rev().enumerate().map(value).sum::<u32>() % 10 == 0;
    !is_dummy(digits) && (digits.len() == EQUIPMENT + 1 || checked())
}
