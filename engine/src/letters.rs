//! What an octet is in text, by a table: where much is asked, one look costs less than three comparisons.

/// Letters and digits.
pub const WORD: u8 = 1;
/// Hexadecimal digits.
pub const HEX: u8 = 2;
/// Letters of base64 in either alphabet (RFC 4648 sections 4 and 5), without padding.
pub const BASE64: u8 = 4;

static KINDS: [u8; 256] = {
    let (mut kinds, mut octet) = ([0; 256], 0);
    while octet < 256 {
        let letter = octet as u8;
        if letter.is_ascii_alphanumeric() {
            kinds[octet] |= WORD | BASE64;
        }
        if letter.is_ascii_hexdigit() {
            kinds[octet] |= HEX;
        }
        if matches!(letter, b'+' | b'/' | b'-' | b'_') {
            kinds[octet] |= BASE64;
        }
        octet += 1;
    }
    kinds
};

/// Whether an octet is of this kind.
#[inline]
pub fn is(octet: u8, kind: u8) -> bool {
    KINDS[usize::from(octet)] & kind != 0
}
