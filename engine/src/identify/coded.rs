//! Coded numbers: the text of one field in, the own numbers in it that anybody can decode out
//! (monitor/identify/coded.py).

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::names::Names;
use super::numbers::Own;
use super::plain::Plain;
use super::surroundings::is_keyed;
use super::{Form, Found, Identifier, Spelling};
use crate::letters::{self, WORD, is};
use crate::records::WantedToken;
use crate::sieve::{from_base64, from_hex, is_digits_in_base64};

/// Octets of anything coded.
pub(super) const SHORTEST: usize = 7;

/// A way in which text is coded as a whole.
pub(super) struct Coded {
    spelling: Spelling,
    letters: u8,
    /// Letters of a run.
    shortest: usize,
    /// So many letters stand for some digits, and so many of these in a row show that there are any.
    group: usize,
    fewest: usize,
    is_digits: fn(&[u8]) -> bool,
    decode: fn(&[u8]) -> Vec<u8>,
}

pub(super) static BASE64: Coded = Coded {
    spelling: Spelling::Base64,
    letters: WORD,
    shortest: 8,
    group: 4,
    fewest: 2,
    is_digits: is_digits_in_base64,
    decode: |run| from_base64(run).collect(),
};

pub(super) static HEX: Coded = Coded {
    spelling: Spelling::AsciiHex,
    letters: letters::HEX,
    shortest: 16,
    group: 2,
    fewest: 8,
    is_digits: |pair| pair[0] == b'3' && pair[1].is_ascii_digit(),
    decode: |run| from_hex(run).collect(),
};

impl Coded {
    /// Where `is_compared`, digits and nothing else need no hint.
    pub fn read(
        &self,
        (own, names, plain): (&Own, &Names, &Plain),
        text: &[u8],
        (hinted, is_compared): (Option<Identifier>, bool),
        found: &mut Vec<Found>,
    ) {
        let mut at = 0;
        while let Some(begin) = text[at..].iter().position(|&octet| is(octet, self.letters)).map(|more| at + more) {
            at = begin + text[begin..].iter().take_while(|&&octet| is(octet, self.letters)).count();
            let run = &text[begin..at];
            for (rest, last) in self.shown(run) {
                let before = found.len();
                let decoded = (self.decode)(&run[rest..]);
                let is_hinted = (is_compared && decoded.iter().all(u8::is_ascii_digit))
                    || [begin + last, begin].into_iter().any(|at| is_keyed(text, at, names, Identifier::Msisdn));
                let hinted = if is_hinted { Some(Identifier::Msisdn) } else { hinted };
                plain.read(own, names, &decoded, hinted, found);
                for one in &mut found[before..] {
                    (one.spelling, one.form) = (self.spelling, Form::Encoded);
                }
            }
        }
    }

    /// Where groups begin that show digits, in the order of the first of each, with the last of each.
    fn shown(&self, run: &[u8]) -> Vec<(usize, usize)> {
        let (mut shown, mut at) = (Vec::<(usize, usize)>::new(), 0);
        while run.len() >= self.shortest && at + self.group * self.fewest <= run.len() {
            let groups = run[at..].chunks_exact(self.group).take_while(|some| (self.is_digits)(some)).count();
            if groups < self.fewest {
                at += 1;
                continue;
            }
            match shown.iter_mut().find(|(rest, _)| *rest == at % self.group) {
                Some((_, last)) => *last = at,
                None => shown.push((at % self.group, at)),
            }
            at += self.group * groups;
        }
        shown
    }
}

/// A letter of a token.
#[derive(Clone, Copy, Debug)]
enum Letter {
    One(u8),
    Digit,
    Filler,
    Base64,
    LowerHex,
    UpperHex,
}

impl Letter {
    #[inline]
    fn is(self, octet: u8) -> bool {
        match self {
            Letter::One(wanted) => octet == wanted,
            Letter::Digit => octet.is_ascii_digit(),
            Letter::Filler => matches!(octet, b'F' | b'f'),
            Letter::Base64 => is(octet, letters::BASE64),
            Letter::LowerHex => matches!(octet, b'0'..=b'9' | b'a'..=b'f'),
            Letter::UpperHex => matches!(octet, b'0'..=b'9' | b'A'..=b'F'),
        }
    }
}

/// One way to write one number as a token.
#[derive(Debug)]
struct Coding {
    spelling: Spelling,
    letters: Vec<Letter>,
    /// Digits in front that say what the others are.
    skip: usize,
    /// Few enough tokens look so by chance.
    is_believed: bool,
}

/// Reads numbers that were coded by themselves.
#[derive(Debug)]
pub(super) struct Tokens {
    codings: Vec<Coding>,
    /// What any of them begins with.
    begins: [bool; 256],
}

impl Tokens {
    pub fn new(wanted: &[WantedToken]) -> Tokens {
        let codings: Vec<Coding> = wanted.iter().filter_map(Coding::new).collect();
        let mut begins = [false; 256];
        for octet in 0..=255 {
            begins[usize::from(octet)] =
                codings.iter().any(|coding| coding.letters.first().is_some_and(|letter| letter.is(octet)));
        }
        Tokens { codings, begins }
    }

