//! What comes in order: bytes to the reader, heads to those that wait, holes to what is counted.

use super::{Client, Hole, REORDER_NS, fate, milliseconds};
use crate::counts::{Count, Counts};
use crate::http1::{Context, Http1};
use crate::limits::Limits;
use crate::looks::may_begin_request;
use crate::reassembly::{Gap, Item, Straight};
use crate::records::{Oddity, PlacedHead};

/// The same in milliseconds.
const REORDER_MS: u32 = (REORDER_NS / 1_000_000) as u32;

/// Gaps whose bytes may still come.
const MOST_LOST: usize = 8;
/// Kept in case that the beginning comes late.
const UNPLACED_BYTES: usize = 64 * 1024;
/// Looked at once more when a copy of them comes, though their head was let go.
const LATE_BYTES: i64 = 4096;
/// Of a body behind a head that waits, kept for the same reason.
const BODY_BYTES: i64 = 64 * 1024;

impl Client {
    #[expect(clippy::too_many_arguments)]
    pub(super) fn insert(
        &mut self,
        position: i64,
        octets: &[u8],
        missing: u32,
        time_ns: i64,
        now_ns: i64,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) {
        self.begin_with(position, octets);
        if position < self.kept_from && self.is_old(position, octets, time_ns, now_ns, context, out) {
            return;
        }
        let (known, following) = (self.assembler.fresh_versions(), self.assembler.next());
        let inserted = self.assembler.insert(position, octets, missing, time_ns, self.kept.all(), self.kept_from);
        let left_out = self.assembler.versions().map_or(0, |versions| std::mem::take(&mut versions.left_out));
        context.counts[Count::ShedCopies] += left_out;
        if left_out > 0 {
            let stop = position + octets.len() as i64;
            self.trace(position, if inserted.fresh > 0 { stop.min(following) } else { stop }, "copies", context.counts);
        } else if inserted.fresh == 0 && self.assembler.fresh_versions() == known {
            context.counts[Count::Duplicates] += 1;
            fate(position, "duplicate", context.counts);
        }
        let differs = self.assembler.fresh_versions() > known;
        self.read(inserted.straight, now_ns, context, out);
        if differs && let Some(versions) = self.assembler.versions() {
            versions.copied_to = position + octets.len() as i64;
        }
    }

    /// Bytes from before all that can be compared: whether that is all there is to them.
    fn is_old(
        &mut self,
        position: i64,
        octets: &[u8],
        time_ns: i64,
        now_ns: i64,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) -> bool {
        if self.fill_late(position, octets, time_ns, now_ns, context, out) {
            return true;
        }
        let (begin, since_ms) = self.answered;
        let is_late = position as u32 == begin && milliseconds(now_ns).wrapping_sub(since_ms) <= REORDER_MS;
        if is_late && self.acked.is_some() && may_begin_request(octets) {
            return self.read_copy(position, octets, time_ns, now_ns, context, out);
        }
        let unsettled = self.acked.map_or(position, |acked| acked.max(position));
        let is_body = self.body.0 <= unsettled && self.kept_from <= self.body.1;
        if unsettled < self.kept_from.min(position + octets.len() as i64) && !is_body {
            context.counts[Count::ShedCopies] += 1;
            self.trace(position, self.kept_from.min(position + octets.len() as i64), "copies", context.counts);
        }
        false
    }

    pub(super) fn give_up_hole(&mut self, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        let hole = self.assembler.skip();
        self.read(hole, now_ns, context, out);
    }

