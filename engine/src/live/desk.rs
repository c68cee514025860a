//! What each thread has: its stages, their clock, and its way to Python.
//!
//! A port may fall silent while heads wait for their time: a thread then sleeps until the next date, by the clock of the
//! frames, which goes on with the monotonic clock from the newest frame.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::{LONGEST_SLEEP, Shared};
use crate::counts::Count;
use crate::limits::Limits;
use crate::records::Watch;
use crate::worker::Stages;

/// The clock of the frames stands still for so long only when it was set back.
const STEPPED_BACK: Duration = Duration::from_millis(10);

/// One thread's.
#[derive(Debug)]
pub(super) struct Desk {
    me: usize,
    pub stages: Stages,
    /// When the clock of the frames last went on, and to what.
    read: Instant,
    read_ns: i64,
    watches: u64,
    shared: Arc<Shared>,
}

impl Desk {
    pub fn new(me: usize, limits: &Limits, watch: &Watch, shared: &Arc<Shared>) -> Desk {
        let stages = Stages::new(limits.clone(), watch, me as u32);
        Desk { me, stages, read: Instant::now(), read_ns: 0, watches: 0, shared: Arc::clone(shared) }
    }

    /// A turn begins: shows that this thread lives, and sees whether there is another Watch.
    pub fn turn(&mut self) {
        self.shared.turns[self.me].fetch_add(1, Ordering::Relaxed);
        let watches = self.shared.watches.load(Ordering::Acquire);
        if watches != self.watches {
            self.watches = watches;
            let watch = self.shared.watch.lock().unwrap_or_else(PoisonError::into_inner);
            self.stages.watch_for(&watch);
        }
    }

    /// Whether all is to end.
    pub fn should_stop(&self) -> bool {
        self.shared.stop.load(Ordering::Acquire)
    }

    /// What the clock of the frames makes due, then gives the heads to Python and says what was counted.
    pub fn publish(&mut self, refused_permille: u64) {
        let stages = &mut self.stages;
        if stages.time_ns > self.read_ns {
            stages.expire(stages.time_ns);
        } else if self.read.elapsed() > STEPPED_BACK {
            stages.expire(self.read_ns + self.read.elapsed().as_nanos() as i64);
        }
        stages.sift();
        if stages.time_ns > self.read_ns {
            (self.read, self.read_ns) = (Instant::now(), stages.time_ns);
        }
        self.leave(refused_permille, false);
    }

    /// How long nothing is due, if nothing comes; at most LONGEST_SLEEP.
    pub fn idle_for(&self) -> Duration {
        let due = self.stages.due_in_ns().map(|due_ns| Duration::from_nanos(due_ns as u64));
        due.map_or(LONGEST_SLEEP, |due| due.saturating_sub(self.read.elapsed())).min(LONGEST_SLEEP)
    }

    /// Nothing came for so long that something is due.
    pub fn expire(&mut self, refused_permille: u64) {
        self.stages.expire(self.read_ns + self.read.elapsed().as_nanos() as i64);
        self.publish(refused_permille);
    }

    /// Nothing follows.
    pub fn finish(&mut self) {
        self.stages.finish(usize::MAX);
        self.leave(0, true);
    }

    fn leave(&mut self, refused_permille: u64, is_last: bool) {
        let stages = &mut self.stages;
        let by_memory = stages.counts[Count::NotAdmittedPermille]; // as of the latest look at what is due
        stages.counts[Count::NotAdmittedPermille] = by_memory.max(refused_permille);
        let mut mailbox = self.shared.mailbox.lock().unwrap_or_else(PoisonError::into_inner);
        mailbox.put(self.me, stages, is_last);
        let has_heads = !mailbox.is_empty();
        drop(mailbox);
        if has_heads {
            self.shared.filled.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;
    use crate::live::dealt::Owners;
    use crate::live::mailbox::Mailbox;
    use crate::live::pressure::Pressure;
    use crate::live::tests::{TIME_NS, frame, shown};

    const HOUR_NS: i64 = 3_600_000_000_000;

    fn desk() -> Desk {
        let (limits, watch) = (Limits::default(), Watch { every_head: true, ..Watch::default() });
        let shared = Shared {
            mailbox: Mutex::new(Mailbox::new(&limits, 1)),
            filled: Condvar::new(),
            stop: false.into(),
            died: false.into(),
            turns: vec![0.into()],
            watch: Mutex::new(watch.clone()),
            watches: 0.into(),
        };
        Desk::new(0, &limits, &watch, &Arc::new(shared))
    }

    fn read(desk: &mut Desk, octets: &[u8], time_ns: i64) {
        desk.stages.arrive(&shown(octets, time_ns), &mut Owners::new(1).admission(Pressure::default()));
        desk.publish(0);
    }

    fn heads(desk: &Desk) -> usize {
        desk.shared.mailbox.lock().unwrap().take(usize::MAX).heads.len()
    }

    #[test]
    fn a_clock_that_steps_back_stops_nothing_that_waits() {
        let mut desk = desk();
        read(&mut desk, &frame(1, b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n", true), TIME_NS);
        read(&mut desk, &frame(2, b"", true), TIME_NS - HOUR_NS);
        assert_eq!((heads(&desk), desk.stages.time_ns), (0, TIME_NS), "it waits to be settled");
        desk.read -= Duration::from_secs(2); // which pass, and frames keep coming
        read(&mut desk, &frame(2, b"", true), TIME_NS - HOUR_NS + 1);
        assert_eq!(heads(&desk), 1);
        assert!((TIME_NS..TIME_NS + HOUR_NS).contains(&desk.stages.time_ns));
    }

    #[test]
    fn a_clock_that_steps_forward_loses_nothing() {
        let mut desk = desk();
        read(&mut desk, &frame(1, b"GET / HTTP/1.1\r\nHost: shop.e", true), TIME_NS);
        read(&mut desk, &frame(2, b"", true), TIME_NS + 24 * HOUR_NS);
        let mut rest = frame(1, b"xample\r\n\r\n", true);
        rest[14 + 20 + 7] += 28;
        read(&mut desk, &rest, TIME_NS + 24 * HOUR_NS);
        desk.finish();
        assert_eq!(heads(&desk), 1);
    }
}
