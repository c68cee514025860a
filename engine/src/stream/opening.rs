//! How a half-stream begins to be read: where, as what, and how much that can be trusted.

use super::halves::{Id, Side};
use super::paths::reversed;
use super::{ACK, SYN, Speaker, Streams, fate};
use crate::client::{Beginning, Client, first_byte};
use crate::counts::{Count, Counts};
use crate::http1::Context;
use crate::looks::{Looks, looks_of, surely_begins_request};
use crate::records::{Flow, Oddities, RequestHead, Segment};

/// Ports below are those of services (RFC 6335 section 6): nobody asks from there.
const SERVICES: u16 = 1024;

impl Streams {
    /// Where a SYN says that this direction begins.
    pub(super) fn note_origin(&mut self, segment: &Segment<'_>, mark: u64, counts: &mut Counts) {
        self.origins.remember(mark, segment.seq.wrapping_add(1), side_of(segment), counts);
    }

    /// Where the ACK of a SYN says that the other direction began.
    pub(super) fn note_answered(&mut self, peer: Option<Id>, segment: &Segment<'_>, counts: &mut Counts) {
        let (window, ack) = (self.limits.window_bytes, segment.ack);
        if let Some(peer) = peer
            && let Some(speaker) = &self.halves[peer].speaker
        {
            let is_far = |client: &Client| client.distance(ack).unsigned_abs() > u64::from(window);
            if !speaker.begins_at(ack) && speaker.clients().all(is_far) {
                self.announce(peer, ack, counts);
            }
            return;
        }
        let answered = self.halves.mark(&reversed(&segment.flow));
        let known = self.origins.look(answered);
        let origin = known.map(|known| known.nearest(ack, window).seq);
        let origin = origin.filter(|origin| ack.wrapping_sub(*origin) <= window).unwrap_or(ack);
        if known.is_none_or(|known| known.seq != origin) {
            self.origins.remember(answered, origin, Side::Client, counts);
        }
        self.origins.answer(answered);
    }

    /// Whether a SYN before this one said that this direction begins elsewhere.
    pub(super) fn is_disputed(&self, segment: &Segment<'_>, mark: u64) -> bool {
        self.origins.look(mark).is_some_and(|known| known.seq != first_byte(segment))
    }

    /// A half-stream without a client: does one begin with this segment?
    pub(super) fn open(&mut self, id: Id, segment: &Segment<'_>, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        let window = self.limits.window_bytes;
        let mark = self.halves.mark(&segment.flow);
        let seq = first_byte(segment);
        let known = self.origins.look(mark).map(|known| known.nearest(seq, window));
        let (acked, is_syn) = (known.map(|known| known.seq), segment.flags & SYN != 0);
        let answered = known.is_some_and(|known| known.answered);
        let is_end = |acked: u32| acked.wrapping_sub(seq) as usize == segment.payload.len();
        // its data may be what the SYN+ACK before it has acknowledged
        let is_taken = is_syn && answered && acked.is_some_and(is_end);
        let origin = if is_taken { Some(seq) } else { acked };
        if let Some(known) = known.filter(|known| known.side != Side::Unknown) {
            self.halves[id].side = known.side;
        }
        let side = self.halves[id].side;
        let ahead = origin.map(|origin| seq.wrapping_sub(origin));
        let mut placed = origin.filter(|_| ahead.is_some_and(|ahead| ahead <= window));
        let follows = placed.is_some_and(|origin| origin != seq);
        let answers = self.is_answered(id);
        if answers && side == Side::Unknown && surely_begins_request(segment.payload) {
            return self.open_doubtful(id, segment, mark, counts, out);
        }
        let looks = if answers { Looks::Response } else { looks_of(segment.payload, follows) };
        let is_servers = looks == Looks::Http2 && side == Side::Server;
        if is_servers || matches!(looks, Looks::Response | Looks::Tls | Looks::Other) {
            fate(looks.name(), counts);
            return self.count_opaque(id, looks, counts);
        }
        let is_served = side == Side::Unknown && looks != Looks::Http2 && is_served(&segment.flow);
        if side == Side::Server || is_served {
            return self.open_doubtful(id, segment, mark, counts, out); // nobody asked it to ask
        }
        let urgent = known.and_then(|known| known.urgent());
        if let (Some(ahead), Some(origin)) = (ahead, origin) {
            self.origins.forget(mark);
            let is_far = window < ahead && ahead <= u32::MAX - window;
            self.halves[id].reborn = known.and_then(|known| known.other());
            if is_far && answered && !is_syn {
                self.halves[id].reborn = Some(origin);
                counts[Count::RejectedOutOfWindow] += 1;
                fate("out_of_window", counts);
                return;
            }
            let is_before = window < ahead && u64::from(ahead) + segment.payload.len() as u64 <= 1 << 32;
            if is_far || is_before {
                return self.open_apart(id, segment, looks, origin, counts, out);
            }
            placed = placed.or(is_syn.then_some(origin));
        }
        let origin = placed.unwrap_or(seq);
        let beginning = match looks {
            Looks::Http2 => Beginning::Frames,
            _ if placed.is_some() => Beginning::Connection,
            Looks::Request => Beginning::Request,
            _ => Beginning::Midstream,
        };
        counts[Count::BlindMidstream] += u64::from(beginning == Beginning::Midstream);
        if looks == Looks::Http2 {
            self.halves[id].looks = looks;
        }
        self.begin(id, origin, beginning, counts);
        if let Some(speaker) = &mut self.halves[id].speaker {
            if let Some(acked) = acked.filter(|&acked| is_syn && answered && seq != acked) {
                speaker.client.refuse(acked);
            }
            if let Some(pointer) = urgent {
                speaker.client.leave_urgent_out(pointer);
            }
        }
        self.take(id, segment, counts, out);
    }

