//! Segments that a receiver may not have taken: put aside until something says whether it did.

use super::{Client, fate};
use crate::counts::Count;
use crate::doubts::{Doubt, Doubtful};
use crate::http1::Context;
use crate::records::{Oddities, PlacedHead};

/// Segments.
const MOST_DOUBTFUL: usize = 64;

impl Client {
    pub(super) fn put_aside(&mut self, new: Doubtful, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        if new.stop() <= self.assembler.next() && (self.placed || self.came() > 0) {
            let ahead = new.position - self.kept_from;
            let is_known = ahead >= 0 && self.kept.from(ahead).starts_with(&new.octets);
            context.counts[if is_known { Count::Duplicates } else { new.doubt.rejected() }] += 1;
            fate(new.position, if is_known { "duplicate" } else { new.doubt.reason() }, context.counts);
        } else if self.acked.is_some_and(|acked| new.stop() <= acked) {
            let now_ns = new.since_ns;
            self.believe(new, now_ns, context, out);
        } else {
            let now_ns = new.since_ns;
            self.doubts.add(new, context.counts);
            if self.doubts.len() > MOST_DOUBTFUL {
                context.counts[Count::ShedDoubts] += 1;
                self.decide_oldest(now_ns, context, out);
            }
        }
    }

    pub(super) fn decide_oldest(&mut self, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        let Some(oldest_ns) = self.doubts.since_ns() else { return };
        for each in self.doubts.take(|each| each.since_ns <= oldest_ns) {
            self.decide(each, now_ns, context, out);
        }
    }

    /// Nothing contradicted it in time.
    pub(super) fn decide(&mut self, each: Doubtful, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        let is_refusable = self.acked.is_some() && (self.sound || each.doubt == Doubt::SynData);
        let is_left_out = match each.doubt {
            Doubt::Probe => !self.assembler.waiting(), // nothing came behind it
            doubt => is_refusable && doubt.needs_acknowledgement(),
        };
        if is_left_out {
            context.counts[each.doubt.rejected()] += 1;
            self.trace(each.position, each.stop(), each.doubt.reason(), context.counts);
        } else {
            self.believe(each, now_ns, context, out);
        }
    }

    pub(super) fn believe(
        &mut self,
        each: Doubtful,
        now_ns: i64,
        context: &mut Context<'_>,
        out: &mut Vec<PlacedHead>,
    ) {
        if let Some(oddity) = each.doubt.oddity() {
            self.copies.mark(each.position, each.stop(), Oddities::of(&[oddity]), context.counts);
        }
        self.insert(each.position, &each.octets, each.missing, each.time_ns, now_ns, context, out);
        if each.doubt == Doubt::BadChecksum && !self.sound && !self.offloaded {
            self.offloaded = true;
            for other in self.doubts.take(|other| other.doubt == Doubt::BadChecksum) {
                self.believe(other, now_ns, context, out);
            }
        }
    }
}
