//! The share of memory that half-streams have, and who goes first when it is used up (docs/decisions/0013).

use super::Streams;
use super::halves::Id;
use super::losses::HOLES_BYTES;
use crate::counts::{Count, Counts};
use crate::records::RequestHead;

/// Bytes kept for late copies that are worth dropping.
const LEAST_SPARE: i64 = 4096;

/// At so many of them, while each is amid something.
const MOST_LOOKS: usize = 4;

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

    /// What goes first: no HTTP; bodies kept for late copies; clients amid nothing; at last one that is amid. Whether there
    /// was any.
    pub(super) fn shed_memory(&mut self, counts: &mut Counts, out: &mut Vec<RequestHead>) -> bool {
        let (first, among) = self.first_to_go();
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
        counts[Count::ShedMemory] += 1;
        self.let_go_of(first, counts, out);
        true
    }

    /// Of some of the oldest the one that is to go first, and these; further ones only if all are amid something.
    pub(super) fn first_to_go(&mut self) -> (Option<Id>, Vec<Id>) {
        let (mut first, mut oldest) = (None, Vec::new());
        for _ in 0..MOST_LOOKS {
            oldest.extend(self.oldest());
            let is_amid = |id: Id| self.halves[id].speaker.as_ref().is_some_and(|speaker| speaker.is_amid());
            let rank = |&id: &Id| (self.halves[id].speaker.is_some(), is_amid(id), self.halves[id].last_ns);
            first = oldest.iter().copied().min_by_key(rank);
            if first.is_none_or(|first| !is_amid(first)) {
                break;
            }
        }
        (first, oldest)
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
