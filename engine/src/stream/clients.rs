//! What a half-stream that speaks HTTP does with its segments, within its window and outside, and what it may hold.

use std::mem;
use std::panic::{self, AssertUnwindSafe};

use super::far::Far;
use super::halves::Id;
use super::paths::reversed;
use super::{ACK, SYN, Streams, fate};
use crate::client::{Beginning, Client, first_byte};
use crate::counts::{Count, Counts};
use crate::doubts::Doubt;
use crate::http1::Context;
use crate::looks::{Looks, looks_of};
use crate::records::{Checksum, Oddities, Oddity, PlacedHead, RequestHead, Segment};

/// An acknowledgement so far beyond what was seen is no loss of the capture.
const UNSENT_BYTES: u32 = 256 * 1024;

impl Streams {
    pub(super) fn take(&mut self, id: Id, segment: &Segment<'_>, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        let window = self.limits.window_bytes;
        let seq = first_byte(segment);
        let half = &mut self.halves[id];
        let Some(speaker) = &mut half.speaker else { return };
        let ahead = speaker.client.distance(seq);
        let is_near = ahead.unsigned_abs() <= u64::from(window);
        if ahead != 0 && speaker.turn_to_better(seq, ahead, is_near, window) {
            return self.take(id, segment, counts, out);
        }
        if (half.reborn.is_some() || !is_near) && self.begin_elsewhere(id, segment, ahead, counts, out) {
            return;
        }
        if !is_near {
            return self.take_far(id, segment, counts, out);
        }
        if ahead >= 0
            && let Some(speaker) = &mut self.halves[id].speaker
        {
            speaker.forget_far();
        }
        let doubt = self.doubt(id, segment);
        let now_ns = self.now_ns;
        self.speak(id, counts, |client, context, out| client.take(segment, doubt, now_ns, context, out));
        self.after(id, counts, out);
    }

    /// Begins where another SYN said that a connection does, if these bytes fit that, which are so far ahead of those that
    /// the client expects: perhaps a decoy, so the client is read on beside the new one unless it has ended.
    #[cold]
    fn begin_elsewhere(
        &mut self,
        id: Id,
        segment: &Segment<'_>,
        ahead: i64,
        counts: &mut Counts,
        out: &mut Vec<RequestHead>,
    ) -> bool {
        let (window, seq) = (self.limits.window_bytes, first_byte(segment));
        let is_near = ahead.unsigned_abs() <= u64::from(window);
        let Some(began) = self.announced(id, seq, is_near) else { return false };
        let half = &self.halves[id];
        let Some(speaker) = &half.speaker else { return false };
        let client = &speaker.client;
        if is_near && !client.gives_way_to(ahead, segment.payload, seq == began) {
            return false;
        }
        if half.closing_ns != 0 && client.is_idle() && !client.awaits() {
            let side = half.side;
            self.origins.remember(self.halves.mark(&segment.flow), began, side, counts);
            self.restart(id, segment, counts, out);
            return true;
        }
        let beginning = match looks_of(segment.payload, seq != began) {
            Looks::Request | Looks::Part => Beginning::Connection,
            Looks::Http2 => Beginning::Frames,
            _ => return false,
        };
        if !is_near && speaker.far().is_some_and(|far| far.is_borne_out_by(segment, window)) {
            return false;
        }
        self.begin_beside(id, began, beginning, counts, out);
        let half = &mut self.halves[id];
        half.reborn = half.reborn.filter(|reborn| *reborn != began);
        self.take(id, segment, counts, out);
        true
    }

    /// Where another SYN said that a connection begins that this sequence number fits. Of several in a row the latest one
    /// counts; near or not tells whether a client has room for the bytes.
    fn announced(&self, id: Id, seq: u32, is_near: bool) -> Option<u32> {
        let fits = |began: &u32| seq.wrapping_sub(*began) <= self.limits.window_bytes;
        let half = &self.halves[id];
        if is_near || half.reborn.as_ref().is_some_and(fits) {
            return half.reborn.filter(fits);
        }
        let known = self.origins.look(self.halves.mark(&half.flow))?;
        let is_new = |began: &u32| half.speaker.as_ref().is_some_and(|speaker| !speaker.begins_at(*began));
        [Some(known.seq), known.other()].into_iter().flatten().find(|began| fits(began) && is_new(began))
    }

    /// Out of the window: not believed before another segment follows on it, or the peer acknowledges it.
    pub(super) fn take_far(&mut self, id: Id, segment: &Segment<'_>, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        counts[Count::RejectedOutOfWindow] += 1;
        fate("out_of_window", counts);
        let window = self.limits.window_bytes;
        let Some(speaker) = &mut self.halves[id].speaker else { return };
        let before = speaker.elsewhere.get_or_insert_default().far.replace(Far::of(segment));
        if let Some(far) = before.filter(|far| far.is_borne_out_by(segment, window)) {
            let far = far.segment(segment.flow, segment.path);
            if self.move_window(id, &[&far, segment], counts, out) {
                return;
            }
        }
        self.after(id, counts, out);
    }

