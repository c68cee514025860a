//! HTTP/2 on a half-stream that began like HTTP/1.

use super::{Doubt, Reading, State, Step};
use crate::counts::Counts;
use crate::http2::Http2;
use crate::limits::Limits;
use crate::records::PlacedHead;

impl Reading {
    pub(super) fn read_frames(&mut self, step: &mut Step<'_, '_>) -> bool {
        let begin = self.frames.as_ref().map_or(self.at, |frames| frames.fed());
        let (octets, time_ns) = (step.kept.from(begin), self.time_ns);
        let before = step.heads.len();
        let bodies = |frames: &Option<Box<Http2>>| frames.as_ref().map_or(0, |frames| frames.bodies());
        let known = bodies(&self.frames);
        self.with_frames(step, |frames, limits, counts, heads| frames.feed(octets, time_ns, limits, counts, heads));
        self.count_bodies(bodies(&self.frames) - known, step);
        self.spoke |= step.heads.len() > before;
        let Some(frames) = &self.frames else { return false };
        self.asks |= frames.asks();
        if let Some(text) = frames.astray() {
            // whoever sent this speaks HTTP/1 after all
            self.at = self.at.max(text);
            self.frames = None;
            return self.turn(State::Seek, Some(Doubt::Junk));
        }
        self.at = self.at.max(self.fed - frames.pending() as i64);
        self.scan = self.at;
        false
    }

    /// What these bytes of HTTP/2, or the end of them, show.
    pub(super) fn with_frames(
        &mut self,
        step: &mut Step<'_, '_>,
        act: impl FnOnce(&mut Http2, &Limits, &mut Counts, &mut Vec<PlacedHead>),
    ) {
        if self.frames.is_none() {
            self.expect_frames(step.context);
        }
        let Some(frames) = &mut self.frames else { return };
        frames.sift_with(step.context.early.as_ref().map(|early| early.sieve()));
        let limits = step.context.limits;
        if self.is_fork {
            act(frames, limits, &mut Counts::default(), step.heads);
        } else {
            act(frames, limits, step.context.counts, step.heads);
        }
    }

    /// Where heads amid HTTP/2 stand to whom no bytes are lacking: those before the bytes that are lacking are alike.
    pub(super) fn unshift(&self, heads: &mut [PlacedHead]) {
        if self.shift > 0
            && self.frames.is_some()
            && let Some(copied) = &self.copied
        {
            for placed in heads {
                for at in [&mut placed.start, &mut placed.end] {
                    *at -= if *at < copied.until { self.shift } else { 0 };
                }
            }
        }
    }
}
