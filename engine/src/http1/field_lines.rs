//! The field lines of a head or a trailer section (RFC 9112 section 5): octets in, names and values out.
//!
//! Lines without a flaw are read in one pass; every flaw leads to the slower way, which knows them all.

use super::kept::empty_line;
use super::octets::{
    CONTROL, CR, NAME, NUL, TOKEN, classes_of, is_blank, is_blank_or_cr, is_token, part, span, trim, trim_blanks,
    trim_blanks_before, trim_end, with_whole_ends,
};
use super::request_head::{RequestLine, request_line};
use crate::block::{Block, Name, each};
use crate::records::{HeadText, Oddities, Oddity};

const LONGEST_NAME: usize = 256;
const READ_OTHERWISE: Oddities = Oddities::of(&[Oddity::Fold, Oddity::Cr]);

/// Field lines read: in one way, and in others where servers differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldLines {
    /// The fields, behind the request line that they belong to.
    pub text: HeadText,
    /// Of the request line and of the fields.
    pub oddities: Oddities,
    /// The same with the fields as others read them.
    pub others: Vec<HeadText>,
}

impl FieldLines {
    /// Fields that were read already, without a request line.
    pub fn of<'a>(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>, oddities: Oddities) -> FieldLines {
        let mut text = HeadText::new(b"", b"", b"");
        for (name, value) in fields {
            text.push(name, value);
        }
        FieldLines { text, oddities, others: Vec::new() }
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
    field_lines_in(HeadText::default(), line, block)
}

/// The same in the memory of an older text.
#[inline]
pub(super) fn field_lines_in(mut text: HeadText, line: &RequestLine<'_>, block: &[u8]) -> FieldLines {
    text.clear();
    text.reserve(line.method.len() + line.target.len() + line.version.len() + block.len(), 1 + block.len() / 24);
    if line.together.is_empty() {
        text.begin(line.method, line.target, line.version);
    } else {
        text.begin_together(line.together, line.method.len(), line.target.len());
    }
    if empty_line(block) == Some(block.len()) || push_clean_lines(&mut text, block) {
        return FieldLines { text, oddities: line.oddities, others: Vec::new() };
    }
    odd_field_lines(line, block, text)
}

/// The text of a whole head, in which every lone CR is part of a line.
pub fn text_of(octets: &[u8]) -> HeadText {
    let (line, block) = part(octets, b'\n');
    let line = request_line(trim_end(line, |octet| octet == b'\r')).unwrap_or_default();
    field_lines(&line, block.unwrap_or_default()).text
}

/// False where a line is not as RFC 9112 writes it.
///
/// Control characters are looked for in sixty-four octets at a time; there should be none but the ends of lines and tabs.
fn push_clean_lines(text: &mut HeadText, block: &[u8]) -> bool {
    let mut begin = 0;
    for start in (0..block.len()).step_by(Block::SIZE) {
        let octets = Block::of(&block[start..], b' ');
        for bit in each((octets.within(0, 0x1F) | octets.are(0x7F)).bits()) {
            let at = start + bit;
            match (block[at], block.get(at + 1)) {
                (b'\r', Some(b'\n')) | (b'\t', _) => {}
                (b'\n', _) if at > begin && block[at - 1] == b'\r' => {
                    let (rest, size) = (&block[begin..], at - 1 - begin);
                    begin = at + 1;
                    if size == 0 {
                        return begin == block.len();
                    }
                    if !push_clean_line(text, rest, size) {
                        return false;
                    }
                }
                _ => return false,
            }
        }
    }
    begin == block.len()
}

