//! The front of the engine: wires source -> decode -> defrag -> stream -> http -> sieve; nothing else does.

use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

use crate::capture::{Capture, Ending};
use crate::counts::{Count, Counts};
use crate::decode::{Decoder, Found};
use crate::decoded::Decoded;
use crate::defrag::Defragmenter;
use crate::front::{Died, Front, Pace, Progress};
use crate::limits::Limits;
use crate::records::{Datagram, Frame, KeptMessage, RequestHead, Segment, Watch};
use crate::sieve::Sieve;
use crate::stream::Streams;
use crate::trace::{Step, Tracer};

/// Segments before one is read when its bucket is asked for, its half-stream, and the rest.
const AHEAD: usize = 16;
const HALF_AHEAD: usize = 8;
const REST_AHEAD: usize = 3;

/// One engine: a source at a time, and all that is known of its connections.
#[derive(Debug)]
pub struct Worker {
    capture: Option<Capture>,
    /// Of the capture before, to be used again.
    buffer: Vec<u8>,
    stages: Stages,
    /// Of the chunk at hand.
    decoded: Decoded,
}

/// What frames go through.
#[derive(Debug)]
pub(crate) struct Stages {
    pub(crate) counts: Counts,
    decoder: Decoder,
    defragmenter: Defragmenter,
    streams: Streams,
    pub(crate) sieve: Arc<Sieve>,
    /// The latest time stamp seen.
    pub(crate) time_ns: i64,
    /// Link types of the current capture, in the order in which they came.
    links: Vec<u32>,
    /// Settled, not yet through the sieve.
    heads: Vec<RequestHead>,
    /// Through the sieve.
    pub(crate) passed: Vec<RequestHead>,
    pub(crate) messages: Vec<KeptMessage>,
}

impl Worker {
    /// An engine without a source.
    pub fn new(limits: Limits, watch: &Watch) -> Worker {
        let stages = Stages::new(limits, watch, 0);
        Worker { capture: None, buffer: Vec::new(), stages, decoded: Decoded::default() }
    }

    /// The next capture begins; connections go on in it.
    pub fn open(&mut self, file: File) {
        self.stages.links.clear();
        self.capture = Some(Capture::new(file, std::mem::take(&mut self.buffer)));
    }

    /// Reads on in the current capture, once; says when and how it has ended.
    pub fn pump(&mut self) -> Option<Ending> {
        let Worker { capture: Some(capture), stages, decoded, .. } = self else { return Some(Ending::Proper) };
        let ending = capture.pump(&mut |frame| stages.feed(&frame, decoded));
        decoded.settle(capture.octets());
        stages.follow(decoded, capture.octets(), &mut Here);
        stages.sift();
        ending
    }

    /// The current capture is done with.
    pub fn close(&mut self) {
        if let Some(capture) = self.capture.take() {
            self.buffer = capture.into_buffer();
        }
    }

    /// Nothing follows: lets go of what waits, of about so many heads at once. Whether that was all.
    pub fn finish(&mut self, heads: usize) -> bool {
        self.stages.finish(heads)
    }

    /// Another Watch from now on.
    pub fn watch_for(&mut self, watch: &Watch) {
        self.stages.watch_for(watch);
    }

    /// The suspect heads since the last call.
    pub fn take_heads(&mut self) -> Vec<RequestHead> {
        std::mem::take(&mut self.stages.passed)
    }

    /// The messages since the last call, as they came.
    pub fn take_messages(&mut self) -> Vec<KeptMessage> {
        std::mem::take(&mut self.stages.messages)
    }

    /// How many suspect heads wait to be taken.
    pub fn waiting(&self) -> usize {
        self.stages.passed.len()
    }

    /// Cumulative since the start.
    pub fn counts(&self) -> &Counts {
        &self.stages.counts
    }
}

impl Front for Worker {
    fn open(&mut self, file: File, _: Pace) {
        self.open(file);
    }

    fn pump(&mut self, heads: usize, until: Instant) -> Result<Option<Ending>, Died> {
        loop {
            let ending = self.pump();
            if ending.is_some() || self.waiting() >= heads || Instant::now() >= until {
                return Ok(ending);
            }
        }
    }

    fn close(&mut self) {
        self.close();
    }

    fn finish(&mut self, heads: usize) -> Result<bool, Died> {
        Ok(self.finish(heads))
    }

    fn watch_for(&mut self, watch: &Watch) {
        self.watch_for(watch);
    }

    fn take_heads(&mut self) -> Vec<RequestHead> {
        self.take_heads()
    }

