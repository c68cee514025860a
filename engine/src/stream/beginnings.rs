//! Requests that begin in small segments behind something else: takes such segments, yields their first bytes.
//!
//! A half-stream that began with something else is looked at again where a segment begins like a request. Whoever sends
//! one byte at a time shows no such segment: so the latest few bytes are joined here for as long as they may begin a
//! request.

use std::collections::BTreeMap;

use super::halves::Link;
use crate::counts::{Count, Counts};
use crate::http1::{begins_known_method, is_space, trim_start};
use crate::looks::surely_begins_request;

/// Bytes: the longest method and where its target begins.
const LONGEST: usize = 32;
/// Half-streams; the one that was begun on first makes room.
const MOST: usize = 4096;

#[derive(Debug)]
pub(super) struct Begun {
    number: u64,
    pub seq: u32,
    pub octets: Vec<u8>,
}

#[derive(Debug, Default)]
pub(super) struct Beginnings {
    begun: BTreeMap<Link, Begun>,
    /// Whose each is, by its number.
    order: BTreeMap<u64, Link>,
    /// How many were begun on so far.
    numbers: u64,
}

impl Beginnings {
    /// Whether this payload and what came before it surely begin a request.
    pub fn join(&mut self, whose: Link, seq: u32, payload: &[u8], counts: &mut Counts) -> bool {
        if payload.len() >= LONGEST {
            return false;
        }
        if let Some(begun) = self.begun.get_mut(&whose) {
            let at = seq.wrapping_sub(begun.seq) as usize;
            if begun.octets.get(at..).is_some_and(|known| !known.is_empty() && known.starts_with(payload)) {
                return false; // once more
            }
            if at == begun.octets.len() {
                let joined = [&begun.octets, payload].concat();
                if surely_begins_request(&joined) {
                    return true;
                }
                if may_begin(&joined) {
                    begun.octets = joined;
                    return false;
                }
            }
            self.forget(whose);
        }
        if may_begin(payload) {
            self.numbers += 1;
            self.order.insert(self.numbers, whose);
            self.begun.insert(whose, Begun { number: self.numbers, seq, octets: payload.to_vec() });
            if self.begun.len() > MOST
                && let Some((_, oldest)) = self.order.pop_first()
            {
                self.begun.remove(&oldest);
                counts[Count::ShedBeginnings] += 1;
            }
        }
        false
    }

    /// What was joined.
    pub fn forget(&mut self, whose: Link) -> Option<Begun> {
        let begun = self.begun.remove(&whose)?;
        self.order.remove(&begun.number);
        Some(begun)
    }
}

/// Whether a request line with a method that is known begins so, or may yet.
fn may_begin(octets: &[u8]) -> bool {
    let line = trim_start(octets, |octet| matches!(octet, b'\r' | b'\n'));
    let line = trim_start(line, |octet| matches!(octet, b' ' | b'\t'));
    let end = line.iter().position(|octet| !octet.is_ascii_alphabetic() && *octet != b'-').unwrap_or(line.len());
    let (method, rest) = line.split_at(end);
    let target = trim_start(rest, is_space);
    octets.len() <= LONGEST
        && (rest.is_empty() || target.len() < rest.len())
        && target.iter().all(u8::is_ascii_graphic)
        && begins_known_method(method, rest.is_empty())
}
