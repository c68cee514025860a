//! What the first payload of a half-stream looks like: octets in, one word out.

use memchr::{memchr, memmem};

use crate::http1::{
    WORDS_BYTES, begins_behind_junk, begins_record, begins_request, behind_records, is_space, is_token, request_line,
    surely_begins_line, surely_request_line,
};

/// haproxy.org, proxy-protocol.txt, section 2.
const PROXY_1: &[u8] = b"PROXY ";
const PROXY_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// That are searched for the end of the request line.
const LINE_BYTES: usize = 8192;
const LONGEST_WORD: usize = 64;

/// What a half-stream begins like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// A request, or the beginning of one.
    Request,
    /// A later part of a request, perhaps.
    Part,
    /// A record of TLS.
    Tls,
    /// Frames of HTTP/2, but no preface: nobody knows which side sends them.
    Http2,
    /// The server's half.
    Response,
    /// Nothing that is known here.
    Other,
}

impl Looks {
    /// As `counts.LOOKS` has it, where it is opaque.
    pub fn name(self) -> &'static str {
        match self {
            Looks::Tls => "tls",
            Looks::Http2 => "http2",
            Looks::Response => "response",
            Looks::Request | Looks::Part | Looks::Other => "other",
        }
    }
}

/// What these bytes begin, as far as they tell; `later`: they are known to be no beginning.
pub fn looks_of(payload: &[u8], later: bool) -> Looks {
    if may_begin_request(payload) {
        Looks::Request
    } else if later {
        Looks::Part
    } else if is_status_line(payload) {
        Looks::Response
    } else if begins_record(payload) {
        if behind_records(payload) > 0 { Looks::Request } else { Looks::Tls }
    } else if memmem::find(payload, b"HTTP/1").is_some()
        && payload.split(|&octet| octet == b'\n').any(|line| request_line(line).is_some())
    {
        Looks::Request // behind a line or two of something else
    } else if begins_with_frame(payload) {
        Looks::Http2
    } else if payload.iter().take(16).all(|octet| matches!(octet, b'\t' | b'\r' | b'\n' | b' '..=b'~')) {
        Looks::Part
    } else {
        Looks::Other
    }
}

/// Whether a frame of HTTP/2 (RFC 9113 section 4.1) begins here, and another one where it ends.
fn begins_with_frame(payload: &[u8]) -> bool {
    let is_frame = |at: usize| {
        let head = payload.get(at..at + 9);
        head != Some(&[0; 9]) && matches!(head, Some([0, 0..=0x40, _, 0..=9, 0..=0x2D, 0..=0x7F, _, _, _]))
    };
    let length = payload.iter().take(3).fold(0, |length, &octet| length << 8 | usize::from(octet));
    is_frame(0) && (9 + length == payload.len() || is_frame(9 + length))
}

/// Whether a version, blanks and the first digit of a status code stand there.
fn is_status_line(payload: &[u8]) -> bool {
    let Some([major, rest @ ..]) = payload.strip_prefix(b"HTTP/") else { return false };
    let rest = match rest {
        [b'.', minor, rest @ ..] if minor.is_ascii_digit() => rest,
        _ => rest,
    };
    let blanks = rest.iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    major.is_ascii_digit() && blanks > 0 && rest.get(blanks).is_some_and(u8::is_ascii_digit)
}

/// Whether a request may begin with these bytes; a part of its first word is enough.
#[inline]
pub fn may_begin_request(payload: &[u8]) -> bool {
    let start = payload.iter().position(|octet| !matches!(octet, b'\r' | b'\n')).unwrap_or(payload.len());
    let line = payload.get(start..).unwrap_or_default();
    if line.len() <= LONGEST_WORD && (line.is_empty() || is_token(line)) {
        return true;
    }
    if !begins_with_word(line) {
        return payload.starts_with(PROXY_2.get(..payload.len()).unwrap_or(PROXY_2))
            || may_begin_behind_junk(payload, line);
    }
    payload.starts_with(PROXY_1)
        || match memchr(b'\n', line.get(..LINE_BYTES).unwrap_or(line)) {
            Some(end) => {
                let line = line.get(..end).unwrap_or_default();
                request_line(line).is_some()
                    || memchr(b'\r', line).is_some_and(|cr| request_line(line.get(..cr).unwrap_or(line)).is_some())
            }
            None => begins_request(line.get(..WORDS_BYTES).unwrap_or(line)),
        }
}

/// The same behind octets that no protocol begins with that is known here; `line` is what stands behind empty lines.
fn may_begin_behind_junk(payload: &[u8], line: &[u8]) -> bool {
    !begins_record(payload)
        && !begins_with_frame(payload)
        && match memchr(b'\n', line.get(..LINE_BYTES).unwrap_or(line)) {
            Some(end) => request_line(line.get(..end).unwrap_or_default()).is_some(),
            None => begins_behind_junk(line.get(..WORDS_BYTES).unwrap_or(line)),
        }
}

