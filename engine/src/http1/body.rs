//! Where the body of an HTTP/1 request ends (RFC 9112 section 6.3): fields in, lengths out.
//!
//! One length where every receiver agrees. Where they do not, all lengths that a receiver may take, the RFC's first: the
//! caller reads the tail in each way.

pub mod chunks;
#[cfg(test)]
mod tests;

use std::ops::Deref;

use super::MOST_READINGS;
use super::field_lines::FRAMING_FIELDS;
use super::octets::{part, trim_blanks, trim_blanks_before};
use super::request_head::WORDS_BYTES;
use crate::records::{HeadText, Oddities, Oddity};

/// More than any integer of a receiver holds: the rest of the connection.
pub const ENDLESS: u64 = 1 << 63;
/// Digits that surely fit an integer of 64 bits.
const PLAIN_DIGITS: usize = 18;
/// Lengths; there is no room for more ways than these and the first.
const MOST_MISREAD: usize = MOST_READINGS - 1;
/// Of a length that is looked at as a number.
const MOST_DIGITS: usize = 64;

const LOOSE: Oddities = Oddities::of(&[
    Oddity::SpaceBeforeColon,
    Oddity::LeadingSpace,
    Oddity::Fold,
    Oddity::Cr,
    Oddity::Nul,
    Oddity::Control,
    Oddity::OddName,
]);

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// RFC 9112 section 7.1.
    Chunked,
    /// Octets.
    Octets(u64),
}

const NONE: Extent = Extent::Octets(0);

/// So few that they need no memory of their own.
#[derive(Clone, Copy, Debug)]
pub struct Few<T> {
    items: [T; MOST_READINGS],
    count: usize,
}

impl<T: Copy> Few<T> {
    const fn none(filler: T) -> Few<T> {
        Few { items: [filler; MOST_READINGS], count: 0 }
    }

    fn push(&mut self, item: T) {
        self.items[self.count] = item;
        self.count += 1;
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items[..self.count]
    }
}

impl<T: PartialEq> PartialEq for Few<T> {
    fn eq(&self, other: &Few<T>) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Few<T> {}

/// Different extents; the first ones need no memory.
#[derive(Clone, Debug)]
struct Extents {
    first: Option<Extent>,
    /// As many as there can be ways besides.
    others: Few<Extent>,
    /// Each as often as it was named: to ask every time whether it is known takes the square of a long list.
    rest: Vec<Extent>,
}

impl Extents {
    const fn none() -> Extents {
        Extents { first: None, others: Few::none(NONE), rest: Vec::new() }
    }

    fn push(&mut self, extent: Extent) {
        match self.first {
            None => self.first = Some(extent),
            Some(first) if first == extent || self.others.contains(&extent) => {}
            Some(_) if self.others.len() < MOST_READINGS - 1 => self.others.push(extent),
            Some(_) => self.rest.push(extent),
        }
    }

    fn iter(&self) -> impl Iterator<Item = Extent> {
        self.first.into_iter().chain(self.others.iter().chain(&self.rest).copied())
    }
}

/// The lengths that receivers may take for a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// What the RFC says.
    pub first: Extent,
    /// What others take, each once.
    pub others: Few<Extent>,
    /// To who reads the digits otherwise: in a small integer, as octal or hexadecimal.
    pub misread: Few<u64>,
    /// So many more, for which there never is room.
    pub left_out: usize,
    /// The client waits for 100 Continue (RFC 9110 section 10.1.1): there may be none at all.
    pub may_stay_away: bool,
    /// One of all these is none.
    may_be_none: bool,
    /// What is odd about it.
    pub oddities: Oddities,
}

impl Lengths {
    /// Whether a receiver may expect chunks, and a trailer section behind them.
    pub fn may_be_chunked(&self) -> bool {
        self.first == Extent::Chunked || self.others.contains(&Extent::Chunked)
    }

    /// To somebody else the body began before.
    pub fn or_none(&mut self) {
        if !self.may_be_none {
            self.others.push(NONE);
            self.may_be_none = true;
        }
    }

    /// Whether a receiver may expect a body.
    pub fn may_be_body(&self) -> bool {
        self.first != NONE || !self.others.is_empty()
    }
}

