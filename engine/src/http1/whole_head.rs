//! What a whole head says: its octets in, fields out, in every way in which they can be read.

use memchr::memchr;

use super::field_lines::{FieldLines, field_lines_in, push_lines_up_to_cr, text_in_room};
use super::octets::{part, with_whole_ends};
use super::request_head::{RequestLine, request_line};
use crate::early::Rooms;
use crate::records::HeadText;

/// A request line, and what stands behind it up to the LF.
#[derive(Clone, Copy)]
pub(super) struct FirstLine<'a> {
    pub line: RequestLine<'a>,
    /// Octets.
    pub size: usize,
    /// It ends in a lone CR: what stands between that and the LF is a field line to some.
    pub ends_in_cr: bool,
}

impl<'a> FirstLine<'a> {
    /// Of octets up to the first LF; None: they begin with no request line.
    pub fn of(octets: &'a [u8]) -> Option<FirstLine<'a>> {
        let mut ended = octets;
        while let [line @ .., b'\r'] = ended {
            ended = line;
        }
        let (text, behind_cr) = part(ended, b'\r');
        let ends_in_cr = behind_cr.is_some();
        match request_line(text) {
            Some(line) => Some(FirstLine { line, size: text.len(), ends_in_cr }),
            // CR for a space
            None if ends_in_cr => Some(FirstLine { line: request_line(ended)?, size: ended.len(), ends_in_cr: false }),
            None => None,
        }
    }
}

/// The fields of the head in `octets` whose first line is `line`; its field lines begin at `line_end`, or to most
/// receivers behind the LF, if a lone CR ends the line. False `in_all_ways`: only the first way to read them counts.
pub(super) fn fields_in(
    rooms: &mut Rooms,
    line: &RequestLine<'_>,
    octets: &[u8],
    line_end: usize,
    ends_in_cr: bool,
    in_all_ways: bool,
) -> FieldLines {
    let block = octets.get(line_end..).unwrap_or_default();
    let mut found = field_lines_in(rooms.text(), rooms, line, block, in_all_ways);
    found.may_differ |= ends_in_cr;
    if ends_in_cr && in_all_ways {
        // to most receivers nothing in the request line is a field
        let behind = part(octets, b'\n').1.unwrap_or_default();
        let other = field_lines_in(rooms.other(), rooms, line, behind, false).text;
        found.others.clear();
        found.others.push(other);
    }
    found
}

/// The fields of a head whose lines all end in CR alone, behind the first line.
pub(super) fn fields_of_cr_head(
    rooms: &mut Rooms,
    line: &RequestLine<'_>,
    behind: &[u8],
    in_all_ways: bool,
) -> FieldLines {
    let mut text = text_in_room(rooms.text(), line, behind.len());
    if push_lines_up_to_cr(&mut text, behind) {
        return FieldLines { text, oddities: line.oddities, ..FieldLines::default() };
    }
    field_lines_in(text, rooms, line, &with_whole_ends(behind), in_all_ways)
}

/// All that a trailer section says, behind request line and Hosts of the head that it belongs to: in the first way to read
/// it, and in all ways if others are wanted.
pub fn whole_trailer(owner: &HeadText, octets: &[u8], in_all_ways: bool) -> FieldLines {
    let nothing = RequestLine::default();
    let mut found = field_lines_in(HeadText::default(), &mut Rooms::default(), &nothing, octets, in_all_ways);
    for text in [&mut found.text].into_iter().chain(&mut found.others) {
        *text = behind(HeadText::default(), owner, text);
    }
    found
}

/// The fields of a section behind all of its owner, in the memory of an older text.
pub(super) fn behind(mut text: HeadText, owner: &HeadText, fields: &HeadText) -> HeadText {
    text.begin_like(owner);
    text.push_fields(fields, 0..fields.field_count());
    text
}

/// All that a head of one section says that was read whole, in all ways or only in the first.
pub fn whole_head(octets: &[u8], in_all_ways: bool) -> FieldLines {
    let rooms = &mut Rooms::default();
    if octets.ends_with(b"\r") {
        let (line, behind) = part(octets, b'\r');
        let line = request_line(line).unwrap_or_default();
        return fields_of_cr_head(rooms, &line, behind.unwrap_or_default(), in_all_ways);
    }
    let eol = memchr(b'\n', octets).unwrap_or(octets.len());
    let Some(first) = FirstLine::of(&octets[..eol]) else { return FieldLines::default() };
    let line_end = if first.ends_in_cr { first.size } else { eol } + 1;
    fields_in(rooms, &first.line, octets, line_end, first.ends_in_cr, in_all_ways)
}
