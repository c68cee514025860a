//! Whether a text may hold a number that was coded by itself: a token of letters and digits.

use crate::letters::{WORD, is};

/// So many letters and digits stand together in any coded number, but for the few that may end in `+/_-`.
pub(super) const SHORTEST: usize = 8;

/// Longest beginning of a token that is compared; the rest of a longer one is not asked about.
const LONGEST: usize = 16;

/// What shows of coded numbers.
#[derive(Debug)]
pub(super) struct Coded {
    /// What a number coded by itself begins with, and how many letters and digits it has at the least.
    tokens: Vec<(Vec<u8>, usize)>,
    /// Letters and digits of the shortest, at most [`SHORTEST`].
    pub(super) shortest: usize,
    /// The first letters of these.
    begins: [bool; 256],
}

impl Coded {
    /// Tokens as a Watch has them.
    pub(super) fn new(tokens: &[(Vec<u8>, usize)]) -> Coded {
        let tokens: Vec<_> = tokens
            .iter()
            .map(|(begin, more)| (begin[..begin.len().min(LONGEST)].to_vec(), begin.len() + more))
            .collect();
        let mut begins = [false; 256];
        for (begin, _) in &tokens {
            match begin.first() {
                Some(&first) => begins[usize::from(first)] = true,
                None => begins = [true; 256],
            }
        }
        let shortest = tokens.iter().map(|(_, least)| *least).min().unwrap_or(SHORTEST).min(SHORTEST);
        Coded { tokens, shortest, begins }
    }

    /// Whether one begins with these octets, which begin a word of letters and digits.
    #[inline]
    pub(super) fn begins(&self, word: &[u8]) -> bool {
        word.first().is_some_and(|&first| self.begins[usize::from(first)])
            && self.tokens.iter().any(|(begin, least)| is_token(word, begin, *least))
    }
}

/// Whether so many letters and digits stand there, these first.
fn is_token(word: &[u8], begin: &[u8], least: usize) -> bool {
    word.starts_with(begin) && word.get(..least).is_some_and(|word| word.iter().all(|&octet| is(octet, WORD)))
}
