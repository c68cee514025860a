//! Whether a text holds an unkeyed digest of an own number, in hex or base64.

use super::quoted::NIBBLES;
use crate::block::{Answer, Block, each as each_bit};
use crate::hashes::HashTable;
use crate::letters::{BASE64, WORD, is};

/// Octets of MD5, SHA-1 and SHA-256, and letters of each in base64 without padding.
const LENGTHS: [(usize, usize); 3] = [(16, 22), (20, 27), (32, 43)];
pub(super) const SHORTEST: usize = 22;
/// Letters of a digest that are a slash: eight of 22 are in one digest of 10^9 (monitor/identify/hashes.py).
const MOST_SLASHES: usize = 7;

/// Each digest of an own number in a text, how many octets it has and whose it is: those in hex, then the shortest first.
pub(super) fn each(octets: &[u8], table: &HashTable, mut show: impl FnMut(usize, u64)) {
    for token in octets.split(|&octet| !is(octet, WORD)) {
        if let Some((size, number)) = hex_of(token, table) {
            show(size, number);
        }
    }
    for (size, letters) in LENGTHS {
        for run in octets.split(|&octet| !is(octet, BASE64)).filter(|run| run.len() >= letters) {
            for at in starts(run) {
                if let Some(number) = base64_of(run, at, (size, letters), table) {
                    show(size, number);
                }
            }
        }
    }
}

/// Whether one stands in the run of its letters with which these octets begin.
#[inline]
pub(super) fn begins_with_digest(octets: &[u8], table: &HashTable) -> bool {
    let end = marked(octets, |block| !(words(block) | marks(block)).bits()).next().unwrap_or(octets.len());
    is_in_run(&octets[..end], table)
}

fn is_in_run(run: &[u8], table: &HashTable) -> bool {
    let mut begin = 0;
    let tokens = marked(run, |block| marks(block).bits()).chain([run.len()]).map(|end| {
        let token = &run[begin..end];
        begin = end + 1;
        token
    });
    tokens.into_iter().any(|token| hex_of(token, table).is_some())
        || starts(run).any(|at| LENGTHS.iter().any(|&length| base64_of(run, at, length, table).is_some()))
}

/// The places of these octets for which a bit is set.
#[inline]
fn marked(octets: &[u8], bits: impl Fn(Block) -> u64) -> impl Iterator<Item = usize> {
    let blocks = (0..octets.len()).step_by(Block::SIZE);
    let places =
        blocks.flat_map(move |start| each_bit(bits(Block::of(&octets[start..], b' '))).map(move |bit| start + bit));
    places.take_while(|&place| place < octets.len())
}

#[inline]
fn words(block: Block) -> Answer<4> {
    block.letters() | block.within(b'0', b'9')
}

/// What base64 has besides.
#[inline]
pub(super) fn marks(block: Block) -> Answer<4> {
    block.are(b'+') | block.are(b'-') | block.are(b'/') | block.are(b'_')
}

/// Where one in base64 may begin: a slash may be one of its letters, and may stand around it in a path. Behind a slash,
/// so many more are a path and no digest.
fn starts(run: &[u8]) -> impl Iterator<Item = usize> {
    let is_digest = |at: &usize| {
        run.get(*at..*at + SHORTEST).is_some_and(|text| memchr::memchr_iter(b'/', text).count() <= MOST_SLASHES)
    };
    std::iter::once(0).chain(memchr::memchr_iter(b'/', run).map(|slash| slash + 1).filter(is_digest))
}

/// Octets, and whose it is.
fn hex_of(token: &[u8], table: &HashTable) -> Option<(usize, u64)> {
    let (octets, _) = LENGTHS.iter().find(|(octets, _)| 2 * octets == token.len())?;
    let mut digest = [0; 32];
    for (octet, pair) in digest.iter_mut().zip(token.chunks_exact(2)) {
        let [high, low] = [0, 1].map(|at| NIBBLES[usize::from(pair[at])]);
        if high | low > 15 {
            return None;
        }
        *octet = high << 4 | low;
    }
    Some((*octets, table.find(&digest[..*octets])?))
}

fn base64_of(run: &[u8], at: usize, (octets, letters): (usize, usize), table: &HashTable) -> Option<u64> {
    let text = run.get(at..at + letters)?;
    if run.get(at + letters).is_some_and(|&behind| behind != b'/') {
        return None;
    }
    table.find(&decoded(text)[..octets])
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

#[inline]
pub(super) fn sextet(letter: u8) -> u32 {
    u32::from(SEXTETS[usize::from(letter)])
}

static SEXTETS: [u8; 256] = {
    let (mut sextets, mut letter) = ([63; 256], 0);
    while letter < 256 {
        sextets[letter] = match letter as u8 {
            octet @ b'A'..=b'Z' => octet - b'A',
            octet @ b'a'..=b'z' => octet - b'a' + 26,
            octet @ b'0'..=b'9' => octet - b'0' + 52,
            b'+' | b'-' => 62,
            _ => 63,
        };
        letter += 1;
    }
    sextets
};
