//! HTTP as a client sends it (RFC 9112, and RFC 9113 from its preface on): takes the octets of one half-stream in order,
//! yields its request heads.
//!
//! Where two receivers would read on differently, because they end a body at different places or because they took
//! different copies of the same octets, the tail is read in every way at once: a [`Reading`] for each. A head that only
//! some of them find is ambiguous (`framing`, `overlap`, `urgent`). Readings that come to the same place are one again.
//!
//! The caller keeps the octets from `start` on and shows them again together with what follows.

mod bare_head;
mod body;
mod credit;
mod field_lines;
mod head_reader;
mod kept;
mod octets;
mod reading;
mod request_head;
mod section_reader;
#[cfg(test)]
mod tests;
mod ways;
mod whole_head;

use std::collections::VecDeque;
use std::mem;

use crate::counts::{Count, Counts};
use crate::early::Early;
use crate::http2::Http2;
use crate::limits::Limits;
use crate::reassembly::Gap;
use crate::records::{Flow, Layer, Oddity, PlacedHead};

use credit::Credit;
use kept::Kept;
use reading::{Reading, Step};
use ways::{Forks, Found, are_same, merge};

pub use field_lines::{FieldLines, field_lines};
pub use octets::{is_space, is_token, trim_start};
pub use request_head::{
    RequestLine, WORDS_BYTES, begins_behind_junk, begins_known_method, begins_record, begins_request, behind_records,
    certainty_of, continuation, is_authority, make_head, readings_of, request_line, surely_begins_line,
    surely_request_line,
};
pub use whole_head::{whole_head, whole_trailer};

const MOST_READINGS: usize = 4;
/// What one of them takes to read HTTP/2, with its tables, in round figures.
const FRAMES_BYTES: usize = 16 * 1024;

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
    /// For heads of which nobody but this half-stream needs to know all: None: of all heads all is kept.
    pub early: Option<&'a mut Early>,
}

impl<'a> Context<'a> {
    /// The same for octets that are read beside the others: they are counted in these, and all of a head is kept.
    pub fn beside<'b>(&self, counts: &'b mut Counts) -> Context<'b>
    where
        'a: 'b,
    {
        Context { limits: self.limits, counts, flow: self.flow, path: self.path, early: None }
    }
}

/// Where reading can begin again.
#[derive(Clone, Debug)]
pub struct Start {
    /// Of the first octet.
    pub position: i64,
    /// Amid HTTP/2: what was read up to there. None: a head begins there, or the preface.
    frames: Option<Box<Http2>>,
    weight: usize,
}

impl Start {
    fn at(position: i64) -> Start {
        Start { position, frames: None, weight: 0 }
    }

    /// Bytes of memory, about; and what it takes to begin there.
    pub fn weight(&self) -> usize {
        self.weight
    }
}

/// What there is since a way has come to HTTP/2.
#[derive(Clone, Debug, Default)]
struct Framed {
    /// Where reading can begin again since the first way has, in order; what they take is in proportion to the octets that
    /// are kept for them.
    starts: VecDeque<Start>,
    /// Of all of them.
    weight: usize,
    /// Before this position ways are not compared again: that takes time.
    compared: i64,
}

/// One half-stream.
#[derive(Clone, Debug)]
pub struct Http1 {
    first: Reading,
    /// Other ways to read the same octets: seldom any.
    others: Vec<Reading>,
    credit: Credit,
    framed: Option<Box<Framed>>,
}

impl Http1 {
    /// Reads from `position` on; `midstream`: what came before was not seen.
    pub fn new(position: i64, midstream: bool) -> Http1 {
        Http1 { first: Reading::new(position, midstream), others: Vec::new(), credit: Credit::default(), framed: None }
    }

    /// These are octets of HTTP/2, from its middle perhaps.
    pub fn expect_frames(&mut self, context: &Context<'_>) {
        self.first.expect_frames(context);
    }

    /// Whether there was HTTP/2 that was a client's, whatever its field blocks say.
    pub fn asks(&self) -> bool {
        self.first.asks
    }

    /// Bytes of memory, about, that HTTP/2 takes besides.
    pub fn weight(&self) -> usize {
        let ways = [&self.first].into_iter().chain(&self.others).filter_map(|way| way.frames.as_ref());
        ways.map(|frames| FRAMES_BYTES + frames.tunnels_weight()).sum::<usize>()
            + self.framed.as_ref().map_or(0, |framed| framed.weight)
    }

