//! Any segments: what came first at each place is delivered in order and once, as a bitmap of all places has it.
//!
//! Three octets make a segment: where it begins, how long it is, and what it is filled with; or they give a hole up.
#![no_main]

use _engine::reassembly::{Assembler, Gap, Inserted, Item, Straight};
use libfuzzer_sys::fuzz_target;

/// Sequence numbers wrap.
const START: i64 = (1 << 32) - 100;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Cell {
    Unseen,
    Octet(u8),
    Cut,
    Lost,
}

fn take(assembler: &mut Assembler, mut straight: Straight<'_>, delivered: &mut Vec<Cell>) {
    while let Some(item) = assembler.ready(&mut straight) {
        let end = START + delivered.len() as i64;
        match item {
            Item::Data { position, octets, .. } => {
                assert_eq!(position, end);
                delivered.extend(octets.iter().map(|&octet| Cell::Octet(octet)));
            }
            Item::Gap(Gap { position, missing, cut }) => {
                assert_eq!(position, end);
                delivered.extend((0..missing).map(|_| if cut { Cell::Cut } else { Cell::Lost }));
            }
        }
    }
    assert_eq!(assembler.next(), START + delivered.len() as i64);
}

fuzz_target!(|octets: &[u8]| {
    let (mut assembler, mut delivered) = (Assembler::new(START), Vec::new());
    let mut cells = vec![Cell::Unseen; 512];
    for &[begin, bits, fill] in octets.as_chunks::<3>().0 {
        if bits & 0xE0 == 0xE0 {
            if assembler.waiting() {
                let hole = cells.iter_mut().skip(delivered.len()).take_while(|cell| **cell == Cell::Unseen);
                hole.for_each(|cell| *cell = Cell::Lost);
                let straight = assembler.skip();
                take(&mut assembler, straight, &mut delivered);
            }
            continue;
        }
        let (begin, size, missing) = (usize::from(begin), usize::from(bits & 0x1F), usize::from(bits >> 5));
        let data = vec![fill; size];
        let mut fresh = 0;
        for (at, cell) in cells[begin..begin + size + missing].iter_mut().enumerate() {
            if *cell == Cell::Unseen {
                *cell = if at < size { Cell::Octet(fill) } else { Cell::Cut };
                fresh += 1;
            }
        }
        let position = assembler.place((START + begin as i64) as u32);
        let Inserted { fresh: found, straight } = assembler.insert(position, &data, missing as u32, 0, &[], position);
        assert_eq!(found, fresh);
        take(&mut assembler, straight, &mut delivered);
        let whole = cells.iter().position(|cell| *cell == Cell::Unseen).unwrap_or(cells.len());
        assert_eq!(delivered, cells[..whole]);
    }
});
