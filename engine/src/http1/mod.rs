//! HTTP/1 as a client sends it (RFC 9112): takes the octets of one half-stream in order, yields its request heads.
//!
//! Where two receivers would end a body at different places, the tail is read in every way at once: a [`Reading`] for
//! each. A head that only some of them find is ambiguous (`framing`). Readings that come to the same place are one again.
//!
//! The caller keeps the octets from `start` on and shows them again together with what follows.

mod body;
mod head_reader;
mod kept;
mod octets;
mod reading;
mod request_head;
#[cfg(test)]
mod tests;

use std::mem;

use crate::counts::Counts;
use crate::limits::Limits;
use crate::records::{Certainty, Flow, Layer, Oddity, PlacedHead};

use kept::Kept;
use reading::{Reading, State, Step};

pub use octets::is_token;
pub use request_head::{
    FieldLines, RequestLine, begins_request, certainty_of, continuation, field_lines, make_head, request_line,
};

const MOST_READINGS: usize = 4;

/// What a half-stream does not keep itself.
pub struct Context<'a> {
    /// Bounds.
    pub limits: &'a Limits,
    /// What is counted beside the heads.
    pub counts: &'a mut Counts,
    /// Whose octets these are.
    pub flow: Flow,
    /// The encapsulations behind `flow.path_hash`.
    pub path: &'a [Layer],
}

/// One half-stream.
#[derive(Clone, Debug)]
pub struct Http1 {
    first: Reading,
    /// Other ways to read the same octets: seldom any.
    others: Vec<Reading>,
}

impl Http1 {
    /// Reads from `position` on; `midstream`: what came before was not seen.
    pub fn new(position: i64, midstream: bool) -> Http1 {
        Http1 { first: Reading::new(position, midstream), others: Vec::new() }
    }

    /// The position from which on the caller must keep the octets.
    pub fn start(&self) -> i64 {
        self.others.iter().fold(self.first.at, |start, other| start.min(other.at))
    }

    /// Whether a request ended here and nothing of another one was seen.
    pub fn idle(&self) -> bool {
        self.first.is_idle()
    }

    /// Whether the next `size` octets are part of a body to every reading.
    pub fn skips(&self, size: i64) -> bool {
        let size = u64::try_from(size).unwrap_or_default();
        self.first.skips(size) && self.others.iter().all(|other| other.skips(size))
    }

    /// Whether this is no HTTP: much was read, and no request.
    pub fn hopeless(&self) -> bool {
        self.first.is_hopeless()
    }

    /// Whether HTTP/2 begins at `start`, with the second half of its preface.
    pub fn over(&self) -> bool {
        self.first.state == State::Over
    }

    /// `octets` are everything from position `first` on that is kept; what is new in them is one segment.
    pub fn feed(
        &mut self,
        octets: &[u8],
        first: i64,
        time_ns: i64,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) {
        let kept = Kept { octets, first };
        let before = out.len();
        let mut forks = Vec::new();
        self.first.run(time_ns, &mut Step { kept, context, heads: out, forks: &mut forks });
        if self.others.is_empty() && forks.is_empty() {
            return;
        }
        let mut found = vec![Found { origin: self.first.origin, heads: out.split_off(before) }];
        let mut at = 0;
        loop {
            forks.truncate((MOST_READINGS - 1).saturating_sub(self.others.len()));
            self.others.append(&mut forks); // the list grows while ways part
            let Some(other) = self.others.get_mut(at) else { break };
            let mut heads = Vec::new();
            other.run(time_ns, &mut Step { kept, context, heads: &mut heads, forks: &mut forks });
            found.push(Found { origin: other.origin, heads });
            at += 1;
        }
        self.merge(found, out);
    }

    /// `missing` octets are missing behind `octets`, from `position` on.
    pub fn gap(
        &mut self,
        octets: &[u8],
        first: i64,
        position: i64,
        missing: i64,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) {
        let kept = Kept { octets, first };
        self.each(kept, context, out, |reading, step| reading.gap(position, missing, step));
    }

    /// Nothing follows behind `octets`.
    pub fn finish(&mut self, octets: &[u8], first: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        self.each(Kept { octets, first }, context, out, Reading::finish);
    }

    /// No way parts where octets are missing: nobody knows how long the body is that begins there.
    fn each(
        &mut self,
        kept: Kept<'_>,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
        mut end: impl FnMut(&mut Reading, &mut Step<'_, '_>),
    ) {
        if self.others.is_empty() {
            return end(&mut self.first, &mut Step { kept, context, heads: out, forks: &mut Vec::new() });
        }
        let mut found = Vec::new();
        for reading in [&mut self.first].into_iter().chain(&mut self.others) {
            let mut heads = Vec::new();
            end(reading, &mut Step { kept, context, heads: &mut heads, forks: &mut Vec::new() });
            found.push(Found { origin: reading.origin, heads });
        }
        self.merge(found, out);
    }

    /// What the readings found, each head once.
    fn merge(&mut self, found: Vec<Found>, out: &mut Vec<PlacedHead>) {
        self.unite();
        let origins: Vec<i64> = found.iter().map(|found| found.origin).collect();
        let mut heads: Vec<PlacedHead> = found.into_iter().flat_map(|found| found.heads).collect();
        heads.sort_by_key(|placed| (placed.start, placed.end)); // stable: the first reading's head is the first of equal ones
        let mut merged: Vec<(usize, PlacedHead)> = Vec::new();
        for placed in heads {
            let beside =
                merged.iter_mut().rev().take_while(|(_, known)| (known.start, known.end) == (placed.start, placed.end));
            match beside.into_iter().find(|(_, known)| known.head.text.fields().eq(placed.head.text.fields())) {
                Some((votes, _)) => *votes += 1,
                None => merged.push((1, placed)),
            }
        }
        for (votes, mut placed) in merged {
            if votes < origins.iter().filter(|&&origin| origin <= placed.start).count() {
                placed.head.oddities.insert(Oddity::Framing);
                placed.head.certainty = Certainty::Ambiguous;
            }
            out.push(placed);
        }
    }

    /// Readings of one place go on alike.
    fn unite(&mut self) {
        let mut united: Vec<Reading> = Vec::new();
        for other in mem::take(&mut self.others) {
            if !other.is_beside(&self.first) && !united.iter().any(|known| other.is_beside(known)) {
                united.push(other);
            }
        }
        self.others = united;
    }
}

/// What one reading found, and the position from which it went its way.
struct Found {
    origin: i64,
    heads: Vec<PlacedHead>,
}
