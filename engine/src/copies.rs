//! Copies of a client's bytes that differ from those that came first: takes them, yields the bytes to be read again.
//!
//! Receivers disagree on which copy they take (Novak and Sturges 2007), so what follows is read with each: with this copy
//! alone, and with all copies that came, as for a receiver whose last copy wins. What only some readings show is
//! ambiguous. Here is also what is to be said of heads that are made of certain bytes.

use std::collections::HashSet;
use std::mem;

use crate::counts::{Count, Counts};
use crate::http1::{FieldLines, certainty_of, continuation, is_authority};
use crate::reassembly::Version;
use crate::records::{Certainty, HeadText, Oddities, Oddity, PlacedHead, RequestHead, Said, Section};

const MOST_MARKS: usize = 256;
/// Of one head.
const MOST_READINGS: usize = 4;
/// Bytes that may be read again in any case.
const REREAD_BYTES: usize = 256 * 1024;
/// So many more for each byte that came in order: what copies cost is in proportion.
const REREAD_SHARE: usize = 4;

/// What is to be said of a head that is made of the bytes [start, stop).
#[derive(Clone, Copy, Debug)]
struct Mark {
    start: i64,
    stop: i64,
    oddities: Oddities,
}

/// Bytes as somebody may have them; from `until` on they are those of everybody.
#[derive(Debug)]
pub struct Text {
    /// From a place on that the caller knows.
    pub octets: Vec<u8>,
    /// A position.
    pub until: i64,
}

/// What is known about the bytes of one half-stream besides the bytes.
#[derive(Debug, Default)]
pub struct Copies {
    marks: Vec<Mark>,
    /// Bytes read again.
    spent: usize,
}

impl Copies {
    /// Heads that are made of these bytes are odd.
    pub fn mark(&mut self, start: i64, stop: i64, oddities: Oddities, counts: &mut Counts) {
        if self.marks.len() < MOST_MARKS {
            self.marks.push(Mark { start, stop, oddities });
        } else {
            counts[Count::ShedMarks] += oddities.iter().count() as u64;
        }
    }

    /// Adds to the head what is to be said of its bytes.
    #[inline]
    pub fn say(&self, placed: &mut PlacedHead) {
        for mark in &self.marks {
            if overlap(mark.start, mark.stop, placed) {
                placed.add(mark.oddities);
                if certainty_of(mark.oddities) == Certainty::Ambiguous {
                    placed.doubt();
                }
            }
        }
    }

    /// No head that begins before this position waits.
    #[inline]
    pub fn forget(&mut self, before: i64) {
        self.marks.retain(|mark| mark.stop > before);
    }

    /// What there is to read because of this copy: `octets` from position `first` on with it alone, with all of its kind
    /// that were `taken` before as well, and with all of any kind. `came` bytes came so far; to begin there takes as long
    /// as `weight` bytes.
    #[expect(clippy::too_many_arguments)]
    pub fn texts(
        &mut self,
        version: &Version,
        taken: &[Version],
        octets: &[u8],
        first: i64,
        came: usize,
        weight: usize,
        counts: &mut Counts,
    ) -> Vec<Text> {
        let mut choices = vec![vec![version]];
        let before: Vec<_> = taken.iter().filter(|each| each.stop > first).chain([version]).collect();
        let like: Vec<_> = before.iter().copied().filter(|each| each.oddity == version.oddity).collect();
        if like.len() > 1 && like.len() < before.len() {
            choices.push(like);
        }
        if before.len() > 1 {
            choices.push(before);
        }
        let mut texts = Vec::new();
        for chosen in choices {
            self.spent += weight + octets.len();
            if self.spent > REREAD_BYTES + REREAD_SHARE * came {
                self.spent -= weight + octets.len();
                counts[Count::ShedCopies] += 1;
            } else {
                texts.push(patched(octets, first, chosen));
            }
        }
        texts
    }
}