    fn read(&mut self, mut straight: Straight<'_>, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        while let Some(item) = self.assembler.ready(&mut straight) {
            match item {
                Item::Gap(gap) => self.pass_gap(gap, now_ns, context, out),
                Item::Data { position, octets, time_ns } => {
                    self.read_data(position, &octets, time_ns, now_ns, context, out);
                }
            }
        }
        if self.assembler.fresh_versions() > 0 {
            self.read_copies(now_ns, context);
        }
        let next = self.assembler.next();
        if !self.assembler.waiting() {
            self.hole = None;
        } else if self.hole.as_ref().is_none_or(|hole| hole.position != next) {
            self.hole = Some(Box::new(Hole { position: next, until_ns: now_ns + context.limits.gap_ns }));
        }
    }

    fn read_data(
        &mut self,
        position: i64,
        fresh: &[u8],
        time_ns: i64,
        now_ns: i64,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) {
        if self.http1.skips(fresh.len() as i64) {
            let begin = if self.body.1 == position { self.body.0 } else { position };
            self.body = (begin, position + fresh.len() as i64);
        }
        let is_joined = !self.kept.is_empty();
        if is_joined {
            self.kept.extend(fresh);
        }
        let (octets, first) = if is_joined { (self.kept.all(), self.kept_from) } else { (fresh, position) };
        let (settled, size) = (out.len(), octets.len());
        self.http1.feed(octets, first, time_ns, context, out);
        self.wait(settled, now_ns, context, out);
        if size > UNPLACED_BYTES {
            self.replays = 0;
        }
        self.kept_from = first;
        let needed = self.needed(context.limits);
        if is_joined {
            self.keep_from(needed);
        } else {
            self.kept.extend(fresh.get((needed - first) as usize..).unwrap_or_default());
            self.kept_from = needed;
        }
    }

    /// Position of the first byte that is still needed.
    pub(super) fn needed(&mut self, limits: &Limits) -> i64 {
        if self.replays > 0 {
            return self.origin;
        }
        let (mut start, next, (begin, end)) = (self.http1.start(), self.assembler.next(), self.body);
        if end != next || end - begin <= if self.heads.is_empty() { LATE_BYTES } else { BODY_BYTES } {
            let late = next - LATE_BYTES;
            let copied = self.assembler.copied_from(); // of a copy that may go on all is kept
            let whole = self.acked.map_or(late, |acked| copied.min(acked - i64::from(self.unended)));
            let late = whole.max(late).min(next);
            // nobody believes a copy that is further behind
            let oldest = next - i64::from(limits.window_bytes);
            let waiting = self.heads.front().map_or(start, |waiting| waiting.placed.start.max(oldest));
            start = start.min(late).min(waiting);
        }
        self.kept_from.max(self.http1.keep(start))
    }

    /// Keeps what is read on, and nothing that was read.
    pub fn keep_least(&mut self) {
        if self.replays == 0 {
            let start = self.http1.keep(self.http1.start());
            self.keep_from(self.kept_from.max(start));
        }
    }

    pub(super) fn keep_from(&mut self, position: i64) {
        self.kept.skip((position - self.kept_from) as usize);
        self.kept_from = position;
    }

    fn pass_gap(&mut self, gap: Gap, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        context.counts[Count::GapBytes] += gap.missing as u64;
        context.counts[if gap.cut { Count::BlindSnaplen } else { Count::BlindGap }] += 1;
        self.trace(gap.position, gap.position + gap.missing, gap.reason(), context.counts);
        self.lose(&[gap], context);
        let settled = out.len();
        self.http1.gap(self.kept.all(), self.kept_from, &gap, context, out);
        self.wait(settled, now_ns, context, out);
        self.replays = 0;
        self.kept.clear();
        self.kept_from = gap.position + gap.missing;
    }

    /// Bytes that were given up: whole heads in them are read for themselves.
    fn fill_late(
        &mut self,
        position: i64,
        octets: &[u8],
        time_ns: i64,
        now_ns: i64,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) -> bool {
        let stop = position + octets.len() as i64;
        let holds = |gap: &Gap| gap.position <= position && stop <= gap.position + gap.missing;
        let Some(at) = self.lost.iter().position(holds) else {
            let is_before = stop <= self.origin;
            if is_before {
                self.trace(position, stop, "midstream", context.counts);
                self.read_alone(position, octets, time_ns, now_ns, !self.placed, context, out);
            }
            return is_before;
        };
        let gap = self.lost[at];
        self.lost =
            self.lost.iter().copied().enumerate().filter(|&(other, _)| other != at).map(|(_, gap)| gap).collect();
        let before = Gap { missing: position - gap.position, ..gap };
        let behind = Gap { position: stop, missing: gap.position + gap.missing - stop, ..gap };
        let rest: Vec<_> = [before, behind].into_iter().filter(|rest| rest.missing > 0).collect();
        self.lose(&rest, context);
        self.trace(position, stop, "gap", context.counts);
        self.read_alone(position, octets, time_ns, now_ns, true, context, out);
        true
    }

    /// Heads in bytes of which nobody knows what stood around them; what is counted of them is not.
    #[expect(clippy::too_many_arguments)]
    fn read_alone(
        &mut self,
        position: i64,
        octets: &[u8],
        time_ns: i64,
        now_ns: i64,
        is_sure: bool,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) {
        if !may_begin_request(octets) {
            return;
        }
        let settled = out.len();
        let mut counts = Counts::default();
        let alone = &mut context.beside(&mut counts);
        let mut http1 = Http1::new(position, false);
        if !is_sure {
            http1.distrust(); // what stands before the first byte is of another connection, or a decoy
        }
        http1.feed(octets, position, time_ns, alone, out);
        let start = http1.start();
        http1.finish(octets.get((start - position) as usize..).unwrap_or_default(), start, alone, out);
        self.wait(settled, now_ns, context, out);
    }

    /// A copy of what was just acknowledged and let go: perhaps the mirror swapped the two. Whether that is all.
    fn read_copy(
        &mut self,
        position: i64,
        octets: &[u8],
        time_ns: i64,
        now_ns: i64,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) -> bool {
        let settled = out.len();
        let mut counts = Counts::default();
        let alone = &mut context.beside(&mut counts);
        Http1::new(position, false).feed(octets, position, time_ns, alone, out);
        for placed in &mut out[settled..] {
            placed.why = placed.why.or(Some(Oddity::Overlap));
        }
        let is_all = out.len() > settled && position + octets.len() as i64 <= self.assembler.next();
        self.wait(settled, now_ns, context, out);
        is_all
    }

    /// The bytes of these may still come.
    fn lose(&mut self, gaps: &[Gap], context: &mut Context<'_>) {
        let lost = [&*self.lost, gaps].concat();
        let too_many = lost.len().saturating_sub(MOST_LOST);
        context.counts[Count::ShedLostGaps] += too_many as u64;
        self.lost = lost[too_many..].into();
    }

    /// Perhaps these stand before what was thought to be the beginning.
    #[inline]
    pub(super) fn begin_with(&mut self, position: i64, octets: &[u8]) {
        if position < self.origin && !octets.is_empty() && (self.replays > 0 || self.came() == 0) {
            self.rewind(position, octets);
        }
    }

    /// A segment from before what was thought to be the beginning: begins again with it.
    fn rewind(&mut self, position: i64, octets: &[u8]) {
        self.replays = self.replays.saturating_sub((self.kept.all().len() + octets.len()) as u32);
        self.assembler.rewind(position, self.kept.all(), self.time_ns);
        self.heads.clear();
        self.waiting = 0;
        self.kept.clear();
        (self.kept_from, self.origin) = (position, position);
        self.http1 = self.http1.anew(position, !may_begin_request(octets));
    }
}