    /// From where on octets are to be kept, so that reading can begin again with what stands at `position`.
    pub fn keep(&mut self, position: i64) -> i64 {
        let Some(framed) = &mut self.framed else { return position };
        while framed.starts.get(1).is_some_and(|second| second.position <= position) {
            framed.weight -= framed.starts.pop_front().map_or(0, |first| first.weight);
        }
        framed.starts.front().map_or(position, |first| first.position.min(position))
    }

    /// Something else stood before: only what surely is a request line begins one, and even that is in doubt.
    pub fn distrust(&mut self) {
        self.first.distrust();
    }

    /// These are octets of a stream of CONNECT.
    pub fn enter_tunnel(&mut self) {
        self.first.enter_tunnel();
    }

    /// The same, when these octets are read again from before what was thought to be the beginning.
    pub fn anew(&self, position: i64, midstream: bool) -> Http1 {
        let mut http1 = Http1::new(position, midstream);
        http1.first.again = self.first.bodies.saturating_add(self.first.again);
        http1
    }

    /// The position from which on the caller must keep the octets.
    pub fn start(&self) -> i64 {
        self.others.iter().fold(self.first.at, |start, other| start.min(other.at))
    }

    /// Before this position stands no head that is not handed out yet.
    pub fn unsettled(&self) -> i64 {
        self.others.iter().map(Reading::unsettled).fold(self.first.unsettled(), i64::min)
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
        self.first.is_hopeless() && self.others.iter().all(Reading::is_hopeless)
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
        self.credit.earn((kept.end() - self.first.fed).max(0));
        let mut forks = Forks::beside(&self.others, self.credit);
        self.note_start();
        let was_framed = self.first.frames.is_some();
        self.first.run(time_ns, &mut Step { kept, context, heads: out, forks: &mut forks });
        if was_framed && self.first.frames.is_none() {
            self.forget_starts();
        } else if !was_framed && let Some(frames) = &self.first.frames {
            self.framed.get_or_insert_default().starts.push_back(Start::at(frames.origin()));
        }
        self.credit = forks.credit;
        if self.others.is_empty() && forks.ways.is_empty() {
            context.counts[Count::ShedReadings] += forks.left_out as u64;
            return;
        }
        let mut found = vec![Found::by(&self.first, Vec::new(), None)];
        forks.are_more = true;
        let mut at = 0;
        loop {
            // the list grows while ways part
            self.first.is_not_all |= take_in(&mut self.others, MOST_READINGS - 1, &mut forks, context);
            let Some(other) = self.others.get_mut(at) else { break };
            let mut heads = Vec::new();
            forks.finder = at + 1;
            other.read_on(time_ns, &mut Step { kept, context, heads: &mut heads, forks: &mut forks });
            found.push(Found::by(other, heads, forks.joined.take()));
            at += 1;
        }
        self.credit = forks.credit;
        let mut gone = found.iter().skip(1).map(Found::has_joined);
        self.others.retain(|_| !gone.next().unwrap_or_default());
        self.unite();
        merge(found, before, kept, out);
        if !self.credit.is_left() {
            self.give_up(self.others.len(), context);
            self.others.clear();
        }
    }

    /// So many other ways are not read on.
    fn give_up(&mut self, ways: usize, context: &mut Context<'_>) {
        context.counts[Count::ShedReadings] += ways as u64;
        self.first.is_not_all |= ways > 0;
    }

    /// Where to begin to read again what stands at `position`; `head` is the last one of HTTP/1 before it, if there is
    /// one behind `kept_from`.
    pub fn starts(&self, position: i64, head: Option<i64>, kept_from: i64) -> Vec<Start> {
        let mut starts = self.framed.iter().flat_map(|framed| framed.starts.iter().rev());
        match (starts.find(|start| start.position <= position), &self.first.frames) {
            (Some(amid), Some(frames)) => {
                let head = head.filter(|&head| head > frames.origin()).map(Start::at);
                [amid.clone()].into_iter().chain(head).collect()
            }
            _ => vec![Start::at(head.unwrap_or(kept_from).max(kept_from))],
        }
    }