/// As [`may_begin_request`], where something else stood before: the first line must be a request line, or become one.
#[inline]
pub fn surely_begins_request(payload: &[u8]) -> bool {
    let payload = payload.get(behind_records(payload)..).unwrap_or_default();
    let start = payload.iter().position(|octet| !matches!(octet, b'\r' | b'\n')).unwrap_or(payload.len());
    let line = payload.get(start..).unwrap_or_default();
    begins_with_word(line)
        && match memchr(b'\n', line.get(..LINE_BYTES).unwrap_or(line)) {
            Some(end) => surely_request_line(line.get(..end).unwrap_or_default()).is_some(),
            None => surely_begins_line(line.get(..WORDS_BYTES).unwrap_or(line)),
        }
}

/// Whether a word that can be a method stands there, and a space behind it.
#[inline]
fn begins_with_word(line: &[u8]) -> bool {
    let is_blank = |octet: &u8| matches!(octet, b' ' | b'\t');
    let mut rest = line.iter().skip_while(|octet| is_blank(octet)).take(LONGEST_WORD + 1).enumerate();
    let end = rest.find(|(_, octet)| !octet.is_ascii_graphic() || **octet == b':');
    end.is_some_and(|(length, octet)| is_space(*octet) && (1..=LONGEST_WORD).contains(&length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_first_word_may_begin_a_request() {
        let longest = [b'M'; LONGEST_WORD];
        let too_long = [b'M'; LONGEST_WORD + 1];
        for payload in [&b""[..], b"\r\n", b"G", b"GET", b"\r\nGET", b"M-SEARCH", b"HTTP", &longest] {
            assert!(may_begin_request(payload), "{payload:?}");
        }
        for payload in [&b"HTTP/1.1 200 OK\r\n"[..], b"a:b", b" ", b"\0", b"\r\n\0", b"G\xc3", &too_long] {
            assert!(!may_begin_request(payload), "{payload:?}");
        }
    }

    #[test]
    fn a_line_tells() {
        for payload in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"\r\n\nGET / HTTP/1.1\r\nHost: a.example\r\n",
            b" \tGET / HTTP/1.1\r\n",
            b"get /x",
            b"FROB /x",
            b"FROB http://a.example/",
            b"FROB x HTTP/1.1\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            b"PROXY UNKNOWN",
        ] {
            assert!(may_begin_request(payload), "{payload:?}");
        }
        for payload in [
            &b"FROB x"[..],
            b"FROB x\n",
            b"GET x\r\n",
            b"HTTP/1.1 200 OK\r\n",
            b"Host: a.example\r\n",
            b"\x16\x03\x01 GET / HTTP/1.1\r\n",
        ] {
            assert!(!may_begin_request(payload), "{payload:?}");
        }
    }

    #[test]
    fn the_end_of_a_line_is_looked_for_so_far() {
        let line = |size: usize| [b"FROB ", vec![b'x'; size].as_slice(), b" HTTP/1.1\n"].concat();
        let longest = LINE_BYTES - line(0).len();
        assert!(may_begin_request(&line(longest)));
        assert!(!may_begin_request(&line(longest + 1)));
    }

    #[test]
    fn the_proxy_protocol_comes_before_a_request() {
        for length in 0..=PROXY_2.len() {
            assert!(may_begin_request(&PROXY_2[..length]), "{length}");
        }
        assert!(may_begin_request(&[PROXY_2, b"\x21\x11\0\x0c"].concat()));
        assert!(!may_begin_request(b"\r\n\r\n\0\r\nQUIt\n"));
    }

    #[test]
    fn each_looks_has_its_word() {
        for (payload, looks) in [
            (&b"GET / HTTP/1.1\r\n"[..], Looks::Request),
            (b"HTTP/1.1 200 OK\r\n\r\nGET / HTTP/1.1\r\n", Looks::Response),
            (b"\x16\x03\x01\x02\0\x01", Looks::Tls),
            (b"\x15\x03\x01\0\x02\x02\x28GET / HTTP/1.1\r\n", Looks::Request),
            (b"\x15\x03\x01\0\x02\x02\x28\x16\x03\x01\0\0\r\nGET /", Looks::Request),
            (b"\x15\x03\x01\0\x02\x02GET / HTTP/1.1\r\n", Looks::Tls),
            (b"\x16\x03\x05\x02\0\x01", Looks::Other),
            (b"\0\x01\nGET / HTTP/1.1\r\n", Looks::Request),
            (b"\0\x01\nGET / HTTP/1.1", Looks::Request),
            (b"\0 HTTP/1.1", Looks::Other),
            (b"some text, and \xc3\xa4", Looks::Other),
            (b"some text, and \x01", Looks::Other),
        ] {
            assert_eq!(looks_of(payload, false), looks, "{payload:?}");
        }
        assert_eq!(looks_of(b"some text, and more of it\xc3\xa4", false), Looks::Part);
        assert_eq!(looks_of(b"HTTP/1.1 200 OK\r\n\r\n", true), Looks::Part);
    }
}
