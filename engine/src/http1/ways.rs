//! Several ways to read the same octets at once: what one finds for the others, and the heads of all, each once.

use std::mem;
use std::rc::Rc;
use std::sync::Arc;

use super::MOST_READINGS;
use super::body::chunks::WholeChunks;
use super::body::{Lengths, OddChunks};
use super::credit::Credit;
use super::head_reader::{is_connect, is_upgrade};
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
    /// Number of the way that reads, and of its first head among those that it adds to.
    pub finder: usize,
    pub first: usize,
    /// Heads that one way found, in order; another one that comes to such a place need not read it.
    pub known: Vec<Rc<Known>>,
    /// Those that the way that reads came to.
    pub again: Vec<Rc<Known>>,
}

impl Forks {
    /// Where none parts.
    pub fn with(credit: Credit) -> Forks {
        Forks { credit, ..Forks::default() }
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

    fn known_at(&self, start: i64) -> Option<Rc<Known>> {
        let place = self.known.binary_search_by_key(&start, |known| known.start).ok()?;
        Some(Rc::clone(&self.known[place]))
    }

    fn learn(&mut self, known: Known) {
        let place = self.known.partition_point(|other| other.start < known.start);
        self.known.insert(place, Rc::new(known));
    }
}

/// What any way does that comes to the beginning of a head.
pub(super) struct Known {
    /// Who found it, and its number among the heads of that one.
    pub finder: usize,
    pub number: usize,
    pub start: i64,
    end: i64,
    extents: Lengths,
    /// As [`Reading::head`] has it, where its body may have a trailer section.
    owner: Option<Arc<Owner>>,
    /// All of that, if it is here.
    body: Option<WholeChunks>,
    odd_chunks: OddChunks,
    is_connect: bool,
    is_upgrade: bool,
}

impl Reading {
    /// Comes to a head that another way has read, and goes on behind it as that one did.
    pub fn pass_known(&mut self, step: &mut Step<'_, '_>) -> bool {
        if self.has_own_octets() {
            return false;
        }
        let Some(known) = step.forks.known_at(self.at) else { return false };
        self.pay_head(known.end - known.start, step);
        self.at = known.end;
        self.scan = known.end;
        if mem::take(&mut self.oddities).contains(Oddity::Framing) {
            self.search_beside(&known.extents, step);
        }
        self.odd_chunks = known.odd_chunks;
        self.go_on_behind(known.is_connect, known.is_upgrade, &known.extents, known.owner.as_ref(), step);
        if let Some(body) = &known.body {
            self.pass_body(body, step);
        }
        step.forks.again.push(known);
        true
    }

    /// A head was read once more, by another way than the first.
    #[inline]
    pub fn pay_head(&self, octets: i64, step: &mut Step<'_, '_>) {
        if self.is_fork {
            step.forks.credit.pay_head(octets);
        }
    }

    /// For the ways that come to this head, which ends here and is the next one that is handed out.
    pub fn make_known(
        &self,
        start: i64,
        text: &HeadText,
        extents: Lengths,
        (owner, body): (Option<Arc<Owner>>, Option<WholeChunks>),
        step: &mut Step<'_, '_>,
    ) {
        if self.has_own_octets() {
            return;
        }
        let (finder, number) = (step.forks.finder, step.heads.len() - step.forks.first);
        let (is_connect, is_upgrade) = (is_connect(text), is_upgrade(text));
        let (end, odd_chunks) = (self.at, self.odd_chunks);
        step.forks.learn(Known {
            finder,
            number,
            start,
            end,
            extents,
            owner,
            body,
            odd_chunks,
            is_connect,
            is_upgrade,
        });
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

/// What the readings found, each head once.
pub(super) fn merge(found: Vec<Found>, kept: Kept<'_>, out: &mut Vec<PlacedHead>) {
    let ways: Vec<Way> = found.iter().map(Way::of).collect();
    let mut places: Vec<Place> = Vec::new();
    for (finder, of_way) in found.iter().enumerate() {
        places.extend((0..of_way.heads.len()).map(|number| Place { finder, number }));
    }
    let placed = |place: &Place| &found[place.finder].heads[place.number];
    // stable: the first reading's head is the first of equal ones
    places.sort_by_key(|place| (placed(place).start, placed(place).end));
    let mut merged: Vec<(Place, Finders)> = Vec::new();
    let mut same: Vec<Vec<usize>> = found.iter().map(|of_way| vec![0; of_way.heads.len()]).collect();
    for place in places {
        let (start, end) = (placed(&place).start, placed(&place).end);
        let beside =
            |(_, (known, _)): &(usize, &mut (Place, Finders))| (placed(known).start, placed(known).end) == (start, end);
        let mut beside = merged.iter_mut().enumerate().rev().take_while(beside);
        let known = beside.find(|(_, (known, _))| are_same(placed(known), placed(&place), kept));
        let at = known.map(|(at, (_, finders))| {
            finders.insert(place.finder);
            at
        });
        same[place.finder][place.number] = at.unwrap_or(merged.len());
        if at.is_none() {
            let mut finders = Finders::default();
            finders.insert(place.finder);
            merged.push((place, finders));
        }
    }
    for (finder, of_way) in found.iter().enumerate() {
        for known in &of_way.again {
            merged[same[known.finder][known.number]].1.insert(finder);
        }
    }
    let mut heads: Vec<Vec<Option<PlacedHead>>> =
        found.into_iter().map(|of_way| of_way.heads.into_iter().map(Some).collect()).collect();
    out.extend(
        merged.into_iter().filter_map(|(Place { finder, number }, finders)| {
            Some(judged(heads[finder][number].take()?, finders, &ways))
        }),
    );
}

/// What one reading found, the position from which it went its way, and why.
pub(super) struct Found {
    origin: i64,
    why: Option<Oddity>,
    heads: Vec<PlacedHead>,
    /// Besides, of those before it.
    again: Vec<Rc<Known>>,
}

impl Found {
    /// Not every way says something of what others find.
    pub fn by(reading: &Reading, heads: Vec<PlacedHead>, again: Vec<Rc<Known>>) -> Found {
        let origin = if reading.says_nothing() { i64::MAX } else { reading.origin };
        Found { origin, why: reading.why, heads, again }
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
}

impl Way {
    fn of(found: &Found) -> Way {
        let starts = found.heads.iter().map(|placed| placed.start);
        let mut starts: Vec<i64> = starts.chain(found.again.iter().map(|known| known.start)).collect();
        starts.sort_unstable();
        Way { origin: found.origin, why: found.why, starts }
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
