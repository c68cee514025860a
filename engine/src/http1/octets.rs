//! Classes of octets, and what is cut by them.

use memchr::memchr;

/// Longer words are cut like anything else.
const CUT_WORD: usize = 64;

/// RFC 9110 section 5.6.2.
pub const TOKEN: u8 = 1;
/// What a method may be made of; a colon would make it a field line.
pub const METHOD: u8 = 2;
/// A control character that is neither white space nor the end of a line.
pub const CONTROL: u8 = 4;
/// What a field name may be made of to anyone.
pub const NAME: u8 = 8;
/// These alone.
pub const CR: u8 = 16;
pub const NUL: u8 = 32;
/// What is in no token.
pub const NO_TOKEN: u8 = 64;
/// This alone.
pub const LF: u8 = 128;

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        let o = octet as u8;
        if o.is_ascii_alphanumeric()
            || matches!(o, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
        {
            classes[octet] |= TOKEN;
        } else {
            classes[octet] |= NO_TOKEN;
        }
        if o.is_ascii_graphic() && o != b':' {
            classes[octet] |= METHOD;
        }
        if o.is_ascii_control() && !matches!(o, 0 | b'\t' | b'\n' | b'\r') {
            classes[octet] |= CONTROL;
        }
        if o > b' ' && o != b':' {
            classes[octet] |= NAME;
        }
        match o {
            b'\r' => classes[octet] |= CR,
            b'\n' => classes[octet] |= LF,
            0 => classes[octet] |= NUL,
            _ => {}
        }
        octet += 1;
    }
    classes
};

#[inline]
pub fn is(octet: u8, class: u8) -> bool {
    class_of(octet) & class != 0
}

/// All classes that this octet is of.
#[inline]
pub fn class_of(octet: u8) -> u8 {
    CLASSES[usize::from(octet)]
}

/// How many octets at the beginning are of this class.
#[inline]
pub fn span(octets: &[u8], class: u8) -> usize {
    octets.iter().position(|&octet| !is(octet, class)).unwrap_or(octets.len())
}

/// Whether this is a token (RFC 9110 section 5.6.2).
#[inline]
pub fn is_token(octets: &[u8]) -> bool {
    !octets.is_empty() && span(octets, TOKEN) == octets.len()
}

/// RFC 5234 appendix B.1.
#[inline]
pub fn is_visible(octets: &[u8]) -> bool {
    octets.iter().fold(true, |sound, &octet| sound & octet.is_ascii_graphic())
}

#[inline]
pub fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// Between the parts of a request line: RFC 9112 section 3, for who is lenient.
#[inline]
pub fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | 0x0B | 0x0C | b'\r')
}

pub fn is_blank_or_cr(octet: u8) -> bool {
    is_blank(octet) || octet == b'\r'
}

/// What lies behind the octets that are such.
#[inline]
pub fn trim_start(octets: &[u8], what: impl Fn(u8) -> bool) -> &[u8] {
    let mut rest = octets;
    while let Some((&octet, behind)) = rest.split_first()
        && what(octet)
    {
        rest = behind;
    }
    rest
}

#[inline]
pub fn trim_end(octets: &[u8], what: impl Fn(u8) -> bool) -> &[u8] {
    let mut rest = octets;
    while let Some((&octet, before)) = rest.split_last()
        && what(octet)
    {
        rest = before;
    }
    rest
}

#[inline]
pub fn trim(octets: &[u8], what: impl Fn(u8) -> bool) -> &[u8] {
    trim_end(trim_start(octets, &what), &what)
}

pub fn trim_blanks_before(octets: &[u8]) -> &[u8] {
    trim_start(octets, is_blank)
}

pub fn trim_blanks(octets: &[u8]) -> &[u8] {
    trim(octets, is_blank)
}

/// What stands before the first such octet, and what behind it if there is one.
pub fn part(octets: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match memchr(at, octets).and_then(|place| octets.split_at_checked(place)) {
        Some((before, rest)) => (before, rest.get(1..)),
        None => (octets, None),
    }
}

pub fn starts_with_any_case(octets: &[u8], prefix: &[u8]) -> bool {
    octets.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Every lone CR made the end of a line.
pub fn with_whole_ends(block: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(block.len() + block.len() / 4 + 16);
    let mut rest = block;
    while let Some(cr) = memchr(b'\r', rest) {
        let (line, behind) = rest.split_at(cr + 1);
        whole.extend_from_slice(line);
        if behind.first() != Some(&b'\n') {
            whole.push(b'\n');
        }
        rest = behind;
    }
    whole.extend_from_slice(rest);
    whole
}

/// How much of a word stands at the end of a text that is cut there; 0 where the whole end is one.
pub fn word_at_end(text: &[u8]) -> usize {
    let is_word = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'%' | b'_' | b'-');
    let length = text.iter().rev().position(|octet| !is_word(octet)).unwrap_or(text.len());
    if length < CUT_WORD { length } else { 0 }
}
