//! The front of the engine on live ports: threads that read rings, and the queue in which their suspect heads wait.
//!
//! A worker is a thread with a ring of its own of every port, and with all stages of its own: nothing is shared on the way
//! of a frame. The kernel deals frames out to the rings by a hash of what it can see; behind a tunnel that is the tunnel.
//! So whoever decodes a frame asks to whom the connection inside belongs, by a keyed hash of its ends, and hands the frame
//! over when that is somebody else (docs/decisions/0012). With one worker nothing
//! is ever handed over.
//!
//! A port may fall silent while heads wait for their time: a worker then sleeps until the next date, by the clock of the
//! frames, which goes on with the monotonic clock from the newest frame.

mod parcel;
pub mod pressure;
pub mod queue;

use std::io::{self, PipeReader, PipeWriter, Read, Write, pipe};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle, yield_now};
use std::time::{Duration, Instant};

use crate::counts::{Count, Counts};
use crate::limits::Limits;
use crate::records::{KeptMessage, RequestHead, Watch};
use crate::ring::{Ring, wait};
use crate::trace::Step;
use crate::worker::Stages;
use parcel::{Owners, Parcel};
use pressure::Pressure;
use queue::Queue;

/// Heads that wait for Python: a tenth of a second of its work.
const QUEUE_HEADS: usize = 4096;
/// Messages that wait for it.
const MESSAGES: usize = 65_536;
/// Steps of the audit that wait for it; further ones wait with their worker.
const STEPS: usize = 65_536;
/// Parcels that wait for one worker; each holds what one block held for it.
const PARCELS: usize = 64;
/// So often a worker looks whether it should stop, whatever happens on its ports.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);
/// The kernel hands over any block after a millisecond, where its clock ticks as often as that.
const LAST_BLOCK: Duration = Duration::from_millis(4);
/// The clock of the frames stands still for so long only when it was set back.
const STEPPED_BACK: Duration = Duration::from_millis(10);

/// What workers leave for Python.
#[derive(Debug)]
struct Mailbox {
    queue: Queue,
    messages: Vec<KeptMessage>,
    trace: Vec<Step>,
    /// Of each worker, as of its latest look at its ports.
    counts: Vec<Counts>,
    time_ns: i64,
}

/// What workers and Python share.
#[derive(Debug)]
struct Shared {
    mailbox: Mutex<Mailbox>,
    /// There are heads, or a worker has died.
    filled: Condvar,
    stop: AtomicBool,
    died: AtomicBool,
    /// Workers that still read their rings, or have something of them to hand over.
    reading: AtomicUsize,
    /// Parcels that are handed over, up to when all that came of them is as well.
    under_way: AtomicUsize,
    /// How often each worker went round: a sign of life that needs no traffic.
    turns: Vec<AtomicU64>,
    /// The Watch that is in force, and how many there were.
    watch: Mutex<Watch>,
    watches: AtomicU64,
    bells: Vec<Bell>,
}

/// Wakes a worker that sleeps.
#[derive(Debug)]
struct Bell {
    asleep: AtomicBool,
    rope: PipeWriter,
}

impl Bell {
    fn ring(&self) {
        if self.asleep.swap(false, Ordering::SeqCst) {
            let _ = (&self.rope).write(&[0]); // once a sleep: there is always room
        }
    }
}

/// A worker has ended by a fault of ours.
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
    /// Of all workers, cumulative.
    pub counts: Counts,
    /// The latest time stamp seen.
    pub time_ns: i64,
}

/// The engine on live ports.
#[derive(Debug)]
pub struct Live {
    shared: Arc<Shared>,
    /// Before `start`; in a mutex because nothing of theirs may be shared.
    waiting: Mutex<Vec<Worker>>,
    threads: Vec<JoinHandle<()>>,
}

