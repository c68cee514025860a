//! The field lines of a head or a trailer section (RFC 9112 section 5): octets in, names and values out.
//!
//! Lines without a flaw are read in one pass; every flaw leads to the slower way, which knows them all.

use std::mem;

use memchr::memchr_iter;

use super::kept::empty_line;
use super::octets::{
    CONTROL, CR, LF, NAME, NO_TOKEN, NUL, TOKEN, class_of, is, is_blank, is_blank_or_cr, is_token, part, span, trim,
    trim_blanks, trim_blanks_before, trim_end,
};
use super::request_head::RequestLine;
use crate::block::{Block, Name, each};
use crate::early::Rooms;
use crate::records::{HeadText, Oddities, Oddity};

const LONGEST_NAME: usize = 256;
/// RFC 9112 section 6.
pub(super) const FRAMING_FIELDS: [&[u8]; 2] = [b"content-length", b"transfer-encoding"];
const LONGEST_HIDDEN: usize = FRAMING_FIELDS[1].len();
/// That others see: two that differ make a head ambiguous.
const MOST_HOSTS: usize = 4;
/// With these, lines are read in several ways; with some of them, for others put them together otherwise.
const JOINED_OTHERWISE: Oddities = Oddities::of(&[Oddity::Fold, Oddity::Cr]);
const READ_OTHERWISE: Oddities = Oddities::of(&[Oddity::Fold, Oddity::Cr, Oddity::Nul]);

/// Field lines read: in one way, and in others where servers differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldLines {
    /// The fields, behind the request line that they belong to.
    pub text: HeadText,
    /// Of the request line and of the fields.
    pub oddities: Oddities,
    /// The same with the fields as others read them.
    pub others: Vec<HeadText>,
    /// There are others, or would be if all ways were wanted.
    pub may_differ: bool,
    /// Lines that are Content-Length or Transfer-Encoding to others only, under their plain names.
    pub hidden: Option<Box<HeadText>>,
}

impl FieldLines {
    /// Fields that were read already, without a request line.
    pub fn of<'a>(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>, oddities: Oddities) -> FieldLines {
        let mut text = HeadText::new(b"", b"", b"");
        for (name, value) in fields {
            text.push(name, value);
        }
        FieldLines { text, oddities, others: Vec::new(), may_differ: false, hidden: None }
    }
}

/// Whether a line behind a hole may be a field line, or the continuation of one.
pub fn looks_like_field(line: &[u8]) -> bool {
    let Some(&first) = line.first() else { return true };
    if is_blank(first) || line.iter().all(|&octet| octet == b'\r') {
        return true;
    }
    let length = span(line, NAME);
    let behind = line.get(length..).unwrap_or_default();
    (1..=LONGEST_NAME).contains(&length) && trim_blanks_before(behind).first() == Some(&b':')
}

/// Whether the only line behind a hole is what is left of a field line, from within its name at the latest.
pub fn may_end_field(line: &[u8]) -> bool {
    let (name, value) = part(line, b':');
    value.is_some() && is_token(name)
}

/// The field lines of a head or a trailer section, up to the empty line (RFC 9112 section 5), behind their request line.
#[inline]
pub fn field_lines(line: &RequestLine<'_>, block: &[u8]) -> FieldLines {
    field_lines_in(HeadText::default(), &mut Rooms::default(), line, block, true)
}

/// The same in the memory of older texts; in all ways to read them, or only in the first.
#[inline]
pub(super) fn field_lines_in(
    text: HeadText,
    rooms: &mut Rooms,
    line: &RequestLine<'_>,
    block: &[u8],
    in_all_ways: bool,
) -> FieldLines {
    let mut text = text_in_room(text, line, block.len());
    let odd = if empty_line(block) == Some(block.len()) { None } else { push_clean_lines(&mut text, block) };
    match odd {
        None => FieldLines { text, oddities: line.oddities, others: Vec::new(), may_differ: false, hidden: None },
        Some(odd) => odd_field_lines(line, block, odd, text, rooms, in_all_ways),
    }
}

/// Where the first line begins that is not as RFC 9112 writes it, or that an empty one stands before; None: all are.
///
/// Control characters are looked for in sixty-four octets at a time; there should be none but the ends of lines and tabs.
fn push_clean_lines(text: &mut HeadText, block: &[u8]) -> Option<usize> {
    let mut begin = 0;
    for start in (0..block.len()).step_by(Block::SIZE) {
        let octets = Block::of(&block[start..], b' ');
        for bit in each((octets.within(0, 0x1F) | octets.are(0x7F)).bits()) {
            let at = start + bit;
            match (block[at], block.get(at + 1)) {
                (b'\r', Some(b'\n')) | (b'\t', _) => {}
                (b'\n', _) if at > begin && block[at - 1] == b'\r' => {
                    let (rest, size) = (&block[begin..], at - 1 - begin);
                    if size == 0 {
                        return Some(begin).filter(|_| at + 1 < block.len());
                    }
                    if !push_clean_line(text, rest, size) {
                        return Some(begin);
                    }
                    begin = at + 1;
                }
                _ => return Some(begin),
            }
        }
    }
    Some(begin).filter(|_| begin < block.len())
}

