//! The half-streams that are kept: found by flow, in the order of their age, each at a place of its own.
//!
//! A table of eight bytes a bucket leads from the hash of a flow to the place of its half-stream, where the flow itself
//! is compared: finding one costs a look at the table and one at what is needed anyway.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher};
use std::mem;
use std::num::NonZeroU32;
use std::ops::{Index, IndexMut};

use foldhash::quality::RandomState;

use super::Speaker;
use super::losses::Holes;
use crate::looks::Looks;
use crate::prefetch::prefetch;
use crate::records::{Flow, Layer};

/// Heads of a half-stream that are remembered before its last one.
const MOST_HEADS: usize = 32;
/// What they take, in round figures.
const HEADS_BYTES: usize = 256;
const FEWEST_BUCKETS: usize = 1024;
/// Cache lines that every segment with payload needs.
const HALF_LINES: usize = 2;
const SPEAKER_LINES: usize = size_of::<Speaker>().div_ceil(64);

/// The place of a half-stream; it may be another's when that one is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(NonZeroU32);

/// A half-stream for as long as it is kept: whose place it is later is somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    id: Id,
    generation: u32,
}

/// Who a half-stream is of, as far as its SYN tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// None was seen.
    Unknown,
    /// A SYN.
    Client,
    /// A SYN that acknowledged one, and no other.
    Server,
}

/// What most half-streams do not have.
#[derive(Debug, Default)]
pub struct Seldom {
    /// Encapsulations, outermost first.
    pub path: Box<[Layer]>,
    /// The latest heads, while it has twins.
    pub last_heads: Option<VecDeque<LastHead>>,
    /// Those before the latest, hashed as that is, each once.
    heads: Vec<u32>,
    /// Which of them is the oldest, when there is room for no more.
    oldest: usize,
    /// The latest is among them.
    is_again: bool,
    /// It began with a head of a connection that has ended.
    pub is_copy: bool,
    /// What is missing of it.
    pub holes: Option<Holes>,
}

impl Seldom {
    /// A head came behind the one before it. All that were before are compared at once: heads come by the million.
    #[inline]
    pub fn note_head(&mut self, before: u32, head: u32) {
        if !self.is_again {
            if self.heads.len() < MOST_HEADS {
                self.heads.push(before);
            } else {
                self.heads[self.oldest] = before;
                self.oldest = (self.oldest + 1) % MOST_HEADS;
            }
        }
        let is_in = |heads: &[u32]| heads.iter().fold(false, |is_in, &known| is_in | (known == head));
        self.is_again = match self.heads.first_chunk::<MOST_HEADS>() {
            Some(all) => is_in(all),
            None => is_in(&self.heads),
        };
    }

    /// Whether the latest head was there before.
    #[inline]
    pub fn is_again(&self) -> bool {
        self.is_again
    }

    /// Whether there was any before it.
    #[inline]
    pub fn had_any(&self) -> bool {
        !self.heads.is_empty()
    }

    /// All of them, the oldest first; none is left.
    pub fn take_heads(&mut self) -> Box<[u32]> {
        self.heads.rotate_left(mem::take(&mut self.oldest));
        mem::take(&mut self.heads).into()
    }

    /// What it takes besides what is counted elsewhere, about.
    pub fn weight(&self) -> usize {
        if self.heads.is_empty() { 0 } else { HEADS_BYTES }
    }
}

/// What a twin's heads are compared with.
#[derive(Clone, Copy, Debug)]
pub struct LastHead {
    /// Its hash.
    pub mark: u32,
    /// A twin had the same.
    pub seen: bool,
}

/// One direction of a connection; opaque while it has no `speaker`.
///
/// The first line of the cache is what every segment needs, the second one what those with payload do.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct HalfStream {
    /// Whose.
    pub flow: Flow,
    /// Of the latest segment.
    pub last_ns: i64,
    /// The other direction.
    pub peer: Option<Link>,
    /// While it may speak HTTP.
    pub speaker: Option<Box<Speaker>>,
    /// See [`Seldom`].
    pub seldom: Option<Box<Seldom>>,
    /// When FIN or RST came; 0 while open.
    pub closing_ns: i64,
    /// When something is due; 0: never.
    pub wake_ns: i64,
    /// Sequence number behind everything that was sent, as far as it is known.
    pub end: u32,
    /// Sequence number that another SYN announced.
    pub reborn: Option<u32>,
    /// Sequence number and bytes of the latest head, hashed; 0: none.
    pub last_head: u32,
    /// How many half-streams had this place before.
    generation: u32,
    older: Option<Id>,
    newer: Option<Id>,
    /// What it begins like.
    pub looks: Looks,
    /// Who it is of.
    pub side: Side,
    /// It has been counted as such.
    pub opaque: bool,
    /// An acknowledgement by the peer would change something.
    pub awaits: bool,
}

