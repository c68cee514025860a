//! What is remembered of connections that have not sent anything: of so many of them, so that a flood of SYNs costs
//! nothing. The one that is longest here makes room, so whatever the hashes are, a replay finds the same.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;

use super::halves::Side;
use super::losses::missed;
use crate::counts::{Count, Counts};
use crate::marks::Itself;

/// So few that a table of 2^17 places, half full, is tidied where it stands and never made wider.
pub(super) const REMEMBERED_SYNS: usize = 50_000;
/// Payload of it was seen.
const MET: u32 = u32::MAX;

/// Where a half-stream began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// Sequence number behind its SYN.
    pub seq: u32,
    /// Whose it is.
    pub side: Side,
    /// The other direction has acknowledged this SYN.
    pub answered: bool,
    /// What else is known.
    more: More,
}

/// There is room for one thing.
#[derive(Clone, Copy, Debug)]
enum More {
    Nothing,
    /// How far behind the SYN an urgent pointer leads that came before any payload.
    Urgent(u16),
    /// Sequence number behind another SYN that may be the true one as well.
    Other(u32),
    /// The same, and the other direction has acknowledged it.
    Answered(u32),
}

impl Origin {
    fn new(seq: u32, side: Side) -> Origin {
        Origin { seq, side, answered: false, more: More::Nothing }
    }

    /// Where another SYN says that it began.
    pub(super) fn other(&self) -> Option<u32> {
        match self.more {
            More::Other(other) | More::Answered(other) => Some(other),
            _ => None,
        }
    }

    /// Where an urgent pointer leads that came before any payload.
    pub(super) fn urgent(&self) -> Option<u32> {
        match self.more {
            More::Urgent(behind) => Some(self.seq.wrapping_add(u32::from(behind))),
            _ => None,
        }
    }

    fn as_more(&self) -> More {
        if self.answered { More::Answered(self.seq) } else { More::Other(self.seq) }
    }

    /// A SYN says `seq`: what is remembered beside it is rather what is acknowledged.
    fn said(&self, seq: u32, side: Side) -> Origin {
        let is_other = self.other() == Some(seq);
        let is_other_answered = matches!(self.more, More::Answered(_));
        let keeps_other = self.seq == seq || (is_other_answered && !self.answered && !is_other);
        let more = match self.more {
            More::Other(_) | More::Answered(_) if keeps_other => self.more,
            _ if keeps_other => More::Nothing,
            _ => self.as_more(),
        };
        let answered = (self.seq == seq && self.answered) || (is_other && is_other_answered);
        Origin { seq, side, answered, more }
    }

    /// The same, with that SYN first which the first payload at `seq` fits.
    pub(super) fn nearest(self, seq: u32, window: u32) -> Origin {
        let fits = self.seq == seq || (seq.wrapping_sub(self.seq) <= window && self.other() != Some(seq));
        match self.other().filter(|other| !fits && seq.wrapping_sub(*other) <= window) {
            Some(other) => {
                Origin { seq: other, answered: matches!(self.more, More::Answered(_)), more: self.as_more(), ..self }
            }
            None => self,
        }
    }
}

/// An [`Origin`] in little room.
#[derive(Debug)]
struct Entry {
    seq: u32,
    /// Bytes that its FIN told of before any payload was seen; or [`MET`].
    missed: u32,
    more: u32,
    number: Number,
    flags: u8,
}

/// When it was entered: among those that are here and were lately, no two have the same.
type Number = [u8; 3];

const CLIENT: u8 = 1;
const SERVER: u8 = 2;
const ANSWERED: u8 = 4;
const URGENT: u8 = 8;
const OTHER: u8 = 16;
const OTHER_ANSWERED: u8 = 32;

impl Entry {
    fn origin(&self) -> Origin {
        let has = |flag| self.flags & flag != 0;
        let side = if has(CLIENT) {
            Side::Client
        } else if has(SERVER) {
            Side::Server
        } else {
            Side::Unknown
        };
        let more = match self.more {
            behind if has(URGENT) => More::Urgent(behind as u16),
            other if has(OTHER_ANSWERED) => More::Answered(other),
            other if has(OTHER) => More::Other(other),
            _ => More::Nothing,
        };
        Origin { seq: self.seq, side, answered: has(ANSWERED), more }
    }

