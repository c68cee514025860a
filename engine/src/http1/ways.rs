//! Several ways to read the same octets at once: what one finds for the others, and the heads of all, each once.

use std::sync::Arc;

use super::MOST_READINGS;
use super::body::Lengths;
use super::credit::Credit;
use super::kept::Kept;
use super::reading::{Reading, Step};
use super::whole_head::{whole_head, whole_trailer};
use crate::records::{HeadText, Oddities, Oddity, Owner, PlacedHead, Said};

/// Ways that part, and what those that read before found in the same octets.
#[derive(Default)]
pub(super) struct Forks {
    pub ways: Vec<Reading>,
    /// There is room for so many; None: none parts here, for nobody knows how long the body is.
    pub room: Option<usize>,
    /// What they may cost.
    pub credit: Credit,
    /// For so many there was none.
    pub left_out: usize,
    /// There are others besides: what this way finds is compared with what they do.
    pub are_more: bool,
    /// Some of them read, or began with, octets of their own.
    pub are_copies: bool,
    /// Number of the way that reads.
    pub finder: usize,
    /// Where heads begin that were read, in order.
    pub known: Vec<Known>,
    /// Before this position the way that reads has octets of its own.
    pub until: i64,
    /// The way that reads has come to one of these.
    pub joined: Option<Joined>,
}

/// A head that a way has read.
pub(super) struct Known {
    start: i64,
    finder: usize,
    doubt: Doubted,
}

/// What a way knows before it reads a head.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Doubted {
    /// It is behind CONNECT.
    pub tunnel: bool,
    /// The head may be text in a body.
    pub framing: bool,
    /// It refuses bodies that wait for 100 Continue.
    pub refuses: bool,
}

/// From there on a way goes on as another one did, which read before it.
#[derive(Clone, Copy)]
pub(super) struct Joined {
    finder: usize,
    from: i64,
}

impl Forks {
    /// Where none parts.
    pub fn with(credit: Credit) -> Forks {
        Forks { credit, until: i64::MIN, ..Forks::default() }
    }

    /// For a way beside these.
    pub fn beside(others: &[Reading], credit: Credit) -> Forks {
        Forks {
            room: Some((MOST_READINGS - 1).saturating_sub(others.len())),
            are_more: !others.is_empty(),
            are_copies: others.iter().any(Reading::has_own_octets),
            ..Forks::with(credit)
        }
    }

    /// There is one way, and none has parted from it in these octets.
    #[inline]
    pub fn are_none(&self) -> bool {
        !self.are_more && !self.are_copies && self.ways.is_empty()
    }

    /// One more may part, and be paid for.
    #[inline]
    pub fn have_room(&self) -> bool {
        self.room.is_some_and(|room| self.ways.len() < room) && self.credit.is_left()
    }

    /// For the ways that come to this head.
    pub fn note_start(&mut self, start: i64, doubt: Doubted) {
        if start < self.until || self.are_none() {
            return;
        }
        let known = &mut self.known;
        let is_last = known.last().is_none_or(|last| last.start < start);
        let place = if is_last { known.len() } else { known.partition_point(|other| other.start < start) };
        if known.get(place).is_none_or(|other| other.start != start) {
            known.insert(place, Known { start, finder: self.finder, doubt });
        }
    }

    fn known_at(&self, start: i64) -> Option<&Known> {
        let place = self.known.binary_search_by_key(&start, |known| known.start).ok()?;
        self.known.get(place)
    }
}

impl Reading {
    /// Comes to a head that another way has read, and goes on as that one did: it reads the same octets.
    pub fn joins(&self, step: &mut Step<'_, '_>) -> bool {
        if step.forks.finder == 0 || self.at < step.forks.until {
            return false;
        }
        let doubt = self.doubted();
        let known = step.forks.known_at(self.at).filter(|known| known.doubt == doubt);
        let joined = known.map(|known| Joined { finder: known.finder, from: self.at });
        let joins = joined.is_some();
        step.forks.joined = step.forks.joined.or(joined);
        joins
    }

    pub fn doubted(&self) -> Doubted {
        let framing = self.oddities.contains(Oddity::Framing);
        Doubted { tunnel: self.tunnel, framing, refuses: self.refuses() }
    }