impl HalfStream {
    /// One that has just begun.
    pub fn new(flow: Flow, path: &[Layer], now_ns: i64) -> HalfStream {
        HalfStream {
            flow,
            last_ns: now_ns,
            closing_ns: 0,
            wake_ns: 0,
            last_head: 0,
            speaker: None,
            seldom: (!path.is_empty()).then(|| Box::new(Seldom { path: path.into(), ..Seldom::default() })),
            peer: None,
            end: 0,
            reborn: None,
            looks: Looks::Other,
            side: Side::Unknown,
            opaque: false,
            awaits: false,
            generation: 0,
            older: None,
            newer: None,
        }
    }

    /// Encapsulations, outermost first.
    #[inline]
    pub fn path(&self) -> &[Layer] {
        self.seldom.as_ref().map_or(&[], |seldom| &seldom.path)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// The upper half of the flow's mark; its lowest bits say where the bucket should be.
    tag: u32,
    id: Option<Id>,
}

/// All of them.
#[derive(Debug)]
pub struct Halves {
    slots: Vec<HalfStream>,
    free: Vec<Id>,
    /// Open addressing; a power of two of them.
    buckets: Vec<Bucket>,
    oldest: Option<Id>,
    newest: Option<Id>,
    len: usize,
    /// Keyed per process: nobody outside can choose flows whose marks collide.
    hasher: RandomState,
}

impl Default for Halves {
    fn default() -> Halves {
        Halves {
            slots: Vec::new(),
            free: Vec::new(),
            buckets: vec![Bucket::default(); FEWEST_BUCKETS],
            oldest: None,
            newest: None,
            len: 0,
            hasher: RandomState::default(),
        }
    }
}

impl Index<Id> for Halves {
    type Output = HalfStream;
    #[inline]
    fn index(&self, id: Id) -> &HalfStream {
        &self.slots[id.0.get() as usize - 1]
    }
}

impl IndexMut<Id> for Halves {
    #[inline]
    fn index_mut(&mut self, id: Id) -> &mut HalfStream {
        &mut self.slots[id.0.get() as usize - 1]
    }
}

impl Halves {
    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The keyed hash of a flow.
    #[inline]
    pub fn mark(&self, flow: &Flow) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        let ports = u64::from(flow.sport) << 16 | u64::from(flow.dport);
        let (src, dst) = (u128::from_be_bytes(flow.src), u128::from_be_bytes(flow.dst));
        if flow.v6 {
            hasher.write_u128(src);
            hasher.write_u128(dst);
            hasher.write_u64(ports | 1 << 32);
        } else {
            hasher.write_u64((src >> 96 << 32 | dst >> 96) as u64);
            hasher.write_u64(ports);
        }
        hasher.write_u64(flow.path_hash);
        hasher.finish()
    }

    /// What hashes of other bytes are keyed with.
    pub fn keyed(&self) -> &RandomState {
        &self.hasher
    }

    /// Asks for the bucket of a flow with this mark.
    #[inline]
    pub fn ask_for_bucket(&self, mark: u64) {
        prefetch(&self.buckets[(mark >> 32) as usize & (self.buckets.len() - 1)], 1);
    }

    /// Asks for the half-stream of a flow with this mark, and says which that is, if its bucket is where it should be:
    /// nearly all are.
    #[inline]
    pub fn ask_for_half(&self, mark: u64) -> Option<Id> {
        let tag = (mark >> 32) as u32;
        let bucket = self.bucket(tag as usize);
        let id = bucket.id.filter(|_| bucket.tag == tag)?;
        prefetch(&self[id], HALF_LINES);
        Some(id)
    }

    /// Asks for its client and for the other direction, when it is here itself.
    #[inline]
    pub fn ask_for_rest(&self, id: Id) {
        let half = &self[id];
        if let Some(peer) = half.peer {
            prefetch(&self[peer.id], HALF_LINES);
        }
        if let Some(speaker) = &half.speaker {
            prefetch(&**speaker, SPEAKER_LINES);
        }
    }