    fn set(&mut self, origin: Origin) {
        let side = match origin.side {
            Side::Unknown => 0,
            Side::Client => CLIENT,
            Side::Server => SERVER,
        };
        let (more, kind) = match origin.more {
            More::Nothing => (0, 0),
            More::Urgent(behind) => (u32::from(behind), URGENT),
            More::Other(other) => (other, OTHER),
            More::Answered(other) => (other, OTHER_ANSWERED),
        };
        (self.seq, self.more) = (origin.seq, more);
        self.flags = side | kind | if origin.answered { ANSWERED } else { 0 };
    }
}

/// Where connections began: the sequence numbers behind the latest two SYNs of a flow, and whose they were.
#[derive(Debug, Default)]
pub(super) struct Origins {
    table: HashMap<u64, Entry, BuildHasherDefault<Itself>>,
    /// Number and mark of each, some of them forgotten.
    by_age: VecDeque<(Number, u64)>,
    entered: u32,
}

impl Origins {
    pub(super) fn remember(&mut self, mark: u64, seq: u32, side: Side, counts: &mut Counts) {
        if let Some(entry) = self.table.get_mut(&mark) {
            let known = entry.origin();
            entry.set(known.said(seq, if known.side == Side::Client { Side::Client } else { side }));
            entry.missed = 0;
            return;
        }
        self.entered = self.entered.wrapping_add(1);
        let [a, b, c, _] = self.entered.to_le_bytes();
        let mut entry = Entry { seq, missed: 0, more: 0, number: [a, b, c], flags: 0 };
        entry.set(Origin::new(seq, side));
        self.table.insert(mark, entry);
        self.by_age.push_back(([a, b, c], mark));
        while self.table.len() > REMEMBERED_SYNS
            && let Some((number, oldest)) = self.by_age.pop_front()
        {
            if self.is_here(number, oldest) {
                self.table.remove(&oldest);
                counts[Count::ShedOrigins] += 1;
            }
        }
        if self.by_age.len() > 2 * REMEMBERED_SYNS {
            let mut by_age = std::mem::take(&mut self.by_age);
            by_age.retain(|&(number, mark)| self.is_here(number, mark));
            self.by_age = by_age;
        }
    }

    pub(super) fn look(&self, mark: u64) -> Option<Origin> {
        self.table.get(&mark).map(Entry::origin)
    }

    /// The other direction has acknowledged what is remembered: then no other SYN is believed that was not.
    pub(super) fn answer(&mut self, mark: u64) {
        if let Some(entry) = self.table.get_mut(&mark) {
            let known = entry.origin();
            let more = if matches!(known.more, More::Other(_)) { More::Nothing } else { known.more };
            entry.set(Origin { answered: true, more, ..known });
        }
    }

    /// Where an urgent pointer leads, and no payload was ever seen.
    pub(super) fn note_urgent(&mut self, mark: u64, pointer: u32) {
        if let Some(entry) = self.table.get_mut(&mark) {
            let known = entry.origin();
            if known.other().is_none() {
                let behind = u16::try_from(pointer.wrapping_sub(known.seq)).ok().filter(|&behind| behind > 0);
                entry.set(Origin { more: behind.map_or(More::Nothing, More::Urgent), ..known });
            }
        }
    }

    /// Payload came: where it began, and how many bytes from there on count as unseen already.
    pub(super) fn meet(&mut self, mark: u64) -> Option<(u32, u32)> {
        let entry = self.table.get_mut(&mark)?;
        let missed = std::mem::replace(&mut entry.missed, MET);
        Some((entry.seq, if missed == MET { 0 } else { missed }))
    }

    /// A FIN, and no payload was ever seen: it tells how much there was.
    pub(super) fn end(&mut self, mark: u64, seq: u32, counts: &mut Counts) {
        if let Some(entry) = self.table.get_mut(&mark).filter(|entry| entry.missed == 0) {
            entry.missed = missed(seq, entry.seq, counts);
        }
    }

    pub(super) fn forget(&mut self, mark: u64) {
        self.table.remove(&mark);
    }

    fn is_here(&self, number: Number, mark: u64) -> bool {
        self.table.get(&mark).is_some_and(|entry| entry.number == number)
    }
}
