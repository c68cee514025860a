//! The front of the engine on live ports: threads that read rings, and the mailbox in which suspect heads wait for Python.
//!
//! One thread does all of it, unless there are to be several: then one reads the rings, decodes, and deals what it found
//! out to others by the connection inside, each of which has the stages behind it for itself. So whoever reads a
//! connection on sees it in the order in which the kernel did, however it is wrapped or torn apart, and what comes of it
//! does not depend on how many there are (docs/decisions/0012).

mod dealt;
mod desk;
mod follower;
mod mailbox;
pub mod pressure;
pub mod queue;
mod reader;

use std::io::{self, PipeWriter, Write, pipe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::counts::{Count, Counts};
use crate::limits::Limits;
use crate::records::{KeptMessage, RequestHead, Watch};
use crate::ring::Ring;
use crate::trace::Step;
use dealt::{Dealer, Owners};
use desk::Desk;
use follower::Follower;
use mailbox::Mailbox;
use reader::Reader;

/// Parcels that wait for one worker; each holds what one block held for it.
const PARCELS: usize = 64;
/// So often a thread looks whether it should stop, whatever happens on its ports.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// What all threads and Python share.
#[derive(Debug)]
struct Shared {
    mailbox: Mutex<Mailbox>,
    /// There are heads, or a thread has died.
    filled: Condvar,
    stop: AtomicBool,
    died: AtomicBool,
    /// How often each thread went round: a sign of life that needs no traffic.
    turns: Vec<AtomicU64>,
    /// The Watch that is in force, and how many there were.
    watch: Mutex<Watch>,
    watches: AtomicU64,
}

/// A thread has ended by a fault of ours.
#[derive(Clone, Copy, Debug)]
pub struct Died;

/// What there was at one poll.
#[derive(Debug)]
pub struct Taken {
    /// Suspect heads, and how many equal ones each stands for.
    pub heads: Vec<(RequestHead, u64)>,
    /// As they came.
    pub messages: Vec<KeptMessage>,
    /// What became of what, where it is traced.
    pub trace: Vec<Step>,
    /// Of all threads, cumulative.
    pub counts: Counts,
    /// The latest time stamp seen.
    pub time_ns: i64,
}

/// The engine on live ports.
#[derive(Debug)]
pub struct Live {
    shared: Arc<Shared>,
    /// Before `start`; in a mutex because nothing of theirs may be shared.
    waiting: Mutex<Vec<Role>>,
    threads: Vec<JoinHandle<()>>,
    /// Wakes the reader.
    bell: PipeWriter,
}

/// What a thread is there for.
#[derive(Debug)]
enum Role {
    Reader(Box<Reader>),
    Follower(Box<Follower>),
}

impl Live {
    /// So many workers, which read the ring of each port from `start` on. Until then the rings keep what comes.
    pub fn new(limits: &Limits, watch: &Watch, rings: Vec<Ring>, workers: usize) -> io::Result<Live> {
        let (ear, bell) = pipe()?;
        let count = if workers > 1 { workers + 1 } else { 1 };
        let shared = Arc::new(Shared {
            mailbox: Mutex::new(Mailbox::new(limits, count)),
            filled: Condvar::new(),
            stop: AtomicBool::new(false),
            died: AtomicBool::new(false),
            turns: (0..count).map(|_| AtomicU64::new(0)).collect(),
            watch: Mutex::new(watch.clone()),
            watches: AtomicU64::new(0),
        });
        let desk = |me| Desk::new(me, limits, watch, &shared);
        let owners = Owners::new(workers);
        let (spent, spare) = channel();
        let (mut inboxes, mut waiting) = (Vec::new(), Vec::new());
        for me in 1..count {
            let (sender, inbox) = sync_channel(PARCELS);
            inboxes.push(sender);
            waiting.push(Role::Follower(Box::new(Follower::new(inbox, spent.clone(), owners.clone(), desk(me)))));
        }
        let dealer = (workers > 1).then(|| Dealer::new(owners.clone(), inboxes, spare));
        waiting.push(Role::Reader(Box::new(Reader::new(rings, ear, owners, dealer, desk(0)))));
        Ok(Live { waiting: Mutex::new(waiting), threads: Vec::new(), shared, bell })
    }

    /// Starts the threads, which inherit what the caller may do and not do.
    pub fn start(&mut self) -> io::Result<()> {
        for (number, role) in self.waiting.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..).enumerate() {
            let shared = Arc::clone(&self.shared);
            let run = move || {
                // where the kernel refuses, the sensor goes on; which parts hold is published (monitor/sandbox.py)
                let _ = crate::sandbox::enter();
                let _obituary = Obituary(&shared);
                match role {
                    Role::Reader(reader) => reader.run(),
                    Role::Follower(follower) => follower.run(),
                }
            };
            self.threads.push(Builder::new().name(format!("ring-{number}")).spawn(run)?);
        }
        Ok(())
    }

    /// At most `most` heads; waits at most `longest` for the first.
    pub fn poll(&self, most: usize, longest: Duration) -> Result<Taken, Died> {
        let is_waiting = |mailbox: &mut Mailbox| mailbox.is_empty() && !self.shared.died.load(Ordering::Acquire);
        let mailbox = self.shared.mailbox.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.shared.filled.wait_timeout_while(mailbox, longest, is_waiting);
        let (mut mailbox, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if self.shared.died.load(Ordering::Acquire) {
            return Err(Died);
        }
        let mut taken = mailbox.take(most);
        taken.counts[Count::Turns] =
            self.shared.turns.iter().map(|turns| turns.load(Ordering::Relaxed)).min().unwrap_or(0);
        Ok(taken)
    }

    /// Another Watch from each thread's next turn on.
    pub fn watch_for(&self, watch: &Watch) {
        *self.shared.watch.lock().unwrap_or_else(PoisonError::into_inner) = watch.clone();
        self.shared.watches.fetch_add(1, Ordering::Release);
    }

    /// Reads what the rings hold now and nothing more, and lets every head go that waits; polls give the rest.
    pub fn finish(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        let _ = self.bell.write(&[0]); // a reader that is gone needs none
        self.waiting.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join(); // whoever died has said so
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Says so when its thread panics.
struct Obituary<'a>(&'a Shared);

impl Drop for Obituary<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.died.store(true, Ordering::Release);
            self.0.filled.notify_all();
        }
    }
}

#[cfg(test)]
mod tests;
