//! Whether a text holds an unkeyed digest of an own number, in hex or base64.

use crate::hashes::HashTable;

/// Octets of MD5, SHA-1 and SHA-256, and letters of each in base64 without padding.
const LENGTHS: [(usize, usize); 3] = [(16, 22), (20, 27), (32, 43)];
pub(super) const SHORTEST: usize = 22;

/// Whether one stands in the run of its letters with which these octets begin.
#[inline]
pub(super) fn begins_with_digest(octets: &[u8], table: &HashTable) -> bool {
    let end = octets.iter().position(|&octet| !is_letter(octet)).unwrap_or(octets.len());
    is_in_run(&octets[..end], table)
}

fn is_in_run(run: &[u8], table: &HashTable) -> bool {
    run.split(|octet| !octet.is_ascii_alphanumeric()).any(|token| is_hex(token, table))
        || is_base64(run, 0, table)
        || memchr::memchr_iter(b'/', run).any(|slash| is_base64(run, slash + 1, table))
}

fn is_hex(token: &[u8], table: &HashTable) -> bool {
    let Some((octets, _)) = LENGTHS.iter().find(|(octets, _)| 2 * octets == token.len()) else { return false };
    let mut digest = [0; 32];
    for (octet, pair) in digest.iter_mut().zip(token.chunks_exact(2)) {
        let nibble = |at: usize| char::from(pair[at]).to_digit(16);
        let (Some(high), Some(low)) = (nibble(0), nibble(1)) else { return false };
        *octet = (high << 4 | low) as u8;
    }
    table.has(&digest[..*octets])
}

/// Whether a digest begins here; a slash may be one of its letters, and may stand around it in a path.
fn is_base64(run: &[u8], at: usize, table: &HashTable) -> bool {
    LENGTHS.iter().any(|&(octets, letters)| {
        let Some(text) = run.get(at..at + letters) else { return false };
        run.get(at + letters).is_none_or(|&behind| behind == b'/') && table.has(&decoded(text)[..octets])
    })
}

/// RFC 4648 sections 4 and 5; at most 43 letters.
fn decoded(text: &[u8]) -> [u8; 33] {
    let mut octets = [0; 33];
    for (three, four) in octets.chunks_exact_mut(3).zip(text.chunks(4)) {
        let bits = four.iter().fold(0, |bits, &letter| bits << 6 | sextet(letter)) << (6 * (4 - four.len()));
        three.copy_from_slice(&bits.to_be_bytes()[1..]);
    }
    octets
}

pub(super) fn sextet(letter: u8) -> u32 {
    u32::from(match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' | b'-' => 62,
        _ => 63,
    })
}

/// Letters of base64 in either alphabet.
static LETTER: [bool; 256] = {
    let (mut letters, mut octet) = ([false; 256], 0);
    while octet < 256 {
        let letter = octet as u8;
        letters[octet] = letter.is_ascii_alphanumeric() || matches!(letter, b'+' | b'/' | b'-' | b'_');
        octet += 1;
    }
    letters
};

#[inline]
fn is_letter(octet: u8) -> bool {
    LETTER[usize::from(octet)]
}