    /// The half-stream of this flow with this mark.
    #[inline]
    pub fn find(&self, flow: &Flow, mark: u64) -> Option<Id> {
        let tag = (mark >> 32) as u32;
        let mut at = tag as usize;
        loop {
            let bucket = self.bucket(at);
            let id = bucket.id?;
            if bucket.tag == tag && self[id].flow == *flow {
                return Some(id);
            }
            at += 1;
        }
    }

    /// Leads to it as long as it is kept.
    #[inline]
    pub fn link(&self, id: Id) -> Link {
        Link { id, generation: self[id].generation }
    }

    /// Where it leads, if that one is still kept.
    #[inline]
    pub fn follow(&self, link: Link) -> Option<Id> {
        (self[link.id].generation == link.generation).then_some(link.id)
    }

    /// The other direction of it.
    #[inline]
    pub fn peer(&self, id: Id) -> Option<Id> {
        self[id].peer.and_then(|peer| self.follow(peer))
    }

    /// The longest here, or moved behind all others the longest ago.
    #[inline]
    pub fn oldest(&self) -> Option<Id> {
        self.oldest
    }

    /// From the oldest on.
    pub fn by_age(&self) -> impl Iterator<Item = Id> {
        std::iter::successors(self.oldest, |&id| self[id].newer)
    }

    /// A new one, the newest; its flow has this mark and is not here yet.
    pub fn enter(&mut self, half: HalfStream, mark: u64) -> Option<Id> {
        if (self.len + 1) * 4 > self.buckets.len() * 3 {
            self.grow();
        }
        let id = match self.free.pop() {
            Some(id) => {
                let generation = self[id].generation;
                self[id] = HalfStream { generation, ..half };
                id
            }
            None => {
                let id = u32::try_from(self.slots.len() + 1).ok().and_then(NonZeroU32::new).map(Id)?;
                self.slots.push(half);
                id
            }
        };
        self.len += 1;
        self.settle(Bucket { tag: (mark >> 32) as u32, id: Some(id) });
        self.append(id);
        Some(id)
    }

    /// Moves it behind all others.
    pub fn renew(&mut self, id: Id) {
        self.unlink(id);
        self.append(id);
    }

    /// It is here no more.
    pub fn remove(&mut self, id: Id) {
        self.unlink(id);
        let tag = (self.mark(&self[id].flow) >> 32) as u32;
        let mut at = tag as usize;
        while self.bucket(at).id != Some(id) {
            at += 1;
        }
        self.vacate(at);
        let half = &mut self[id];
        (half.speaker, half.seldom) = (None, None);
        half.generation = half.generation.wrapping_add(1);
        self.free.push(id);
        self.len -= 1;
    }

    #[inline]
    fn bucket(&self, at: usize) -> Bucket {
        self.buckets[at & (self.buckets.len() - 1)]
    }

    fn settle(&mut self, bucket: Bucket) {
        let last = self.buckets.len() - 1;
        let mut at = bucket.tag as usize;
        while self.buckets[at & last].id.is_some() {
            at += 1;
        }
        self.buckets[at & last] = bucket;
    }

    /// Empties a bucket; those behind it that could not be where they should be move up.
    fn vacate(&mut self, mut hole: usize) {
        let last = self.buckets.len() - 1;
        let mut at = hole;
        loop {
            at += 1;
            let bucket = self.buckets[at & last];
            if bucket.id.is_none() {
                break;
            }
            let displaced = at.wrapping_sub(bucket.tag as usize) & last;
            if displaced >= at.wrapping_sub(hole) & last {
                self.buckets[hole & last] = bucket;
                hole = at;
            }
        }
        self.buckets[hole & last] = Bucket::default();
    }

    fn grow(&mut self) {
        let wider = vec![Bucket::default(); self.buckets.len() * 2];
        for bucket in std::mem::replace(&mut self.buckets, wider) {
            if bucket.id.is_some() {
                self.settle(bucket);
            }
        }
    }

    fn append(&mut self, id: Id) {
        let before = self.newest.replace(id);
        let half = &mut self[id];
        (half.older, half.newer) = (before, None);
        match before {
            Some(before) => self[before].newer = Some(id),
            None => self.oldest = Some(id),
        }
    }

    fn unlink(&mut self, id: Id) {
        let HalfStream { older, newer, .. } = self[id];
        match older {
            Some(older) => self[older].newer = newer,
            None => self.oldest = newer,
        }
        match newer {
            Some(newer) => self[newer].older = older,
            None => self.newest = older,
        }
    }
}
