//! The heads of connections that have ended. Whoever saw no acknowledgement sends once more what he sent, a FIN with
//! it, later each time (RFC 6298 section 5.5): what is known of the connection is forgotten by then, and the same head
//! would count again. The acknowledgement may have been seen here and be lost behind: then nobody owes the bytes, and as a
//! rule they do not come. Or a mirror, or a file, brings all of a connection once more. Kept are hashes, of so many of
//! each kind, for as long as that may take.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::BuildHasherDefault;

use crate::counts::{Count, Counts};
use crate::marks::Itself;

/// 2 MSL of RFC 9293 section 3.4.1: so long sequence numbers tell bytes apart.
const REMEMBERED_NS: i64 = 240_000_000_000;
pub(super) const REMEMBERED: usize = 1 << 16;

/// Before the last, of all connections that had the same addresses and ports.
const MOST_OF_ONE: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Ended {
    owed: Heads,
    acknowledged: Heads,
    earlier: Earlier,
}

/// Those before the last, of each half-stream by its mark.
#[derive(Debug, Default)]
struct Earlier {
    heads: HashMap<u64, (i64, Box<[u32]>), BuildHasherDefault<Itself>>,
    /// Until when each is remembered, some of them forgotten.
    by_age: VecDeque<(i64, u64)>,
    /// How many heads.
    most: usize,
}

#[derive(Debug, Default)]
struct Heads {
    heads: HashSet<u64, BuildHasherDefault<Itself>>,
    /// Until when each is remembered.
    by_age: VecDeque<(i64, u64)>,
}

impl Ended {
    /// The half-stream of this mark has ended, and this was its last head.
    pub fn remember(&mut self, mark: u64, head: u32, is_owed: bool, now_ns: i64, counts: &mut Counts) {
        let heads = if is_owed { &mut self.owed } else { &mut self.acknowledged };
        heads.expire(now_ns);
        let is_short = heads.enter(both(mark, head), now_ns);
        counts[Count::ShedEnded] += u64::from(is_short && is_owed);
    }

    /// These were its heads before.
    pub fn remember_earlier(&mut self, mark: u64, heads: Box<[u32]>, now_ns: i64) {
        self.earlier.expire(now_ns);
        let until_ns = now_ns + REMEMBERED_NS;
        self.earlier.by_age.push_back((until_ns, mark));
        let known = self.earlier.heads.entry(mark).or_default();
        self.earlier.most -= known.1.len();
        let all = if known.1.is_empty() { heads } else { [&*known.1, &*heads].concat().into() };
        let latest = all.len().saturating_sub(MOST_OF_ONE);
        *known = (until_ns, if latest == 0 { all } else { all[latest..].into() });
        self.earlier.most += known.1.len();
        let Earlier { heads, by_age, .. } = &mut self.earlier;
        if by_age.len() > 2 * REMEMBERED {
            by_age.retain(|(until_ns, mark)| heads.get(mark).is_some_and(|known| known.0 == *until_ns));
        }
        while self.earlier.most > REMEMBERED {
            self.earlier.drop_oldest();
        }
    }

    /// Whether a half-stream of this mark has ended, and had this head.
    pub fn knows(&mut self, mark: u64, head: u32, now_ns: i64) -> bool {
        self.owed.expire(now_ns);
        self.acknowledged.expire(now_ns);
        self.earlier.expire(now_ns);
        let both = both(mark, head);
        self.owed.heads.contains(&both)
            || self.acknowledged.heads.contains(&both)
            || self.earlier.heads.get(&mark).is_some_and(|(_, heads)| heads.contains(&head))
    }

    pub fn is_empty(&self) -> bool {
        self.owed.heads.is_empty() && self.acknowledged.heads.is_empty() && self.earlier.heads.is_empty()
    }
}