/// The body of a head that declares none.
pub const NO_BODY: Lengths = Lengths {
    first: NONE,
    others: Few::none(NONE),
    left_out: 0,
    may_stay_away: false,
    may_be_none: true,
    misread: Few::none(0),
    oddities: Oddities::of(&[]),
};

/// The lengths that receivers may take for the body behind this head, whose lines have these oddities; `hidden` are
/// fields that only others have.
#[inline]
pub fn lengths(head: &HeadText, oddities: Oddities, hidden: Option<&HeadText>) -> Lengths {
    let hidden = hidden.filter(|hidden| hidden.may_tell_extent());
    if !(head.may_tell_extent() || hidden.is_some()) || head.method() == b"CONNECT" {
        return NO_BODY;
    }
    match plain_extent(head).filter(|_| hidden.is_none() && !oddities.intersects(LOOSE)) {
        Some((first, is_expected)) => {
            let is_odd = first != NONE && matches!(head.method(), b"GET" | b"HEAD");
            let oddities = if is_odd { Oddities::of(&[Oddity::BodyOfGet]) } else { Oddities::default() };
            let may_be_none = first == NONE;
            Lengths { first, may_be_none, may_stay_away: is_expected && !may_be_none, oddities, ..NO_BODY }
        }
        None => declared(head, oddities, hidden),
    }
}

/// What the only field says that says how long the body is, where everybody takes it alike, and whether the client waits
/// for 100 Continue.
fn plain_extent(head: &HeadText) -> Option<(Extent, bool)> {
    let (mut found, mut is_expected) = (None, false);
    for (name, value) in head.fields() {
        let extent = match name {
            b"content-length" => Extent::Octets(plain_length(value)?),
            b"transfer-encoding" if head.version() != b"HTTP/1.0" && value.eq_ignore_ascii_case(b"chunked") => {
                Extent::Chunked
            }
            b"transfer-encoding" | b"content_length" | b"transfer_encoding" => return None,
            b"expect" => {
                is_expected = true;
                continue;
            }
            b"connection" if !value.eq_ignore_ascii_case(b"keep-alive") && !value.eq_ignore_ascii_case(b"close") => {
                return None;
            }
            _ => continue,
        };
        if found.replace(extent).is_some() {
            return None;
        }
    }
    found.map(|found| (found, is_expected)).filter(|&found| found != (NONE, true))
}

/// Of one field; the first needs no memory.
#[derive(Default)]
struct Values<'a> {
    first: Option<&'a [u8]>,
    others: Vec<&'a [u8]>,
}

impl<'a> Values<'a> {
    fn push(&mut self, value: &'a [u8]) {
        if self.first.is_none() {
            self.first = Some(value);
        } else {
            self.others.push(value);
        }
    }

    fn into_iter(self) -> impl Iterator<Item = &'a [u8]> {
        self.first.into_iter().chain(self.others)
    }
}

/// What the fields say that have to do with the length of a body.
#[derive(Default)]
struct Said<'a> {
    lengths: Values<'a>,
    codings: Values<'a>,
    drops_extent: bool,
    is_expected: bool,
    /// To most receivers one of these is another field.
    is_scored: bool,
}