impl Live {
    /// Workers with their rings; they read from `start` on. Until then the rings keep what comes.
    pub fn new(limits: &Limits, watch: &Watch, rings: Vec<Vec<Ring>>) -> io::Result<Live> {
        let count = rings.len();
        let (mut bells, mut ears, mut senders, mut inboxes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let (ear, rope) = pipe()?;
            bells.push(Bell { asleep: AtomicBool::new(false), rope });
            ears.push(ear);
            let (sender, inbox) = sync_channel(PARCELS);
            senders.push(sender);
            inboxes.push(inbox);
        }
        let queue = Queue::new(QUEUE_HEADS, limits.queue_bytes);
        let mailbox = Mailbox {
            queue,
            messages: Vec::new(),
            trace: Vec::new(),
            counts: vec![Counts::default(); count],
            time_ns: 0,
        };
        let shared = Arc::new(Shared {
            mailbox: Mutex::new(mailbox),
            filled: Condvar::new(),
            stop: AtomicBool::new(false),
            died: AtomicBool::new(false),
            reading: AtomicUsize::new(count),
            under_way: AtomicUsize::new(0),
            turns: (0..count).map(|_| AtomicU64::new(0)).collect(),
            watch: Mutex::new(watch.clone()),
            watches: AtomicU64::new(0),
            bells,
        });
        let owners = Owners::new(count);
        let each = rings.into_iter().zip(ears).zip(inboxes).enumerate();
        let waiting = each.map(|(me, ((rings, ear), inbox))| Worker {
            me,
            rings,
            ear,
            inbox,
            peers: senders.clone(),
            stages: Stages::new(limits.clone(), watch, me as u32),
            owners: owners.clone(),
            outgoing: (0..count).map(|_| Parcel::default()).collect(),
            opened: 0,
            pressure: Pressure::default(),
            read: Instant::now(),
            read_ns: 0,
            watches: 0,
            shared: Arc::clone(&shared),
        });
        Ok(Live { waiting: Mutex::new(waiting.collect()), threads: Vec::new(), shared })
    }

    /// Starts the threads, which inherit what the caller may do and not do.
    pub fn start(&mut self) -> io::Result<()> {
        for worker in self.waiting.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let thread = Builder::new().name(format!("ring-{}", worker.me));
            self.threads.push(thread.spawn(move || worker.run())?);
        }
        Ok(())
    }

    /// At most `most` heads; waits at most `longest` for the first.
    pub fn poll(&self, most: usize, longest: Duration) -> Result<Taken, Died> {
        let is_waiting = |mailbox: &mut Mailbox| mailbox.queue.is_empty() && !self.shared.died.load(Ordering::Acquire);
        let mailbox = self.shared.mailbox.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.shared.filled.wait_timeout_while(mailbox, longest, is_waiting);
        let (mut mailbox, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if self.shared.died.load(Ordering::Acquire) {
            return Err(Died);
        }
        let mut counts = Counts::default();
        mailbox.counts.iter().for_each(|each| counts.add(each));
        counts[Count::Turns] = self.shared.turns.iter().map(|turns| turns.load(Ordering::Relaxed)).min().unwrap_or(0);
        counts[Count::QueueHeads] = mailbox.queue.len() as u64;
        counts[Count::MemoryQueue] = mailbox.queue.octets() as u64;
        let messages = std::mem::take(&mut mailbox.messages);
        let trace = std::mem::take(&mut mailbox.trace);
        Ok(Taken { heads: mailbox.queue.take(most), messages, trace, counts, time_ns: mailbox.time_ns })
    }

    /// Another Watch from each worker's next look at its ports on.
    pub fn watch_for(&self, watch: &Watch) {
        *self.shared.watch.lock().unwrap_or_else(PoisonError::into_inner) = watch.clone();
        self.shared.watches.fetch_add(1, Ordering::Release);
    }

    /// Reads what the rings hold now and nothing more, and lets every head go that waits; polls give the rest.
    pub fn finish(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.bells.iter().for_each(Bell::ring);
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

/// Says so when its worker panics.
struct Obituary<'a>(&'a Shared);

impl Drop for Obituary<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.died.store(true, Ordering::Release);
            self.0.filled.notify_all();
        }
    }
}