    fn take_messages(&mut self) -> Vec<KeptMessage> {
        self.take_messages()
    }

    fn take_trace(&mut self) -> Vec<Step> {
        self.stages.take_trace()
    }

    fn progress(&self) -> Progress {
        let capture = self.capture.as_ref();
        self.stages.progress(capture.map_or(0, Capture::position), capture.map_or(0, Capture::bytes_read))
    }
}

/// Who reads on what was decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// These stages do.
    Here,
    /// It was put aside for others, or let go and counted.
    Elsewhere,
}

/// Where the octets of a segment are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In the frame that came from the source.
    Frame,
    /// In a datagram that was put together, which nobody keeps.
    Datagram,
}

/// Says of each segment who reads it on.
pub(crate) trait Route {
    fn segment(&mut self, found: &Segment<'_>, from: Origin, streams: &Streams, counts: &mut Counts) -> Fate;
}

/// All of them are read on here.
pub(crate) struct Here;

impl Route for Here {
    #[inline]
    fn segment(&mut self, _: &Segment<'_>, _: Origin, _: &Streams, _: &mut Counts) -> Fate {
        Fate::Here
    }
}

impl Stages {
    /// Nothing seen yet; by this one of the workers.
    pub(crate) fn new(limits: Limits, watch: &Watch, worker: u32) -> Stages {
        let mut decoder = Decoder::new(&limits);
        decoder.watch_ports(&watch.ports);
        let mut counts = Counts::default();
        counts.tracer = (watch.audited > 0).then(|| Box::new(Tracer::new(watch.audited, worker)));
        let sieve = Arc::new(Sieve::new(watch));
        let defragmenter = Defragmenter::new(&limits);
        let mut streams = Streams::new(limits);
        streams.sift_with(Arc::clone(&sieve));
        Stages {
            counts,
            decoder,
            defragmenter,
            streams,
            sieve,
            time_ns: 0,
            links: Vec::new(),
            heads: Vec::new(),
            passed: Vec::new(),
            messages: Vec::new(),
        }
    }

    /// Another Watch from now on.
    pub(crate) fn watch_for(&mut self, watch: &Watch) {
        self.sieve = Arc::new(Sieve::new(watch));
        self.streams.sift_with(Arc::clone(&self.sieve));
        self.decoder.watch_ports(&watch.ports);
    }

    /// A frame of a capture.
    #[inline]
    pub(crate) fn feed(&mut self, frame: &Frame<'_>, route: &mut impl Route) {
        if self.links.last() != Some(&frame.link) && !self.links.contains(&frame.link) {
            self.links.push(frame.link);
        }
        self.arrive(frame, route);
    }

    /// A frame that this worker's source read.
    #[inline]
    pub(crate) fn arrive(&mut self, frame: &Frame<'_>, route: &mut impl Route) {
        let counts = &mut self.counts;
        counts[Count::Frames] += 1;
        counts[Count::FrameBytes] += u64::from(frame.wire_len);
        counts[Count::CapturedBytes] += frame.data.len() as u64;
        // the capture clock may go backwards; timers must not
        self.time_ns = self.time_ns.max(frame.time_ns);
        let found = self.decoder.feed(frame, &mut self.counts);
        let mut read = ReadOn { counts: &mut self.counts, streams: &mut self.streams, heads: &mut self.heads };
        match found {
            Found::Segment(segment) => read.segment(&segment, Origin::Frame, route),
            Found::Fragment(fragment) => {
                let mut whole = Vec::new();
                self.defragmenter.feed(&fragment, read.counts, &mut whole);
                self.take_datagrams(whole, route);
            }
            Found::Message(message) => {
                self.messages.push(message.into());
                skipped(frame.data, read.counts);
            }
            Found::Nothing => skipped(frame.data, read.counts),
        }
    }

    /// What `defrag` put together goes back into `decode`; a tunnel's inside may be fragmented as well.
    fn take_datagrams(&mut self, mut whole: Vec<Datagram>, route: &mut impl Route) {
        let mut next = 0;
        while next < whole.len() {
            let mut inner = Vec::new();
            let datagram = &whole[next];
            let found = self.decoder.datagram(datagram, &mut self.counts);
            let mut read = ReadOn { counts: &mut self.counts, streams: &mut self.streams, heads: &mut self.heads };
            match found {
                Found::Segment(segment) => read.segment(&segment, Origin::Datagram, route),
                Found::Fragment(fragment) => self.defragmenter.feed(&fragment, read.counts, &mut inner),
                Found::Message(message) => {
                    self.messages.push(message.into());
                    skipped(&datagram.data, read.counts);
                }
                Found::Nothing => skipped(&datagram.data, read.counts),
            }
            next += 1;
            whole.splice(next..next, inner);
        }
    }