    pub fn read(&self, own: &Own, names: &Names, text: &[u8], hinted: Option<Identifier>, found: &mut Vec<Found>) {
        let mut hits = self.hits(own, text);
        hits.sort_by_key(|(coding, _, _)| *coding);
        let mut read: HashSet<usize, RandomState> = HashSet::default();
        for (coding, start, digits) in hits {
            let coding = &self.codings[coding];
            let is_hinted = || hinted == Some(Identifier::Msisdn) || is_keyed(text, start, names, Identifier::Msisdn);
            if !read.contains(&start) && (coding.is_believed || is_hinted()) {
                read.insert(start);
                found.push(Found {
                    identifier: Identifier::Msisdn,
                    digits,
                    spelling: coding.spelling,
                    form: Form::Encoded,
                });
            }
        }
    }

    /// By which coding, where, and what number stands there.
    fn hits(&self, own: &Own, text: &[u8]) -> Vec<(usize, usize, Vec<u8>)> {
        let (mut hits, mut ends) = (Vec::new(), Vec::new());
        for start in 0..text.len() {
            if !self.begins[usize::from(text[start])] || !is_apart(&text[..start]) {
                continue;
            }
            ends.resize(self.codings.len(), 0);
            for (place, (coding, end)) in self.codings.iter().zip(&mut ends).enumerate() {
                if start < *end || !coding.begins(&text[start..]) {
                    continue;
                }
                let token = &text[start..start + coding.letters.len()];
                *end = start + token.len();
                let number = coding.number(token);
                // plain is the nearer reading
                if own.has_msisdn(&number) && !own.has_msisdn(token) {
                    hits.push((place, start, number));
                }
            }
        }
        hits
    }
}

/// No letter or digit touches what follows, and it is not the fraction of a decimal.
fn is_apart(front: &[u8]) -> bool {
    !matches!(front, [.., octet] if octet.is_ascii_alphanumeric())
        && !matches!(front, [.., digit, b'.'] if digit.is_ascii_digit())
}

impl Coding {
    /// None: the pattern is no row of letters.
    fn new((spelling, pattern, skip, is_believed): &WantedToken) -> Option<Coding> {
        let classes: [(&[u8], Letter); 5] = [
            (b"[0-9A-Za-z+/_-]", Letter::Base64),
            (b"[0-9a-f]", Letter::LowerHex),
            (b"[0-9A-F]", Letter::UpperHex),
            (b"[0-9]", Letter::Digit),
            (b"[Ff]", Letter::Filler),
        ];
        let (mut letters, mut rest) = (Vec::new(), pattern.as_slice());
        while let Some((first, others)) = rest.split_first() {
            let class = classes.iter().find_map(|(class, letter)| Some((*letter, rest.strip_prefix(*class)?)));
            let (letter, behind) = match (first, class) {
                (_, Some(class)) => class,
                (b'\\', None) => (Letter::One(*others.first()?), &others[1..]),
                (_, None) => (Letter::One(*first), others),
            };
            let (times, behind) = repeated(behind)?;
            letters.extend(std::iter::repeat_n(letter, times));
            rest = behind;
        }
        Some(Coding { spelling: Spelling::named(spelling)?, letters, skip: *skip, is_believed: *is_believed })
    }

    fn begins(&self, text: &[u8]) -> bool {
        text.len() >= self.letters.len()
            && self.letters.iter().zip(text).all(|(letter, octet)| letter.is(*octet))
            && !text.get(self.letters.len()).is_some_and(u8::is_ascii_alphanumeric)
    }

    /// What the token says, whatever it is.
    fn number(&self, token: &[u8]) -> Vec<u8> {
        match self.spelling {
            Spelling::Reversed => token.iter().rev().copied().collect(),
            Spelling::Tbcd => unfilled(swapped(&token[self.skip..])),
            Spelling::Base64Bcd => unfilled(nibbles(token)),
            Spelling::Base64Tbcd => unfilled(swapped(&nibbles(token)[self.skip..])),
            _ => {
                let nibble = |octet: &u8| u64::from(char::from(*octet).to_digit(16).unwrap_or_default());
                let number = token.iter().fold(0_u64, |number, octet| number << 4 | nibble(octet));
                number.to_string().into_bytes()
            }
        }
    }
}

/// `{n}`, or once.
fn repeated(pattern: &[u8]) -> Option<(usize, &[u8])> {
    let Some(rest) = pattern.strip_prefix(b"{") else { return Some((1, pattern)) };
    let end = rest.iter().position(|octet| *octet == b'}')?;
    Some((std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?, &rest[end + 1..]))
}

fn swapped(digits: &[u8]) -> Vec<u8> {
    digits.chunks(2).flat_map(|pair| [pair.get(1).copied().unwrap_or(b'F'), pair[0]]).collect()
}

fn unfilled(mut nibbles: Vec<u8>) -> Vec<u8> {
    if matches!(nibbles.last(), Some(b'F' | b'f')) {
        nibbles.pop();
    }
    nibbles
}

fn nibbles(token: &[u8]) -> Vec<u8> {
    from_base64(token)
        .flat_map(|octet| [octet >> 4, octet & 15])
        .map(|nibble| b"0123456789ABCDEF"[usize::from(nibble)])
        .collect()
}