    /// It begins elsewhere than its SYN said: either may be the decoy, so both places are read.
    fn open_apart(
        &mut self,
        id: Id,
        segment: &Segment<'_>,
        looks: Looks,
        origin: u32,
        counts: &mut Counts,
        out: &mut Vec<RequestHead>,
    ) {
        let beginning = match looks {
            Looks::Http2 => Beginning::Frames,
            _ if segment.flags & SYN != 0 => Beginning::Connection,
            _ if surely_begins_request(segment.payload) => Beginning::Doubtful,
            Looks::Request => Beginning::Request,
            _ => Beginning::Midstream,
        };
        counts[Count::BlindMidstream] += u64::from(beginning == Beginning::Midstream);
        self.beginnings.forget(self.halves.link(id));
        self.begin(id, origin, Beginning::Connection, counts);
        self.begin_beside(id, first_byte(segment), beginning, counts, out);
        self.take(id, segment, counts, out);
    }

    /// Here is a request where none was to be expected: whoever reads on from here will find more.
    pub(super) fn open_doubtful(
        &mut self,
        id: Id,
        segment: &Segment<'_>,
        mark: u64,
        counts: &mut Counts,
        out: &mut Vec<RequestHead>,
    ) {
        self.origins.forget(mark);
        let pieces = self.beginnings.forget(self.halves.link(id));
        let first = first_byte(segment);
        let first =
            pieces.first().map(|piece| piece.seq).filter(|&seq| first.wrapping_sub(seq) < 1 << 31).unwrap_or(first);
        self.begin(id, first, Beginning::Doubtful, counts);
        for piece in &pieces {
            let Segment { time_ns, flow, path, ack, .. } = *segment;
            let (octets, oddities) = (piece.octets(), Oddities::default());
            let before = Segment {
                time_ns,
                flow,
                path,
                seq: piece.seq,
                ack,
                flags: ACK,
                octets,
                payload: octets,
                missing: 0,
                urgent: 0,
                verifiable: false,
                oddities,
            };
            self.take(id, &before, counts, out);
        }
        self.take(id, segment, counts, out);
    }

    pub(super) fn begin(&mut self, id: Id, origin: u32, beginning: Beginning, counts: &mut Counts) {
        let half = &self.halves[id];
        let reading = counts.tracer.as_mut().map_or(0, |tracer| tracer.reading(&half.flow));
        let context = Context { limits: &self.limits, counts, flow: half.flow, path: half.path(), early: None };
        let client = Client::new(i64::from(origin), beginning, reading, &context);
        self.halves[id].speaker =
            Some(Box::new(Speaker { client, origin, number: 0, held: 0, weight: 0, begun: 0, elsewhere: None }));
    }

    /// Whether the other direction has sent requests: then this one sends responses.
    pub(super) fn is_answered(&self, id: Id) -> bool {
        let peer = self.halves.peer(id).and_then(|peer| self.halves[peer].speaker.as_ref());
        peer.is_some_and(|speaker| speaker.client.spoke()) && self.halves[id].side != Side::Client
    }

    /// Whether a request begins in a half-stream that began with something else; in small segments perhaps.
    pub(super) fn is_misjudged(&mut self, id: Id, segment: &Segment<'_>, counts: &mut Counts) -> bool {
        if self.halves[id].side == Side::Server || self.is_answered(id) {
            return false;
        }
        let whose = self.halves.link(id);
        if surely_begins_request(segment.payload) {
            self.beginnings.forget(whose);
            return true;
        }
        self.beginnings.join(whose, first_byte(segment), segment.payload, counts)
    }

    /// A SYN on a half-stream that is there: a copy, or the addresses and ports are used anew.
    pub(super) fn begin_again(&mut self, id: Id, segment: &Segment<'_>, mark: u64, counts: &mut Counts) {
        let seq = segment.seq.wrapping_add(1);
        let half = &mut self.halves[id];
        half.begin_again(seq);
        match &half.speaker {
            Some(speaker) if speaker.begins_at(seq) || speaker.client.may_begin_at(seq, &self.limits) => {}
            Some(_) => self.announce(id, seq, counts),
            None => {
                self.origins.remember(mark, seq, side_of(segment), counts);
                if segment.flags & ACK == 0 {
                    half.looks = Looks::Other;
                }
            }
        }
    }

    /// Another connection begins here, they say: believed when data follows, for their SYN may never arrive.
    fn announce(&mut self, id: Id, seq: u32, counts: &mut Counts) {
        let half = &mut self.halves[id];
        let before = half.reborn.replace(seq).filter(|before| *before != seq);
        let (flow, side) = (half.flow, half.side);
        if let Some(before) = before {
            self.origins.remember(self.halves.mark(&flow), before, side, counts);
        }
    }
}

/// Whose a SYN is.
fn side_of(segment: &Segment<'_>) -> Side {
    if segment.flags & ACK != 0 { Side::Server } else { Side::Client }
}

/// Whether its ports are those of what a service answers, for want of a handshake that says so.
fn is_served(flow: &Flow) -> bool {
    flow.sport < SERVICES && flow.dport >= SERVICES
}
