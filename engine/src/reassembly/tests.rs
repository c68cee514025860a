//! Reassembly against a slow model: a cell for every position, and what came there first.

use super::*;
use crate::testing::Random;

const SPAN: usize = 300;
/// Sequence numbers wrap in every test.
const START: i64 = (1 << 32) - 100;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Cell {
    Unseen,
    Byte(u8),
    /// By the snap length.
    Cut,
    /// Given up.
    Lost,
}

/// An assembler, and what it has delivered.
struct Bench {
    assembler: Assembler,
    delivered: Vec<Cell>,
}

impl Bench {
    fn new() -> Bench {
        Bench { assembler: Assembler::new(START), delivered: Vec::new() }
    }

    fn end(&self) -> i64 {
        START + self.delivered.len() as i64
    }

    fn take(&mut self, straight: Straight<'_>) {
        let mut straight = straight;
        while let Some(item) = self.assembler.ready(&mut straight) {
            match item {
                Item::Data { position, octets, .. } => {
                    assert_eq!(position, self.end());
                    assert!(!octets.is_empty());
                    self.delivered.extend(octets.iter().map(|&octet| Cell::Byte(octet)));
                }
                Item::Gap(Gap { position, missing, cut }) => {
                    assert_eq!(position, self.end());
                    let cell = if cut { Cell::Cut } else { Cell::Lost };
                    self.delivered.extend((0..missing).map(|_| cell));
                }
            }
        }
        assert_eq!(self.assembler.next(), self.end());
    }

    fn insert(&mut self, begin: usize, octets: &[u8], missing: u32) -> i64 {
        let position = self.assembler.place((START + begin as i64) as u32);
        assert_eq!(position, START + begin as i64);
        let (known_from, known) = self.known();
        let Inserted { fresh, straight } =
            self.assembler.insert(position, octets, missing, 7, &known, START + known_from as i64);
        self.take(straight);
        fresh
    }

    /// What the caller keeps: the bytes behind the last gap.
    fn known(&self) -> (usize, Vec<u8>) {
        let gap = self.delivered.iter().rposition(|cell| !matches!(cell, Cell::Byte(_)));
        let from = gap.map_or(0, |gap| gap + 1);
        let octet = |cell: &Cell| if let Cell::Byte(octet) = cell { Some(*octet) } else { None };
        (from, self.delivered[from..].iter().filter_map(octet).collect())
    }

    fn skip(&mut self) {
        let hole = self.assembler.skip();
        self.take(hole);
    }
}

#[test]
fn what_came_first_is_delivered_in_order_and_once() {
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let mut bench = Bench::new();
        let mut cells = vec![Cell::Unseen; SPAN + 100];
        let (alphabet, gives_up) = (1 + random.below(2), random.below(3) == 0);
        let mut conflicts = false;
        for _ in 0..random.below(60) {
            let begin = random.below(SPAN);
            let octets: Vec<u8> = (0..random.below(50))
                .map(|n| if alphabet > 1 { random.below(2) as u8 } else { (begin + n) as u8 })
                .collect();
            let missing = if random.below(6) == 0 { random.below(30) } else { 0 };
            let mut fresh = 0;
            let known_from = bench.known().0;
            for (n, cell) in cells[begin..begin + octets.len() + missing].iter_mut().enumerate() {
                match (*cell, octets.get(n)) {
                    (Cell::Unseen, octet) => {
                        *cell = octet.map_or(Cell::Cut, |&octet| Cell::Byte(octet));
                        fresh += 1;
                    }
                    (Cell::Byte(first), Some(&octet)) => conflicts |= first != octet && begin + n >= known_from,
                    _ => {}
                }
            }
            assert_eq!(bench.insert(begin, &octets, missing as u32), fresh, "seed {seed}");
            if gives_up && random.below(8) == 0 && bench.assembler.waiting() {
                let hole = cells.iter_mut().skip(bench.delivered.len()).take_while(|cell| **cell == Cell::Unseen);
                hole.for_each(|cell| *cell = Cell::Lost);
                bench.skip();
            }
            let whole = cells.iter().position(|cell| *cell == Cell::Unseen).unwrap();
            assert_eq!(bench.delivered, cells[..whole], "seed {seed}");
            let held = cells[whole..].iter().filter(|cell| **cell != Cell::Unseen).count();
            assert_eq!(bench.assembler.waiting(), held > 0, "seed {seed}");
            assert!(bench.assembler.held() <= held * (1 + PIECE_OVERHEAD), "seed {seed}");
            assert!((held > 0) == (bench.assembler.held() > 0), "seed {seed}");
        }
        assert_eq!(conflicts, bench.assembler.fresh_versions() > 0, "seed {seed}");
        for Version { start, stop, octets, oddity, .. } in
            bench.assembler.versions().map_or(&[][..], |versions| &versions.fresh)
        {
            let first: Vec<Cell> = octets.iter().map(|&octet| Cell::Byte(octet)).collect();
            assert_ne!(cells[(start - START) as usize..(stop - START) as usize], first, "seed {seed}");
            assert_eq!((*oddity, octets.len() as i64), (Oddity::Overlap, stop - start));
        }
        while bench.assembler.waiting() {
            let hole = cells.iter_mut().skip(bench.delivered.len()).take_while(|cell| **cell == Cell::Unseen);
            hole.for_each(|cell| *cell = Cell::Lost);
            bench.skip();
        }
        let end = cells.iter().position(|cell| *cell == Cell::Unseen).unwrap();
        assert_eq!(bench.delivered, cells[..end], "seed {seed}");
        assert_eq!(bench.assembler.held(), 0);
    }
}