    /// A head was read once more, by another way than the first.
    #[inline]
    pub fn pay_head(&self, octets: i64, step: &mut Step<'_, '_>) {
        if self.is_fork {
            step.forks.credit.pay_head(octets);
        }
    }

    /// A head was read up to here; `owner` is what its trailer section would belong to.
    pub fn go_on_behind(
        &mut self,
        is_connect: bool,
        is_upgrade: bool,
        extents: &Lengths,
        owner: Option<&Arc<Owner>>,
        step: &mut Step<'_, '_>,
    ) {
        self.spoke = true;
        self.tunnel = self.tunnel || is_connect;
        self.switching = self.tunnel || is_upgrade;
        self.enter_body(extents, owner, step);
    }
}

/// What the readings found, each head once; `of_first` are the first way's, behind those in `out` before them.
pub(super) fn merge(mut found: Vec<Found>, of_first: usize, kept: Kept<'_>, out: &mut Vec<PlacedHead>) {
    if found.iter().all(|of_way| of_way.heads.is_empty()) {
        return judge(&found, &mut out[of_first..]);
    }
    found[0].heads = out.split_off(of_first);
    let ways = found.iter().fold(Vec::new(), Way::add_to);
    let mut places: Vec<Place> = Vec::new();
    for (finder, of_way) in found.iter().enumerate() {
        places.extend((0..of_way.heads.len()).map(|number| Place { finder, number }));
    }
    let placed = |place: &Place| &found[place.finder].heads[place.number];
    // stable: the first reading's head is the first of equal ones
    places.sort_by_key(|place| (placed(place).start, placed(place).end));
    let mut merged: Vec<(Place, Finders)> = Vec::new();
    for place in places {
        let (start, end) = (placed(&place).start, placed(&place).end);
        let beside = |(known, _): &&mut (Place, Finders)| (placed(known).start, placed(known).end) == (start, end);
        let mut beside = merged.iter_mut().rev().take_while(beside);
        match beside.find(|(known, _)| are_same(placed(known), placed(&place), kept)) {
            Some((_, finders)) => finders.insert(place.finder),
            None => merged.push((place, Finders::default().with(place.finder))),
        }
    }
    let mut heads: Vec<Vec<Option<PlacedHead>>> =
        found.into_iter().map(|of_way| of_way.heads.into_iter().map(Some).collect()).collect();
    out.extend(merged.into_iter().filter_map(|(Place { finder, number }, mut finders)| {
        let placed = heads[finder][number].take()?;
        for (at, way) in ways.iter().enumerate() {
            if way.joined.is_some_and(|joined| joined.from <= placed.start && finders.contains(joined.finder)) {
                finders.insert(at); // those that it joins stand before it
            }
        }
        Some(judged(placed, finders, &ways))
    }));
}

/// The same where all heads are the first way's.
fn judge(ways: &[Found], heads: &mut [PlacedHead]) {
    // from where on each finds them as well
    let mut finds = vec![i64::MIN];
    for way in ways.iter().skip(1) {
        finds.push(way.joined.map_or(i64::MAX, |joined| joined.from.max(finds[joined.finder])));
    }
    for placed in heads {
        for (way, &finds) in ways.iter().zip(&finds) {
            if way.origin <= placed.start && placed.start < finds {
                placed.add(Oddities::of(&[way.why.unwrap_or(Oddity::Framing)]));
                placed.doubt();
            }
        }
    }
}

/// What one reading found, the position from which it went its way, and why.
pub(super) struct Found {
    origin: i64,
    why: Option<Oddity>,
    heads: Vec<PlacedHead>,
    joined: Option<Joined>,
}

impl Found {
    /// A way that was refuted says nothing of what others find.
    pub fn by(reading: &Reading, heads: Vec<PlacedHead>, joined: Option<Joined>) -> Found {
        let origin = if reading.says_nothing() { i64::MAX } else { reading.origin };
        Found { origin, why: reading.why, heads, joined }
    }

    /// From some place on it is another way.
    pub fn has_joined(&self) -> bool {
        self.joined.is_some()
    }
}

