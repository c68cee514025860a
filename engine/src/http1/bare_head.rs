//! Heads that are a request line and nothing else, which may come by the million: read in one look.

use std::mem;

use super::body::NO_BODY;
use super::kept::empty_line;
use super::reading::{Reading, Step};
use super::request_head::{RequestLine, certainty_of, recipient_oddities_of_line};
use crate::records::{CleanHead, Oddities, Oddity, PlacedHead, Said};

const USUAL: Oddities = Oddities::of(&[Oddity::HostMissing]);
const OLD: Oddities = Oddities::of(&[Oddity::NotHttp]);

impl Reading {
    /// Reads the heads at `at` that have no fields and no room for a number, where that is sure to say what
    /// [`Reading::read_head`] would. False: there is none.
    pub(super) fn pass_bare_heads(&mut self, step: &mut Step<'_, '_>) -> bool {
        let Some(early) = step.context.early.as_mut().filter(|_| step.forks.are_none()) else { return false };
        if self.tunnel || !self.oddities.is_empty() || self.shift > 0 {
            return false;
        }
        let (begin, most) = (self.at, early.room_for_none());
        let mut rest = step.kept.from(begin);
        while let Some((line, size)) = bare_head(rest, most).filter(|(_, size)| *size <= step.context.limits.head_bytes)
        {
            let (start, own) = (self.at, line.oddities);
            self.at += size as i64;
            rest = &rest[size..];
            let (oddities, mark) = (own.with(USUAL), early.mark_of_line(&line));
            let (time_ns, certainty) = (self.time_ns, certainty_of(oddities));
            let said = CleanHead { time_ns, oddities, own, certainty, in_all_ways: true, mark, owner: None };
            step.heads.push(PlacedHead { start, end: self.at, said: Said::Clean(said), why: None, part: false });
        }
        if self.at == begin {
            return false;
        }
        self.scan = self.at;
        self.go_on_without_body();
        true
    }

    /// The same of any one head that is this line and nothing else, however odd it is.
    pub(super) fn place_bare(&mut self, end: i64, line: &RequestLine<'_>, step: &mut Step<'_, '_>) -> bool {
        let Some(early) = step.context.early.as_mut().filter(|_| step.forks.are_none()) else { return false };
        let has_room = line.target.len() >= early.room_for_none();
        if has_room || self.oddities.contains(Oddity::Cr) || matches!(line.method, b"CONNECT" | b"PRI") {
            return false;
        }
        let mark = early.mark_of_line(line);
        let mut own = line.oddities.with(mem::take(&mut self.oddities));
        if self.tunnel {
            own.insert(Oddity::InConnect);
        }
        let oddities = own.with(recipient_oddities_of_line(line));
        let start = self.shown_start(self.at);
        (self.at, self.scan, self.line) = (end, end, None);
        self.go_on_behind(false, false, &NO_BODY, None, step);
        let (time_ns, certainty) = (self.time_ns, certainty_of(oddities));
        let said = CleanHead { time_ns, oddities, own, certainty, in_all_ways: true, mark, owner: None };
        step.heads.push(PlacedHead { start, end, said: Said::Clean(said), why: None, part: false });
        true
    }
}

/// The request line of a head without fields that these octets begin with, and how long the head is. One look at each
/// octet, and only at a target of fewer than so many.
#[inline]
fn bare_head(octets: &[u8], most: usize) -> Option<(RequestLine<'_>, usize)> {
    let method = match octets {
        [b'G', b'E', b'T', b' ', b'/', ..] | [b'P', b'U', b'T', b' ', b'/', ..] => 3,
        [b'P', b'O', b'S', b'T', b' ', b'/', ..] | [b'H', b'E', b'A', b'D', b' ', b'/', ..] => 4,
        _ => return None,
    };
    let behind = &octets[method + 1..];
    let length = behind.iter().take(most).position(|octet| !octet.is_ascii_graphic())?;
    let target = method + 1 + length;
    let (line, version, oddities) = match octets[target..] {
        [b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b'\r' | b'\n', ..] => {
            (target + 9, target + 1, Oddities::default())
        }
        _ => (target, target, OLD),
    };
    let first = empty_line(&octets[line..])?;
    let second = empty_line(&octets[line + first..])?;
    let found = RequestLine {
        method: &octets[..method],
        target: &behind[..length],
        version: &octets[version..line],
        oddities,
        together: &octets[..line],
    };
    Some((found, line + first + second))
}