#[test]
fn a_sequence_number_is_placed_near_the_next_byte() {
    for (seq, next, position) in [
        (5, (1 << 32) - 5, (1 << 32) + 5),
        (u32::MAX - 4, (1 << 32) + 5, (1 << 32) - 5),
        ((1 << 31) + 7, (1 << 31) - 7, (1 << 31) + 7),
        (1000, 1000, 1000),
        (0, 5 << 32, 5 << 32),
        (999, (3 << 32) + 1000, (3 << 32) + 999),
    ] {
        assert_eq!(Assembler::new(next).place(seq), position);
    }
}

#[test]
fn a_segment_in_order_is_not_copied() {
    let mut assembler = Assembler::new(100);
    let payload = b"GET / HTTP/1.1".to_vec();
    let Inserted { mut straight, .. } = assembler.insert(100, &payload, 0, 7, &[], 100);
    let Some(Item::Data { octets: Cow::Borrowed(octets), .. }) = assembler.ready(&mut straight) else { panic!() };
    assert_eq!(octets.as_ptr(), payload.as_ptr());
}

#[test]
fn a_copy_that_differs_says_where() {
    let mut bench = Bench::new();
    bench.insert(0, b"GET /a", 0);
    bench.insert(4, b"/b HT", 0);
    let expected = Version { start: START + 4, stop: START + 6, octets: b"/b".into(), oddity: Oddity::Overlap };
    assert_eq!(bench.assembler.versions().unwrap().fresh, [expected]);
    bench.insert(4, b"/b", 0);
    assert_eq!(bench.assembler.fresh_versions(), 1);
}

#[test]
fn versions_are_bounded() {
    let mut bench = Bench::new();
    bench.insert(0, &[0; 10], 0);
    for n in 1..3 * MOST_VERSIONS {
        bench.insert(0, &[n as u8; 10], 0);
    }
    assert_eq!(bench.assembler.fresh_versions(), MOST_VERSIONS);
    assert_eq!(bench.assembler.versions().unwrap().left_out as usize, 2 * MOST_VERSIONS - 1);
}

#[test]
fn a_copy_that_somebody_looked_at_is_known_until_it_is_forgotten() {
    for (forgotten, found) in [(START + 2, 0), (START + 3, 1)] {
        let mut bench = Bench::new();
        bench.insert(0, b"abc", 0);
        bench.insert(0, b"abx", 0);
        let versions = bench.assembler.take_versions();
        bench.assembler.versions().unwrap().taken.extend(versions);
        bench.assembler.forget_versions(forgotten);
        bench.insert(0, b"abx", 0);
        assert_eq!(bench.assembler.take_versions().len(), found);
    }
}

#[test]
fn reading_may_begin_again_further_back() {
    let mut assembler = Assembler::new(START);
    let mut items = Vec::new();
    let mut insert = |assembler: &mut Assembler, begin: i64, octets: &[u8]| {
        let mut straight = assembler.insert(START + begin, octets, 0, 7, &[], START).straight;
        while let Some(item) = assembler.ready(&mut straight) {
            match item {
                Item::Data { position, octets, .. } => items.push((position - START, octets.into_owned())),
                Item::Gap(_) => panic!(),
            }
        }
    };
    insert(&mut assembler, 0, b"def");
    insert(&mut assembler, 5, b"ij");
    assembler.rewind(START - 3, b"def", 7);
    insert(&mut assembler, -3, b"abc");
    assert_eq!((assembler.next(), assembler.waiting()), (START + 3, true));
    insert(&mut assembler, 3, b"gh");
    assert_eq!((assembler.next(), assembler.held()), (START + 7, 0));
    let expected: [(i64, &[u8]); 5] = [(0, b"def"), (-3, b"abc"), (0, b"def"), (3, b"gh"), (5, b"ij")];
    assert!(items.iter().map(|(at, octets)| (*at, octets.as_slice())).eq(expected));
}