/// Whether all lines are as RFC 9112 writes them, but that a lone CR ends some and empty lines follow the last one.
pub(super) fn push_lines_up_to_cr(text: &mut HeadText, block: &[u8]) -> bool {
    let mut begin = 0;
    for start in (0..block.len()).step_by(Block::SIZE) {
        let octets = Block::of(&block[start..], b' ');
        for bit in each((octets.within(0, 0x1F) | octets.are(0x7F)).bits()) {
            let at = start + bit;
            match block[at] {
                b'\t' => {}
                b'\n' if at + 1 == begin => {}
                b'\r' if at == begin => return are_empty_lines(&block[at..]),
                b'\r' => {
                    if !push_clean_line(text, &block[begin..], at - begin) {
                        return false;
                    }
                    begin = at + 1 + usize::from(block.get(at + 1) == Some(&b'\n'));
                }
                _ => return false,
            }
        }
    }
    begin == block.len()
}

/// Whether each LF in these ends of lines has a CR of its own.
fn are_empty_lines(ends: &[u8]) -> bool {
    let mut before = 0;
    ends.iter().all(|&octet| {
        let is_whole = octet == b'\r' || (octet == b'\n' && before == b'\r');
        before = octet;
        is_whole
    })
}

/// The line of so many octets with which `rest` begins.
#[inline(always)] // for each line of every clean head
#[expect(clippy::inline_always)]
fn push_clean_line(text: &mut HeadText, rest: &[u8], size: usize) -> bool {
    if let Some(octets) = rest.first_chunk() {
        let name = Name::of(octets);
        let length = name.length();
        if (1..Name::SIZE.min(size)).contains(&length) && octets[length] == b':' {
            let value = &rest[length + 1..size];
            let before = value.len() - trim_blanks_before(value).len();
            let value_size = trim_blanks(value).len();
            text.push_short(name.lower(), length, &rest[length + 1 + before..], value_size);
            return true;
        }
    }
    let line = &rest[..size];
    let (name, behind) = line.split_at(span(line, TOKEN));
    let (false, [b':', value @ ..]) = (name.is_empty(), behind) else { return false };
    text.push(name, trim_blanks(value));
    true
}

/// The same from the octet `odd` on, the fields before which are in the text.
pub(super) fn odd_field_lines(
    line: &RequestLine<'_>,
    block: &[u8],
    odd: usize,
    mut text: HeadText,
    rooms: &mut Rooms,
    in_all_ways: bool,
) -> FieldLines {
    let (mut oddities, mut hidden) = (Oddities::default(), Hidden::default());
    push_joined(&mut text, Lines::of(&block[odd..]), Join::WithSpaces, &mut oddities, Some(&mut hidden));
    let may_differ = oddities.intersects(READ_OTHERWISE) || !hidden.hosts.is_empty();
    let found = FieldLines { oddities: line.oddities.with(oddities), may_differ, ..FieldLines::default() };
    if !(may_differ && in_all_ways) {
        return hidden.beside(FieldLines { text, ..found });
    }
    let mut others = rooms.list();
    if oddities.intersects(JOINED_OTHERWISE) {
        let mut lines = Lines::of(&block[odd..]);
        if oddities.contains(Oddity::Cr) {
            let mut other = text_in_room(rooms.other(), line, block.len());
            if push_lines_up_to_cr(&mut other, block) {
                // no flaw but the ends, and nothing folded: one way is left
                others.extend(Some(other).filter(|other| *other != text));
                return hidden.beside(FieldLines { text, others, ..found });
            }
            lines.end_in_cr = true;
        }
        for join in [Join::Closely, Join::UpToPartedDigits] {
            let mut other = text_in_room(rooms.other(), line, block.len());
            push_clean_lines(&mut other, &block[..odd]);
            // the same lines tell nothing new
            let hidden = Some(&mut hidden).filter(|_| lines.end_in_cr);
            let are_parted = push_joined(&mut other, lines.clone(), join, &mut Oddities::default(), hidden);
            if other != text && !others.contains(&other) {
                others.push(other);
            }
            if !are_parted {
                break; // up to there is all of it
            }
        }
    }
    if oddities.contains(Oddity::Nul) {
        let mut other = text_in_room(rooms.other(), line, block.len());
        text.fields().for_each(|(name, value)| other.push(name, up_to_nul_in_digits(value)));
        if other != text && !others.contains(&other) {
            others.push(other);
        }
    }
    if !hidden.hosts.is_empty() {
        let mut other = text_in_room(rooms.other(), line, block.len());
        text.fields().for_each(|(name, value)| other.push(name, value));
        hidden.hosts.iter().for_each(|host| other.push(b"host", host));
        if !others.contains(&other) {
            others.push(other);
        }
    }
    hidden.beside(FieldLines { text, others, ..found })
}