impl<'a> Said<'a> {
    fn by(head: &'a HeadText) -> Said<'a> {
        let mut said = Said::default();
        for (name, value) in head.fields() {
            match name {
                b"content-length" => said.lengths.push(value),
                b"content_length" => {
                    said.lengths.push(value);
                    said.is_scored = true;
                }
                b"transfer-encoding" => said.codings.push(value),
                b"transfer_encoding" => {
                    said.codings.push(value);
                    said.is_scored = true;
                }
                b"connection" => said.drops_extent |= drops_extent(value),
                b"expect" => said.is_expected = true,
                _ => {}
            }
        }
        said
    }
}

fn declared(head: &HeadText, of_lines: Oddities, hidden: Option<&HeadText>) -> Lengths {
    let said = Said::by(head);
    let mut oddities = Oddities::default();
    let (counted, mut misread, is_counted) = by_count(said.lengths.into_iter(), &mut oddities);
    let mut found = counted.clone();
    if said.codings.first.is_some() {
        if is_counted {
            oddities.insert(Oddity::ClAndTe);
        }
        let codings = said.codings.into_iter().flat_map(|value| value.split(|&octet| octet == b','));
        found = Extents::none();
        match transfer_coding(codings) {
            // "If a message is received with both [...], the Transfer-Encoding overrides the Content-Length"
            Coding::Chunked if head.version() != b"HTTP/1.0" => {
                found.push(Extent::Chunked);
                counted.iter().filter(|_| is_counted).for_each(|extent| found.push(extent));
            }
            Coding::Identity => found = counted.clone(),
            _ => {
                oddities.insert(Oddity::TeOdd);
                [Extent::Chunked].into_iter().chain(counted.iter()).chain([NONE]).for_each(|extent| found.push(extent));
            }
        }
    }
    let is_loose = of_lines.intersects(LOOSE) || said.is_scored;
    if is_loose {
        // one of these lines may not be taken for what it seems to be, and others for what they seem not to be
        counted.iter().filter(|_| is_counted).chain([NONE]).for_each(|extent| found.push(extent));
    }
    if let Some(hidden) = hidden {
        let of_name = |wanted: &'static [u8]| hidden.fields().filter(move |(name, _)| *name == wanted);
        let values = of_name(b"content-length").map(|(_, value)| value);
        let (counted, _, is_counted) = by_count(values, &mut Oddities::default());
        counted.iter().filter(|_| is_counted).for_each(|extent| found.push(extent));
        if of_name(b"transfer-encoding").any(|(_, value)| names_chunked(value)) {
            found.push(Extent::Chunked);
        }
    }
    if said.drops_extent {
        found.push(NONE); // who passes the request on leaves that field out (RFC 9110 section 7.6.1)
    }
    let is_none = found.first == Some(NONE) && found.others.is_empty();
    if is_none && is_counted && said.is_expected {
        oddities.insert(Oddity::ClOdd); // who waits for a body that is none?
    }
    if matches!(head.method(), b"GET" | b"HEAD") && !is_none {
        oddities.insert(Oddity::BodyOfGet);
    }
    found.rest.sort_unstable();
    found.rest.dedup();
    let may_be_none = found.first.is_none() || found.iter().any(|extent| extent == NONE);
    misread.rest.sort_unstable();
    misread.rest.dedup();
    let first = found.first.unwrap_or(NONE);
    let left_out = found.rest.len() + misread.rest.len();
    let may_stay_away = !may_be_none && said.is_expected;
    Lengths { first, others: found.others, left_out, may_stay_away, may_be_none, misread: misread.kept, oddities }
}

fn drops_extent(connection: &[u8]) -> bool {
    let mut members = connection.split(|&octet| octet == b',').map(trim_blanks);
    members.any(|member| FRAMING_FIELDS.iter().any(|name| member.eq_ignore_ascii_case(name)))
}

fn names_chunked(value: &[u8]) -> bool {
    value.windows(b"chunked".len()).any(|word| word.eq_ignore_ascii_case(b"chunked"))
}

/// Lengths that few read so.
struct Misread {
    kept: Few<u64>,
    /// For these there never is room; each as often as it was read.
    rest: Vec<u64>,
}

impl Misread {
    fn push(&mut self, length: u64) {
        if self.kept.contains(&length) {
            return;
        }
        if self.kept.len() < MOST_MISREAD {
            self.kept.push(length);
        } else {
            self.rest.push(length);
        }
    }
}

/// RFC 9110 section 8.6: lengths, what few read, and whether there was a value; without one the length is 0.
fn by_count<'a>(values: impl Iterator<Item = &'a [u8]>, oddities: &mut Oddities) -> (Extents, Misread, bool) {
    let mut found = Extents::none();
    let mut misread = Misread { kept: Few::none(0), rest: Vec::new() };
    let mut members = 0;
    for member in values.flat_map(|value| value.split(|&octet| octet == b',')).map(trim_blanks) {
        members += 1;
        if let Some(size) = plain_length(member) {
            found.push(Extent::Octets(size));
            continue;
        }
        let digits = first_number(member);
        let number = decimal(digits);
        if digits.len() <= MOST_DIGITS && member.first() != Some(&b'-') {
            number.wraps().for_each(|rest| misread.push(rest));
        }
        if digits.len() == member.len() && (1..=PLAIN_DIGITS).contains(&digits.len()) {
            found.push(Extent::Octets(number.size));
            if let [b'0', _, ..] = digits {
                oddities.insert(Oddity::ClOdd);
                if digits.iter().all(|digit| matches!(digit, b'0'..=b'7')) {
                    misread.push(of_base(8, digits));
                }
            }
            continue;
        }
        if let [b'0', b'x' | b'X', behind @ ..] = member {
            let length = behind.iter().position(|octet| !octet.is_ascii_hexdigit()).unwrap_or(behind.len());
            if (1..16).contains(&length) {
                misread.push(of_base(16, &behind[..length]));
            }
        }
        oddities.insert(Oddity::ClOdd);
        if digits.len() > PLAIN_DIGITS || (!digits.is_empty() && member.first() == Some(&b'-')) {
            found.push(Extent::Octets(ENDLESS));
        } else {
            found.push(Extent::Octets(number.size));
        }
        found.push(NONE);
    }
    if members > 1 {
        oddities.insert(Oddity::ClTwice);
    }
    if members == 0 {
        found.push(NONE);
    }
    (found, misread, members > 0)
}