    /// Begins at the first of these segments that looks like a request, and puts the client aside that is here. False:
    /// none does, and nothing happened.
    pub(super) fn move_window(
        &mut self,
        id: Id,
        segments: &[&Segment<'_>],
        counts: &mut Counts,
        out: &mut Vec<RequestHead>,
    ) -> bool {
        let opaque = self.halves[id].opaque;
        let begins = |segment: &&Segment<'_>| match looks_of(segment.payload, false) {
            Looks::Request => Some(Beginning::Request),
            Looks::Http2 => Some(Beginning::Frames),
            Looks::Part if !opaque => Some(Beginning::Midstream),
            _ => None,
        };
        let found = segments.iter().enumerate().find_map(|(at, segment)| Some((at, begins(segment)?)));
        let Some((at, beginning)) = found else { return false };
        counts[Count::BlindGap] += 1;
        counts[Count::BlindMidstream] += u64::from(beginning == Beginning::Midstream);
        self.begin_beside(id, first_byte(segments[at]), beginning, counts, out);
        for segment in &segments[at..] {
            self.take(id, segment, counts, out);
        }
        true
    }

    /// Another client takes the place of the one that is here, which is put aside; if one is aside, the lesser ends.
    pub(super) fn begin_beside(
        &mut self,
        id: Id,
        origin: u32,
        beginning: Beginning,
        counts: &mut Counts,
        out: &mut Vec<RequestHead>,
    ) {
        if let Some(speaker) = &mut self.halves[id].speaker
            && speaker.clients().count() > 1
        {
            counts[Count::ShedWindows] += 1;
            speaker.turn_to_lesser();
            self.finish_client(id, counts, out);
        }
        if beginning == Beginning::Frames {
            self.halves[id].looks = Looks::Http2;
        }
        let speaker = self.halves[id].speaker.take();
        self.begin(id, origin, beginning, counts);
        if let (Some(before), Some(speaker)) = (speaker, &mut self.halves[id].speaker) {
            speaker.put_aside(*before);
        }
    }

