//! Copies that differ from what came first: what was read already is read once more with them.

use super::Client;
use super::settling::Waiting;
use crate::copies::{add_reading, are_alike, late, overlap, put_in_doubt};
use crate::counts::{Count, Counts};
use crate::http1::{Context, Start, readings_of, whole_head, whole_trailer};
use crate::reassembly::{Version, Versions};
use crate::records::{CleanHead, HeadText, Oddities, Oddity, PlacedHead, RequestHead, Said, Section};

impl Client {
    /// RFC 6093: receivers take the urgent byte out of the stream, and do not agree on which one it is: that to which the
    /// urgent pointer leads, or the one before. It may be announced before it comes, or be long gone.
    pub fn leave_urgent_out(&mut self, pointer: u32) {
        let last = self.assembler.place(pointer);
        for start in self.kept_from.max(last - 1)..=last {
            let (stop, oddity) = (start + 1, Oddity::Urgent);
            self.assembler.add_version(Version { start, stop, octets: Vec::new(), oddity });
        }
    }

    /// A segment without payload says where an urgent byte is, or was: what it says may come late.
    pub fn announce_urgent(&mut self, pointer: u32, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        self.leave_urgent_out(pointer);
        self.read_copies(now_ns, context);
        self.done(now_ns, context, out);
    }

    /// Reads what was read already once more, with the copies of it that came.
    pub(super) fn read_copies(&mut self, now_ns: i64, context: &mut Context<'_>) {
        let versions = self.assembler.take_versions();
        if !versions.is_empty() {
            self.read_texts(context);
        }
        for mut version in versions {
            if version.stop <= self.kept_from {
                context.counts[Count::ShedCopies] += 1;
                self.trace(version.start, version.stop, "copies", context.counts);
                continue;
            }
            let shed = shed_copies(context.counts);
            if let Some(versions) = self.assembler.versions()
                && let Some(until) = join_to_last(&mut version, versions, self.kept_from)
            {
                self.http1.supersede(until, version.oddity);
            }
            // where reading can begin: amid frames it cannot
            let known = self.past.iter().chain(self.heads.iter().map(|waiting| &waiting.placed));
            let whole = known.filter(|placed| {
                placed.section() == Section::Head
                    && !placed.part
                    && placed.head().is_none_or(|head| head.text.version() != b"HTTP/2")
            });
            let before = whole.map(|placed| placed.start).filter(|&start| start <= version.start).max();
            let came = self.came() as usize;
            if let Some(versions) = self.assembler.versions() {
                versions.taken.push(version.clone());
            }
            for start in self.http1.starts(version.start, before, self.kept_from) {
                self.read_from(&start, &version, came, now_ns, context);
            }
            if shed_copies(context.counts) > shed {
                self.trace(version.start, version.stop, "copies", context.counts);
            }
        }
    }

    /// Reads the texts once more of which the sieve left little or nothing: all that can be compared with a copy, for what
    /// stands before the bytes that are kept is never read again.
    pub(super) fn read_texts(&mut self, context: &Context<'_>) {
        let waiting = self.heads.iter_mut().map(|waiting| &mut waiting.placed);
        for placed in self.past.iter_mut().chain(waiting) {
            let (mut own, mut in_all_ways, mut owner) = (Oddities::default(), false, None);
            if let Said::Clean(clean) = &placed.said {
                (own, in_all_ways, owner) = (clean.own, clean.in_all_ways, clean.owner.clone());
                placed.said = Said::Whole(Box::new(clean_head(clean, context)));
            }
            let Said::Whole(head) = &mut placed.said else { continue };
            if head.text.sifted().is_some() && placed.start >= self.kept_from {
                let behind = self.kept.from(placed.start - self.kept_from);
                if let Some(octets) = behind.get(..(placed.end - placed.start) as usize) {
                    if let Some(owner) = owner {
                        head.text = whole_trailer(&owner.text, octets, in_all_ways).text; // it is read in one way only
                        continue;
                    }
                    let found = whole_head(octets, in_all_ways);
                    head.text = found.text;
                    head.readings = readings_of(head, found.others, own); // one that is not clean has none
                }
            }
        }
    }