    /// Another copy of the octets before `until`, in `octets` with all that is kept from `start` on.
    ///
    /// Reads it up to now and goes on with it beside the rest. Adds its heads to `out`, whether or not others found them.
    #[expect(clippy::too_many_arguments)]
    pub fn reread(
        &mut self,
        octets: Vec<u8>,
        start: &Start,
        until: i64,
        why: Oddity,
        time_ns: i64,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) {
        let nothing = Kept { octets: &[], first: self.first.fed };
        let mut others = vec![self.first.beside(octets, start.position, until, why, start.frames.as_deref())];
        let room = Some(MOST_READINGS - 1);
        let mut heads = Vec::new();
        let mut forks = Forks { room, are_more: true, are_copies: true, ..Forks::with(self.credit) };
        let mut at = 0;
        while let Some(other) = others.get_mut(at) {
            other.read_on(time_ns, &mut Step { kept: nothing, context, heads: &mut heads, forks: &mut forks });
            self.first.is_not_all |= take_in(&mut others, MOST_READINGS, &mut forks, context);
            at += 1;
        }
        self.credit = forks.credit;
        let mut known: Vec<PlacedHead> = Vec::new();
        for placed in heads {
            if !known.iter().rev().any(|other| are_same(&placed, other, nothing)) {
                known.push(PlacedHead { why: Some(why), ..placed });
            }
        }
        known.sort_by_key(|placed| (placed.start, placed.end));
        out.append(&mut known);
        for other in others {
            if other.is_beside(&self.first) || self.others.iter().any(|known| other.is_beside(known)) {
                continue;
            }
            if self.others.len() + 1 == MOST_READINGS || !self.credit.is_left() {
                self.give_up(1, context);
            } else {
                self.others.push(other);
            }
        }
    }

    /// The copy that ended there goes on: what was read of it so far is not gone on with.
    pub fn supersede(&mut self, until: i64, why: Oddity) {
        self.others.retain(|other| !other.is_of_copy_until(until, why));
    }

    /// Octets are missing behind `octets`.
    pub fn gap(&mut self, octets: &[u8], first: i64, gap: &Gap, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        let kept = Kept { octets, first };
        self.each(kept, context, out, |reading, step| reading.gap(gap, step));
        self.forget_starts();
        self.note_start();
    }

    fn forget_starts(&mut self) {
        if let Some(framed) = &mut self.framed {
            framed.starts.clear();
            framed.weight = 0;
        }
    }

    /// Reading can begin again here, if the first way is amid HTTP/2 and enough came since the last such place.
    fn note_start(&mut self) {
        let Some(frames) = &self.first.frames else { return };
        let (position, weight) = (self.first.fed, frames.weight());
        let framed = self.framed.get_or_insert_default();
        if framed.starts.back().is_none_or(|last| position - last.position >= weight as i64) {
            let frames = Some(Box::new(frames.beside(position)));
            framed.starts.push_back(Start { position, frames, weight });
            framed.weight += weight;
        }
    }

    /// Whether some lines of a head were read and its end was not.
    pub fn is_amid_head(&self) -> bool {
        self.first.is_amid_head() || self.others.iter().any(Reading::is_amid_head)
    }

    /// Perhaps nothing follows behind `octets`.
    pub fn part(&mut self, octets: &[u8], first: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        self.each(Kept { octets, first }, context, out, Reading::part);
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
            let forks = &mut Forks::with(self.credit);
            end(&mut self.first, &mut Step { kept, context, heads: out, forks });
            self.credit = forks.credit;
            return;
        }
        let before = out.len();
        let mut found = Vec::new();
        for reading in [&mut self.first].into_iter().chain(&mut self.others) {
            let mut heads = Vec::new();
            let forks = &mut Forks { are_more: true, are_copies: true, ..Forks::with(self.credit) };
            let step = &mut Step { kept, context, heads: &mut heads, forks };
            reading.end_with(step, &mut end);
            self.credit = step.forks.credit;
            if found.is_empty() {
                out.append(&mut heads);
            }
            found.push(Found::by(reading, heads, None));
        }
        self.unite();
        merge(found, before, kept, out);
    }

    /// Readings of one place go on alike.
    fn unite(&mut self) {
        if self.others.is_empty() {
            return;
        }
        self.others.retain(|other| !other.is_refuted());
        let is_due = self.framed.as_ref().is_none_or(|framed| framed.compared <= self.first.fed);
        if is_due && let Some(most) = self.others.iter().filter_map(|other| Some(other.frames.as_ref()?.weight())).max()
        {
            self.framed.get_or_insert_default().compared = self.first.fed + most as i64;
        }
        let mut united: Vec<Reading> = Vec::new();
        for other in mem::take(&mut self.others) {
            let is_apart = other.frames.is_some() && !is_due;
            if is_apart || !(other.is_beside(&self.first) || united.iter().any(|known| other.is_beside(known))) {
                united.push(other);
            }
        }
        self.others = united;
    }
}

/// The ways that part go on beside the others, as far as there was room. Whether some were left out.
fn take_in(readings: &mut Vec<Reading>, most: usize, forks: &mut Forks, context: &mut Context<'_>) -> bool {
    let left_out = mem::take(&mut forks.left_out);
    context.counts[Count::ShedReadings] += left_out as u64;
    readings.append(&mut forks.ways);
    forks.room = Some(most.saturating_sub(readings.len()));
    left_out > 0
}
