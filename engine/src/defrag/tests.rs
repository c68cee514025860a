//! Defragmentation, against a bitmap and in talks that went wrong.

use super::*;
use crate::testing::Random;

const SECOND: i64 = 1_000_000_000;

fn octets() -> Vec<u8> {
    (0..64).collect()
}

fn fragment(offset: usize, data: &[u8], more: bool) -> Fragment<'_> {
    Fragment {
        time_ns: 0,
        src: [1; 16],
        dst: [2; 16],
        v6: false,
        protocol: 6,
        ident: 77,
        offset: offset as u32,
        more,
        data,
        missing: 0,
        path: &[],
        depth: 1,
    }
}

/// A defragmenter with its counts.
struct Bench {
    defragmenter: Defragmenter,
    counts: Counts,
}

impl Bench {
    fn new(limits: Limits) -> Bench {
        Bench { defragmenter: Defragmenter::new(&limits), counts: Counts::default() }
    }

    fn feed(&mut self, fragments: &[Fragment<'_>]) -> Vec<Datagram> {
        let mut out = Vec::new();
        for fragment in fragments {
            self.defragmenter.feed(fragment, &mut self.counts, &mut out);
        }
        out
    }

    fn finish(&mut self) {
        self.defragmenter.finish(&mut self.counts);
        assert_eq!((self.defragmenter.size, self.defragmenter.ages.len()), (0, 0));
    }

    fn counted(&self) -> Vec<(&str, u64)> {
        self.counts.iter().filter(|&(_, value)| value != 0).collect()
    }
}

fn bench() -> Bench {
    Bench::new(Limits::default())
}

fn known(datagrams: &[Datagram]) -> Vec<(Vec<u8>, u32)> {
    datagrams.iter().map(|datagram| (datagram.data.clone(), datagram.missing)).collect()
}

/// The slow and obvious: every byte by itself.
#[derive(Default)]
struct Bitmap<'a> {
    fragments: Vec<Fragment<'a>>,
    /// How many last fragments had their datagram.
    reached: usize,
    contradicted: bool,
}

impl<'a> Bitmap<'a> {
    fn feed(&mut self, new: Fragment<'a>) -> Vec<(Vec<u8>, u32)> {
        let tells = |f: &Fragment<'a>| (f.offset, f.more, f.data, f.missing);
        if self.fragments.iter().any(|old| tells(old) == tells(&new)) {
            return Vec::new();
        }
        self.fragments.push(new);
        let end = |f: &Fragment<'_>| f.offset as usize + f.data.len() + f.missing as usize;
        let covers = |f: &Fragment<'_>, at: usize| (f.offset as usize..end(f)).contains(&at);
        let is_reached =
            |f: &&Fragment<'a>| !f.more && (0..end(f)).all(|at| self.fragments.iter().any(|other| covers(other, at)));
        let ends: Vec<usize> = self.fragments.iter().filter(is_reached).map(end).collect();
        if ends.len() == self.reached {
            return Vec::new();
        }
        let read = |order: &[Fragment<'a>], end: usize| {
            let cut = order.iter().filter(|f| f.missing > 0).map(|f| f.offset as usize + f.data.len());
            let kept = cut.min().unwrap_or(end).min(end);
            let octet = |at: usize| order.iter().find_map(|f| f.data.get(at.checked_sub(f.offset as usize)?));
            ((0..kept).map(|at| *octet(at).unwrap()).collect::<Vec<u8>>(), (end - kept) as u32)
        };
        let first = read(&self.fragments, ends[0]);
        let newest_first: Vec<_> = self.fragments.iter().rev().copied().collect();
        let last = read(&newest_first, ends[ends.len() - 1]);
        if self.contradicted || self.fragments.iter().map(end).max() == ends.iter().copied().max() {
            *self = Bitmap::default();
        } else {
            self.reached = ends.len();
            self.contradicted = true;
        }
        if first == last { vec![first] } else { vec![first, last] }
    }
}

