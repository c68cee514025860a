//! What is remembered of connections that have not sent anything: of so many of them, so that a flood of SYNs costs
//! nothing. The one that is longest here makes room, so whatever the hashes are, a replay finds the same.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use super::halves::Side;
use super::losses::missed;
use crate::counts::{Count, Counts};

/// So few that a table of 2^17 places, half full, is tidied where it stands and never made wider.
pub(super) const REMEMBERED_SYNS: usize = 50_000;
/// Payload of it was seen.
const MET: u32 = u32::MAX;

/// Marks are keyed hashes already.
#[derive(Debug, Default)]
pub(super) struct Itself(u64);

impl Hasher for Itself {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, mark: u64) {
        self.0 = mark;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Debug)]
struct Origin {
    seq: u32,
    /// Bytes that its FIN told of before any payload was seen; or [`MET`].
    missed: u32,
    /// When it was entered: among those that are here and were lately, no two have the same.
    number: u32,
    side: Side,
    /// How far behind `seq` an urgent pointer leads that came before any payload; 0: there was none.
    urgent: u16,
    /// The other direction has acknowledged this SYN.
    answered: bool,
}

/// Where connections began: the sequence number behind the latest SYN of a flow, and whose it was.
#[derive(Debug, Default)]
pub(super) struct Origins {
    table: HashMap<u64, Origin, BuildHasherDefault<Itself>>,
    /// Number and mark of each, some of them forgotten.
    by_age: VecDeque<(u32, u64)>,
    entered: u32,
}

impl Origins {
    pub(super) fn remember(&mut self, mark: u64, seq: u32, side: Side, counts: &mut Counts) {
        if let Some(origin) = self.table.get_mut(&mark) {
            origin.seq = seq;
            origin.missed = 0;
            origin.urgent = 0;
            origin.answered = false;
            origin.side = if origin.side == Side::Client { Side::Client } else { side };
            return;
        }
        self.entered = self.entered.wrapping_add(1);
        self.table.insert(mark, Origin { seq, missed: 0, number: self.entered, side, urgent: 0, answered: false });
        self.by_age.push_back((self.entered, mark));
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

    pub(super) fn look(&self, mark: u64) -> Option<(u32, Side)> {
        self.table.get(&mark).map(|origin| (origin.seq, origin.side))
    }

    /// The other direction has acknowledged what is remembered.
    pub(super) fn answer(&mut self, mark: u64) {
        if let Some(origin) = self.table.get_mut(&mark) {
            origin.answered = true;
        }
    }

    /// Whether it has.
    pub(super) fn is_answered(&self, mark: u64) -> bool {
        self.table.get(&mark).is_some_and(|origin| origin.answered)
    }

    /// Where an urgent pointer leads, and no payload was ever seen.
    pub(super) fn note_urgent(&mut self, mark: u64, pointer: u32) {
        if let Some(origin) = self.table.get_mut(&mark) {
            origin.urgent = pointer.wrapping_sub(origin.seq).try_into().unwrap_or_default();
        }
    }

    /// Where the latest urgent pointer leads.
    pub(super) fn urgent(&self, mark: u64) -> Option<u32> {
        let origin = self.table.get(&mark).filter(|origin| origin.urgent > 0)?;
        Some(origin.seq.wrapping_add(u32::from(origin.urgent)))
    }

    /// Payload came: where it began, and how many bytes from there on count as unseen already.
    pub(super) fn meet(&mut self, mark: u64) -> Option<(u32, u32)> {
        let origin = self.table.get_mut(&mark)?;
        let missed = std::mem::replace(&mut origin.missed, MET);
        Some((origin.seq, if missed == MET { 0 } else { missed }))
    }

    /// A FIN, and no payload was ever seen: it tells how much there was.
    pub(super) fn end(&mut self, mark: u64, seq: u32, counts: &mut Counts) {
        if let Some(origin) = self.table.get_mut(&mark).filter(|origin| origin.missed == 0) {
            origin.missed = missed(seq, origin.seq, counts);
        }
    }

    pub(super) fn forget(&mut self, mark: u64) {
        self.table.remove(&mark);
    }

    fn is_here(&self, number: u32, mark: u64) -> bool {
        self.table.get(&mark).is_some_and(|origin| origin.number == number)
    }
}