/// A value up to NULs between two digits: to who reads a string of C no number goes on there.
fn up_to_nul_in_digits(value: &[u8]) -> &[u8] {
    let is_digit = |at: Option<usize>| at.and_then(|at| value.get(at)).is_some_and(u8::is_ascii_digit);
    let mut nuls = memchr_iter(0, value).filter(|&nul| is_digit(nul.checked_sub(1)));
    // each run of NULs is passed once, for only its first one has a digit before it
    let ends = nuls.find(|&nul| is_digit(value[nul..].iter().position(|&octet| octet != 0).map(|run| nul + run)));
    &value[..ends.unwrap_or(value.len())]
}

/// What some lines are to who reads no folds, or passes over octets that are in no name.
#[derive(Default)]
struct Hidden {
    extents: Option<Box<HeadText>>,
    /// Which of [`FRAMING_FIELDS`] the last of these is.
    last: Option<usize>,
    /// Each once.
    hosts: Vec<Vec<u8>>,
}

impl Hidden {
    fn note(&mut self, name: &[u8], value: &[u8]) {
        let bare = trim_blanks(name);
        if let Some(place) = FRAMING_FIELDS.iter().position(|known| bare.eq_ignore_ascii_case(known)) {
            return self.push(place, trim(value, is_blank_or_cr));
        }
        // as many octets of a token as the longest of these names has, and one more
        let (mut plain, mut size) = ([0; LONGEST_HIDDEN + 1], 0);
        for &octet in name.iter().filter(|&&octet| is(octet, TOKEN)) {
            let Some(place) = plain.get_mut(size) else { return };
            *place = if octet == b'_' { b'-' } else { octet.to_ascii_lowercase() };
            size += 1;
            if size == 1 && !matches!(plain[0], b'c' | b't' | b'h') {
                return;
            }
        }
        let plain = &plain[..size];
        if let Some(place) = FRAMING_FIELDS.iter().position(|known| *known == plain) {
            self.push(place, trim(value, is_blank_or_cr));
        } else if self.hosts.len() < MOST_HOSTS && plain == b"host" {
            let host = trim(value, is_blank_or_cr);
            if !self.hosts.iter().any(|known| known == host) {
                self.hosts.push(host.to_vec());
            }
        }
    }

    /// One more value of this framing field: a member of the list that it was last, for they come by the thousand.
    fn push(&mut self, place: usize, value: &[u8]) {
        let extents = self.extents.get_or_insert_with(|| Box::new(HeadText::new(b"", b"", b"")));
        if self.last.replace(place) == Some(place) {
            extents.extend_last(0, b",");
            extents.extend_last(0, value);
        } else {
            extents.push(FRAMING_FIELDS[place], value);
        }
    }

    /// With what the other ways to read these lines take for the extent of a body.
    fn beside(mut self, found: FieldLines) -> FieldLines {
        for (name, value) in found.others.iter().filter(|other| other.may_tell_extent()).flat_map(HeadText::fields) {
            if let Some(place) = FRAMING_FIELDS.iter().position(|known| *known == name) {
                self.push(place, value);
            }
        }
        FieldLines { hidden: self.extents, ..found }
    }
}

/// A request line, with room for fields of so many octets.
pub(super) fn text_in_room(mut text: HeadText, line: &RequestLine<'_>, size: usize) -> HeadText {
    text.clear();
    text.reserve(line.method.len() + line.target.len() + line.version.len() + size, 1 + size / 24);
    line.write_to(&mut text);
    text
}

/// The lines of a block, but for the empty ones.
#[derive(Clone)]
struct Lines<'a> {
    rest: &'a [u8],
    /// A lone CR ends a line as well.
    end_in_cr: bool,
}

struct Line<'a> {
    /// Without its end.
    octets: &'a [u8],
    /// The same with all that follows.
    rest: &'a [u8],
    /// Of which its octets are.
    classes: u8,
    /// Of which those before the first colon are.
    name_classes: u8,
    /// Where the first one is.
    colon: Option<usize>,
    /// It ends in LF alone, or in nothing.
    is_bare: bool,
}