/// Where a head stands among those that were found.
#[derive(Clone, Copy)]
struct Place {
    finder: usize,
    number: usize,
}

/// Numbers of readings.
#[derive(Clone, Copy, Default)]
struct Finders(u32);

impl Finders {
    fn insert(&mut self, finder: usize) {
        self.0 |= 1 << finder;
    }

    fn with(mut self, finder: usize) -> Finders {
        self.insert(finder);
        self
    }

    fn contains(self, finder: usize) -> bool {
        self.0 >> finder & 1 != 0
    }
}

/// The same of its heads, only where they begin.
struct Way {
    origin: i64,
    why: Option<Oddity>,
    /// In order.
    starts: Vec<i64>,
    joined: Option<Joined>,
}

impl Way {
    fn add_to(mut ways: Vec<Way>, found: &Found) -> Vec<Way> {
        let mut starts: Vec<i64> = found.heads.iter().map(|placed| placed.start).collect();
        if let Some(joined) = found.joined {
            starts.extend(ways[joined.finder].starts.iter().filter(|&&start| start >= joined.from));
        }
        starts.sort_unstable();
        ways.push(Way { origin: found.origin, why: found.why, starts, joined: found.joined });
        ways
    }

    fn is_of_copy(&self) -> bool {
        self.why.is_some_and(|why| why != Oddity::Framing)
    }
}

/// A head that these ways found. Where others found none it is in doubt; where a copy has another one at the same place,
/// both are ways to read one head.
fn judged(mut placed: PlacedHead, finders: Finders, ways: &[Way]) -> PlacedHead {
    let of = |chosen: Finders| ways.iter().enumerate().filter(move |&(at, _)| chosen.contains(at)).map(|(_, way)| way);
    let of_copy = of(finders).any(Way::is_of_copy);
    let mut silent = Finders::default();
    for (at, way) in ways.iter().enumerate() {
        let is_other = (of_copy || way.is_of_copy()) && way.starts.binary_search(&placed.start).is_ok();
        if way.origin <= placed.start && !finders.contains(at) && !is_other {
            silent.insert(at);
        }
    }
    let is_first = finders.contains(0);
    if !is_first {
        placed.why = of(finders).find(|way| way.is_of_copy()).and_then(|way| way.why);
    }
    if silent.0 != 0 {
        for way in of(if is_first { silent } else { finders }) {
            placed.add(Oddities::of(&[way.why.unwrap_or(Oddity::Framing)]));
        }
        placed.doubt();
    }
    placed
}

/// Whether two ways found the same head, in `kept`. Of what the sieve has seen the text is what stands there.
pub(super) fn are_same(one: &PlacedHead, other: &PlacedHead, kept: Kept<'_>) -> bool {
    if (one.start, one.end) != (other.start, other.end) {
        return false;
    }
    let are_alike =
        |one: &HeadText, other: &HeadText| one.target() == other.target() && one.fields().eq(other.fields());
    let octets = kept.between(one.start, one.end);
    let text_here = |of: &PlacedHead| match owner(of) {
        Some(owner) => whole_trailer(&owner.text, octets, false).text,
        None => whole_head(octets, false).text,
    };
    match (unsifted(one), unsifted(other)) {
        (Some(text), Some(other_text)) => are_alike(text, other_text),
        (None, None) => match (owner(one), owner(other)) {
            (Some(owner), Some(other)) => are_alike(&owner.text, &other.text),
            (owner, other) => owner.is_none() && other.is_none(),
        },
        (None, Some(text)) => are_alike(&text_here(one), text),
        (Some(text), None) => are_alike(text, &text_here(other)),
    }
}

/// What a clean trailer section belongs to.
fn owner(placed: &PlacedHead) -> Option<&Owner> {
    match &placed.said {
        Said::Clean(clean) => clean.owner.as_deref(),
        Said::Whole(_) => None,
    }
}

/// All that a head says, unless the sieve has seen it.
fn unsifted(placed: &PlacedHead) -> Option<&HeadText> {
    placed.head().map(|head| &head.text).filter(|text| text.sifted().is_none())
}
