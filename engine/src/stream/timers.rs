//! When something is due, and about whom: entered and taken at a cost that does not grow with how much waits.
//!
//! A wheel of slots about a millisecond wide. A date goes into the slot of its millisecond; when that comes, the few in it
//! are put in order. Dates beyond the wheel, which only bounds larger than the default make, wait in a heap until it has
//! come round to them. The clock never goes back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::mem;

/// A slot is 2^20 ns wide.
const SLOT_BITS: u32 = 20;
/// 4.3 s: more than the default bounds of waiting.
const SLOTS: i64 = 4096;

/// A date, the number of the entry, and whom it is about.
type Entry<T> = (i64, u64, T);

/// Dates, earliest first; of equal ones the first that was entered.
#[derive(Debug)]
pub(super) struct Timers<T> {
    /// Of the slots that have come.
    ready: BinaryHeap<Reverse<Entry<T>>>,
    slots: Vec<Vec<Entry<T>>>,
    beyond: BinaryHeap<Reverse<Entry<T>>>,
    /// Of the latest slot that has come.
    slot: i64,
    entered: u64,
    /// Entries in slots and beyond.
    waiting: usize,
    /// Nothing is due before.
    next_ns: i64,
}

impl<T: Copy + Ord> Timers<T> {
    pub(super) fn new() -> Timers<T> {
        Timers {
            ready: BinaryHeap::new(),
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            beyond: BinaryHeap::new(),
            slot: 0,
            entered: 0,
            waiting: 0,
            next_ns: i64::MAX,
        }
    }

    /// This is due then.
    pub(super) fn enter(&mut self, due_ns: i64, what: T) {
        self.entered += 1;
        self.next_ns = self.next_ns.min(due_ns);
        self.place((due_ns, self.entered, what));
    }

    /// Nothing is due before; None: nothing waits.
    pub(super) fn next_ns(&self) -> Option<i64> {
        (self.next_ns < i64::MAX).then_some(self.next_ns)
    }

    /// Whether `take` may find something.
    #[inline]
    pub(super) fn may_be_due(&self, now_ns: i64) -> bool {
        self.next_ns <= now_ns
    }

    /// The next of what is due now.
    pub(super) fn take(&mut self, now_ns: i64) -> Option<(i64, T)> {
        self.advance(now_ns >> SLOT_BITS);
        if let Some(&Reverse((due_ns, _, what))) = self.ready.peek().filter(|next| next.0.0 <= now_ns) {
            self.ready.pop();
            return Some((due_ns, what));
        }
        let ready_ns = self.ready.peek().map_or(i64::MAX, |next| next.0.0);
        let slot_ns = if self.waiting > 0 { (self.slot + 1) << SLOT_BITS } else { i64::MAX };
        self.next_ns = ready_ns.min(slot_ns);
        None
    }

    fn place(&mut self, entry: Entry<T>) {
        let slot = entry.0 >> SLOT_BITS;
        if slot <= self.slot {
            return self.ready.push(Reverse(entry));
        }
        self.waiting += 1;
        if slot - self.slot < SLOTS {
            self.slots[(slot % SLOTS) as usize].push(entry);
        } else {
            self.beyond.push(Reverse(entry));
        }
    }

    fn advance(&mut self, slot: i64) {
        if slot <= self.slot || self.waiting == 0 {
            self.slot = self.slot.max(slot);
            return;
        }
        for come in self.slot + 1..=slot.min(self.slot + SLOTS) {
            let entries = mem::take(&mut self.slots[(come % SLOTS) as usize]);
            self.waiting -= entries.len();
            self.ready.extend(entries.into_iter().map(Reverse));
        }
        self.slot = slot;
        while self.beyond.peek().is_some_and(|next| (next.0.0 >> SLOT_BITS) - slot < SLOTS) {
            if let Some(Reverse(entry)) = self.beyond.pop() {
                self.waiting -= 1;
                self.place(entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn what_is_due_is_taken_in_the_order_of_its_date() {
        const SECOND: usize = 1_000_000_000;
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let (mut timers, mut obvious, mut now_ns) = (Timers::new(), Vec::new(), 0);
            for what in 0..400_u64 {
                now_ns += *random.pick(&[0, 1, 1000, 300_000, SECOND / 100, 2 * SECOND, 700 * SECOND]) as i64;
                for _ in 0..random.below(4) {
                    let wait = *random.pick(&[1, 5000, SECOND / 1000, SECOND, 3 * SECOND, 9 * SECOND, 2000 * SECOND]);
                    let due_ns = now_ns + random.below(wait) as i64;
                    timers.enter(due_ns, what);
                    obvious.push((due_ns, obvious.len(), what));
                }
                let mut due: Vec<_> = obvious.iter().copied().filter(|each| each.0 <= now_ns).collect();
                due.sort_unstable();
                assert!(due.is_empty() || timers.may_be_due(now_ns));
                for (due_ns, place, what) in due {
                    assert_eq!(timers.take(now_ns), Some((due_ns, what)));
                    obvious[place].0 = i64::MAX;
                }
                assert_eq!(timers.take(now_ns), None);
            }
            let left = obvious.iter().filter(|each| each.0 < i64::MAX).count();
            assert_eq!(timers.ready.len() + timers.waiting, left);
        }
    }

    #[test]
    fn nothing_is_looked_for_before_it_may_be_due() {
        let mut timers = Timers::new();
        assert!(!timers.may_be_due(i64::MAX - 1));
        timers.enter(5 << SLOT_BITS, ());
        assert!(!timers.may_be_due((5 << SLOT_BITS) - 1));
        assert_eq!(timers.take(6 << SLOT_BITS), Some((5 << SLOT_BITS, ())));
        assert_eq!(timers.take(6 << SLOT_BITS), None);
        assert!(!timers.may_be_due(i64::MAX - 1));
    }
}
