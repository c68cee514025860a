//! The head of one HTTP/1 request, line by line, as docs/request-head.md has it: octets in, names and values out.
//!
//! A witness is lenient where an endpoint is strict: whatever any real server might accept is read, and what is not as
//! RFC 9112 writes it gets an oddity. Where servers differ, `readings` are the ways in which they differ.
//!
//! A head without a flaw is read in one pass over its lines; every flaw leads to the slower way, which knows them all.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::iter;
use std::ops::Range;

use memchr::{memchr, memrchr};

use super::field_lines::FieldLines;
use super::octets::{
    METHOD, TOKEN, is, is_blank, is_space, is_token, is_visible, part, span, starts_with_any_case, trim,
    trim_blanks_before, trim_end, trim_start,
};
use crate::records::{Certainty, Flow, HeadText, Layer, Oddities, Oddity, RequestHead, Section};

#[rustfmt::skip]
const METHODS: &[&[u8]] = &[
    b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"CONNECT", b"TRACE", b"PATCH", b"PROPFIND", b"PROPPATCH",
    b"MKCOL", b"COPY", b"MOVE", b"LOCK", b"UNLOCK", b"SEARCH", b"REPORT", b"NOTIFY", b"SUBSCRIBE", b"UNSUBSCRIBE",
    b"M-SEARCH", b"PURGE", b"LINK", b"UNLINK", b"PRI",
];
const OTHER_PROTOCOLS: &[&[u8]] = &[b"RTSP/", b"SIP/", b"ICAP/", b"MSRP/", b"MRCP/"];
const LONGEST_WORD: usize = 64;
/// Of a method that has not ended.
const LONGEST_BEGUN: usize = 16;
/// Before a method, of octets that are none of a request line.
const MOST_JUNK: usize = 64;
/// As much of a line as its first words need.
pub const WORDS_BYTES: usize = 256;
/// Of TLS, before what is in a record.
const TLS_BYTES: usize = 5;
/// Before the method of a line that has not ended yet.
const MOST_BLANKS: usize = 16;
/// Fields of a head that are kept for what follows it: whoever sends more of them must not fill the memory.
pub(super) const MOST_NEEDED: usize = 64;

/// Of these oddities nobody knows what was meant.
const AMBIGUOUS: Oddities =
    Oddities::of(&[Oddity::NotHttp, Oddity::Framing, Oddity::Host, Oddity::HostUnknown, Oddity::FragMixed]);
const CUT: Oddities = Oddities::of(&[Oddity::Incomplete, Oddity::AfterGap]);

fn is_known_method(method: &[u8]) -> bool {
    METHODS.iter().any(|known| known.eq_ignore_ascii_case(method))
}

/// Whether a field of this name says who gets the request.
pub fn is_authority(name: &[u8]) -> bool {
    matches!(name, b":authority" | b"host")
}

/// Whether this is a method that is known, or with what follows may be one.
pub fn begins_known_method(text: &[u8], follows: bool) -> bool {
    let begins = |known: &&[u8]| known.get(..text.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(text));
    is_known_method(text) || (follows && METHODS.iter().any(begins))
}

/// The parts of the first line of a head; they lie in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestLine<'a> {
    /// As on the wire.
    pub method: &'a [u8],
    /// As on the wire.
    pub target: &'a [u8],
    /// Empty for HTTP/0.9.
    pub version: &'a [u8],
    /// What is odd about it.
    pub oddities: Oddities,
    /// All that there are, where they stand together with one space between them.
    pub together: &'a [u8],
}

impl RequestLine<'_> {
    /// Begins a text.
    #[inline]
    pub fn write_to(&self, text: &mut HeadText) {
        if self.together.is_empty() {
            text.begin(self.method, self.target, self.version);
        } else {
            text.begin_together(self.together, self.method.len(), self.target.len());
        }
    }
}

/// The three parts of a line without its end, or None: no server would take this for a request.
#[inline]
pub fn request_line(line: &[u8]) -> Option<RequestLine<'_>> {
    plain_request_line(line).or_else(|| behind_junk(line))
}

