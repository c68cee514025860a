//! Digits in a row that may be a number: as far as a number plan shows in the digits alone.

use crate::records::Watch;

/// Whether an octet ends a row of digits.
pub(super) const fn ends_row(octet: u8) -> bool {
    let after_nine = matches!(octet, b':'..=b'@');
    octet.is_ascii_alphabetic() || after_nine || matches!(octet, b'"' | b'\'' | b'#' | b'&' | b'*' | b',' | b'|')
}

/// The same as a table.
static ENDS_ROW: [bool; 256] = {
    let mut ends = [false; 256];
    let mut octet = 0;
    while octet < 256 {
        ends[octet] = ends_row(octet as u8);
        octet += 1;
    }
    ends
};

/// Digits that are compared together; of a longer row a part after another.
const DIGITS: usize = 128;

/// A row: what it begins with (`.` is any digit), and how many digits it has in all.
#[derive(Debug)]
struct Row {
    begin: Vec<u8>,
    digits: usize,
}

/// The rows of a Watch.
#[derive(Debug)]
pub(super) struct Rows {
    unnamed: Vec<Row>,
    /// That count only where a name stands beside them.
    named: Vec<Row>,
    /// Digits of the shortest, and of the longest.
    pub fewest: usize,
    most: usize,
}

/// Which rows stand in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub unnamed: bool,
    pub named: bool,
}

impl Rows {
    pub fn new(watch: &Watch) -> Rows {
        let of = |rows: &[(Vec<u8>, usize)]| -> Vec<Row> {
            let row = |(begin, more): &(Vec<u8>, usize)| Row { begin: begin.clone(), digits: begin.len() + more };
            rows.iter().map(row).collect()
        };
        let (unnamed, named) = (of(&watch.rows), of(&watch.named_rows));
        let lengths = || unnamed.iter().chain(&named).map(|row| row.digits);
        let (fewest, most) = (lengths().min().unwrap_or(usize::MAX), lengths().max().unwrap_or(0));
        Rows { unnamed, named, fewest, most }
    }

    /// Which rows stand in these octets.
    pub fn find(&self, octets: impl Iterator<Item = u8>) -> Found {
        let (mut row, mut size, mut found) = ([0; DIGITS], 0, Found::default());
        for octet in octets {
            if octet.is_ascii_digit() {
                if size == DIGITS {
                    // what follows may be the end of a row that began here
                    self.add(&row, &mut found);
                    size = (self.most - 1).min(DIGITS / 2);
                    row.copy_within(DIGITS - size.., 0);
                }
                row[size] = octet;
                size += 1;
            } else if ENDS_ROW[usize::from(octet)] {
                self.add(&row[..size], &mut found);
                size = 0;
            }
        }
        self.add(&row[..size], &mut found);
        found
    }

    #[inline]
    fn add(&self, digits: &[u8], found: &mut Found) {
        if digits.len() >= self.fewest {
            found.unnamed = found.unnamed || self.unnamed.iter().any(|row| row.is_in(digits));
            found.named = found.named || self.named.iter().any(|row| row.is_in(digits));
        }
    }
}

impl Row {
    fn is_in(&self, digits: &[u8]) -> bool {
        let same =
            |digits: &[u8]| self.begin.iter().zip(digits).all(|(&wanted, &digit)| wanted == digit || wanted == b'.');
        digits.windows(self.digits.max(1)).any(same) || self.digits == 0
    }
}