/// One thread: a ring of every port, all stages, and the peers whose connections it may come across.
#[derive(Debug)]
struct Worker {
    me: usize,
    rings: Vec<Ring>,
    ear: PipeReader,
    inbox: Receiver<Parcel>,
    peers: Vec<SyncSender<Parcel>>,
    stages: Stages,
    owners: Owners,
    /// For each peer.
    outgoing: Vec<Parcel>,
    /// Parcels, of which something may still be among these.
    opened: usize,
    pressure: Pressure,
    /// When the clock of the frames last went on, and to what.
    read: Instant,
    read_ns: i64,
    watches: u64,
    shared: Arc<Shared>,
}

impl Worker {
    fn run(mut self) {
        // where the kernel refuses, the sensor goes on; which parts hold is published (monitor/sandbox.py)
        let _ = crate::sandbox::enter();
        let shared = Arc::clone(&self.shared);
        let _obituary = Obituary(&shared);
        while !shared.stop.load(Ordering::Acquire) {
            shared.turns[self.me].fetch_add(1, Ordering::Relaxed);
            self.renew_watch();
            let is_busy = self.walk() | self.exchange();
            if is_busy {
                self.publish();
            } else {
                self.rest();
            }
        }
        self.wind_up();
    }

    fn renew_watch(&mut self) {
        let watches = self.shared.watches.load(Ordering::Acquire);
        if watches != self.watches {
            self.watches = watches;
            let watch = self.shared.watch.lock().unwrap_or_else(PoisonError::into_inner);
            self.stages.watch_for(&watch);
        }
    }

    /// Reads one block, the one whose first frame is the oldest; false when there is none.
    fn walk(&mut self) -> bool {
        let fullest = self.rings.iter().map(Ring::eighths_full).max();
        let ready = self.rings.iter_mut().filter_map(|ring| Some((ring.ready_ns()?, ring)));
        let Some((_, ring)) = ready.min_by_key(|(ready_ns, _)| *ready_ns) else { return false };
        self.pressure.note(fullest.unwrap_or_default());
        let stages = &mut self.stages;
        let mut route = self.owners.route(self.me, self.pressure, &mut self.outgoing);
        ring.walk(&mut |frame| stages.arrive(&frame, &mut route));
        true
    }

    /// Reads what others have handed over, and hands over what is theirs; false when there was nothing to read.
    fn exchange(&mut self) -> bool {
        let is_busy = self.open_parcels();
        self.hand_over();
        is_busy
    }

    fn hand_over(&mut self) {
        for peer in 0..self.outgoing.len() {
            if self.outgoing[peer].is_empty() {
                continue;
            }
            let mut parcel = std::mem::take(&mut self.outgoing[peer]);
            self.shared.under_way.fetch_add(1, Ordering::AcqRel);
            // Whoever is full may be waiting for us: we go on with what we have until there is room
            while let Err(TrySendError::Full(again)) = self.peers[peer].try_send(parcel) {
                if self.shared.died.load(Ordering::Acquire) {
                    break;
                }
                parcel = again;
                if !self.open_parcels() {
                    yield_now();
                }
            }
            self.shared.bells[peer].ring();
        }
        if self.has_handed_over() {
            self.shared.under_way.fetch_sub(std::mem::take(&mut self.opened), Ordering::AcqRel);
        }
    }

    fn has_handed_over(&self) -> bool {
        self.outgoing.iter().all(Parcel::is_empty)
    }

    fn open_parcels(&mut self) -> bool {
        let mut is_busy = false;
        while let Ok(parcel) = self.inbox.try_recv() {
            is_busy = true;
            let mut route = self.owners.route(self.me, self.pressure, &mut self.outgoing);
            parcel.open(&mut self.stages, &mut route);
            self.opened += 1;
        }
        is_busy
    }