/// Octets that are none of a method, and behind them a method, a target that looks like one, and a version. To a method
/// that is unknown they belong, as far as no space parts them.
#[cold]
pub fn behind_junk(line: &[u8]) -> Option<RequestLine<'_>> {
    let text = trim(line, is_space);
    let junk = junk(text)?;
    let found = plain_request_line(text.get(junk..)?)?;
    let is_sure = !found.oddities.contains(Oddity::NotHttp) && is_target(found.target);
    let mut method = found.method;
    if !is_known_method(method) {
        let word = text.get(..junk + method.len())?;
        method = word.get(word.iter().rposition(|&octet| is_space(octet)).map_or(0, |space| space + 1)..)?;
    }
    is_sure.then_some(RequestLine {
        method,
        oddities: found.oddities.with(Oddities::of(&[Oddity::NotHttp])),
        together: b"",
        ..found
    })
}

/// How many octets stand before what looks like method and target; the last of them is in no method.
fn junk(text: &[u8]) -> Option<usize> {
    let text = text.get(..WORDS_BYTES).unwrap_or(text);
    let is_none_of_it = |octet: &u8| !is(*octet, TOKEN) && !is_space(*octet);
    let ends = text.iter().take(MOST_JUNK).enumerate().filter(|(_, octet)| is_none_of_it(octet)).map(|(at, _)| at + 1);
    let (end, rest) = ends.map(|end| (end, trim_start(&text[end..], is_space))).find(|(_, rest)| {
        let (method, behind) = rest.split_at(span(rest, TOKEN));
        let target = trim_start(behind, is_space);
        (1..=LONGEST_WORD).contains(&method.len())
            && target.len() < behind.len()
            && (is_known_method(method) || matches!(target.first(), Some(b'/' | b'*')) || authority(target).is_some())
    })?;
    (!is_named(&text[..end])).then_some(text.len() - rest.len())
}

/// Whether a field name and its colon stand there.
fn is_named(text: &[u8]) -> bool {
    let (name, colon) = part(text, b':');
    let name = trim_end(name, is_blank);
    colon.is_some() && !name.is_empty() && name.iter().all(|&octet| octet > b' ')
}

/// Whether a line that has not ended yet may become a request line behind octets that are none of a method.
pub fn begins_behind_junk(text: &[u8]) -> bool {
    let text = trim_start(text, is_space);
    let seen = text.get(..MOST_JUNK + LONGEST_BEGUN).unwrap_or(text);
    let is_letter = |octet: &u8| octet.is_ascii_alphabetic() || *octet == b'-';
    let (junk_only, begun) = seen.split_at(seen.iter().rposition(|octet| !is_letter(octet)).map_or(0, |at| at + 1));
    let is_begun = (2..=LONGEST_BEGUN).contains(&begun.len())
        && junk_only.last().is_some_and(|&octet| !is(octet, TOKEN) && !is_space(octet))
        && begins_known_method(begun, true)
        && !is_named(text);
    is_begun || junk(text).is_some()
}

/// The same, where nothing stands before the method.
#[inline]
fn plain_request_line(line: &[u8]) -> Option<RequestLine<'_>> {
    clean_request_line(line).or_else(|| odd_request_line(line))
}

/// The same of a line as RFC 9112 writes it, and no other.
#[inline]
pub(super) fn clean_request_line(line: &[u8]) -> Option<RequestLine<'_>> {
    let (rest, version) = line.split_last_chunk::<8>()?;
    let (method, behind) = rest.split_at_checked(span(rest, TOKEN))?;
    let target = behind.strip_prefix(b" ")?.strip_suffix(b" ")?;
    let is_clean = matches!(version, b"HTTP/1.0" | b"HTTP/1.1")
        && (1..=LONGEST_WORD).contains(&method.len())
        && !target.is_empty()
        && is_visible(target);
    is_clean.then_some(RequestLine { method, target, version, oddities: Oddities::default(), together: line })
}