impl Earlier {
    fn expire(&mut self, now_ns: i64) {
        while self.by_age.front().is_some_and(|&(until_ns, _)| until_ns <= now_ns) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((until_ns, mark)) = self.by_age.pop_front()
            && self.heads.get(&mark).is_some_and(|known| known.0 == until_ns)
            && let Some((_, heads)) = self.heads.remove(&mark)
        {
            self.most -= heads.len();
        }
    }
}

impl Heads {
    fn expire(&mut self, now_ns: i64) {
        while self.by_age.front().is_some_and(|&(until_ns, _)| until_ns <= now_ns) {
            self.drop_oldest();
        }
    }

    /// Says whether another one had to go before its time.
    fn enter(&mut self, both: u64, now_ns: i64) -> bool {
        if self.heads.insert(both) {
            self.by_age.push_back((now_ns + REMEMBERED_NS, both));
        }
        let is_short = self.heads.len() > REMEMBERED;
        if is_short {
            self.drop_oldest();
        }
        is_short
    }

    fn drop_oldest(&mut self) {
        if let Some((_, oldest)) = self.by_age.pop_front() {
            self.heads.remove(&oldest);
        }
    }
}

/// Both are keyed hashes.
fn both(mark: u64, head: u32) -> u64 {
    mark.rotate_left(32) ^ u64::from(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_remembered_for_a_while_and_only_so_many_of_them() {
        let (mut ended, mut counts) = (Ended::default(), Counts::default());
        ended.remember(1, 2, true, 0, &mut counts);
        ended.remember(1, 2, true, 5, &mut counts);
        assert!(ended.knows(1, 2, 0) && !ended.knows(1, 3, 0) && !ended.knows(2, 2, 0));
        ended.remember(2, 2, true, REMEMBERED_NS, &mut counts);
        assert!(!ended.knows(1, 2, 0) && ended.knows(2, 2, 0));
        assert_eq!(counts[Count::ShedEnded], 0);
        for head in 0..REMEMBERED as u32 {
            ended.remember(7, head, true, REMEMBERED_NS, &mut counts);
            ended.remember(8, head, false, REMEMBERED_NS, &mut counts);
        }
        assert!(!ended.knows(2, 2, 0) && ended.knows(7, 0, 0) && ended.knows(8, 0, 0));
        assert_eq!((counts[Count::ShedEnded], ended.owed.by_age.len()), (1, REMEMBERED));
        ended.remember(1, 9, false, REMEMBERED_NS, &mut counts);
        assert!(!ended.knows(8, 0, 0));
        assert_eq!((counts[Count::ShedEnded], ended.acknowledged.by_age.len()), (1, REMEMBERED));
    }

    #[test]
    fn heads_before_the_last_are_remembered_as_well() {
        let mut ended = Ended::default();
        ended.remember_earlier(1, [8, 9].into(), 0);
        assert!(ended.knows(1, 8, 0) && ended.knows(1, 9, 0) && !ended.knows(2, 8, 0));
        ended.remember_earlier(1, [7].into(), 1);
        assert!(ended.knows(1, 7, 1) && ended.knows(1, 8, 1));
        ended.remember_earlier(1, (100..100 + MOST_OF_ONE as u32).collect(), 1);
        assert!(ended.knows(1, 100, 1) && !ended.knows(1, 7, 1));
        for mark in 2..2 + (REMEMBERED / MOST_OF_ONE) as u64 {
            ended.remember_earlier(mark, (0..MOST_OF_ONE as u32).collect(), 1);
        }
        assert!(ended.knows(2, 5, 1) && !ended.knows(1, 100, 1) && !ended.is_empty());
        assert!(!ended.knows(2, 5, 1 + REMEMBERED_NS) && ended.is_empty());
        assert_eq!((ended.earlier.most, ended.earlier.by_age.len()), (0, 0));
        ended.remember_earlier(1, [8].into(), 0);
        ended.remember_earlier(1, [9].into(), REMEMBERED_NS);
        assert!(!ended.knows(1, 8, REMEMBERED_NS) && ended.knows(1, 9, REMEMBERED_NS));
    }
}