    /// What the clock of the frames makes due, then gives the heads to Python and says what was counted.
    fn publish(&mut self) {
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
        let by_memory = stages.counts[Count::NotAdmittedPermille]; // as of the latest look at what is due
        stages.counts[Count::NotAdmittedPermille] = by_memory.max(self.pressure.refused_permille());
        let mut mailbox = self.shared.mailbox.lock().unwrap_or_else(PoisonError::into_inner);
        for head in stages.passed.drain(..) {
            let is_kept = mailbox.queue.push(head, &stages.sieve);
            stages.counts[Count::ShedQueue] += u64::from(!is_kept);
        }
        let room = MESSAGES.saturating_sub(mailbox.messages.len());
        stages.counts[Count::ShedQueue] += stages.messages.len().saturating_sub(room) as u64;
        mailbox.messages.extend(stages.messages.drain(..).take(room));
        if mailbox.trace.len() < STEPS {
            mailbox.trace.append(&mut stages.take_trace());
        }
        mailbox.counts[self.me].clone_from(&stages.counts);
        mailbox.time_ns = mailbox.time_ns.max(stages.time_ns);
        let has_heads = !mailbox.queue.is_empty();
        drop(mailbox);
        if has_heads {
            self.shared.filled.notify_one();
        }
    }

    /// Nothing came: sees to what is due by now, or sleeps until something is or comes.
    fn rest(&mut self) {
        let silent = self.read.elapsed();
        let due = self.stages.due_in_ns().map(|due_ns| Duration::from_nanos(due_ns as u64));
        let longest = due.map_or(LONGEST_SLEEP, |due| due.saturating_sub(silent)).min(LONGEST_SLEEP);
        if longest.is_zero() {
            self.stages.expire(self.read_ns + silent.as_nanos() as i64);
            return self.publish();
        }
        if !self.pressure.is_easy() {
            self.pressure.note(0);
            self.publish();
        }
        let bell = &self.shared.bells[self.me];
        bell.asleep.store(true, Ordering::SeqCst);
        // whoever handed something over before it saw that we sleep did not ring
        if self.exchange() {
            return self.publish();
        }
        let (errors, is_rung) = wait(&self.rings, &self.ear, longest);
        self.shared.bells[self.me].asleep.store(false, Ordering::SeqCst);
        if is_rung {
            let _ = self.ear.read(&mut [0; 64]);
        }
        // a port went down: the error must be read, else every wait would end at once. Each ring of it hears of it
        let down = self.rings.iter().zip(errors).filter(|(ring, is_error)| *is_error && ring.take_error() != 0).count();
        if down > 0 && self.me == 0 {
            self.stages.counts[Count::BlindSource] += down as u64;
            self.publish();
        }
    }

    /// The end: what the rings hold now, then what the others still hand over.
    fn wind_up(mut self) {
        wait(&self.rings, &self.ear, LAST_BLOCK); // that is not full and not old enough
        let blocks: usize = self.rings.iter().map(Ring::blocks).sum();
        for _ in 0..blocks {
            if !self.walk() {
                break;
            }
            self.exchange();
            self.publish();
        }
        let mut is_reading = true;
        loop {
            // in this order: whoever has read his rings has handed over before he says so
            let are_done =
                self.shared.reading.load(Ordering::Acquire) == 0 && self.shared.under_way.load(Ordering::Acquire) == 0;
            let is_busy = self.exchange();
            if is_reading && self.has_handed_over() {
                is_reading = false;
                self.shared.reading.fetch_sub(1, Ordering::AcqRel);
            }
            if (are_done && !is_busy) || self.shared.died.load(Ordering::Acquire) {
                break;
            }
            yield_now();
        }
        self.stages.finish(usize::MAX);
        self.publish();
    }
}

#[cfg(test)]
mod tests;
