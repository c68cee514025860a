//! What lies outside of a client's window: a segment, until something bears it out; then the client that was read before.
//!
//! Of a client that goes on far outside of its window the capture lost more than a window of bytes; or somebody else says
//! so, who wants the rest to be looked for there. So the window moves, and the client that was read stays beside it.

use std::mem;

use super::Speaker;
use crate::client::Client;
use crate::records::{Flow, Layer, Oddities, Segment};

/// That a segment out of the window takes besides its payload, in round figures.
const FAR_BYTES: usize = 160;

/// What a half-stream has outside of the window of its client.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// Another one that fits it moves the window.
    pub far: Option<Far>,
    /// Read beside the client, where the window was before; and where its reading began.
    aside: Option<(Client, u32)>,
}

impl Speaker {
    /// The client that goes on, and the one that was put aside.
    #[inline]
    pub(super) fn clients(&self) -> impl Iterator<Item = &Client> {
        let aside = self.elsewhere.as_ref().and_then(|elsewhere| elsewhere.aside.as_ref());
        [&self.client].into_iter().chain(aside.map(|(client, _)| client))
    }

    /// A segment out of the window.
    pub(super) fn far(&self) -> Option<&Far> {
        self.elsewhere.as_ref()?.far.as_ref()
    }

    /// Whether there was one.
    #[inline]
    pub(super) fn forget_far(&mut self) -> bool {
        self.elsewhere.as_mut().is_some_and(|elsewhere| elsewhere.far.take().is_some())
    }

    /// Whether an acknowledgement would change something.
    #[inline]
    pub(super) fn awaits(&self) -> bool {
        self.far().is_some() || self.clients().any(Client::awaits)
    }

    /// Whether a client is in the middle of something.
    pub(super) fn is_amid(&self) -> bool {
        self.clients().any(Client::awaits)
    }

    /// Bytes that wait behind a hole or a doubt, or outside of the window.
    #[inline]
    pub(super) fn held(&self) -> usize {
        self.far_bytes() + self.clients().map(Client::held).sum::<usize>()
    }

    /// Bytes of memory, about.
    #[inline]
    pub(super) fn weight(&self) -> usize {
        self.far_bytes() + self.clients().map(Client::weight).sum::<usize>()
    }

    #[inline]
    fn far_bytes(&self) -> usize {
        self.far().map_or(0, |far| FAR_BYTES + far.payload().len())
    }

    /// Whether the reading of a client began with this sequence number.
    pub(super) fn begins_at(&self, seq: u32) -> bool {
        let aside = self.elsewhere.as_ref().and_then(|elsewhere| elsewhere.aside.as_ref());
        self.origin == seq || aside.is_some_and(|&(_, origin)| origin == seq)
    }

    /// The client that was put aside is the one that goes on: whether there was one.
    pub(super) fn turn(&mut self) -> bool {
        let Some((client, origin)) = self.elsewhere.as_mut().and_then(|elsewhere| elsewhere.aside.as_mut()) else {
            return false;
        };
        mem::swap(&mut self.client, client);
        mem::swap(&mut self.origin, origin);
        true
    }

    /// The same, if this sequence number is in its window.
    #[inline]
    pub(super) fn turn_to(&mut self, seq: u32, window: u32) -> bool {
        let is_near = |client: &Client| client.distance(seq).unsigned_abs() <= u64::from(window);
        self.clients().nth(1).is_some_and(is_near) && self.turn()
    }

    /// The same for what the one that goes on did not expect, which is so far ahead of it: the other one did, or it alone has
    /// room there, or began before.
    pub(super) fn turn_to_better(&mut self, seq: u32, ahead: i64, is_near: bool, window: u32) -> bool {
        let Some(aside) = self.clients().nth(1) else { return false };
        let begun = || self.client.begins_behind(ahead) && !aside.begins_behind(aside.distance(seq));
        let is_its = !is_near || begun();
        self.turn_to(seq, if is_its { window } else { 0 })
    }

    /// The same, if no more speaks for it.
    pub(super) fn turn_to_lesser(&mut self) {
        if self.clients().nth(1).is_some_and(|aside| aside.standing() <= self.client.standing()) {
            self.turn();
        }
    }

    /// The window moved here from where the only client of another one was.
    pub(super) fn put_aside(&mut self, before: Speaker) {
        self.elsewhere = Some(Box::new(Elsewhere { far: None, aside: Some((before.client, before.origin)) }));
        (self.number, self.held, self.weight, self.begun) = (before.number, before.held, before.weight, before.begun);
    }

    /// The client that was put aside takes the place of the one that goes on: whether there was one.
    pub(super) fn take_back(&mut self) -> bool {
        let aside = self.elsewhere.as_mut().and_then(|elsewhere| elsewhere.aside.take());
        let Some((client, origin)) = aside else { return false };
        (self.client, self.origin) = (client, origin);
        true
    }
}

/// A segment that outlives its frame.
#[derive(Clone, Debug)]
pub(super) struct Far {
    time_ns: i64,
    seq: u32,
    ack: u32,
    flags: u16,
    octets: Box<[u8]>,
    header: usize,
    missing: u32,
    urgent: u16,
    verifiable: bool,
    oddities: Oddities,
}

impl Far {
    pub(super) fn of(segment: &Segment<'_>) -> Far {
        let &Segment { time_ns, seq, ack, flags, octets, payload, missing, urgent, verifiable, oddities, .. } = segment;
        let header = octets.len() - payload.len();
        Far { time_ns, seq, ack, flags, octets: octets.into(), header, missing, urgent, verifiable, oddities }
    }

    /// Behind its last byte.
    pub(super) fn end(&self) -> u32 {
        self.seq.wrapping_add(self.payload().len() as u32)
    }

    /// Whether this one, which came next, follows on it.
    pub(super) fn is_borne_out_by(&self, segment: &Segment<'_>, window: u32) -> bool {
        segment.seq.wrapping_sub(self.end()) <= window
    }

    fn payload(&self) -> &[u8] {
        self.octets.get(self.header..).unwrap_or_default()
    }

    pub(super) fn segment<'a>(&'a self, flow: Flow, path: &'a [Layer]) -> Segment<'a> {
        let &Far { time_ns, seq, ack, flags, ref octets, missing, urgent, verifiable, oddities, .. } = self;
        let payload = self.payload();
        Segment { time_ns, flow, path, seq, ack, flags, octets, payload, missing, urgent, verifiable, oddities }
    }
}