/// The same where a lone CR ends a line as well, and empty lines follow the last one.
fn push_lines_up_to_cr(text: &mut HeadText, block: &[u8]) -> bool {
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

#[cold]
pub(super) fn odd_field_lines(line: &RequestLine<'_>, block: &[u8], mut text: HeadText) -> FieldLines {
    let mut oddities = Oddities::default();
    let mut lines = odd_lines(block, &mut oddities);
    text.begin(line.method, line.target, line.version);
    push_joined(&mut text, &lines, Join::WithSpaces);
    let mut others = Vec::new();
    if oddities.intersects(READ_OTHERWISE) {
        let whole_ends;
        if oddities.contains(Oddity::Cr) {
            let mut other = text_in_room(line, block.len());
            if push_lines_up_to_cr(&mut other, block) {
                // no flaw but the ends, and nothing folded: one way is left
                others.extend(Some(other).filter(|other| *other != text));
                return FieldLines { text, oddities: line.oddities.with(oddities), others };
            }
            whole_ends = with_whole_ends(block);
            lines = odd_lines(&whole_ends, &mut Oddities::default());
        }
        let joins =
            if has_parted_digits(&lines) { &[Join::Closely, Join::UpToPartedDigits][..] } else { &[Join::Closely] };
        for &join in joins {
            let mut other = text_in_room(line, block.len());
            push_joined(&mut other, &lines, join);
            if other != text && !others.contains(&other) {
                others.push(other);
            }
        }
    }
    FieldLines { text, oddities: line.oddities.with(oddities), others }
}

/// A request line, with room for fields of so many octets.
fn text_in_room(line: &RequestLine<'_>, size: usize) -> HeadText {
    let mut text = HeadText::default();
    text.reserve(line.method.len() + line.target.len() + line.version.len() + size, 1 + size / 24);
    text.begin(line.method, line.target, line.version);
    text
}

/// One line of a field. The lines of a folded value have no name but the first.
struct Line<'a> {
    name: Option<&'a [u8]>,
    value: &'a [u8],
}

fn odd_lines<'a>(block: &'a [u8], oddities: &mut Oddities) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = Vec::new();
    for raw in block.split(|&octet| octet == b'\n') {
        let mut line = raw.strip_suffix(b"\r").unwrap_or(raw);
        let Some(&first) = line.first() else { continue };
        if line.len() == raw.len() {
            oddities.insert(Oddity::BareLf);
        }
        let classes = classes_of(line);
        for (class, oddity) in [(CR, Oddity::Cr), (NUL, Oddity::Nul), (CONTROL, Oddity::Control)] {
            if classes & class != 0 {
                oddities.insert(oddity);
            }
        }
        if is_blank(first) {
            if !lines.is_empty() {
                oddities.insert(Oddity::Fold);
                lines.push(Line { name: None, value: trim(line, is_blank_or_cr) });
                continue;
            }
            oddities.insert(Oddity::LeadingSpace);
            line = trim_blanks_before(line);
        }
        let (name, value) = part(line, b':');
        let bare_name = trim_end(name, is_blank);
        if value.is_none() {
            oddities.insert(Oddity::NoColon);
        } else if bare_name.len() < name.len() {
            oddities.insert(Oddity::SpaceBeforeColon);
        } else if name.is_empty() {
            oddities.insert(Oddity::EmptyName);
        }
        if !bare_name.is_empty() && !is_token(bare_name) {
            oddities.insert(Oddity::OddName);
        }
        lines.push(Line { name: Some(bare_name), value: trim(value.unwrap_or_default(), is_blank_or_cr) });
    }
    lines
}

/// Whether a fold stands between two digits.
fn has_parted_digits(lines: &[Line<'_>]) -> bool {
    lines.windows(2).any(|pair| pair[1].name.is_none() && are_parted_digits(pair[0].value, pair[1].value))
}

fn are_parted_digits(before: &[u8], behind: &[u8]) -> bool {
    matches!((before, behind), ([.., one], [next, ..]) if one.is_ascii_digit() && next.is_ascii_digit())
}

/// How the lines of a folded value become one (obs-fold, RFC 9112 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Join {
    WithSpaces,
    Closely,
    /// Up to a fold between two digits: who knows no folds has no number there.
    UpToPartedDigits,
}

fn push_joined(text: &mut HeadText, lines: &[Line<'_>], join: Join) {
    for field in lines.chunk_by(|_, next| next.name.is_none()) {
        let name = field.first().and_then(|line| line.name).unwrap_or_default();
        if let [line] = field {
            text.push(name, line.value);
            continue;
        }
        let mut values: Vec<_> = field.iter().map(|line| line.value).collect();
        if join == Join::UpToPartedDigits {
            let whole = values
                .windows(2)
                .position(|pair| are_parted_digits(pair[0], pair[1]))
                .map_or(values.len(), |fold| fold + 1);
            values.truncate(whole);
        }
        let joint: &[u8] = if join == Join::WithSpaces { b" " } else { b"" };
        text.push(name, trim_blanks(&values.join(joint)));
    }
}
