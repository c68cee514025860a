//! Who owns a connection, and what is dealt out to its owner.
//!
//! Owners are chosen by a keyed hash of both ends of the innermost connection, whatever its tunnels: both directions come to
//! one worker, and so do twins that were mirrored before and after a gateway. Fragments are put together before.

use std::hash::BuildHasher;
use std::sync::mpsc::{Receiver, SyncSender};

use super::pressure::Pressure;
use crate::counts::{Count, Counts};
use crate::decoded::Decoded;
use crate::records::{Flow, Segment};
use crate::stream::Streams;
use crate::worker::{Fate, Origin, Route};

/// The hash by which owners are chosen, and who is admitted: the same for all threads.
#[derive(Clone, Debug)]
pub(super) struct Owners {
    count: u64,
    /// Keyed per process: nobody outside can choose connections that all meet at one worker.
    hasher: foldhash::quality::RandomState,
}

impl Owners {
    /// Among so many workers.
    pub fn new(count: usize) -> Owners {
        Owners { count: count as u64, hasher: foldhash::quality::RandomState::default() }
    }

    /// The same for both directions.
    fn mark_of(&self, flow: &Flow) -> u64 {
        let (from, to) = ((flow.src, flow.sport), (flow.dst, flow.dport));
        self.hasher.hash_one((from.min(to), from.max(to)))
    }

    /// By the lower half of the mark; the upper one says who is admitted.
    #[inline]
    fn owner_of(&self, flow: &Flow) -> usize {
        (((self.mark_of(flow) & 0xFFFF_FFFF) * self.count) >> 32) as usize
    }

    /// The route of whoever reads on.
    pub fn admission(&self, pressure: Pressure) -> Admission<'_> {
        Admission { owners: self, pressure }
    }
}

/// Everything is read on, unless it is new and there is no time.
#[derive(Debug)]
pub(super) struct Admission<'a> {
    owners: &'a Owners,
    pressure: Pressure,
}

impl Route for Admission<'_> {
    #[inline]
    fn segment(&mut self, found: &Segment<'_>, _: Origin, streams: &Streams, counts: &mut Counts) -> Fate {
        let Admission { owners, pressure } = self;
        if pressure.is_easy() || pressure.admits(owners.mark_of(&found.flow)) || streams.knows(&found.flow) {
            return Fate::Here;
        }
        counts[Count::ShedNewFlows] += 1;
        Fate::Elsewhere
    }
}

/// What one block held for one worker, in order.
#[derive(Debug, Default)]
pub(super) struct Parcel {
    pub segments: Decoded,
    /// The latest time stamp that the reader had seen.
    pub time_ns: i64,
    pub pressure: Pressure,
}

/// Deals segments out to their owners.
#[derive(Debug)]
pub(super) struct Dealer {
    owners: Owners,
    inboxes: Vec<SyncSender<Parcel>>,
    /// For each of them.
    outgoing: Vec<Parcel>,
    /// That were read, with their memory.
    spare: Receiver<Parcel>,
}

impl Dealer {
    pub fn new(owners: Owners, inboxes: Vec<SyncSender<Parcel>>, spare: Receiver<Parcel>) -> Dealer {
        let outgoing = inboxes.iter().map(|_| Parcel::default()).collect();
        Dealer { owners, inboxes, outgoing, spare }
    }

    /// Gives each owner what there is for it. Whoever has no room is waited for: the rings keep what comes meanwhile.
    pub fn hand_out(&mut self, time_ns: i64, pressure: Pressure) {
        for (inbox, outgoing) in self.inboxes.iter().zip(&mut self.outgoing) {
            if outgoing.segments.len() > 0 {
                let empty = self.spare.try_recv().unwrap_or_default();
                let parcel = Parcel { time_ns, pressure, ..std::mem::replace(outgoing, empty) };
                let _ = inbox.send(parcel); // whoever has died has said so
            }
        }
    }
}

impl Route for Dealer {
    #[inline]
    fn segment(&mut self, found: &Segment<'_>, _: Origin, _: &Streams, _: &mut Counts) -> Fate {
        self.outgoing[self.owners.owner_of(&found.flow)].segments.copy(found);
        Fate::Elsewhere
    }
}
