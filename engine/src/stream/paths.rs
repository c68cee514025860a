//! Both directions of a connection, and the same connection on other paths.

use std::collections::VecDeque;

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
            let alike = self.tunnelled.entry(ends(&flow)).or_default();
            if alike.len() == MOST_ALIKE {
                counts[Count::ShedAlike] += 1;
                return Some(id);
            }
            alike.push(id);
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
        let ends = ends(&self.halves[id].flow);
        if !self.halves[id].path().is_empty()
            && let Some(alike) = self.tunnelled.get_mut(&ends)
        {
            alike.retain(|&other| other != id);
            if alike.is_empty() {
                self.tunnelled.remove(&ends);
            }
        }
        self.with_holes -= usize::from(self.halves[id].has_holes());
        self.halves.remove(id);
    }

    /// Half-streams with these addresses and ports on any path.
    fn alike(&self, flow: &Flow) -> impl Iterator<Item = Id> {
        let ends = ends(flow);
        let plain = self.halves.find(&ends, self.halves.mark(&ends));
        let tunnelled = self.tunnelled.get(&ends).into_iter().flatten().copied();
        plain.into_iter().chain(tunnelled)
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
        let tunnelled = self.tunnelled.get(&ends(&back)).map_or(&[][..], |alike| alike);
        let kind = |layer: &Layer| layer.kind;
        let is_alike = |peer: &&Id| self.halves[**peer].path().iter().map(kind).eq(segment.path.iter().map(kind));
        let fitting = tunnelled.iter().find(is_alike);
        fitting.or(tunnelled.last()).copied().or_else(|| self.halves.find(&ends(&back), self.halves.mark(&ends(&back))))
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