#[test]
fn any_fragments_are_read_as_by_a_bitmap() {
    let mut random = Random::new(791);
    for _ in 0..3000 {
        let texts: Vec<Vec<u8>> = (0..30).map(|_| random.octets(24).iter().map(|octet| octet & 1).collect()).collect();
        let (mut bench, mut bitmap) = (bench(), Bitmap::default());
        for (turn, text) in texts.iter().enumerate() {
            let missing = *random.pick(&[0, 0, 0, 5]);
            let new = Fragment { missing, ..fragment(8 * random.below(7), text, random.below(2) == 0) };
            let (found, expected) = (known(&bench.feed(&[new])), bitmap.feed(new));
            assert_eq!(found[..found.len().min(2)], expected);
            assert!(found.len() < 3 || (expected.len() == 2 && found.len() <= MOST_READINGS));
            let counts = &bench.counts;
            assert_eq!(counts[Count::Datagrams] + counts[Count::SkippedFragment], turn as u64 + 1);
        }
    }
}

#[test]
fn fragments_that_disagree_are_read_both_ways() {
    let (octets, mut bench) = (octets(), bench());
    let two = fragment(32, &octets[32..], false);
    let read = bench.feed(&[fragment(0, &octets[..32], true), fragment(0, &[255; 32], true), two]);
    assert_eq!(known(&read), [(octets.clone(), 0), ([&[255; 32], &octets[32..]].concat(), 0)]);
    assert!(read.iter().all(|datagram| datagram.oddities.contains(Oddity::FragOverlap)));
    assert_eq!(bench.counted(), [("skipped.fragment", 2), ("datagrams", 1), ("second_readings", 1)]);
}

#[test]
fn a_number_that_is_used_again_begins_a_new_datagram() {
    let (octets, mut bench) = (octets(), bench());
    let pieces = [fragment(0, &octets[..32], true), fragment(32, &octets[32..], false)];
    let read = bench.feed(&[pieces, pieces].concat());
    assert_eq!(known(&read), [(octets.clone(), 0), (octets.clone(), 0)]);
    assert!(read[0].oddities.is_empty());
}

#[test]
fn a_hole_is_never_filled() {
    let (octets, mut bench) = (octets(), bench());
    assert!(bench.feed(&[fragment(0, &octets[..24], true), fragment(32, &octets[32..], false)]).is_empty());
    bench.finish();
    assert_eq!(bench.counted(), [("skipped.fragment", 2), ("blind.fragments", 1)]);
}

#[test]
fn a_contradiction_is_heard_out_once() {
    let (octets, mut bench) = (octets(), bench());
    bench.feed(&[fragment(0, &octets[..24], true), fragment(32, &octets[32..], false)]);
    let read = [8, 16, 24].map(|end| bench.feed(&[fragment(end, b"", false)]).len());
    assert_eq!(read, [1, 2, 0]);
    assert_eq!(bench.counts[Count::BlindFragments], 1); // what lies behind the second end
}

#[test]
fn no_datagram_is_longer_than_there_can_be() {
    let mut bench = bench();
    let begin = [0; 65528];
    assert!(bench.feed(&[fragment(0, &begin, true), fragment(65528, &[0; 8], false)]).is_empty());
    assert_eq!(bench.feed(&[fragment(65528, &[0; 7], false)])[0].data.len(), LONGEST);
}

#[test]
fn fragments_of_different_datagrams_are_not_mixed() {
    let octets = octets();
    let (one, two) = (fragment(0, &octets[..32], true), fragment(32, &octets[32..], false));
    let path = [Layer { kind: "gtpu", number: 1 }];
    for other in [
        Fragment { src: [9; 16], ..two },
        Fragment { dst: [9; 16], ..two },
        Fragment { protocol: 17, ..two },
        Fragment { ident: 78, ..two },
        Fragment { path: &path, ..two },
    ] {
        let mut bench = bench();
        assert!(bench.feed(&[one, other]).is_empty());
        assert_eq!(bench.feed(&[two]).len(), 1);
    }
    // RFC 8200 section 4.5: the protocols of later fragments may differ
    let six = [Fragment { v6: true, protocol: 17, ..two }, Fragment { v6: true, time_ns: 9, ..one }];
    let read = bench().feed(&six);
    assert_eq!((read[0].protocol, read[0].time_ns), (6, 9));
}

