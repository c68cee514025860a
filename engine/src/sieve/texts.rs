//! Text that was coded as a whole, in base64 or hex: decoded where digits show in it, and read like any other.

use std::ops::Range;

use super::digest::sextet;
use super::quoted::NIBBLES;
use crate::letters::{HEX, WORD, is};

/// Letters of coded text in which digits show: three twice in base64, eight in hex (monitor/identify/coded.py).
pub(super) const BASE64_SHOWN: usize = 8;
pub(super) const HEX_SHOWN: usize = 16;

/// What the first letter of three digits in base64 may be: these and what lies between them.
pub(super) const FIRST_OF_BASE64: (u8, u8) = (b'M', b'O');
/// The first letter of a digit in hex.
pub(super) const FIRST_OF_HEX: u8 = b'3';

/// Bit n: the octet may be letter n of two groups of four that are three digits each in base64. A digit is 0x30 to
/// 0x39, and of any ten digits six make two such groups (RFC 4648 section 4).
static DIGITS: [u8; 256] = {
    let groups: [&[u8]; 4] = [b"MNO", b"DTjz", b"AEIMQUYcgk", b"wxyz012345"];
    let (mut letters, mut of) = ([0; 256], 0);
    while of < 4 {
        let mut at = 0;
        while at < groups[of].len() {
            letters[groups[of][at] as usize] |= 0x11 << of;
            at += 1;
        }
        of += 1;
    }
    letters
};

/// Where the run of letters ends that was read last, by where its groups of letters begin: none is read twice.
#[derive(Debug, Default)]
pub(super) struct Ends {
    base64: [usize; 4],
    hex: [usize; 2],
}

/// Whether four letters are three digits in base64.
pub fn is_digits_in_base64(letters: &[u8]) -> bool {
    letters.iter().enumerate().all(|(place, &letter)| DIGITS[usize::from(letter)] >> place & 1 != 0)
}

/// The run of letters around the six digits in base64 that begin here; None: none do, or it was read already.
#[inline]
pub(super) fn base64_at(octets: &[u8], at: usize, ends: &mut Ends) -> Option<Range<usize>> {
    let digits = octets[at..].first_chunk::<BASE64_SHOWN>()?;
    let mut places = (0..BASE64_SHOWN).zip(digits);
    if at < ends.base64[at % 4] || !places.all(|(place, &letter)| DIGITS[usize::from(letter)] >> place & 1 != 0) {
        return None;
    }
    let run = around(octets, at, 4, WORD);
    ends.base64[at % 4] = run.end;
    Some(run)
}

/// The same of eight digits in hex.
#[inline]
pub(super) fn hex_at(octets: &[u8], at: usize, ends: &mut Ends) -> Option<Range<usize>> {
    let (digits, _) = octets[at..].first_chunk::<HEX_SHOWN>()?.as_chunks::<2>();
    if at < ends.hex[at % 2] || !digits.iter().all(|[three, digit]| *three == FIRST_OF_HEX && digit.is_ascii_digit()) {
        return None;
    }
    let run = around(octets, at, 2, HEX);
    ends.hex[at % 2] = run.end;
    Some(run)
}

/// The run of letters around this place, from where one of its groups begins.
fn around(octets: &[u8], at: usize, group: usize, kind: u8) -> Range<usize> {
    let before = octets[..at].iter().rev().take_while(|&&letter| is(letter, kind)).count();
    let behind = octets[at..].iter().take_while(|&&letter| is(letter, kind)).count();
    at - before / group * group..at + behind
}

/// RFC 4648 section 4, without padding.
pub fn from_base64(run: &[u8]) -> impl Iterator<Item = u8> + Clone {
    run.chunks(4).flat_map(|four| {
        let bits = four.iter().fold(0, |bits, &letter| bits << 6 | sextet(letter)) << (6 * (4 - four.len()));
        let [_, octets @ ..] = bits.to_be_bytes();
        octets.into_iter().take(four.len() - 1)
    })
}

/// RFC 4648 section 8.
pub fn from_hex(run: &[u8]) -> impl Iterator<Item = u8> + Clone {
    let nibble = |letter: u8| NIBBLES[usize::from(letter)] & 15;
    run.as_chunks::<2>().0.iter().map(move |&[high, low]| nibble(high) << 4 | nibble(low))
}