#[cold]
fn odd_request_line(line: &[u8]) -> Option<RequestLine<'_>> {
    let text = trim(line, is_space);
    let (method, behind) = text.split_at_checked(text.iter().position(|&octet| is_space(octet))?)?;
    if method.len() > LONGEST_WORD || span(method, METHOD) < method.len() {
        return None;
    }
    let behind = trim_start(behind, is_space);
    let last_at = behind.iter().rposition(|&octet| is_space(octet)).map_or(0, |space| space + 1);
    let (before_last, last) = behind.split_at_checked(last_at)?;
    let before_last = trim_end(before_last, is_space);
    let mut oddities = Oddities::default();
    let (target, version) = if is_version(last) {
        if before_last.is_empty() && !is_known_method(method) {
            return None;
        }
        if !matches!(last, b"HTTP/1.0" | b"HTTP/1.1") {
            oddities.insert(Oddity::OddVersion);
        }
        (before_last, last)
    } else {
        if !is_known_method(method) || !is_target(behind) || is_other_protocol(last) {
            return None;
        }
        oddities.insert(Oddity::NotHttp);
        if before_last.is_empty() {
            (behind, &b""[..]) // HTTP/0.9
        } else {
            oddities.insert(Oddity::OddVersion);
            (before_last, last)
        }
    };
    if !is_token(method) {
        oddities.insert(Oddity::OddMethod);
    }
    if !is_visible(target) {
        oddities.insert(Oddity::OddTarget);
    }
    if memchr(b'\r', text).is_some() && (!oddities.is_empty() || !is_known_method(method)) {
        return None; // a CR may stand for a space, but only between parts that leave no doubt
    }
    let written = trim_end(line, |octet| octet == b'\r');
    if !is_spaced_once(written, [method, target, version]) {
        oddities.insert(Oddity::RequestLineSpace);
    }
    Some(RequestLine { method, target, version, oddities, together: b"" })
}

/// Whether a line is made of these parts, which lie in it in this order, those that are empty left out, with one space
/// between two of them.
fn is_spaced_once(line: &[u8], [method, target, version]: [&[u8]; 3]) -> bool {
    let first = method.len();
    if version.is_empty() {
        return line.len() == first + 1 + target.len() && line[first] == b' ';
    }
    if target.is_empty() {
        return line.len() == first + 1 + version.len() && line[first] == b' ';
    }
    let second = first + 1 + target.len();
    line.len() == second + 1 + version.len() && line[first] == b' ' && line[second] == b' '
}

fn is_version(word: &[u8]) -> bool {
    starts_with_any_case(word, b"HTTP/") && !word.iter().any(|octet| matches!(octet, b' ' | b'\t'..=b'\r'))
}

fn is_other_protocol(word: &[u8]) -> bool {
    OTHER_PROTOCOLS.iter().any(|protocol| {
        starts_with_any_case(word, protocol) && word.get(protocol.len()).is_some_and(u8::is_ascii_digit)
    }) && memchr(b'\n', word).is_none()
}

/// As [`request_line`], where prose may stand: the line must look like a request in every part.
pub fn surely_request_line(line: &[u8]) -> Option<RequestLine<'_>> {
    match part(line, b'\r') {
        (before, Some([_, ..])) => sure(line).or_else(|| sure(before)),
        (line, _) => sure(line),
    }
}

fn sure(line: &[u8]) -> Option<RequestLine<'_>> {
    plain_request_line(line).filter(|found| {
        let shouts = || {
            is_token(found.method)
                && found.method.iter().any(u8::is_ascii_uppercase)
                && !found.method.iter().any(u8::is_ascii_lowercase)
        };
        !found.oddities.contains(Oddity::NotHttp)
            && (is_known_method(found.method) || shouts())
            && is_target(found.target)
    })
}

/// Whether a line that has not ended yet may become a request line.
pub fn begins_request(text: &[u8]) -> bool {
    let text = trim_blanks_before(text);
    let (method, target) = text.split_at(text.iter().position(|&octet| is_space(octet)).unwrap_or(text.len()));
    let target = trim_start(target, is_space);
    is_known_method(method) || matches!(target.first(), Some(b'/' | b'*')) || authority(target).is_some()
}

/// As [`begins_request`], where prose may stand: method and target must both be such.
pub fn surely_begins_line(text: &[u8]) -> bool {
    let text = trim_blanks_before(text);
    let (method, target) = text.split_at(text.iter().position(|&octet| is_space(octet)).unwrap_or(text.len()));
    let target = trim_start(target, is_space);
    is_known_method(method) && (matches!(target.first(), Some(b'/' | b'*')) || authority(target).is_some())
}

