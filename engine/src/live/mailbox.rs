//! What threads leave for Python, and how much of it at most.

use super::Taken;
use super::queue::Queue;
use crate::counts::{Count, Counts};
use crate::limits::Limits;
use crate::records::KeptMessage;
use crate::trace::Step;
use crate::worker::Stages;

/// Heads that wait for Python: a tenth of a second of its work.
const QUEUE_HEADS: usize = 4096;
/// Messages that wait for it.
const MESSAGES: usize = 65_536;
/// Steps of the audit that wait for it; further ones wait with their worker, which may leave payloads out.
const STEPS: usize = 8192;

/// Heads, messages and steps, and what each thread counted.
#[derive(Debug)]
pub struct Mailbox {
    queue: Queue,
    messages: Vec<KeptMessage>,
    trace: Vec<Step>,
    /// Of each thread, as of its latest turn.
    counts: Vec<Counts>,
    time_ns: i64,
}

impl Mailbox {
    /// An empty one for so many threads.
    pub fn new(limits: &Limits, threads: usize) -> Mailbox {
        Mailbox {
            queue: Queue::new(QUEUE_HEADS, limits.queue_bytes),
            messages: Vec::new(),
            trace: Vec::new(),
            counts: vec![Counts::default(); threads],
            time_ns: 0,
        }
    }

    /// Whether no head waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Takes what thread `me` has; what there is no room for is counted. At its end it leaves all of its steps.
    pub fn put(&mut self, me: usize, stages: &mut Stages, is_last: bool) {
        for head in stages.passed.drain(..) {
            let is_kept = self.queue.push(head, &stages.sieve);
            stages.counts[Count::ShedQueue] += u64::from(!is_kept);
        }
        let room = MESSAGES.saturating_sub(self.messages.len());
        stages.counts[Count::ShedQueue] += stages.messages.len().saturating_sub(room) as u64;
        self.messages.extend(stages.messages.drain(..).take(room));
        if is_last || self.trace.len() < STEPS {
            self.trace.append(&mut stages.take_trace());
        }
        self.counts[me].clone_from(&stages.counts);
        self.time_ns = self.time_ns.max(stages.time_ns);
    }

    /// At most `most` heads, and all else.
    pub fn take(&mut self, most: usize) -> Taken {
        let mut counts = Counts::default();
        self.counts.iter().for_each(|each| counts.add(each));
        counts[Count::QueueHeads] = self.queue.len() as u64;
        counts[Count::MemoryQueue] = self.queue.octets() as u64;
        let (messages, trace) = (std::mem::take(&mut self.messages), std::mem::take(&mut self.trace));
        Taken { heads: self.queue.take(most), messages, trace, counts, time_ns: self.time_ns }
    }
}