impl<'a> Lines<'a> {
    fn of(block: &'a [u8]) -> Lines<'a> {
        Lines { rest: block, end_in_cr: false }
    }

    /// One look at each octet: lines of one or two come by the million.
    #[inline]
    fn cut(&mut self) -> Line<'a> {
        let (octets, mut classes, mut name_classes, mut colon) = (self.rest, 0, 0, None);
        let (mut length, mut next, mut is_bare) = (octets.len(), octets.len(), true);
        for (at, &octet) in octets.iter().enumerate() {
            let class = class_of(octet);
            if class & (CR | LF) != 0 {
                let behind = octets.get(at + 1);
                if octet == b'\n' || self.end_in_cr || matches!(behind, None | Some(b'\n')) {
                    is_bare = octet == b'\n';
                    (length, next) = (at, at + 1 + usize::from(!is_bare && behind == Some(&b'\n')));
                    break;
                }
            }
            if octet == b':' && colon.is_none() {
                (colon, name_classes) = (Some(at), classes);
            }
            classes |= class;
        }
        self.rest = &octets[next..];
        if colon.is_none() {
            name_classes = classes;
        }
        Line { octets: &octets[..length], rest: octets, classes, name_classes, colon, is_bare }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    #[inline]
    fn next(&mut self) -> Option<Line<'a>> {
        while !self.rest.is_empty() {
            let line = self.cut();
            if !line.octets.is_empty() {
                return Some(line);
            }
        }
        None
    }
}

/// How the lines of a folded value become one (obs-fold, RFC 9112 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Join {
    WithSpaces,
    Closely,
    /// Up to a fold between two digits: who knows no folds has no number there.
    UpToPartedDigits,
}

/// Adds the fields of these lines, and what is odd about them. Whether a fold stands between two digits.
fn push_joined(
    text: &mut HeadText,
    lines: Lines<'_>,
    join: Join,
    oddities: &mut Oddities,
    mut hidden: Option<&mut Hidden>,
) -> bool {
    let (mut are_parted, mut all_classes, mut is_any_bare) = (false, 0, false);
    // of the field at hand: the last octet of its last line, the spaces before the next one, whether its value has ended
    let (mut last, mut spaces, mut is_over) = (text.last_value().map(|value| value.last().copied()), 0, false);
    for Line { octets, rest, classes, name_classes, colon, is_bare } in lines {
        all_classes |= classes;
        is_any_bare |= is_bare;
        let (mut line, mut rest, mut colon) = (octets, rest, colon);
        if is_blank(octets[0]) {
            if let Some(before) = last {
                oddities.insert(Oddity::Fold);
                let value = trim(line, is_blank_or_cr);
                let is_between_digits = are_parted_digits(before, value);
                are_parted |= is_between_digits;
                is_over |= is_between_digits && join == Join::UpToPartedDigits;
                spaces += usize::from(join == Join::WithSpaces);
                if !is_over && !value.is_empty() {
                    text.extend_last(mem::take(&mut spaces), value);
                }
                last = Some(value.last().copied());
                if let Some((colon, hidden)) = colon.zip(hidden.as_deref_mut()) {
                    hidden.note(&line[..colon], &line[colon + 1..]);
                }
                continue;
            }
            oddities.insert(Oddity::LeadingSpace);
            line = trim_blanks_before(line);
            rest = &rest[octets.len() - line.len()..];
            colon = colon.map(|colon| colon - (octets.len() - line.len()));
        }
        let (name, value) = match colon {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[..0]),
        };
        let bare_name = trim_end(name, is_blank);
        if colon.is_none() {
            oddities.insert(Oddity::NoColon);
        } else if bare_name.len() < name.len() {
            oddities.insert(Oddity::SpaceBeforeColon);
        } else if name.is_empty() {
            oddities.insert(Oddity::EmptyName);
        }
        if name_classes & NO_TOKEN != 0 && !bare_name.is_empty() && !is_token(bare_name) {
            oddities.insert(Oddity::OddName);
            if let Some((_, hidden)) = colon.zip(hidden.as_deref_mut()) {
                hidden.note(bare_name, value);
            }
        }
        let value = trim(value, is_blank_or_cr);
        match rest.first_chunk().filter(|_| bare_name.len() <= Name::SIZE).map(|octets| Name::of(octets).lower()) {
            Some(name) if value.is_empty() => text.push_name(name, bare_name.len()),
            Some(name) => text.push_short(name, bare_name.len(), value, value.len()),
            None => text.push(bare_name, value),
        }
        (last, spaces, is_over) = (Some(value.last().copied()), 0, false);
    }
    for (is, oddity) in [
        (is_any_bare, Oddity::BareLf),
        (all_classes & CR != 0, Oddity::Cr),
        (all_classes & NUL != 0, Oddity::Nul),
        (all_classes & CONTROL != 0, Oddity::Control),
    ] {
        if is {
            oddities.insert(oddity);
        }
    }
    are_parted
}

fn are_parted_digits(before: Option<u8>, behind: &[u8]) -> bool {
    before.is_some_and(|octet| octet.is_ascii_digit()) && behind.first().is_some_and(u8::is_ascii_digit)
}
