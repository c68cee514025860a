//! Names of headers, cookies and parameters: what is known of one, and whether it hints (monitor/identify/catalogue.py).

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::Identifier;
use crate::records::Wanted;

/// Octets at the end of a name that are looked at: names are an attacker's to invent.
const LONGEST_HINT: usize = 64;
const HTTP: &[u8] = b"http-";
/// What may stand behind a stem, and behind a short word.
const ENDS: [&[u8]; 8] = [b"", b"no", b"nr", b"num", b"number", b"ts", b"nocc", b"withoutcc"];
const SHORT_ENDS: [&[u8]; 5] = [b"", b"no", b"nr", b"num", b"number"];
/// They count only where a word begins: `gclid` and `hotel` are neither `clid` nor `tel`.
const SHORT_WORDS: [&[u8]; 5] = [b"clid", b"cli", b"tel", b"cell", b"gsm"];

/// What names say.
#[derive(Debug)]
pub(super) struct Names {
    hints: HashMap<Vec<u8>, Identifier, RandomState>,
    shortest: usize,
    longest: usize,
    stems: Vec<(Vec<u8>, Identifier)>,
    /// The last letters of all that hints by its end.
    last: [bool; 256],
}

impl Names {
    pub fn new(wanted: &Wanted) -> Names {
        let hints: HashMap<_, _, _> = wanted.hints.iter().cloned().collect();
        let longest = hints.keys().map(Vec::len).max().unwrap_or(0);
        let stems = wanted.stems.clone();
        let all = hints.keys().chain(stems.iter().map(|(stem, _)| stem)).map(Vec::len);
        let shortest = all.chain(SHORT_WORDS.map(<[u8]>::len)).min().unwrap_or(0);
        let mut last = [false; 256];
        let ends = stems.iter().map(|(stem, _)| stem.as_slice()).chain(ENDS).chain(SHORT_WORDS);
        ends.filter_map(<[u8]>::last).for_each(|letter| last[usize::from(*letter)] = true);
        Names { hints, shortest, longest, stems, last }
    }

    /// What the name of a header, cookie or parameter says that it carries, by the catalogue or by its stem.
    pub fn hint(&self, name: &[u8]) -> Option<Identifier> {
        if name.len() < self.shortest {
            return None;
        }
        if name.len() <= self.longest + HTTP.len()
            && let Some(known) = self.hints.get(normalised(name).as_ref())
        {
            return Some(*known);
        }
        let mut room = [0; LONGEST_HINT];
        let end = &name[name.len().saturating_sub(LONGEST_HINT)..];
        let lower = &mut room[..end.len()];
        lower.copy_from_slice(end);
        lower.make_ascii_lowercase();
        self.by_stem(lower).or_else(|| ends_with_short_word(lower).then_some(Identifier::Msisdn))
    }

    fn by_stem(&self, lower: &[u8]) -> Option<Identifier> {
        let last = lower.iter().rev().find(|letter| letter.is_ascii_lowercase())?;
        if !self.last[usize::from(*last)] {
            return None;
        }
        let (mut room, mut size) = ([0; LONGEST_HINT], 0);
        for letter in lower.iter().filter(|letter| letter.is_ascii_lowercase()) {
            room[size] = *letter;
            size += 1;
        }
        let letters = &room[..size];
        let found = ENDS.iter().filter_map(|end| letters.strip_suffix(*end)).flat_map(|rest| {
            let stems = self.stems.iter().filter(move |(stem, _)| rest.ends_with(stem));
            stems.map(move |(stem, identifier)| (rest.len() - stem.len(), *identifier))
        });
        found.min_by_key(|(begin, _)| *begin).map(|(_, identifier)| identifier)
    }
}

fn ends_with_short_word(lower: &[u8]) -> bool {
    let is_word = |rest: &[u8]| {
        let mut before = SHORT_WORDS.iter().filter_map(|word| rest.strip_suffix(*word));
        before.any(|before| !before.last().is_some_and(u8::is_ascii_lowercase))
    };
    SHORT_ENDS.iter().filter_map(|end| lower.strip_suffix(*end)).any(|rest| match rest {
        [before @ .., octet] if !octet.is_ascii_lowercase() => is_word(rest) || is_word(before),
        _ => is_word(rest),
    })
}

/// Lower case, `-` for `_`, no `HTTP_` in front (monitor/field.py).
pub(super) fn normalised(name: &[u8]) -> Cow<'_, [u8]> {
    let is_other = |octet: &u8| octet.is_ascii_uppercase() || *octet == b'_';
    if name.iter().any(is_other) {
        let one = |octet: &u8| if *octet == b'_' { b'-' } else { octet.to_ascii_lowercase() };
        let normal: Vec<u8> = name.iter().map(one).collect();
        return Cow::Owned(normal.strip_prefix(HTTP).map(<[u8]>::to_vec).unwrap_or(normal));
    }
    Cow::Borrowed(name.strip_prefix(HTTP).unwrap_or(name))
}
