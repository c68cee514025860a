//! Copies of a client's bytes that differ: takes a head as the first copies have it, yields it with its other readings.
//!
//! Receivers disagree on which copy they take (Novak and Sturges 2007), so every head is read again with each. What only
//! some readings show is ambiguous; that is for `identify` to see.

use std::collections::HashSet;
use std::mem;

use crate::counts::Counts;
use crate::http1::{Context, FieldLines, Http1, continuation};
use crate::looks::may_begin_request;
use crate::reassembly::Version;
use crate::records::{Certainty, HeadText, Oddities, Oddity, PlacedHead, Section};

const MOST_READINGS: usize = 4;
const MOST_MARKS: usize = 256;

/// What is to be said of a head that is made of the bytes [start, stop).
#[derive(Clone, Copy, Debug)]
struct Mark {
    start: i64,
    stop: i64,
    oddities: Oddities,
}

/// What is known about the bytes of one half-stream besides the bytes.
#[derive(Debug, Default)]
pub struct Copies {
    marks: Vec<Mark>,
    /// The latest head that was let go without an acknowledgement.
    pub past: Option<Box<PlacedHead>>,
}

impl Copies {
    /// Whether nothing is marked.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Heads that are made of these bytes are odd.
    pub fn mark(&mut self, start: i64, stop: i64, oddities: Oddities) {
        if self.marks.len() < MOST_MARKS {
            self.marks.push(Mark { start, stop, oddities });
        }
    }

    /// Adds the head with its other readings to `out`, and heads that it hides in one of them.
    pub fn with_readings(
        &mut self,
        versions: &mut [Version],
        mut placed: PlacedHead,
        context: &Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) {
        let mut copies = Vec::new();
        let mut noted = Oddities::default();
        for version in versions.iter_mut().filter(|version| overlap(version.start, version.stop, &placed)) {
            noted.insert(version.oddity);
            version.used = true;
            copies.push(&*version);
        }
        for mark in self.marks.iter().filter(|mark| overlap(mark.start, mark.stop, &placed)) {
            noted = noted.with(mark.oddities);
        }
        let mut hidden = Vec::new();
        for chosen in choices(&copies) {
            let mut others = read_again(&placed, &chosen, context).into_iter();
            let head = &mut placed.head;
            match others.next() {
                None => head.certainty = Certainty::Ambiguous, // to whoever takes the copy this is no head
                Some(other) if !are_alike(&other.head.text, &head.text) => head.readings.push(other.head),
                Some(_) => {}
            }
            hidden.extend(others.filter(|other| other.end <= placed.end));
        }
        placed.head.oddities = placed.head.oddities.with(noted);
        out.push(placed);
        out.extend(hidden.into_iter().map(|other| doubted(other, Oddity::Overlap)));
    }

    /// No head that begins before this position waits: adds to `out` what copies show that were part of none.
    pub fn forget(
        &mut self,
        versions: &mut Vec<Version>,
        before: i64,
        time_ns: i64,
        context: &Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) {
        self.marks.retain(|mark| mark.stop > before);
        for version in versions.extract_if(.., |version| version.stop <= before).filter(|version| !version.used) {
            if let Some(past) = self.past.as_deref().filter(|past| overlap(version.start, version.stop, past)) {
                out.extend(late(past, &version, context));
            } else if may_begin_request(&version.octets) {
                let found = read_alone(&version.octets, version.start, time_ns, context);
                out.extend(found.into_iter().map(|placed| doubted(placed, version.oddity)));
            }
        }
    }
}

/// All copies taken, and each alone.
fn choices<'a>(versions: &[&'a Version]) -> Vec<Vec<&'a Version>> {
    match versions {
        [] => Vec::new(),
        [only] => vec![vec![*only]],
        all => {
            let each = all.iter().map(|&version| vec![version]);
            std::iter::once(all.to_vec()).chain(each).take(MOST_READINGS).collect()
        }
    }
}

/// The heads at this place when these copies are taken.
fn read_again(placed: &PlacedHead, versions: &[&Version], context: &Context<'_>) -> Vec<PlacedHead> {
    if placed.octets.is_empty() {
        return Vec::new();
    }
    let mut octets = placed.octets.clone();
    let mut versions = versions.to_vec();
    versions.sort_unstable_by(|one, other| {
        (other.start, other.stop, &other.octets).cmp(&(one.start, one.stop, &one.octets)) // the last first
    });
    for version in versions {
        let begin = (version.start.max(placed.start) - placed.start) as usize;
        let end = (version.stop - placed.start) as usize;
        let before = (placed.start - version.start).max(0) as usize;
        let copy = version.octets.get(before..).unwrap_or_default();
        octets.splice(begin.min(octets.len())..end.min(octets.len()), copy.iter().copied());
    }
    read_alone(&octets, placed.start, placed.head.time_ns, context)
}

/// The heads in these bytes, with nothing before or behind them.
fn read_alone(octets: &[u8], position: i64, time_ns: i64, context: &Context<'_>) -> Vec<PlacedHead> {
    let mut heads = Vec::new();
    aside(context, |context| {
        let mut reader = Http1::new(position, false);
        reader.feed(octets, position, time_ns, context, &mut heads);
        let start = reader.start();
        reader.finish(octets.get((start - position) as usize..).unwrap_or_default(), start, context, &mut heads);
    });
    heads
}

/// For what is read beside the rest: what it counts is not counted.
pub fn aside<T>(context: &Context<'_>, read: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let mut counts = Counts::default();
    read(&mut Context { limits: context.limits, counts: &mut counts, flow: context.flow, path: context.path })
}

/// A copy that came when the head had been let go: what it shows besides is a head of its own.
fn late(placed: &PlacedHead, version: &Version, context: &Context<'_>) -> Option<PlacedHead> {
    let other = read_again(placed, &[version], context).into_iter().next()?.head;
    let head = &placed.head;
    let known: HashSet<_, foldhash::fast::RandomState> = head.text.fields().collect();
    let fields = FieldLines::of(other.text.fields().filter(|field| !known.contains(field)), Oddities::default());
    let is_elsewhere = other.text.target() != head.text.target();
    if fields.text.field_count() == 0 && !is_elsewhere {
        return None;
    }
    let mut more = continuation(head.time_ns, &other, &fields, Oddities::default(), Section::Head);
    if is_elsewhere {
        let found = mem::take(&mut more.text);
        more.text = HeadText::new(found.method(), other.text.target(), found.version());
        found.fields().for_each(|(name, value)| more.text.push(name, value));
    }
    Some(doubted(PlacedHead { octets: Vec::new(), head: more, ..*placed }, version.oddity))
}

#[inline]
fn overlap(start: i64, stop: i64, placed: &PlacedHead) -> bool {
    start < placed.end && placed.start < stop
}

fn are_alike(one: &HeadText, other: &HeadText) -> bool {
    (one.method(), one.target()) == (other.method(), other.target()) && one.fields().eq(other.fields())
}

fn doubted(mut placed: PlacedHead, oddity: Oddity) -> PlacedHead {
    placed.octets.clear();
    placed.head.oddities.insert(oddity);
    placed.head.certainty = Certainty::Ambiguous;
    placed
}