/// Of a member that is a number of few digits as anybody writes it: they come by the thousand.
#[inline]
fn plain_length(member: &[u8]) -> Option<u64> {
    let is_plain = (1..=9).contains(&member.len()) && (member[0] != b'0' || member.len() == 1);
    let number = |size: Option<u64>, digit: &u8| {
        let value = digit.wrapping_sub(b'0');
        size.filter(|_| value < 10).map(|size| size * 10 + u64::from(value))
    };
    if is_plain { member.iter().fold(Some(0), number) } else { None }
}

/// A number of few digits.
fn of_base(base: u32, digits: &[u8]) -> u64 {
    let values = digits.iter().filter_map(|&digit| char::from(digit).to_digit(base));
    values.fold(0, |number, digit| number * u64::from(base) + u64::from(digit))
}

/// The first digits in a row; empty when there are none.
fn first_number(member: &[u8]) -> &[u8] {
    let start = member.iter().position(u8::is_ascii_digit).unwrap_or(member.len());
    let digits = member.get(start..).unwrap_or_default();
    let length = digits.iter().position(|octet| !octet.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..length).unwrap_or_default()
}

fn decimal(digits: &[u8]) -> Number {
    digits.iter().fold(Number::default(), |number, digit| number.with(10, u32::from(digit - b'0')))
}

/// Whether this is the coding, but for spaces and case.
fn is_coding(coding: &[u8], wanted: &[u8]) -> bool {
    coding.iter().filter(|&&octet| octet != b' ').map(u8::to_ascii_lowercase).eq(wanted.iter().copied())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    /// Once, and last.
    Chunked,
    Identity,
    Odd,
}

fn transfer_coding<'a>(codings: impl Iterator<Item = &'a [u8]>) -> Coding {
    let (mut members, mut chunked, mut is_last, mut identity) = (0, 0, false, 0);
    for coding in codings {
        members += 1;
        is_last = is_coding(coding, b"chunked");
        chunked += usize::from(is_last);
        identity += usize::from(is_coding(coding, b"identity"));
    }
    match (chunked, identity, members) {
        (1, 0, _) if is_last => Coding::Chunked,
        (_, 1, 1) => Coding::Identity,
        _ => Coding::Odd,
    }
}

/// A number that may have more bits than any integer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Number {
    /// [`ENDLESS`] at the most.
    pub size: u64,
    /// Its last 64 bits.
    low: u64,
    /// It has more.
    is_more: bool,
}

impl Number {
    /// With one more digit.
    fn with(self, base: u64, digit: u32) -> Number {
        let size = self.size.saturating_mul(base).saturating_add(u64::from(digit)).min(ENDLESS);
        let exact = self.low.checked_mul(base).and_then(|low| low.checked_add(u64::from(digit)));
        let low = self.low.wrapping_mul(base).wrapping_add(u64::from(digit));
        Number { size, low, is_more: self.is_more || exact.is_none() }
    }

    /// What integers of 64 and 32 bits keep of it where they cannot hold it.
    pub fn wraps(self) -> impl Iterator<Item = u64> {
        let short = self.low & u64::from(u32::MAX);
        let of_64 = Some(self.low).filter(|&low| self.is_more && low < ENDLESS);
        let of_32 = Some(short).filter(|&short| (self.is_more || short != self.low) && of_64 != Some(short));
        of_64.into_iter().chain(of_32)
    }
}