    /// The same addresses and ports, but not the same bytes: finishes, and begins with this segment.
    pub(super) fn restart(&mut self, id: Id, segment: &Segment<'_>, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        while self.halves[id].speaker.is_some() {
            self.finish_client(id, counts, out);
        }
        self.halves[id].reborn = None;
        self.open(id, segment, counts, out);
    }

    pub(super) fn doubt(&self, id: Id, segment: &Segment<'_>) -> Option<Doubt> {
        const OF_FRAGMENTS: Oddities = Oddities::of(&[Oddity::FragOverlap, Oddity::FragMixed]);
        if !segment.oddities.intersects(OF_FRAGMENTS) && segment.checksum() == Checksum::Bad {
            return Some(Doubt::BadChecksum);
        }
        if segment.flags & SYN != 0 {
            return Some(Doubt::SynData);
        }
        if segment.flags & ACK == 0 {
            return Some(Doubt::NoAck);
        }
        let sent = match self.halves.peer(id) {
            Some(peer) => Some(self.halves[peer].end),
            None => self.origins.look(self.halves.mark(&reversed(&segment.flow))).map(|known| known.seq),
        };
        let is_unsent = |sent| (UNSENT_BYTES + 1..1 << 31).contains(&segment.ack.wrapping_sub(sent));
        sent.is_some_and(is_unsent).then_some(Doubt::NoAck)
    }

    pub(super) fn acknowledge(
        &mut self,
        id: Id,
        segment: &Segment<'_>,
        counts: &mut Counts,
        out: &mut Vec<RequestHead>,
    ) {
        let ack = segment.ack;
        let Some(speaker) = &mut self.halves[id].speaker else { return };
        if speaker.client.distance(ack).unsigned_abs() <= u64::from(self.limits.window_bytes) {
            let now_ns = self.now_ns;
            self.speak(id, counts, |client, context, out| client.acknowledge(segment, now_ns, context, out));
            self.after(id, counts, out);
        } else if speaker.turn_to(ack, self.limits.window_bytes) {
            self.acknowledge(id, segment, counts, out);
        } else if let Some(far) = speaker.far().filter(|far| far.end() == ack).cloned() {
            let half = &self.halves[id];
            let (flow, path) = (half.flow, half.path().to_vec());
            if self.move_window(id, &[&far.segment(flow, &path)], counts, out) {
                self.acknowledge(id, segment, counts, out);
            }
        }
    }

    /// Lets a client do something; its heads are in `placed` then. Says whether there is one.
    #[inline]
    pub(super) fn speak(
        &mut self,
        id: Id,
        counts: &mut Counts,
        act: impl FnOnce(&mut Client, &mut Context<'_>, &mut Vec<PlacedHead>),
    ) -> bool {
        let half = &mut self.halves[id];
        let path = half.seldom.as_ref().map_or(&[][..], |seldom| &seldom.path);
        // the audit is told what a head says when it is settled
        let early = self.early.as_mut().filter(|_| counts.tracer.is_none());
        let mut context = Context { limits: &self.limits, counts, flow: half.flow, path, early };
        let Some(speaker) = &mut half.speaker else { return false };
        if let Some(tracer) = &mut context.counts.tracer {
            tracer.speaks(speaker.client.reading());
        }
        let placed = &mut self.placed;
        let before = placed.len();
        if panic::catch_unwind(AssertUnwindSafe(|| act(&mut speaker.client, &mut context, placed))).is_ok() {
            return true;
        }
        // whatever state it is in, nothing of it is used again; all others go on
        self.placed.truncate(before);
        counts[Count::Panics] += 1;
        self.end_client(id, "panic", counts);
        false
    }

    /// Whatever happened to a client: keeps the bounds, and its next date.
    pub(super) fn after(&mut self, id: Id, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        self.publish(id, counts, out);
        self.account(id, counts, out);
        let mut shed = Vec::new();
        while self.held > self.limits.hold_bytes
            && let Some((_, &oldest)) = self.holding.first_key_value()
        {
            self.shed(oldest, Client::shed, counts, out);
            self.account(oldest, counts, out);
            shed.push(oldest);
        }
        for id in shed.into_iter().rev().chain([id]) {
            self.look_ahead(id, counts);
        }
    }

    /// Keeps the bound of one half-stream, and the account of all.
    #[inline]
    pub(super) fn account(&mut self, id: Id, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        while let Some(speaker) = &self.halves[id].speaker
            && speaker.held() > speaker.client.may_hold(&self.limits)
        {
            self.shed(id, Client::make_room, counts, out);
        }
        self.reckon(id);
    }

    /// What a half-stream takes and holds now.
    #[inline]
    pub(super) fn reckon(&mut self, id: Id) {
        let half = &mut self.halves[id];
        let Some(speaker) = &mut half.speaker else { return };
        let heads = half.seldom.as_ref().map_or(0, |seldom| seldom.weight());
        let (held, weight) = (speaker.held(), speaker.weight() + heads);
        self.used = self.used + weight - mem::replace(&mut speaker.weight, weight as u32) as usize;
        let begun = if speaker.client.is_torn() { weight } else { 0 };
        self.begun = self.begun + begun - mem::replace(&mut speaker.begun, begun as u32) as usize;
        self.held = self.held + held - mem::replace(&mut speaker.held, held as u32) as usize;
        if held > 0 && speaker.number == 0 {
            self.entered += 1;
            self.holding.insert(self.entered, id);
            speaker.number = self.entered;
        } else if held == 0 && speaker.number > 0 {
            self.holding.remove(&mem::take(&mut speaker.number));
        }
    }

    /// Holds less: gives up what lies outside of the window; then the client does something about what waits.
    pub(super) fn shed(
        &mut self,
        id: Id,
        act: impl Fn(&mut Client, i64, &mut Context<'_>, &mut Vec<PlacedHead>),
        counts: &mut Counts,
        out: &mut Vec<RequestHead>,
    ) {
        counts[Count::ShedHold] += 1;
        if let Some(speaker) = &mut self.halves[id].speaker {
            if speaker.forget_far() {
                return;
            }
            if speaker.turn() {
                counts[Count::ShedWindows] += 1;
                self.finish_client(id, counts, out);
                return;
            }
        }
        let now_ns = self.now_ns;
        self.speak(id, counts, |client, context, out| act(client, now_ns, context, out));
        self.publish(id, counts, out);
    }

    /// What will have to be done about a client, and when.
    #[inline]
    pub(super) fn look_ahead(&mut self, id: Id, counts: &mut Counts) {
        let half = &mut self.halves[id];
        let Some(speaker) = &half.speaker else { return };
        half.awaits = speaker.awaits();
        let looks = if half.looks == Looks::Http2 && !half.opaque { Looks::Response } else { half.looks };
        if speaker.client.hopeless() && !half.awaits {
            self.count_opaque(id, looks, counts);
        }
        let Some(speaker) = &self.halves[id].speaker else { return };
        if let Some(wake_ns) = speaker.clients().filter_map(|client| client.wake_ns(&self.limits)).min() {
            self.wake_at(id, wake_ns);
        }
    }
}
