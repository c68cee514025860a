use std::collections::HashMap;

use super::*;
use crate::testing::Random;

fn flow(number: u16) -> Flow {
    Flow { src: [1; 16], dst: [2; 16], sport: number, dport: 80, v6: number.is_multiple_of(2), path_hash: 0 }
}

/// Flows in the order of their age, with the places that they should have.
fn assert_agree(halves: &Halves, order: &[u16], places: &HashMap<u16, Id>) {
    assert_eq!(halves.len(), order.len());
    assert!(halves.by_age().map(|id| halves[id].flow.sport).eq(order.iter().copied()));
    for (number, &id) in places {
        assert_eq!(halves.find(&flow(*number), halves.mark(&flow(*number))), Some(id));
    }
}

#[test]
fn everyone_is_found_where_he_is_and_in_the_order_of_age() {
    let mut random = Random::new(1);
    let mut halves = Halves::default();
    let (mut order, mut places, mut gone) = (Vec::new(), HashMap::new(), Vec::new());
    for round in 0..6000 {
        let number = random.below(3000) as u16;
        let mark = halves.mark(&flow(number));
        match places.get(&number).copied() {
            None => {
                assert_eq!(halves.find(&flow(number), mark), None);
                let id = halves.enter(HalfStream::new(flow(number), &[], 0), mark).unwrap();
                order.push(number);
                places.insert(number, id);
            }
            Some(id) if random.below(3) > 0 => {
                gone.push(halves.link(id));
                halves.remove(id);
                order.retain(|&other| other != number);
                places.remove(&number);
            }
            Some(id) => {
                halves.renew(id);
                order.retain(|&other| other != number);
                order.push(number);
                assert_eq!(halves.follow(halves.link(id)), Some(id));
            }
        }
        if round % 100 == 0 {
            assert_agree(&halves, &order, &places);
        }
    }
    assert_agree(&halves, &order, &places);
    assert!(halves.buckets.len() > FEWEST_BUCKETS && halves.slots.len() < 3000);
    assert!(gone.into_iter().all(|link| halves.follow(link).is_none()));
    for id in places.into_values() {
        halves.remove(id);
    }
    assert!(halves.buckets.iter().all(|bucket| bucket.id.is_none()));
}

#[test]
fn flows_that_differ_in_anything_have_marks_of_their_own() {
    let halves = Halves::default();
    let plain = Flow { v6: false, ..flow(1) };
    let others = [
        Flow { sport: 80, dport: 1, ..plain },
        Flow { src: plain.dst, dst: plain.src, ..plain },
        Flow { v6: true, ..plain },
        Flow { path_hash: 1, ..plain },
    ];
    assert!(others.iter().all(|other| halves.mark(other) != halves.mark(&plain)));
}

/// Clients one after the other, each with the port that makes the XOR of all addresses and ports the same.
fn alike(number: u32) -> Flow {
    let mut src = [0; 16];
    src[..4].copy_from_slice(&(0x6440_0000 + number).to_be_bytes());
    Flow { src, sport: (number >> 16 ^ number) as u16, v6: false, ..flow(1) }
}

#[test]
fn of_a_million_flows_that_were_chosen_to_collide_no_more_than_eight_share_a_bucket() {
    const FLOWS: u32 = 1_000_000;
    const BUCKETS: usize = 1 << 21; // of a table with so many
    let worst = || {
        let (halves, mut buckets) = (Halves::default(), vec![0_u8; BUCKETS]);
        for number in 0..FLOWS {
            let bucket = &mut buckets[(halves.mark(&alike(number)) >> 32) as usize % BUCKETS];
            *bucket = bucket.saturating_add(1);
        }
        buckets.into_iter().max()
    };
    // of one key in two hundred it is nine, by chance: three are tried
    assert!((0..3).filter_map(|_| worst()).min() <= Some(8));
}

#[test]
fn two_tables_have_keys_of_their_own() {
    assert_ne!(Halves::default().mark(&flow(1)), Halves::default().mark(&flow(1)));
}

#[test]
fn a_head_that_comes_again_takes_no_room_of_another() {
    let mut seldom = Seldom::default();
    for head in 1..=MOST_HEADS as u32 {
        seldom.note_head(head, head + 1);
        assert!(!seldom.is_again() && seldom.had_any());
    }
    seldom.note_head(33, 7);
    assert!(seldom.is_again());
    seldom.note_head(7, 1);
    assert!(!seldom.is_again());
    assert!(seldom.take_heads().iter().copied().eq(2..=33));
    assert!(!seldom.had_any());
}
