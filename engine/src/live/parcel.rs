//! Who owns a connection, and what one worker hands to another.
//!
//! Owners are dealt by a keyed hash of both ends of the innermost connection, whatever its tunnels: both directions come to
//! one worker, and so do twins that were mirrored before and after a gateway. What crosses is the frame: whoever gets it
//! decodes it again, which costs less than carrying over what was decoded, and makes one worker and many behave the same.
//! Fragments say no ports, so theirs is a hash of the addresses; the datagram that they make is handed on once more.

use std::hash::BuildHasher;
use std::ops::Range;

use super::pressure::Pressure;
use crate::counts::{Count, Counts};
use crate::records::{Datagram, Flow, Fragment, Frame, Segment};
use crate::stream::Streams;
use crate::worker::{Fate, Origin, Route, Stages};

/// The hash by which owners are dealt, the same for all workers.
#[derive(Clone, Debug)]
pub struct Owners {
    count: u64,
    /// Keyed per process: nobody outside can choose connections that all meet at one worker.
    hasher: foldhash::quality::RandomState,
}

impl Owners {
    /// Among so many workers.
    pub fn new(count: usize) -> Owners {
        Owners { count: count as u64, hasher: foldhash::quality::RandomState::default() }
    }

    /// The route of worker `me`, which puts into `outgoing` what is not its own.
    pub fn route<'a>(&'a self, me: usize, pressure: Pressure, outgoing: &'a mut [Parcel]) -> Dealt<'a> {
        Dealt { owners: self, me, pressure, outgoing }
    }

    /// The same for both directions.
    fn mark_of(&self, flow: &Flow) -> u64 {
        let (from, to) = ((flow.src, flow.sport), (flow.dst, flow.dport));
        self.hasher.hash_one((from.min(to), from.max(to)))
    }

    fn mark_of_addresses(&self, fragment: &Fragment<'_>) -> u64 {
        self.hasher.hash_one((fragment.src.min(fragment.dst), fragment.src.max(fragment.dst)))
    }

    /// By the lower half of a mark; the upper one says who is admitted.
    fn owner(&self, mark: u64) -> usize {
        (((mark & 0xFFFF_FFFF) * self.count) >> 32) as usize
    }
}

/// What is mine is read here, unless it is new and there is no time; all else goes to its owner.
#[derive(Debug)]
pub struct Dealt<'a> {
    owners: &'a Owners,
    me: usize,
    pressure: Pressure,
    outgoing: &'a mut [Parcel],
}

impl Route for Dealt<'_> {
    #[inline]
    fn segment(&mut self, found: &Segment<'_>, from: Origin<'_>, streams: &Streams, counts: &mut Counts) -> Fate {
        if self.owners.count == 1 && self.pressure.is_easy() {
            return Fate::Here;
        }
        let mark = self.owners.mark_of(&found.flow);
        let owner = self.owners.owner(mark);
        if owner != self.me {
            self.outgoing[owner].put(from);
            return Fate::Elsewhere;
        }
        if !self.pressure.admits(mark) && !streams.knows(&found.flow) {
            counts[Count::ShedNewFlows] += 1;
            return Fate::Nowhere;
        }
        Fate::Here
    }

    #[inline]
    fn fragment(&mut self, found: &Fragment<'_>, from: Origin<'_>) -> Fate {
        let owner = self.owners.owner(self.owners.mark_of_addresses(found));
        if owner == self.me {
            return Fate::Here;
        }
        self.outgoing[owner].put(from);
        Fate::Elsewhere
    }
}

#[derive(Debug)]
enum Item {
    Frame { time_ns: i64, link: u32, wire_len: u32, checksum_ready: bool, octets: Range<usize> },
    Datagram(Datagram),
}

/// What one block held for another worker, in order.
#[derive(Debug, Default)]
pub struct Parcel {
    items: Vec<Item>,
    octets: Vec<u8>,
}

impl Parcel {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn put(&mut self, from: Origin<'_>) {
        self.items.push(match from {
            Origin::Datagram(datagram) => Item::Datagram(datagram.clone()),
            Origin::Frame(&Frame { time_ns, link, wire_len, data, checksum_ready }) => {
                let begin = self.octets.len();
                self.octets.extend_from_slice(data);
                Item::Frame { time_ns, link, wire_len, checksum_ready, octets: begin..self.octets.len() }
            }
        });
    }

    /// Reads it on, at its owner.
    pub fn open(self, stages: &mut Stages, route: &mut impl Route) {
        for item in self.items {
            match item {
                Item::Datagram(datagram) => stages.take_datagrams(vec![datagram], route),
                Item::Frame { time_ns, link, wire_len, checksum_ready, octets } => {
                    let data = self.octets.get(octets).unwrap_or_default();
                    stages.read(&Frame { time_ns, link, wire_len, data, checksum_ready }, route);
                }
            }
        }
    }
}