    fn read_from(&mut self, start: &Start, version: &Version, came: usize, now_ns: i64, context: &mut Context<'_>) {
        let Some(versions) = self.assembler.versions() else { return };
        let (place, why) = (start.position, version.oddity);
        let octets = self.kept.from(place - self.kept_from);
        let Some((_, taken)) = versions.taken.split_last() else { return };
        let texts = self.copies.texts(version, taken, octets, place, came, start.weight(), context.counts);
        for text in texts {
            let mut heads = Vec::new();
            self.http1.reread(text.octets, start, text.until, why, self.time_ns, context, &mut heads);
            self.compare(heads, place, version, now_ns, context);
        }
    }

    /// These are the heads from `place` on with a copy: what is the same, what more, what is not there?
    fn compare(
        &mut self,
        heads: Vec<PlacedHead>,
        place: i64,
        version: &Version,
        now_ns: i64,
        context: &mut Context<'_>,
    ) {
        for Waiting { placed, .. } in &mut self.heads {
            if placed.start >= place && !heads.iter().any(|other| other.start == placed.start) {
                put_in_doubt(placed, version.oddity);
            }
        }
        for other in heads {
            self.join(other, now_ns, Some(version), context);
        }
    }

    /// A head in a copy: perhaps the same as one that is here, or another way to read it, or one of its own.
    pub(super) fn join(
        &mut self,
        other: PlacedHead,
        now_ns: i64,
        version: Option<&Version>,
        context: &mut Context<'_>,
    ) {
        let is_same = |placed: &PlacedHead| {
            let both = placed.head().zip(other.head());
            both.is_some_and(|(one, other)| are_alike(one, other))
        };
        let mut here = self.heads.iter_mut().filter(|waiting| waiting.placed.start == other.start).peekable();
        if here.peek().is_some() {
            let mut here: Vec<_> = here.collect();
            let same = here.iter().position(|waiting| is_same(&waiting.placed));
            match (same, version) {
                (None, _) => add_reading(&mut here[0].placed, other, context.counts),
                (Some(same), Some(version)) if overlap(version.start, version.stop, &here[same].placed) => {
                    here[same].placed.add(Oddities::of(&[version.oddity]));
                }
                _ => {}
            }
            return;
        }
        let past: Vec<_> = self.past.iter().filter(|placed| placed.start == other.start).collect();
        let new = match past.first() {
            Some(_) if past.iter().copied().any(is_same) => None,
            Some(first) => late(first, other),
            None => Some(other),
        };
        if let Some(mut placed) = new {
            if let Some(why) = placed.why {
                put_in_doubt(&mut placed, why);
            }
            self.waiting += placed.end - placed.start;
            let behind = self.heads.iter().position(|waiting| waiting.placed.start > placed.start);
            self.heads.insert(behind.unwrap_or(self.heads.len()), Waiting { since_ns: now_ns, placed });
        }
    }
}

fn shed_copies(counts: &Counts) -> u64 {
    counts[Count::ShedCopies] + counts[Count::ShedReadings]
}

/// A clean head with all that a [`RequestHead`] has, but for its text.
fn clean_head(clean: &CleanHead, context: &Context<'_>) -> RequestHead {
    RequestHead {
        time_ns: clean.time_ns,
        flow: context.flow,
        path: context.path.to_vec(),
        text: HeadText::clean(clean.mark),
        oddities: clean.oddities,
        certainty: clean.certainty,
        section: if clean.owner.is_some() { Section::Trailer } else { Section::Head },
        readings: Vec::new(),
    }
}

/// A copy that comes in many small segments is one copy: makes it that, and says where the last of it ended before.
fn join_to_last(version: &mut Version, versions: &mut Versions, kept_from: i64) -> Option<i64> {
    let behind = versions.copied_to;
    let follows =
        |last: &Version| (last.stop, last.oddity) == (version.start, version.oddity) && version.start == behind;
    let mut last = versions.taken.last().is_some_and(follows).then(|| versions.taken.pop())??;
    let start = last.start.max(kept_from).min(last.stop);
    last.octets.drain(..(start - last.start) as usize);
    last.octets.append(&mut version.octets);
    (version.start, version.octets) = (start, last.octets);
    Some(last.stop)
}