/// Gives a head another way to read it, the newest first.
pub fn add_reading(placed: &mut PlacedHead, other: PlacedHead, counts: &mut Counts) {
    let (Said::Whole(head), Said::Whole(mut other_head)) = (&mut placed.said, other.said) else { return };
    let before = mem::take(&mut head.readings);
    let others = mem::take(&mut other_head.readings);
    for reading in [*other_head].into_iter().chain(others) {
        head.readings.push(RequestHead { time_ns: head.time_ns, ..reading });
    }
    let added = head.readings.len();
    for reading in before {
        if !head.readings.iter().take(added).any(|new| are_alike(&reading, new)) {
            head.readings.push(reading);
        }
    }
    counts[Count::ShedReadings] += head.readings.len().saturating_sub(MOST_READINGS) as u64;
    head.readings.truncate(MOST_READINGS);
    if let Some(why) = other.why {
        head.oddities.insert(why);
    }
}

/// What a copy of a head shows besides that was let go: a head of its own. All of it when it goes elsewhere: what the
/// first one said is said to somebody else as well.
pub fn late(past: &PlacedHead, other: PlacedHead) -> Option<PlacedHead> {
    let (Some(past), Some(head)) = (past.head(), other.head()) else { return Some(other) };
    let ways = |head| readings(head).map(way);
    if !ways(head).all(|way| ways(past).any(|known| known == way)) {
        return Some(other);
    }
    let seen = past.text.fields().collect::<HashSet<_, foldhash::fast::RandomState>>();
    let news =
        |text: &HeadText| FieldLines::of(text.fields().filter(|field| !seen.contains(field)), Oddities::default());
    let mut found = news(&head.text);
    found.others = head.readings.iter().map(|reading| news(&reading.text).text).collect();
    if found.text.field_count() == 0 && found.others.iter().all(|text| text.field_count() == 0) {
        return None;
    }
    let more = continuation(head.time_ns, head, &found, Oddities::default(), Section::Head);
    Some(PlacedHead { said: Said::Whole(Box::new(more)), ..other })
}

/// A head and the other ways to read it.
fn readings(head: &RequestHead) -> impl Iterator<Item = &HeadText> {
    [&head.text].into_iter().chain(head.readings.iter().map(|reading| &reading.text))
}

/// Where a request goes.
fn way(text: &HeadText) -> (&[u8], Vec<&[u8]>) {
    let authority = text.fields().filter(|(name, _)| is_authority(name));
    (text.target(), authority.flat_map(|(name, value)| [name, value]).collect())
}

/// Whether both say the same.
pub fn are_alike(one: &RequestHead, other: &RequestHead) -> bool {
    let (one, other) = (&one.text, &other.text);
    (one.method(), one.target()) == (other.method(), other.target()) && one.fields().eq(other.fields())
}

/// Whether the head is made of some of these bytes.
#[inline]
pub fn overlap(start: i64, stop: i64, placed: &PlacedHead) -> bool {
    start < placed.end && placed.start < stop
}

/// To some receivers this is no head.
pub fn put_in_doubt(placed: &mut PlacedHead, oddity: Oddity) {
    placed.add(Oddities::of(&[oddity]));
    placed.doubt();
}

fn patched(octets: &[u8], first: i64, mut chosen: Vec<&Version>) -> Text {
    let mut text = octets.to_vec();
    chosen.sort_unstable_by(|one, other| other.cmp(one)); // the last first: a copy may be shorter than what it stands for
    for version in &chosen {
        let begin = (version.start.max(first) - first) as usize;
        let end = (version.stop - first) as usize;
        let before = (first - version.start).max(0) as usize;
        let copy = version.octets.get(before..).unwrap_or_default();
        text.splice(begin.min(text.len())..end.min(text.len()), copy.iter().copied());
    }
    Text { octets: text, until: chosen.iter().map(|version| version.stop).max().unwrap_or(first) }
}
