//! Nothing follows of a client, or perhaps nothing: what was seen of a head counts.

use super::Client;
use crate::counts::{Count, Counts};
use crate::http1::Context;
use crate::records::PlacedHead;

impl Client {
    /// Perhaps nothing follows: judges the lines that are whole, and goes on behind them.
    pub fn part(&mut self, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        let settled = out.len();
        self.http1.part(self.kept.all(), self.kept_from, context, out);
        self.hand_out(settled, now_ns, context, out);
    }

    /// Nothing follows.
    pub fn finish(&mut self, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        for each in self.doubts.take(|_| true) {
            self.decide(each, now_ns, context, out);
        }
        while self.assembler.waiting() {
            self.give_up_hole(now_ns, context, out);
        }
        self.count_lost_end(context);
        let settled = out.len();
        self.http1.finish(self.kept.all(), self.kept_from, context, out);
        self.hand_out(settled, now_ns, context, out);
    }

    /// No head waits any longer, neither these nor what http1 added to `out` behind those that are settled.
    fn hand_out(&mut self, settled: usize, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        self.wait(settled, now_ns, context, out);
        self.let_go(self.heads.len(), out);
        self.done(now_ns, context, out);
    }

    /// Nothing is read any more; what was, unless it is said already, was `why`.
    pub fn end(&self, why: &'static str, counts: &mut Counts) {
        for what in [why, "end"].into_iter().filter(|what| !what.is_empty()) {
            self.trace(self.origin, self.assembler.next(), what, counts);
        }
    }

    /// Bytes that nothing followed: only the FIN or an acknowledgement tells of them.
    fn count_lost_end(&self, context: &mut Context<'_>) {
        let following = self.assembler.next();
        let acked = self.acked.unwrap_or(0) - 1; // which may be that of a FIN
        let end = self.closed.map_or(acked, |closed| self.assembler.place(closed.seq));
        if following < end && end <= following + i64::from(context.limits.window_bytes) {
            context.counts[Count::GapBytes] += (end - following) as u64;
            context.counts[Count::BlindGap] += 1;
        }
    }
}