/// Where a request begins, as its first words tell, behind records of TLS (RFC 8446 section 5.1) that are whole and stand
/// at the beginning; 0 where none does.
#[inline]
pub fn behind_records(octets: &[u8]) -> usize {
    if begins_record(octets) { behind_all_records(octets) } else { 0 }
}

fn behind_all_records(octets: &[u8]) -> usize {
    let mut end = 0;
    while let Some(rest) = octets.get(end..)
        && begins_record(rest)
        && let [_, _, _, high, low, ..] = *rest
    {
        end += TLS_BYTES + usize::from(u16::from_be_bytes([high, low]));
    }
    let words = octets.get(end..).unwrap_or_default();
    let words = trim_start(words.get(..WORDS_BYTES).unwrap_or(words), |octet| matches!(octet, b'\r' | b'\n'));
    if surely_begins_line(words) { end } else { 0 }
}

/// Whether a record of TLS may begin here.
#[inline]
pub fn begins_record(octets: &[u8]) -> bool {
    matches!(octets, [0x14..=0x17, 3, 0..=4, ..])
}

/// Whether a request line may begin with these octets.
pub(super) fn may_begin_line(octets: &[u8]) -> bool {
    let seen = octets.get(..MOST_BLANKS + LONGEST_WORD).unwrap_or(octets);
    let word = trim_blanks_before(seen);
    let length = span(word, METHOD);
    let is_word = (1..=LONGEST_WORD).contains(&length) && word.get(length).is_none_or(|&octet| is_space(octet));
    seen.len() - word.len() <= MOST_BLANKS && (is_word || word.is_empty())
}

/// RFC 9112 section 3.2: origin, asterisk, absolute or authority form.
fn is_target(target: &[u8]) -> bool {
    matches!(target.first(), Some(b'/' | b'*'))
        || authority(target).is_some()
        || without_port(target).len() < target.len()
}

/// The authority of a target in absolute form, and how long the target is up to its end.
fn authority(target: &[u8]) -> Option<(&[u8], usize)> {
    target.first().filter(|first| first.is_ascii_alphabetic())?;
    let is_scheme = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'.' | b'-');
    let scheme = target.iter().position(|octet| !is_scheme(octet))?;
    let behind = target.get(scheme..)?.strip_prefix(b"://")?;
    let length = behind.iter().position(|octet| matches!(octet, b'/' | b'?' | b'#')).unwrap_or(behind.len());
    Some((behind.get(..length)?, scheme + 3 + length))
}

fn without_port(authority: &[u8]) -> &[u8] {
    match memrchr(b':', authority).and_then(|colon| authority.split_at_checked(colon)) {
        Some((name, port)) if port.iter().skip(1).all(u8::is_ascii_digit) => name,
        _ => authority,
    }
}

/// What is odd about who is to get the request (RFC 9112 section 3.2).
fn recipient_oddities(text: &HeadText, whole: bool) -> Oddities {
    if is_path(text.target()) {
        if text.has_one_host() {
            return Oddities::default();
        }
        if !text.has_host() && text.method().len() != b"CONNECT".len() {
            return Oddities::of(&[if whole { Oddity::HostMissing } else { Oddity::HostUnknown }]);
        }
    }
    let hosts = text.fields().filter(|(name, _)| *name == b"host").map(|(_, value)| value);
    oddities_of_hosts(text.method(), text.target(), hosts, whole)
}

/// The same of a head without fields that is whole.
pub(super) fn recipient_oddities_of_line(line: &RequestLine<'_>) -> Oddities {
    if is_path(line.target) {
        return Oddities::of(&[Oddity::HostMissing]);
    }
    oddities_of_hosts(line.method, line.target, iter::empty(), true)
}

fn is_path(target: &[u8]) -> bool {
    matches!(target.first(), Some(b'/' | b'*'))
}

