//! The front of the engine: wires source -> decode -> defrag -> stream -> http -> sieve; nothing else does.

use std::fs::File;

use crate::capture::{Capture, Ending};
use crate::counts::{Count, Counts};
use crate::decode::{Decoder, Found};
use crate::defrag::Defragmenter;
use crate::limits::Limits;
use crate::records::{Datagram, Frame, KeptMessage, RequestHead, Watch};
use crate::sieve::Sieve;
use crate::stream::Streams;

/// One engine: a source at a time, and all that is known of its connections.
#[derive(Debug)]
pub struct Worker {
    capture: Option<Capture>,
    /// Of the capture before, to be used again.
    buffer: Vec<u8>,
    stages: Stages,
}

/// What frames go through.
#[derive(Debug)]
struct Stages {
    counts: Counts,
    decoder: Decoder,
    defragmenter: Defragmenter,
    streams: Streams,
    sieve: Sieve,
    time_ns: i64,
    /// Link types of the current capture, in the order in which they came.
    links: Vec<u32>,
    /// Settled, not yet through the sieve.
    heads: Vec<RequestHead>,
    passed: Vec<RequestHead>,
    messages: Vec<KeptMessage>,
}

impl Worker {
    /// An engine without a source.
    pub fn new(limits: Limits, watch: &Watch) -> Worker {
        let mut decoder = Decoder::new(&limits);
        decoder.watch_ports(&watch.ports);
        let stages = Stages {
            counts: Counts::default(),
            decoder,
            defragmenter: Defragmenter::new(&limits),
            streams: Streams::new(limits),
            sieve: Sieve::new(watch),
            time_ns: 0,
            links: Vec::new(),
            heads: Vec::new(),
            passed: Vec::new(),
            messages: Vec::new(),
        };
        Worker { capture: None, buffer: Vec::new(), stages }
    }

    /// The next capture begins; connections go on in it.
    pub fn open(&mut self, file: File) {
        self.stages.links.clear();
        self.capture = Some(Capture::new(file, std::mem::take(&mut self.buffer)));
    }

    /// Reads on in the current capture, once; says when and how it has ended.
    pub fn pump(&mut self) -> Option<Ending> {
        let stages = &mut self.stages;
        let ending = match &mut self.capture {
            Some(capture) => capture.pump(&mut |frame| stages.feed(&frame)),
            None => Some(Ending::Proper),
        };
        stages.sift();
        ending
    }

    /// The current capture is done with.
    pub fn close(&mut self) {
        if let Some(capture) = self.capture.take() {
            self.buffer = capture.into_buffer();
        }
    }

    /// Nothing follows.
    pub fn finish(&mut self) {
        let stages = &mut self.stages;
        stages.defragmenter.finish(&mut stages.counts);
        stages.streams.finish(stages.time_ns, &mut stages.counts, &mut stages.heads);
        stages.sift();
    }

    /// Another Watch from now on.
    pub fn watch_for(&mut self, watch: &Watch) {
        self.stages.sieve = Sieve::new(watch);
        self.stages.decoder.watch_ports(&watch.ports);
    }

    /// The suspect heads since the last call.
    pub fn take_heads(&mut self) -> Vec<RequestHead> {
        std::mem::take(&mut self.stages.passed)
    }

    /// The messages since the last call, as they came.
    pub fn take_messages(&mut self) -> Vec<KeptMessage> {
        std::mem::take(&mut self.stages.messages)
    }

    /// What the heads that were taken went through.
    pub fn sieve(&self) -> &Sieve {
        &self.stages.sieve
    }

    /// How many suspect heads wait to be taken.
    pub fn waiting(&self) -> usize {
        self.stages.passed.len()
    }

    /// Cumulative since the start.
    pub fn counts(&self) -> &Counts {
        &self.stages.counts
    }

    /// The latest time stamp seen.
    pub fn time_ns(&self) -> i64 {
        self.stages.time_ns
    }

    /// Link types of the current capture, in the order in which they came.
    pub fn links(&self) -> &[u32] {
        &self.stages.links
    }

    /// Where in the current capture the next record begins.
    pub fn position(&self) -> u64 {
        self.capture.as_ref().map_or(0, Capture::position)
    }

    /// Octets read of the current capture.
    pub fn bytes_read(&self) -> u64 {
        self.capture.as_ref().map_or(0, Capture::bytes_read)
    }
}

impl Stages {
    #[inline]
    fn feed(&mut self, frame: &Frame<'_>) {
        let counts = &mut self.counts;
        counts[Count::Frames] += 1;
        counts[Count::FrameBytes] += u64::from(frame.wire_len);
        counts[Count::CapturedBytes] += frame.data.len() as u64;
        // the capture clock may go backwards; timers must not
        self.time_ns = self.time_ns.max(frame.time_ns);
        if self.links.last() != Some(&frame.link) && !self.links.contains(&frame.link) {
            self.links.push(frame.link);
        }
        match self.decoder.feed(frame, counts) {
            Found::Segment(segment) => self.streams.feed(&segment, counts, &mut self.heads),
            Found::Fragment(fragment) => {
                let mut whole = Vec::new();
                self.defragmenter.feed(&fragment, counts, &mut whole);
                self.take_datagrams(whole);
            }
            Found::Message(message) => self.messages.push(message.into()),
            Found::Nothing => {}
        }
    }

    /// What `defrag` put together goes back into `decode`; a tunnel's inside may be fragmented as well.
    fn take_datagrams(&mut self, mut whole: Vec<Datagram>) {
        let mut next = 0;
        while next < whole.len() {
            let mut inner = Vec::new();
            match self.decoder.datagram(&whole[next], &mut self.counts) {
                Found::Segment(segment) => self.streams.feed(&segment, &mut self.counts, &mut self.heads),
                Found::Fragment(fragment) => self.defragmenter.feed(&fragment, &mut self.counts, &mut inner),
                Found::Message(message) => self.messages.push(message.into()),
                Found::Nothing => {}
            }
            next += 1;
            whole.splice(next..next, inner);
        }
    }

    fn sift(&mut self) {
        for head in self.heads.drain(..) {
            if self.sieve.passes(&head, &mut self.counts) {
                self.passed.push(head);
            }
        }
    }
}
