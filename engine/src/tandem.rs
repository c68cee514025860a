//! The front of the engine for captures, on two threads: one reads and decodes, the other reads on from there.
//!
//! What was decoded goes from the one to the other a chunk at a time, in order, through one queue: so what comes out is
//! that of one [`Worker`](crate::worker::Worker) to the byte, and there is nothing to merge. Both halves of the work are
//! about equal; dealing connections out to threads would have to bring their clocks together again
//! (docs/decisions/0010-two-threads-in-a-row.md). A full queue makes the reader wait.

use std::fs::File;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Instant;

use crate::capture::{Capture, Ending};
use crate::decoded::Decoded;
use crate::front::{Died, Front, Pace, Progress};
use crate::limits::Limits;
use crate::records::{KeptMessage, RequestHead, Watch};
use crate::worker::{Here, Stages};

/// Chunks that were decoded and wait to be read on: while Python has the one processor, the other one has work.
const PARCELS: usize = 16;
/// Results that wait for Python.
const RESULTS: usize = 4;
/// Chunks of one result, and heads of which it has no more than one chunk brings: to wake somebody costs as much as
/// reading on a hundred packets.
const CHUNKS: usize = 64;
const HEADS: usize = 512;

#[derive(Debug)]
enum Order {
    Open(File, Pace),
    Read,
    Watch(Box<Watch>),
    Finish,
}

/// Two threads, and what came of them so far.
#[derive(Debug)]
pub struct Tandem {
    orders: Sender<Order>,
    /// In a mutex, for Python may share an engine among threads; here nobody ever waits for it.
    results: Mutex<Receiver<Step>>,
    /// The capture at hand is to end where it is.
    stop: Arc<AtomicBool>,
    pace: Pace,
    /// A capture is open that has not ended.
    reading: bool,
    /// It was said that nothing follows.
    finishing: bool,
    /// What was not taken yet, and the latest progress.
    now: Step,
}

/// What came of some chunks.
#[derive(Debug, Default)]
struct Step {
    progress: Progress,
    heads: Vec<RequestHead>,
    messages: Vec<KeptMessage>,
    ending: Option<Ending>,
    /// Nothing follows.
    finished: bool,
}

impl Step {
    /// What came next joins what is there.
    fn join(&mut self, mut next: Step) {
        self.heads.append(&mut next.heads);
        self.messages.append(&mut next.messages);
        (self.progress, self.ending, self.finished) = (next.progress, next.ending, next.finished);
    }
}

/// What was decoded of one chunk, and the chunk.
#[derive(Debug, Default)]
struct Parcel {
    chunk: Vec<u8>,
    decoded: Decoded,
    watch: Option<Box<Watch>>,
    /// Somebody waits for what comes of it.
    asked: bool,
    /// Of the reader, when it had read this.
    step: Step,
}

impl Tandem {
    /// Threads that wait for a capture.
    pub fn new(limits: Limits, watch: &Watch) -> std::io::Result<Tandem> {
        let (orders, ordered) = channel();
        let (parcels, arrived) = sync_channel(PARCELS);
        let (empties, emptied) = channel();
        let (sent, results) = sync_channel(RESULTS);
        let stop = Arc::new(AtomicBool::new(false));
        let reader = Reader {
            orders: ordered,
            parcels,
            emptied,
            stop: Arc::clone(&stop),
            stages: Stages::new(limits.clone(), watch, 0),
        };
        let follower = Follower { arrived, empties, results: sent, stages: Stages::new(limits, watch, 0) };
        Builder::new().name("read".into()).spawn(move || reader.run())?;
        Builder::new().name("follow".into()).spawn(move || follower.run())?;
        Ok(Tandem {
            orders,
            results: Mutex::new(results),
            stop,
            pace: Pace::Ahead,
            reading: false,
            finishing: false,
            now: Step::default(),
        })
    }

    fn order(&self, order: Order) {
        let _ = self.orders.send(order); // who has died is missed at the next result
    }

    fn results(&mut self) -> &mut Receiver<Step> {
        self.results.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next result until then, or as long as it takes. Whether there was one.
    fn take(&mut self, until: Option<Instant>) -> Result<bool, Died> {
        let results = self.results();
        let next = match until {
            Some(until) => results.recv_timeout(until.saturating_duration_since(Instant::now())),
            None => results.recv().map_err(RecvTimeoutError::from),
        };
        match next {
            Ok(step) => {
                self.reading &= step.ending.is_none();
                self.now.join(step);
                Ok(true)
            }
            Err(RecvTimeoutError::Timeout) => Ok(false),
            Err(RecvTimeoutError::Disconnected) => Err(Died),
        }
    }
}

impl Front for Tandem {
    fn open(&mut self, file: File, pace: Pace) {
        self.close();
        self.stop.store(false, Ordering::Release);
        (self.pace, self.reading) = (pace, true);
        let Progress { links, position, bytes_read, .. } = &mut self.now.progress;
        (*links, *position, *bytes_read) = (Vec::new(), 0, 0);
        self.order(Order::Open(file, pace));
    }

    fn pump(&mut self, heads: usize, until: Instant) -> Result<Option<Ending>, Died> {
        if self.pace == Pace::Asked && self.reading {
            self.order(Order::Read);
            self.take(None)?;
        } else {
            while self.reading && self.now.heads.len() < heads && self.take(Some(until))? {}
        }
        Ok(if self.reading { None } else { Some(self.now.ending.take().unwrap_or(Ending::Proper)) })
    }