fn oddities_of_hosts<'a>(
    method: &[u8],
    target: &[u8],
    mut hosts: impl Iterator<Item = &'a [u8]> + Clone,
    whole: bool,
) -> Oddities {
    let mut oddities = Oddities::default();
    let mut all = hosts.clone();
    let first = hosts.next();
    if first.is_some_and(|first| hosts.any(|host| !host.eq_ignore_ascii_case(first))) {
        oddities.insert(Oddity::Host);
    }
    let Some((authority, _)) = authority(target) else {
        if first.is_none() && !method.eq_ignore_ascii_case(b"CONNECT") {
            oddities.insert(if whole { Oddity::HostMissing } else { Oddity::HostUnknown });
        }
        return oddities;
    };
    let named = match memrchr(b'@', authority).and_then(|at| authority.get(at + 1..)) {
        Some(named) => {
            oddities.insert(Oddity::Userinfo);
            named
        }
        None => authority,
    };
    if first.is_some() && !all.any(|host| bare_name(host).eq_ignore_ascii_case(bare_name(named))) {
        oddities.insert(Oddity::HostMismatch);
    }
    oddities
}

fn bare_name(authority: &[u8]) -> &[u8] {
    trim_end(without_port(authority), |octet| octet == b'.')
}

/// Whether a head with these oddities can be meant in one way only.
pub fn certainty_of(oddities: Oddities) -> Certainty {
    if oddities.intersects(AMBIGUOUS) { Certainty::Ambiguous } else { Certainty::Confirmed }
}

/// What is odd about a head of this text, if these are of its lines.
#[inline]
pub(super) fn with_recipient(oddities: Oddities, text: &HeadText) -> Oddities {
    oddities.with(recipient_oddities(text, !oddities.intersects(CUT)))
}

/// A head of its parts; the other ways to read its fields are its readings.
#[inline]
pub fn make_head(time_ns: i64, flow: Flow, path: &[Layer], found: FieldLines, oddities: Oddities) -> RequestHead {
    let own = found.oddities.with(oddities);
    let all = with_recipient(own, &found.text);
    let mut head = head_of(time_ns, flow, path, found.text, all);
    head.readings = readings_of(&head, found.others, own);
    head
}

/// The other ways to read a head; `own` is what is odd about it in each of them.
pub fn readings_of(head: &RequestHead, others: Vec<HeadText>, own: Oddities) -> Vec<RequestHead> {
    let of_text = |text: HeadText| {
        let oddities = with_recipient(own, &text);
        head_of(head.time_ns, head.flow, &head.path, text, oddities)
    };
    others.into_iter().map(of_text).collect()
}

/// A head of one reading, with all that is odd about it.
#[inline]
pub(super) fn head_of(time_ns: i64, flow: Flow, path: &[Layer], text: HeadText, oddities: Oddities) -> RequestHead {
    RequestHead {
        time_ns,
        flow,
        path: path.to_vec(),
        text,
        oddities,
        certainty: certainty_of(oddities),
        section: Section::Head,
        readings: Vec::new(),
    }
}

/// The target of what goes on behind a head: that of a head was read with its first part.
pub(super) fn target_again(head: &HeadText, section: Section) -> Cow<'_, [u8]> {
    if section == Section::Trailer || head.method() == b"CONNECT" {
        return head.target().into();
    }
    let length = authority(head.target()).map_or(0, |(_, length)| length);
    [head.target().get(..length).unwrap_or_default(), b"/"].concat().into()
}

/// More fields of `head`, with its recipient; the target of a head was read with the first part.
pub fn continuation(
    time_ns: i64,
    head: &RequestHead,
    found: &FieldLines,
    oddities: Oddities,
    section: Section,
) -> RequestHead {
    let oddities = found.oddities.with(oddities);
    let part = |text: &HeadText| continued(time_ns, head, text, 0..text.field_count(), oddities, section);
    RequestHead { readings: found.others.iter().map(part).collect(), ..part(&found.text) }
}

/// The same of these fields of a text.
pub fn continued(
    time_ns: i64,
    head: &RequestHead,
    more: &HeadText,
    fields: Range<usize>,
    oddities: Oddities,
    section: Section,
) -> RequestHead {
    let line = &head.text;
    let mut text = HeadText::new(line.method(), &target_again(line, section), line.version());
    let hosts = line.fields().filter(|(name, _)| *name == b"host").take(MOST_NEEDED);
    hosts.for_each(|(name, value)| text.push(name, value));
    text.push_fields(more, fields);
    RequestHead {
        time_ns,
        flow: head.flow,
        path: head.path.clone(),
        text,
        oddities,
        certainty: head.certainty,
        section,
        readings: Vec::new(),
    }
}
