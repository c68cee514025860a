//! The share of memory that half-streams have, and who goes first when it is used up (docs/decisions/0013).

use super::Streams;
use super::admission::LIVELY_NS;
use super::halves::Id;
use super::losses::HOLES_BYTES;
use crate::counts::{Count, Counts};
use crate::records::RequestHead;

/// Bytes kept for late copies that are worth dropping.
const LEAST_SPARE: i64 = 4096;

/// Of the memory one part may be heads that have only begun: they will grow.
const BEGUN_SHARE: usize = 4;

/// At so many of them, while each is amid something.
const LOOKS: usize = 4;

/// At so many, while each is in its first head.
const MOST_LOOKS: usize = 16;

/// Of which one makes room.
const FORGETTABLE: usize = 8;

/// What one takes that has no client, in round figures.
const HALF_BYTES: usize = 160;

impl Streams {
    /// Bytes of memory, about: counted alike by both engines.
    #[inline]
    pub(super) fn memory(&self) -> usize {
        self.used + HALF_BYTES * self.halves.len() + HOLES_BYTES * self.with_holes
    }

    /// A new one is kept, unless there is no place, or it has only begun, as too many have that still go on.
    pub(super) fn admit(&mut self, id: Id, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        if self.halves.len() > self.limits.half_streams {
            return self.turn_away(id, counts, out);
        }
        if !self.has_begun(id) {
            return;
        }
        if !self.admission.admits(&self.halves[id].flow) {
            return self.turn_away(id, counts, out);
        }
        if !self.is_full_of_beginnings() {
            return self.admission.ease();
        }
        let silent = self.oldest().into_iter().find(|&id| self.has_begun(id) && !self.is_lively_and_torn(id));
        let Some(silent) = silent else {
            self.admission.refuse();
            return self.turn_away(id, counts, out);
        };
        counts[Count::ShedMemory] += 1;
        self.let_go_of(silent, counts, out);
    }

    /// There are too many heads that have only begun, and will grow.
    pub(super) fn is_full_of_beginnings(&self) -> bool {
        self.begun > self.limits.memory_bytes / BEGUN_SHARE
    }

    fn has_begun(&self, id: Id) -> bool {
        self.halves[id].speaker.as_ref().is_some_and(|speaker| speaker.begun > 0)
    }

    /// What its first segment says counts, and nothing of it is kept.
    fn turn_away(&mut self, id: Id, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        counts[Count::ShedNewFlows] += 1;
        counts[Count::NotAdmittedPermille] = self.admission.refused_permille();
        self.forget(id, counts, out);
    }

    /// One goes, unless that would tear it and whoever comes `is_new`, and can be turned away.
    pub(super) fn make_room(&mut self, is_new: bool, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        counts[Count::ShedHalfStreams] += 1;
        let (Some(first), _) = self.first_to_go(None) else { return };
        if self.is_lively_and_torn(first) {
            self.admission.refuse();
            if is_new {
                return;
            }
        }
        self.let_go_of(first, counts, out);
    }

    /// What goes first: no HTTP; bodies kept for late copies; clients amid nothing; then one that is amid, but not in its
    /// first head while it goes on. At last whoever has just come; and if nobody has, the oldest of those. Whether there was
    /// any.
    pub(super) fn shed_memory(&mut self, at_hand: Option<Id>, counts: &mut Counts, out: &mut Vec<RequestHead>) -> bool {
        let (first, among) = self.first_to_go(at_hand);
        let Some(first) = first else { return false };
        if self.halves[first].speaker.is_some() {
            for id in among {
                if let Some(speaker) = &mut self.halves[id].speaker
                    && speaker.client.spare() > LEAST_SPARE
                {
                    counts[Count::ShedBodies] += 1;
                    speaker.client.keep_least();
                    self.reckon(id);
                    return true;
                }
            }
        }
        if self.is_lively_and_torn(first) {
            self.admission.refuse();
            if let Some(newcomer) = at_hand.filter(|_| self.is_new) {
                self.turn_away(newcomer, counts, out);
                return true;
            }
        }
        counts[Count::ShedMemory] += 1;
        self.let_go_of(first, counts, out);
        true
    }

    /// Of the one at hand and some of the oldest the one that is to go first, and these; further ones only if all are amid
    /// something.
    fn first_to_go(&mut self, at_hand: Option<Id>) -> (Option<Id>, Vec<Id>) {
        let (mut first, mut oldest) = (None, Vec::from_iter(at_hand));
        for looks in 1..=MOST_LOOKS {
            oldest.extend(self.oldest());
            let is_amid = |id: Id| self.halves[id].speaker.as_ref().is_some_and(|speaker| speaker.is_amid());
            let rank = |&id: &Id| {
                let half = &self.halves[id];
                (half.speaker.is_some(), is_amid(id), self.is_lively_and_torn(id), half.last_ns)
            };
            first = oldest.iter().copied().min_by_key(rank);
            let is_enough = |id| !is_amid(id) || (looks >= LOOKS && !self.is_lively_and_torn(id));
            if first.is_none_or(is_enough) {
                break;
            }
        }
        (first, oldest)
    }

    /// Whether it would be torn early if it went, and is not long silent.
    fn is_lively_and_torn(&self, id: Id) -> bool {
        let half = &self.halves[id];
        half.speaker.as_ref().is_some_and(|speaker| speaker.client.is_torn()) && self.now_ns - half.last_ns < LIVELY_NS
    }

    pub(super) fn let_go_of(&mut self, id: Id, counts: &mut Counts, out: &mut Vec<RequestHead>) {
        let is_torn = self.halves[id].speaker.as_ref().is_some_and(|speaker| speaker.client.is_torn());
        counts[Count::ShedEarly] += u64::from(is_torn);
        self.forget(id, counts, out);
    }

    /// Some of the oldest, which are the newest now.
    pub(super) fn oldest(&mut self) -> Vec<Id> {
        let oldest: Vec<_> = self.halves.by_age().take(FORGETTABLE).collect();
        for &id in &oldest {
            self.halves.renew(id);
        }
        oldest
    }
}
