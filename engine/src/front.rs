//! What whoever reads captures asks of an engine, however many threads it has.

use std::fs::File;
use std::time::Instant;

use crate::capture::Ending;
use crate::counts::Counts;
use crate::records::{KeptMessage, RequestHead, Watch};
use crate::trace::Step;

/// How a capture is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as its results are taken.
    Ahead,
    /// Once for each pump: of a pipe, for one that must not wait asks before whether there is something.
    Asked,
}

/// A thread of the engine has ended by a fault of ours.
#[derive(Clone, Copy, Debug)]
pub struct Died;

/// Where reading stands.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Cumulative since the start.
    pub counts: Counts,
    /// The latest time stamp seen.
    pub time_ns: i64,
    /// Link types of the current capture, in the order in which they came.
    pub links: Vec<u32>,
    /// Where in the current capture the next record begins.
    pub position: u64,
    /// Octets read of the current capture.
    pub bytes_read: u64,
}

/// An engine: a capture at a time, and all that is known of its connections.
pub trait Front: Send + Sync {
    /// The next capture begins; connections go on in it.
    fn open(&mut self, file: File, pace: Pace);
    /// Reads on until there are so many heads, or until then; says when and how the capture has ended.
    fn pump(&mut self, heads: usize, until: Instant) -> Result<Option<Ending>, Died>;
    /// The current capture is done with, wherever it stands.
    fn close(&mut self);
    /// Nothing follows: lets go of the heads that wait, about so many at once. Whether these were all.
    fn finish(&mut self, heads: usize) -> Result<bool, Died>;
    /// Another Watch from now on.
    fn watch_for(&mut self, watch: &Watch);
    /// The suspect heads since the last call.
    fn take_heads(&mut self) -> Vec<RequestHead>;
    /// The messages since the last call, as they came.
    fn take_messages(&mut self) -> Vec<KeptMessage>;
    /// What became of what since the last call, where it is traced.
    fn take_trace(&mut self) -> Vec<Step> {
        Vec::new()
    }
    /// As of the last pump.
    fn progress(&self) -> Progress;
}
