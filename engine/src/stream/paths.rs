//! Both directions of a connection, and the same connection on other paths.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use super::Streams;
use super::halves::{HalfStream, Id, LastHead};
use crate::counts::{Count, Counts};
use crate::records::{Flow, Layer, Segment};

/// Tunnelled half-streams with the same addresses and ports that are told of each other.
pub(super) const MOST_ALIKE: usize = 64;

impl Streams {
    pub(super) fn enter(&mut self, half: HalfStream, mark: u64, counts: &mut Counts) -> Option<Id> {
        let (flow, is_tunnelled) = (half.flow, !half.path().is_empty());
        let id = self.halves.enter(half, mark)?;
        if let Some(peer) = self.halves.peer(id).filter(|&peer| self.halves.peer(peer).is_none()) {
            self.halves[peer].peer = Some(self.halves.link(id));
        }
        if is_tunnelled {
            match self.tunnelled.entry(self.halves.mark(&ends(&flow))) {
                Entry::Vacant(none) => {
                    none.insert(Alike { first: id, others: Vec::new() });
                }
                Entry::Occupied(alike) if alike.get().others.len() + 1 == MOST_ALIKE => {
                    counts[Count::ShedAlike] += 1;
                    return Some(id);
                }
                Entry::Occupied(mut alike) => alike.get_mut().others.push(id),
            }
        }
        if self.tunnelled.is_empty() {
            return Some(id);
        }
        let twins: Vec<_> = self.twins(id).collect();
        for &twin in twins.iter().chain(twins.first().map(|_| &id)) {
            let half = &mut self.halves[twin];
            let last_heads = &mut half.seldom.get_or_insert_default().last_heads;
            let last_head = (half.last_head != 0).then_some(LastHead { mark: half.last_head, seen: false });
            last_heads.get_or_insert_with(|| VecDeque::from_iter(last_head));
        }
        Some(id)
    }

    pub(super) fn leave(&mut self, id: Id) {
        self.beginnings.forget(self.halves.link(id));
        let half = &self.halves[id];
        if !half.path().is_empty()
            && let Entry::Occupied(mut alike) = self.tunnelled.entry(self.halves.mark(&ends(&half.flow)))
            && alike.get_mut().is_last(id)
        {
            alike.remove();
        }
        self.with_holes -= usize::from(self.halves[id].has_holes());
        self.halves.remove(id);
    }

    /// Half-streams with these addresses and ports on any path.
    fn alike(&self, flow: &Flow) -> impl Iterator<Item = Id> {
        let ends = ends(flow);
        let plain = self.halves.find(&ends, self.halves.mark(&ends));
        plain.into_iter().chain(self.tunnelled(&ends))
    }

    /// Half-streams with the same addresses and ports on other paths.
    pub(super) fn twins(&self, id: Id) -> impl Iterator<Item = Id> {
        self.alike(&self.halves[id].flow).filter(move |&twin| twin != id)
    }

    /// The other direction; in tunnels its path is another, so the one whose tunnels are of the same kind.
    pub(super) fn peer_of(&self, segment: &Segment<'_>) -> Option<Id> {
        let back = reversed(&segment.flow);
        let peer = self.halves.find(&back, self.halves.mark(&back));
        if peer.is_some() || (self.tunnelled.is_empty() && segment.path.is_empty()) {
            return peer;
        }
        let ends = ends(&back);
        let kind = |layer: &Layer| layer.kind;
        let is_alike = |peer: &Id| self.halves[*peer].path().iter().map(kind).eq(segment.path.iter().map(kind));
        let fitting = self.tunnelled(&ends).find(is_alike);
        fitting.or_else(|| self.tunnelled(&ends).last()).or_else(|| self.halves.find(&ends, self.halves.mark(&ends)))
    }

    /// Those in tunnels, the oldest first.
    fn tunnelled<'a>(&'a self, ends: &Flow) -> impl Iterator<Item = Id> + use<'a> {
        let alike = if self.tunnelled.is_empty() { None } else { self.tunnelled.get(&self.halves.mark(ends)) };
        alike.into_iter().flat_map(|alike| [alike.first].into_iter().chain(alike.others.iter().copied()))
    }
}

/// Half-streams in tunnels that have the same addresses and ports; nearly always one.
#[derive(Debug)]
pub(super) struct Alike {
    first: Id,
    others: Vec<Id>,
}

impl Alike {
    /// Forgets one of them, unless it is the last that there is.
    fn is_last(&mut self, id: Id) -> bool {
        self.others.retain(|&other| other != id);
        if self.first != id {
            return false;
        }
        if self.others.is_empty() {
            return true;
        }
        self.first = self.others.remove(0);
        false
    }
}

/// The same addresses and ports outside of all tunnels.
#[inline]
pub(super) fn ends(flow: &Flow) -> Flow {
    Flow { path_hash: 0, ..*flow }
}

/// The other direction, on the same path.
#[inline]
pub(super) fn reversed(flow: &Flow) -> Flow {
    Flow { src: flow.dst, dst: flow.src, sport: flow.dport, dport: flow.sport, ..*flow }
}
