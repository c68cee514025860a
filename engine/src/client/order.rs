//! What comes in order: bytes to the reader, heads to those that wait, holes to what is counted.

use std::mem;

use super::{Client, Hole, Reader, from, remembered};
use crate::copies::aside;
use crate::counts::Count;
use crate::http1::{Context, Http1};
use crate::http2::Http2;
use crate::looks::may_begin_request;
use crate::reassembly::{Gap, Item, Straight};
use crate::records::PlacedHead;

/// Gaps whose bytes may still come.
const MOST_LOST: usize = 8;
/// Kept in case that the beginning comes late.
const UNPLACED_BYTES: usize = 64 * 1024;
/// Of an empty buffer that is left for the next bytes.
const SPARE_BYTES: usize = 4 * 1024;
/// What Http1 has read of HTTP/2's preface (RFC 9113 section 3.4).
const PREFACE_HEAD: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

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
        if position < self.assembler.next()
            && !self.lost.is_empty()
            && self.fill_late(position, octets, time_ns, now_ns, context, out)
        {
            return;
        }
        let known = self.assembler.versions.len();
        let remembered = remembered(&self.heads, &self.copies, self.kept_from, &self.kept);
        let inserted = self.assembler.insert(position, octets, missing, time_ns, remembered);
        if inserted.fresh == 0 && self.assembler.versions.len() == known {
            context.counts[Count::Duplicates] += 1;
        }
        self.read(inserted.straight, now_ns, context, out);
    }

    pub(super) fn give_up_hole(&mut self, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        let hole = self.assembler.skip();
        self.read(hole, now_ns, context, out);
    }

    fn read(&mut self, mut straight: Straight<'_>, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        while let Some(item) = self.assembler.ready(&mut straight) {
            match (item, &mut self.reader) {
                (Item::Gap(gap), _) => self.pass_gap(gap, now_ns, context, out),
                (Item::Data { octets, time_ns, .. }, Reader::Http2(http2)) => {
                    let mut heads = Vec::new();
                    http2.feed(&octets, time_ns, context.limits, context.counts, &mut heads);
                    self.take_frames(heads, out);
                }
                (Item::Data { position, octets, time_ns }, Reader::Http1(_)) => {
                    self.read_http1(position, &octets, time_ns, now_ns, context, out);
                }
            }
        }
        let next = self.assembler.next();
        if !self.assembler.waiting() {
            self.hole = None;
        } else if self.hole.is_none_or(|hole| hole.position != next) {
            self.hole = Some(Hole { position: next, until_ns: now_ns + context.limits.gap_ns });
        }
    }

    fn read_http1(
        &mut self,
        position: i64,
        fresh: &[u8],
        time_ns: i64,
        now_ns: i64,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) {
        let Reader::Http1(http1) = &mut self.reader else { return };
        if !self.assembler.versions.is_empty() && http1.skips(fresh.len() as i64) {
            // skipped by count: no copy of these bytes matters
            let stop = position + fresh.len() as i64;
            self.assembler.versions.retain(|version| version.start < position || version.stop > stop);
        }
        let mut kept = mem::take(&mut self.kept);
        let is_joined = !kept.is_empty();
        if is_joined {
            kept.extend_from_slice(fresh);
        }
        let (octets, first) = if is_joined { (kept.as_slice(), self.kept_from) } else { (fresh, position) };
        let settled = out.len();
        http1.feed(octets, first, time_ns, context, out);
        let (mut start, is_over) = (http1.start(), http1.over());
        self.wait(settled, now_ns, out);
        if is_over {
            let frames = [PREFACE_HEAD, from(octets, start - first)].concat();
            self.replays = 0;
            return self.read_http2(&frames, time_ns, context, out);
        }
        if self.replays > 0 {
            start = self.origin;
            if octets.len() > UNPLACED_BYTES {
                self.replays = 0;
            }
        }
        if is_joined {
            kept.drain(..kept.len() - from(&kept, start - first).len());
        } else {
            kept.extend_from_slice(from(fresh, start - first));
        }
        if kept.is_empty() && kept.capacity() > SPARE_BYTES {
            kept = Vec::new();
        }
        (self.kept, self.kept_from) = (kept, start);
    }

    /// From HTTP/2's preface on.
    fn read_http2(&mut self, frames: &[u8], time_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        let mut http2 = Http2::new(context.limits, context.flow, context.path);
        let mut heads = Vec::new();
        http2.feed(frames, time_ns, context.limits, context.counts, &mut heads);
        self.reader = Reader::Http2(Box::new(http2));
        self.take_frames(heads, out);
    }

    fn pass_gap(&mut self, gap: Gap, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        context.counts[Count::GapBytes] += gap.missing as u64;
        context.counts[if gap.cut { Count::BlindSnaplen } else { Count::BlindGap }] += 1;
        match &mut self.reader {
            Reader::Http2(http2) => http2.gap(gap.missing as usize, context.limits, context.counts),
            Reader::Http1(http1) => {
                self.lost.push(gap);
                let settled = out.len();
                http1.gap(&self.kept, self.kept_from, gap.position, gap.missing, context, out);
                self.wait(settled, now_ns, out);
                self.replays = 0;
                self.kept.clear();
                self.kept_from = gap.position + gap.missing;
                self.forget_lost();
            }
        }
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
        let Some(at) = self.lost.iter().position(holds) else { return false };
        let gap = self.lost.remove(at);
        let before = Gap { missing: position - gap.position, ..gap };
        let behind = Gap { position: stop, missing: gap.position + gap.missing - stop, ..gap };
        self.lost.extend([before, behind].into_iter().filter(|rest| rest.missing > 0));
        self.forget_lost();
        if may_begin_request(octets) {
            let settled = out.len();
            aside(context, |context| Http1::new(position, false).feed(octets, position, time_ns, context, out));
            self.wait(settled, now_ns, out);
        }
        true
    }

    fn forget_lost(&mut self) {
        let too_many = self.lost.len().saturating_sub(MOST_LOST);
        self.lost.drain(..too_many);
    }

    /// Bytes that nothing followed: only the FIN or an acknowledgement tells of them.
    pub(super) fn count_lost_end(&self, context: &mut Context<'_>) {
        let following = self.assembler.next();
        let acked = self.acked.unwrap_or(0) - 1; // which may be that of a FIN
        let end = self.closed.map_or(acked, |closed| self.assembler.place(closed));
        if following < end && end <= following + i64::from(context.limits.window_bytes) {
            context.counts[Count::GapBytes] += (end - following) as u64;
            context.counts[Count::BlindGap] += 1;
        }
    }

    /// A segment from before what was thought to be the beginning: begins again with it.
    pub(super) fn rewind(&mut self, position: i64, octets: &[u8]) {
        self.replays = self.replays.saturating_sub(self.kept.len() + octets.len());
        self.assembler.rewind(position, &self.kept, self.time_ns);
        self.heads.clear();
        self.waiting = 0;
        self.kept.clear();
        (self.kept_from, self.origin) = (position, position);
        self.reader = Reader::Http1(Http1::new(position, !may_begin_request(octets)));
    }
}
