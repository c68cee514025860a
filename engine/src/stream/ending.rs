//! How a half-stream ends: what is due about it, what it spoke, and what is let go of it.

use std::mem;

use super::halves::{Id, Side};
use super::{FIN, Speaker, Streams, behind};
use crate::client::Client;
use crate::counts::{Count, Counts};
use crate::http1::Context;
use crate::looks::Looks;
use crate::records::{PlacedHead, RequestHead, Segment};

impl Streams {
    pub(super) fn close(&mut self, id: Id, segment: &Segment<'_>) {
        let half = &mut self.halves[id];
        if half.closing_ns == 0 {
            if let Some(speaker) = half.speaker.as_mut().filter(|_| segment.flags & FIN != 0) {
                speaker.client.close(behind(segment), !segment.payload.is_empty());
            }
            half.closing_ns = self.now_ns;
            self.wake_at(id, self.now_ns + self.limits.gap_ns);
        }
    }

    pub(super) fn count_opaque(&mut self, id: Id, looks: Looks, counts: &mut Counts) {
        self.end_client(id, looks.name(), counts);
        let half = &mut self.halves[id];
        half.looks = looks;
        if !mem::replace(&mut half.opaque, true) {
            counts[match looks {
                Looks::Tls => Count::OpaqueStreamsTls,
                Looks::Http2 => Count::OpaqueStreamsHttp2,
                Looks::Response => Count::OpaqueStreamsResponse,
                _ => Count::OpaqueStreamsOther,
            }] += 1;
        }
    }

    /// What it read, and shows in no head, was `why`. What was put aside, if anything, takes its place.
    pub(super) fn end_client(&mut self, id: Id, why: &'static str, counts: &mut Counts) {
        let half = &mut self.halves[id];
        half.awaits = false;
        let Some(speaker) = &mut half.speaker else { return };
        speaker.client.end(why, counts);
        if speaker.take_back() {
            half.awaits = speaker.awaits();
            return self.reckon(id);
        }
        let Some(speaker) = half.speaker.take() else { return };
        self.used -= speaker.weight as usize;
        self.begun -= speaker.begun as usize;
        self.held -= speaker.held as usize;
        self.holding.remove(&speaker.number);
    }

    pub(super) fn wake(&mut self, id: Id, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        let half = &self.halves[id];
        if half.closing_ns != 0 {
            let closing_ns = half.closing_ns + self.limits.gap_ns;
            if closing_ns <= self.now_ns {
                if !half.speaker.as_ref().is_some_and(|speaker| speaker.clients().any(Client::is_amid_head)) {
                    return self.forget(id, counts, out);
                }
                // a decoy perhaps: what was seen of the head counts, and what follows is read
                self.halves[id].closing_ns = 0;
                let now_ns = self.now_ns;
                return self.each(id, counts, out, |client, context, out| client.part(now_ns, context, out));
            }
            self.wake_at(id, closing_ns);
        }
        let now_ns = self.now_ns;
        self.each(id, counts, out, |client, context, out| client.expire(now_ns, context, out));
    }

    /// Each client of a half-stream does something.
    pub(super) fn each(
        &mut self,
        id: Id,
        counts: &mut Counts,
        out: &mut Vec<RequestHead>,
        act: impl Fn(&mut Client, &mut Context<'_>, &mut Vec<PlacedHead>),
    ) {
        let clients = self.halves[id].speaker.as_ref().map_or(0, |speaker| speaker.clients().count());
        for _ in 0..clients {
            if self.speak(id, counts, &act) {
                self.after(id, counts, out);
            }
            if let Some(speaker) = &mut self.halves[id].speaker {
                speaker.turn();
            }
        }
    }

    pub(super) fn wake_at(&mut self, id: Id, wake_ns: i64) {
        let half = &mut self.halves[id];
        if half.wake_ns == 0 || wake_ns < half.wake_ns {
            half.wake_ns = wake_ns;
            self.due.enter(wake_ns, self.halves.link(id));
        }
    }

    pub(super) fn forget(&mut self, id: Id, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        let half = &self.halves[id];
        let is_repeatable = |speaker: &Speaker| speaker.client.may_come_again();
        let is_owed = half.speaker.as_deref().is_some_and(is_repeatable);
        let mut spoke = false;
        while let Some(speaker) = &self.halves[id].speaker {
            let is_last = speaker.clients().count() == 1;
            spoke |= self.finish_client(id, counts, out);
            if is_last && !spoke {
                self.count_opaque(id, self.halves[id].looks, counts);
            }
        }
        let half = &self.halves[id];
        if half.closing_ns != 0 && half.last_head != 0 {
            let (mark, now_ns) = (self.halves.mark(&half.flow), self.now_ns);
            self.ended.remember(mark, half.last_head, is_owed, now_ns, counts);
            let seldom = self.halves[id].seldom.as_deref_mut();
            if let Some(seldom) = seldom.filter(|seldom| seldom.had_any()) {
                self.ended.remember_earlier(mark, seldom.take_heads(), now_ns);
            }
        }
        let half = &self.halves[id];
        if half.looks != Looks::Response
            && let Some(peer) = self.halves.peer(id)
            && self.halves[peer].side == Side::Client
        {
            self.halves[peer].side = Side::Unknown; // who was answered like that is no client of HTTP
        }
        self.leave(id);
    }

    /// Nothing follows of a client; says whether a request was read.
    pub(super) fn finish_client(&mut self, id: Id, counts: &mut Counts, out: &mut Vec<RequestHead>) -> bool {
        let now_ns = self.now_ns;
        if !self.speak(id, counts, |client, context, out| client.finish(now_ns, context, out)) {
            return true; // it is gone
        }
        self.publish(id, counts, out);
        let spoke = self.halves[id].speaker.as_ref().is_some_and(|speaker| speaker.client.spoke());
        let looks = self.halves[id].looks;
        self.end_client(id, if spoke { "" } else { looks.name() }, counts);
        spoke
    }
}