    fn close(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.reading &= self.pace == Pace::Ahead; // else nobody is at it
        while self.reading && self.take(None).is_ok() {}
        self.now.ending = None;
    }

    fn finish(&mut self, heads: usize) -> Result<bool, Died> {
        self.close();
        if !self.finishing {
            self.finishing = true;
            self.order(Order::Finish);
        }
        while !self.now.finished && self.now.heads.len() < heads {
            self.take(None)?;
        }
        Ok(self.now.finished)
    }

    fn watch_for(&mut self, watch: &Watch) {
        self.order(Order::Watch(Box::new(watch.clone())));
    }

    fn take_heads(&mut self) -> Vec<RequestHead> {
        mem::take(&mut self.now.heads)
    }

    fn take_messages(&mut self) -> Vec<KeptMessage> {
        mem::take(&mut self.now.messages)
    }

    fn progress(&self) -> Progress {
        self.now.progress.clone()
    }
}

/// Reads captures and decodes what is in them.
struct Reader {
    orders: Receiver<Order>,
    parcels: SyncSender<Parcel>,
    emptied: Receiver<Parcel>,
    stop: Arc<AtomicBool>,
    /// Of which only the first are used here.
    stages: Stages,
}

impl Reader {
    fn run(mut self) {
        let (mut capture, mut watch): (Option<Capture>, _) = (None, None);
        while let Ok(order) = self.orders.recv() {
            let sent = match order {
                Order::Watch(other) => {
                    self.stages.watch_for(&other);
                    watch = Some(other);
                    Some(())
                }
                Order::Open(file, pace) => {
                    self.stages.forget_links();
                    let spare = capture.take().map(Capture::into_buffer).unwrap_or_default();
                    let mut opened = Capture::new(file, spare);
                    let mut on = Some(true);
                    while pace == Pace::Ahead && on == Some(true) {
                        on = self.read(&mut opened, watch.take(), pace);
                    }
                    capture = Some(opened);
                    on.map(drop)
                }
                Order::Read => {
                    capture.as_mut().map_or(Some(()), |open| self.read(open, watch.take(), Pace::Asked).map(drop))
                }
                Order::Finish => {
                    self.stages.finish(usize::MAX);
                    let mut parcel = self.parcel(watch.take());
                    parcel.step = Step { progress: self.stages.progress(0, 0), finished: true, ..Step::default() };
                    self.parcels.send(parcel).ok()
                }
            };
            if sent.is_none() {
                return; // nobody listens
            }
        }
    }

    /// Reads once. Whether the capture goes on; None when nobody listens.
    fn read(&mut self, capture: &mut Capture, watch: Option<Box<Watch>>, pace: Pace) -> Option<bool> {
        let mut parcel = self.parcel(watch);
        parcel.asked = pace == Pace::Asked;
        let stages = &mut self.stages;
        let mut ending = capture.pump(&mut |frame| stages.feed(&frame, &mut parcel.decoded));
        if self.stop.load(Ordering::Acquire) {
            ending = ending.or(Some(Ending::Cut));
        }
        let goes_on = ending.is_none();
        parcel.chunk = capture.exchange(mem::take(&mut parcel.chunk));
        parcel.decoded.settle(&parcel.chunk);
        parcel.step = Step {
            progress: stages.progress(capture.position(), capture.bytes_read()),
            messages: mem::take(&mut stages.messages),
            ending,
            ..Step::default()
        };
        self.parcels.send(parcel).ok().map(|()| goes_on)
    }

    /// An empty one, in memory that was used before where there is some.
    fn parcel(&mut self, watch: Option<Box<Watch>>) -> Parcel {
        Parcel { watch, ..self.emptied.try_recv().unwrap_or_default() }
    }
}

/// Reads on what was decoded.
struct Follower {
    arrived: Receiver<Parcel>,
    empties: Sender<Parcel>,
    results: SyncSender<Step>,
    /// Of which only the last are used here.
    stages: Stages,
}

impl Follower {
    fn run(mut self) {
        let (mut step, mut chunks) = (Step::default(), 0);
        while let Ok(mut parcel) = self.arrived.recv() {
            if let Some(watch) = parcel.watch.take() {
                self.stages.watch_for(&watch);
            }
            self.stages.follow(&mut parcel.decoded, &parcel.chunk, &mut Here);
            let mut next = mem::take(&mut parcel.step);
            self.stages.time_ns = next.progress.time_ns;
            while next.finished && !self.stages.finish(HEADS) {
                step.heads.append(&mut self.stages.passed);
                if self.results.send(mem::take(&mut step)).is_err() {
                    return; // nobody listens
                }
            }
            self.stages.sift();
            next.heads.append(&mut self.stages.passed);
            next.progress.counts.add(&self.stages.counts);
            step.join(next);
            let asked = parcel.asked;
            let _ = self.empties.send(parcel); // the reader may have gone before
            chunks += 1;
            let is_last = step.ending.is_some() || step.finished;
            if asked || is_last || chunks == CHUNKS || step.heads.len() >= HEADS {
                chunks = 0;
                if self.results.send(mem::take(&mut step)).is_err() {
                    return; // nobody listens
                }
            }
        }
    }
}
