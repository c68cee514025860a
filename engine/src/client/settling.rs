//! Heads that wait until they are settled, in the order of their places.

use super::Client;
use crate::counts::Count;
use crate::http1::Context;
use crate::limits::Limits;
use crate::records::PlacedHead;

/// Heads.
const MOST_WAITING: usize = 256;

#[derive(Debug)]
pub(super) struct Waiting {
    pub since_ns: i64,
    pub placed: PlacedHead,
}

impl Client {
    /// What http1 added to `out` behind those that are settled has to wait.
    #[inline]
    pub(super) fn wait(&mut self, settled: usize, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        if out.len() > settled {
            self.spoke = true;
            self.heads.reserve_exact(out.len() - settled);
            if out[settled..].iter().all(|placed| placed.why.is_none()) {
                self.waiting += out[settled..].iter().map(|placed| placed.end - placed.start).sum::<i64>();
                self.heads.extend(out.drain(settled..).map(|placed| Waiting { since_ns: now_ns, placed }));
                return;
            }
            self.read_texts(context);
            for placed in out.drain(settled..) {
                if placed.why.is_some() {
                    self.join(placed, now_ns, None, context);
                } else {
                    self.waiting += placed.end - placed.start;
                    self.heads.push_back(Waiting { since_ns: now_ns, placed });
                }
            }
        }
    }

    /// Lets the heads go that are settled by now.
    #[inline]
    pub(super) fn done(&mut self, now_ns: i64, context: &mut Context<'_>, out: &mut Vec<PlacedHead>) {
        let settled_ns = now_ns - context.limits.settle_ns;
        let acked = self.acked.unwrap_or(self.origin);
        let (mut settled, mut waiting) = (0, self.waiting);
        for (at, first) in self.heads.iter().enumerate() {
            let is_settled = first.placed.end <= acked || first.since_ns <= settled_ns;
            let fits = waiting <= context.limits.hold_bytes_per_half_stream as i64;
            if !is_settled && self.heads.len() - at <= MOST_WAITING && fits {
                break;
            }
            context.counts[Count::ShedSettle] += u64::from(!is_settled);
            waiting -= first.placed.end - first.placed.start;
            settled = at + 1;
        }
        self.let_go(settled, out);
        self.forget(context.limits);
    }

    /// So many heads that waited longest wait no longer. All at once: short ones come by the thousand.
    pub(super) fn let_go(&mut self, heads: usize, out: &mut Vec<PlacedHead>) {
        if heads == 0 {
            return;
        }
        self.replays = 0;
        for Waiting { placed, .. } in self.heads.range_mut(..heads) {
            self.waiting -= placed.end - placed.start;
            self.copies.say(placed);
        }
        let let_go = self.heads.range(..heads).map(|waiting| &waiting.placed);
        let late = let_go.filter(|placed| self.acked.is_none_or(|acked| acked < placed.end));
        if self.past.is_empty() {
            self.past.reserve_exact(late.clone().count()); // seldom any
        }
        self.past.extend(late.cloned());
        out.extend(self.heads.drain(..heads).map(|waiting| waiting.placed));
    }

    /// What no copy is compared with any more.
    #[inline]
    pub(super) fn forget(&mut self, limits: &Limits) {
        if !self.kept.is_empty() {
            let needed = self.needed(limits);
            self.keep_from(needed);
        }
        let kept_from = self.kept_from;
        self.past.retain(|placed| placed.end > kept_from);
        self.assembler.forget_versions(kept_from);
        let waiting = self.heads.front().map_or(kept_from, |waiting| waiting.placed.start);
        self.copies.forget(kept_from.min(waiting));
    }
}
