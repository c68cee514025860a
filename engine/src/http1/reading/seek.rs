//! What is no request: the next one is looked for.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::bodies::begins_plain_request;
use super::{Doubt, LINE_BYTES, Mark, Reading, State, Step};
use crate::http1::kept::{Kept, end_of_lines};
use crate::http1::request_head::{behind_junk, behind_records, may_begin_line, surely_request_line};

/// Of what stands in every request line that is sought.
static VERSION: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"HTTP/"));

impl Reading {
    pub fn turn(&mut self, state: State, doubt: Option<Doubt>) -> bool {
        (self.state, self.left) = (state, 0);
        self.doubt = doubt.unwrap_or(self.doubt);
        self.sought = self.at;
        self.scan = self.at;
        self.mark = if self.at == self.segment { Mark::Segment } else { Mark::Line };
        true
    }

    /// Looks for the next request line: at the start of a segment, or of any line.
    pub(super) fn seek(&mut self, step: &mut Step<'_, '_>) -> bool {
        let kept = step.kept;
        if self.is_refuted() {
            self.at = self.fed;
            return false;
        }
        if self.doubt == Doubt::Junk && self.segment >= self.at {
            let records = behind_records(kept.from(self.segment));
            if records > 0 {
                self.at = self.segment + records as i64;
                self.scan = self.at;
                self.mark = Mark::Segment;
            }
        }
        if self.segment > self.at {
            // a segment may be a new beginning, unless it cuts a line that is a request's
            let is_new = self.is_request(kept, self.segment, kept.line_end(self.segment));
            if is_new && begins_plain_request(kept, self.at, self.segment) != Some(true) {
                return self.found(self.segment, Mark::Segment);
            }
        } else if self.segment == self.at {
            self.mark = Mark::Segment;
        }
        while let Some(eol) = kept.line_end(self.at.max(self.scan)) {
            if self.is_fork {
                step.forks.credit.pay_line();
            }
            if self.is_request(kept, self.at, Some(eol)) {
                return self.found(self.at, self.mark);
            }
            let behind = kept.from(eol);
            let version = VERSION.find(behind).unwrap_or(behind.len());
            self.at = eol + end_of_lines(behind.get(..version).unwrap_or_default()) as i64;
            self.scan = self.at;
            let above = kept.between(kept.first, self.at - 1);
            let above = above.get(end_of_lines(above)..).unwrap_or_default();
            self.mark = if above.iter().all(|&octet| octet == b'\r') { Mark::Empty } else { Mark::Line };
        }
        let rest = kept.from(self.at);
        if rest.len() > LINE_BYTES || !may_begin_line(rest) {
            self.at = self.fed; // the rest of this line is none either
        }
        self.scan = self.fed;
        false
    }

    pub(super) fn is_request(&self, kept: Kept<'_>, at: i64, eol: Option<i64>) -> bool {
        let is_new = at == self.segment && self.doubt == Doubt::Junk;
        at != self.refused
            && eol
                .map(|eol| kept.between(at, eol))
                .is_some_and(|line| surely_request_line(line).is_some() || (is_new && behind_junk(line).is_some()))
    }

    pub(super) fn found(&mut self, at: i64, mark: Mark) -> bool {
        self.at = at;
        self.scan = at;
        self.state = State::Head;
        if let Some(doubt) = self.doubt.oddity(mark) {
            self.oddities.insert(doubt);
        }
        true
    }
}
