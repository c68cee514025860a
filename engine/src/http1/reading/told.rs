//! For the audit (monitor/audit.py): what becomes of octets that are in no head, and up to where every head is known.

use super::{Doubt, Reading, State, Step};
use crate::http2::Http2;

impl Reading {
    /// As `run`, where the first way is traced.
    pub(super) fn run_telling(&mut self, end: i64, step: &mut Step<'_, '_>) {
        let mut goes_on = true;
        while self.at < end && goes_on {
            let (at, state, placed, what) = (self.at, self.state, step.heads.len(), self.passes());
            goes_on = self.step(step);
            let what = if self.seeks_frames() { "midstream" } else { what };
            if state == State::Frames || step.heads.len() == placed {
                self.tell(at, self.at, what, step);
            }
        }
    }

    /// What octets are that are passed now and are in no head.
    fn passes(&self) -> &'static str {
        match self.state {
            State::Seek if self.doubt == Doubt::Midstream => "midstream",
            State::Seek if self.doubt == Doubt::Lost => "gap",
            State::Frames if self.seeks_frames() => "midstream",
            State::Frames => "frames",
            State::Hole => "gap",
            _ if self.is_not_all => "readings",
            State::Body | State::ChunkSize | State::ChunkData | State::ChunkEnd => "body",
            State::Head | State::More | State::Seek | State::Extension | State::NoBody | State::BodyOrNone => {
                "not_http"
            }
        }
    }

    fn seeks_frames(&self) -> bool {
        self.frames.as_ref().is_some_and(|frames| frames.seeks())
    }

    /// The first way alone says it.
    pub(super) fn tell(&self, start: i64, stop: i64, what: &'static str, step: &mut Step<'_, '_>) {
        if !self.is_fork
            && let Some(tracer) = &mut step.context.counts.tracer
        {
            tracer.passed(start, stop, what);
        }
    }

    /// Behind the octets that are read, where the lines of a head wait.
    pub(super) fn read_to(&self) -> i64 {
        self.before.as_ref().map_or(self.at, |before| before.end)
    }

    /// Before this position stands no head that is not handed out yet.
    pub fn unsettled(&self) -> i64 {
        let at = if self.shift > 0 { self.at.min(self.origin) } else { self.at };
        let before = self.before.as_ref().map_or(at, |before| before.start);
        at.min(before).min(self.frames.as_deref().map_or(at, Http2::unsettled))
    }
}
