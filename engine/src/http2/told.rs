//! What an audit is told of the octets of HTTP/2 that are in no head.

use super::frames::{CONTINUATION, DATA, FrameHeader, HEADERS};
use crate::counts::Counts;

/// These octets are in no head.
pub fn tell(start: i64, stop: i64, what: &'static str, counts: &mut Counts) {
    if let Some(tracer) = &mut counts.tracer {
        tracer.passed(start, stop, what);
    }
}

/// The same of a payload that begins at `start`, so far as it is not looked at.
pub fn tell_payload(start: i64, header: FrameHeader, looked_at: usize, counts: &mut Counts) {
    let stop = start + header.length as i64;
    match header.kind {
        DATA => tell(start, stop, if looked_at > 0 { "frames" } else { "body" }, counts),
        HEADERS | CONTINUATION => tell(start + looked_at as i64, stop, "head_bytes", counts),
        _ => {}
    }
}