#[test]
fn an_empty_first_fragment_may_name_another_protocol() {
    let octets = octets();
    let six = |fragment| Fragment { v6: true, ..fragment };
    let empty = six(Fragment { protocol: 17, ..fragment(0, b"", true) });
    let (one, two) = (six(fragment(0, &octets[..32], true)), six(fragment(32, &octets[32..], false)));
    for (fragments, protocols) in [([empty, one, two], [17, 6]), ([one, empty, two], [6, 17])] {
        let read = bench().feed(&fragments);
        assert_eq!(read.iter().map(|datagram| datagram.protocol).collect::<Vec<_>>(), protocols);
        assert!(read.iter().all(|one| one.data == octets && one.oddities.contains(Oddity::FragOverlap)));
    }
}

#[test]
fn fragments_wait_as_long_as_the_limit_says() {
    let (octets, mut bench) = (octets(), bench());
    let (one, two) = (fragment(0, &octets[..32], true), fragment(32, &octets[32..], false));
    bench.feed(&[one]);
    assert_eq!(bench.feed(&[Fragment { time_ns: 30 * SECOND, ..two }]).len(), 1);
    bench.feed(&[Fragment { time_ns: 5, ident: 1, ..one }]); // a clock that goes back
    bench.defragmenter.expire(60 * SECOND, &mut bench.counts);
    assert_eq!(bench.counts[Count::BlindFragments], 0);
    bench.defragmenter.expire(60 * SECOND + 1, &mut bench.counts);
    assert_eq!(bench.counts[Count::BlindFragments], 1);
}

#[test]
fn memory_is_bounded_and_the_oldest_goes() {
    let octets = octets();
    let mut bench = Bench::new(Limits { fragments_bytes: 10 * (OVERHEAD + 64), ..Limits::default() });
    for ident in 0..1000 {
        bench.feed(&[
            Fragment { ident, ..fragment(0, &octets, true) },
            Fragment { ident, ..fragment(0, &octets, true) },
        ]);
    }
    let memory = 10 * (OVERHEAD + 64) as u64;
    let shed =
        [("skipped.fragment", 2000), ("memory_bytes.defrag", memory), ("blind.fragments", 990), ("shed.defrag", 990)];
    assert_eq!(bench.counted(), shed);
    let end = fragment(64, b"end", false);
    assert!(bench.feed(&[Fragment { ident: 989, ..end }]).is_empty());
    assert_eq!(bench.feed(&[Fragment { ident: 999, ..end }]).len(), 1);
    bench.finish();
}

#[test]
fn a_mirror_that_shows_every_packet_twice_leaves_no_blind_spot() {
    let (octets, mut bench) = (octets(), bench());
    let (one, two) = (fragment(0, &octets[..32], true), fragment(32, &octets[32..], false));
    assert_eq!(bench.feed(&[one, one, two, two]).len(), 1);
    bench.finish();
    assert_eq!(bench.counted(), [("skipped.fragment", 3), ("datagrams", 1)]);
    for ident in 1000..1000 + ECHOES as u32 / 2 {
        bench.feed(&[Fragment { ident, ..one }, Fragment { ident, ..two }]);
    }
    assert_eq!((bench.defragmenter.echoes.len(), bench.defragmenter.echo_order.len()), (ECHOES, ECHOES));
    bench.feed(&[two]); // too long ago
    bench.finish();
    assert_eq!(bench.counts[Count::BlindFragments], 1);
}

#[test]
fn a_long_datagram_in_the_smallest_fragments() {
    let mut random = Random::new(2);
    let octets: Vec<u8> = (0..65528).map(|_| random.below(256) as u8).collect();
    let mut pieces: Vec<_> =
        octets.chunks(8).enumerate().map(|(at, text)| fragment(8 * at, text, 8 * at + 8 < octets.len())).collect();
    for at in (1..pieces.len()).rev() {
        pieces.swap(at, random.below(at + 1));
    }
    assert_eq!(known(&bench().feed(&pieces)), [(octets.clone(), 0)]);
}
