//! Whether a text may hold a number that was coded: what shows of it are letters and digits.

/// So many letters and digits stand together in any coded number.
const SHORTEST: usize = 8;

/// Longest beginning of a token that is compared; the rest of a longer one is not asked about.
const LONGEST: usize = 16;

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

/// Letters and digits.
static LETTER: [bool; 256] = {
    let (mut letters, mut octet) = ([false; 256], 0);
    while octet < 256 {
        letters[octet] = (octet as u8).is_ascii_alphanumeric();
        octet += 1;
    }
    letters
};

#[inline]
fn is_letter(octet: u8) -> bool {
    LETTER[usize::from(octet)]
}

/// What shows of coded numbers.
#[derive(Debug)]
pub(super) struct Coded {
    /// What a number coded by itself begins with, and how many letters and digits it has at the least.
    tokens: Vec<(Vec<u8>, usize)>,
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
        Coded { tokens, begins }
    }

    /// Whether one may stand in these octets. Long runs of letters and digits are few: most octets are not looked at.
    pub(super) fn may_be_in(&self, octets: &[u8]) -> bool {
        let mut rest = octets;
        while let Some(shortest) = rest.get(..SHORTEST) {
            let end = match shortest.iter().rposition(|&octet| !is_letter(octet)) {
                Some(end) => end,
                None => {
                    let end = rest.iter().position(|&octet| !is_letter(octet)).unwrap_or(rest.len());
                    if self.is_token(&rest[..end], end) || shows_digits(&rest[..end]) {
                        return true;
                    }
                    end
                }
            };
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        false
    }

    /// The same for octets that come one by one.
    pub(super) fn are_in(&self, octets: impl Iterator<Item = u8>) -> bool {
        let (mut begin, mut length, mut state) = ([0; LONGEST], 0, 0);
        for octet in octets {
            if !is_letter(octet) {
                if self.is_token(&begin[..length.min(LONGEST)], length) {
                    return true;
                }
                (length, state) = (0, 0);
                continue;
            }
            if let Some(place) = begin.get_mut(length) {
                *place = octet;
            }
            length += 1;
            state = next(state, octet);
            if state >> 7 != 0 {
                return true;
            }
        }
        self.is_token(&begin[..length.min(LONGEST)], length)
    }

    /// Whether a run of so many letters and digits that begins so may be a number.
    #[inline]
    fn is_token(&self, begin: &[u8], length: usize) -> bool {
        length >= SHORTEST
            && self.begins[usize::from(begin[0])]
            && self.tokens.iter().any(|(wanted, least)| begin.starts_with(wanted) && length >= *least)
    }
}

/// Whether six digits in base64 stand there.
fn shows_digits(run: &[u8]) -> bool {
    let mut state = 0;
    run.iter().any(|&octet| {
        state = next(state, octet);
        state >> 7 != 0
    })
}

/// Bit n: the last n + 1 octets are the first letters of two groups.
#[inline]
fn next(state: u8, octet: u8) -> u8 {
    (state << 1 | 1) & DIGITS[usize::from(octet)]
}