    /// Reads on what was decoded of a chunk, and forgets it.
    pub(crate) fn follow(&mut self, decoded: &mut Decoded, chunk: &[u8], route: &mut impl Route) {
        let (mut marks, mut likely) = ([0; AHEAD], [None; AHEAD]);
        // while one segment is read, what the next ones need is on its way from memory, in three steps
        for coming in 0..decoded.len() + AHEAD {
            let [far, near, now] = [HALF_AHEAD, REST_AHEAD, 0].map(|ahead| coming.wrapping_sub(AHEAD - ahead));
            let halves = self.streams.halves();
            if far < decoded.len() {
                likely[far % AHEAD] = halves.ask_for_half(marks[far % AHEAD]);
            }
            if near < decoded.len()
                && let Some(half) = likely[near % AHEAD]
            {
                halves.ask_for_rest(half);
            }
            if let Some(segment) = decoded.nth(now, chunk)
                && route.segment(&segment, Origin::Frame, &self.streams, &mut self.counts) == Fate::Here
            {
                if let Some(tracer) = &mut self.counts.tracer {
                    tracer.carried(&segment.flow, segment.payload);
                }
                self.streams.feed_marked(&segment, marks[now % AHEAD], &mut self.counts, &mut self.heads);
            }
            if let Some(flow) = decoded.flow(coming) {
                let halves = self.streams.halves();
                marks[coming % AHEAD] = halves.mark(flow);
                halves.ask_for_bucket(marks[coming % AHEAD]);
            }
        }
        decoded.clear();
    }

    /// What became of what since the last call, where it is traced.
    pub(crate) fn take_trace(&mut self) -> Vec<Step> {
        self.counts.tracer.as_mut().map_or_else(Vec::new, |tracer| tracer.take())
    }

    /// Where these stages stand, and their source.
    pub(crate) fn progress(&self, position: u64, bytes_read: u64) -> Progress {
        let Stages { counts, time_ns, links, .. } = self;
        Progress { counts: counts.clone(), time_ns: *time_ns, links: links.clone(), position, bytes_read }
    }

    /// The next capture begins.
    pub(crate) fn forget_links(&mut self) {
        self.links.clear();
    }

    /// How long of the capture clock until something that waits is due; None: nothing does.
    pub(crate) fn due_in_ns(&self) -> Option<i64> {
        self.streams.due_in_ns()
    }

    /// What is due at `now_ns` of the capture clock, on a port that is silent.
    pub(crate) fn expire(&mut self, now_ns: i64) {
        self.time_ns = self.time_ns.max(now_ns);
        self.defragmenter.expire(self.time_ns, &mut self.counts);
        self.streams.expire(self.time_ns, &mut self.counts, &mut self.heads);
        self.sift();
    }

    /// Nothing follows: lets go of what waits until so many heads have passed. Whether that was all.
    pub(crate) fn finish(&mut self, heads: usize) -> bool {
        self.defragmenter.finish(&mut self.counts);
        while self.passed.len() < heads {
            let over = self.streams.finish(self.time_ns, heads, &mut self.counts, &mut self.heads);
            self.sift();
            if over {
                return true;
            }
        }
        false
    }

    /// Sends what is settled through the sieve.
    pub(crate) fn sift(&mut self) {
        for mut head in self.heads.drain(..) {
            if self.sieve.passes(&mut head, &mut self.counts) {
                self.passed.push(head);
            }
        }
    }
}

/// Where segments end.
struct ReadOn<'a> {
    counts: &'a mut Counts,
    streams: &'a mut Streams,
    heads: &'a mut Vec<RequestHead>,
}

impl ReadOn<'_> {
    #[inline]
    fn segment(&mut self, segment: &Segment<'_>, from: Origin, route: &mut impl Route) {
        if route.segment(segment, from, self.streams, self.counts) == Fate::Here {
            if let Some(tracer) = &mut self.counts.tracer {
                tracer.carried(&segment.flow, segment.payload);
            }
            self.streams.feed(segment, self.counts, self.heads);
        }
    }
}

/// This became no segment.
fn skipped(octets: &[u8], counts: &mut Counts) {
    if let Some(tracer) = &mut counts.tracer {
        tracer.skipped(octets);
    }
}