/// The size in a chunk-size line without its LF (RFC 9112 section 7.1); None when it is none.
pub fn chunk_size(line: &[u8]) -> Option<Number> {
    let line = trim_blanks_before(line);
    let length = line.iter().position(|octet| !octet.is_ascii_hexdigit()).unwrap_or(line.len());
    let (digits, behind) = line.split_at_checked(length)?;
    if !(1..=MOST_DIGITS).contains(&length) || !matches!(trim_blanks_before(behind), b"" | b"\r" | [b';', ..]) {
        return None;
    }
    let values = digits.iter().filter_map(|&digit| char::from(digit).to_digit(16));
    if length < 16 {
        let size = values.fold(0, |size, digit| size << 4 | u64::from(digit));
        return Some(Number { size, low: size, is_more: false });
    }
    Some(values.fold(Number::default(), |size, digit| size.with(16, digit)))
}

/// What was odd in the chunks of a body so far: a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OddChunks(u8);

impl OddChunks {
    /// Anything.
    pub const ANY: OddChunks = OddChunks(1);
    /// LF alone has ended a size: who knows CRLF alone has parted there, or has closed.
    pub const LF_ENDS_LINE: OddChunks = OddChunks(2);
    /// So has who knows it alone behind an extension.
    pub const LF_ENDS_EXTENSION: OddChunks = OddChunks(4);
    /// Or a chunk: so has who takes any two octets for CRLF.
    pub const LF_ENDS_DATA: OddChunks = OddChunks(8);
    /// CR alone ends a size: to who reads so no line has one amid it.
    pub const CR_ENDS_LINE: OddChunks = OddChunks(16);

    /// Behind a head with these oddities: who knows CRLF alone did not read one with LFs.
    pub fn behind(oddities: Oddities) -> OddChunks {
        if oddities.contains(Oddity::BareLf) { OddChunks::LF_ENDS_LINE } else { OddChunks::default() }
    }

    pub fn has(self, odd: OddChunks) -> bool {
        self.0 & odd.0 != 0
    }

    pub fn without(self, odd: OddChunks) -> OddChunks {
        OddChunks(self.0 & !odd.0)
    }

    pub fn with(self, odd: OddChunks) -> OddChunks {
        OddChunks(self.0 | odd.0)
    }

    /// Whether that is new.
    pub fn insert(&mut self, odd: OddChunks) -> bool {
        let is_new = !self.has(odd);
        self.0 |= odd.0;
        is_new
    }
}

/// What some take for the size in a line that is none: the digits that it begins with (picohttpparser); and a number as
/// strtoul (C17 section 7.24.1.4) or int of Python read it, with `+`, `0x` or `_`. None: nor do they.
pub fn odd_chunk_size(line: &[u8]) -> (Option<Number>, Option<Number>) {
    let blanks = line.iter().take_while(|octet| matches!(octet, b' ' | b'\t' | b'\x0b' | b'\x0c')).count();
    let is_signed = line.get(blanks) == Some(&b'+');
    let number = &line[blanks + usize::from(is_signed)..];
    let digits_of = |octets: &[u8]| octets.iter().take_while(|octet| octet.is_ascii_hexdigit()).count();
    let is_prefixed = matches!(number, [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit());
    let number = &number[if is_prefixed { 2 } else { 0 }..];
    let (first, behind) = number.split_at(digits_of(number));
    let more = match behind {
        [b'_', more @ ..] if digits_of(more) <= 7 => &more[..digits_of(more)],
        _ => &[],
    };
    if !(1..=8).contains(&first.len()) {
        return (None, None);
    }
    let of = |size: u64| Some(Number { size, low: size, is_more: false });
    let value = of_base(16, first);
    let digits = if is_prefixed { 0 } else { value };
    (of(digits).filter(|_| !is_signed), of((value << (4 * more.len())) + of_base(16, more)))
}

/// Whether the line of a chunk's size stands there and ends so before its LF, as far as the octets are here.
pub fn may_be_size(octets: &[u8], end: &[u8]) -> bool {
    let (line, behind) = part(octets.get(..WORDS_BYTES).unwrap_or(octets), b'\n');
    match (line, behind) {
        (b"" | b"\r", None) => true,
        (_, None) => chunk_size(line).is_some(),
        _ => chunk_size(line).is_some() && line.ends_with(end),
    }
}
