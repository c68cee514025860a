//! A client's half: when heads are settled, order, holes.

use super::*;

#[test]
fn a_head_waits_for_its_acknowledgement() {
    let mut talk = Talk::new().open().client_unacknowledged(LEAK);
    let mut sensor = Sensor::default();
    assert!(sensor.feed(&talk.sent).heads.is_empty());
    talk.sent.clear();
    assert_eq!(leaks(sensor.feed(&talk.server_unacknowledged(OK).sent)), ONCE);
    assert_eq!(sensor.heads[0].time_ns, 1_700_000_000 * SECOND + 4 * SECOND / 1000);
}

#[test]
fn a_head_that_nobody_acknowledges_waits_for_a_second() {
    let mut sensor = Sensor::default();
    assert!(sensor.feed(&Talk::new().client_unacknowledged(LEAK).sent).expire(SECOND - 1).heads.is_empty());
    assert_eq!(leaks(sensor.expire(1)), ONCE);
    assert_eq!(leaks(sensor.finish()), ONCE);
}

#[test]
fn only_so_many_heads_wait() {
    let mut sensor = Sensor::default();
    sensor.feed(&Talk::new().client_unacknowledged(&CLEAN.repeat(1000)).sent);
    assert_eq!((sensor.heads.len(), sensor.counts[Count::ShedSettle]), (744, 744));
}

#[test]
fn only_so_many_bytes_of_heads_wait() {
    let head = [&CLEAN[..CLEAN.len() - 2], b"Cookie: ", &[b'c'; 1000], b"\r\n\r\n"].concat();
    let mut sensor = Sensor::with(Limits { hold_bytes_per_half_stream: 5 * head.len(), ..Limits::default() });
    sensor.feed(&Talk::new().client_unacknowledged(&head.repeat(9)).sent);
    assert_eq!((sensor.heads.len(), sensor.counts[Count::ShedSettle]), (4, 4));
    assert_eq!(sensor.finish().heads.len(), 9);
}

#[test]
fn segments_may_come_in_reverse() {
    for mss in [1, 7, 40] {
        for is_opened in [false, true] {
            let mut talk = Talk { mss, seq: u32::MAX - 30, ..Talk::new() };
            talk = if is_opened { talk.open() } else { talk };
            let before = talk.sent.len();
            talk = talk.client_unacknowledged(&LEAK.repeat(2));
            talk.sent[before..].reverse();
            assert_eq!(leaks(&read(&talk.server(OK).sent)), ["y", "y"], "{mss} {is_opened}");
        }
    }
}

#[test]
fn the_first_octets_may_come_one_by_one_in_any_order() {
    let early = [&LEAK[..LEAK.len() - 2], b"Cookie: ", &[b'c'; 16_000], b"\r\n\r\n"].concat();
    for is_reversed in [false, true] {
        let mut talk = Talk { mss: 1, step_ns: 1000, ..Talk::new() }.open();
        let before = talk.sent.len();
        talk = talk.client_unacknowledged(&early);
        let mut odd: Vec<_> = talk.sent.drain(before..).collect();
        if is_reversed {
            odd.reverse();
            talk.sent.append(&mut odd);
        } else {
            let even: Vec<_> = odd.extract_if(.., |sent| sent.seq % 2 == 0).collect();
            let mut random = Random::new(16);
            while !odd.is_empty() {
                talk.sent.push(odd.swap_remove(random.below(odd.len())));
            }
            talk.sent.extend(even);
        }
        let sensor = read(&talk.sent);
        assert_eq!(leaks(&sensor), ONCE, "{is_reversed}");
        assert_eq!((sensor.counts[Count::ShedHold], sensor.counts[Count::GapBytes]), (0, 0));
    }
}

#[test]
fn what_the_first_octets_wait_for_is_not_given_up_for_what_comes_behind() {
    let mut talk = Talk { mss: 20, step_ns: 1000, ..Talk::new() }.open().client_unacknowledged(&LEAK[..20]);
    let first = talk.sent.len();
    talk = Talk { mss: 10, ..talk }.client_unacknowledged(&[&LEAK[20..], &CLEAN.repeat(3000)].concat());
    let missing = talk.sent.remove(first);
    let mut sensor = Sensor::with(Limits { hold_bytes_per_half_stream: 1000, ..Limits::default() });
    assert!(leaks(sensor.feed(&talk.sent)).is_empty());
    assert!((1..talk.sent.len() as u64 / 4).contains(&sensor.counts[Count::ShedHold]));
    assert_eq!(leaks(sensor.feed(&[missing]).finish()), ONCE);
    assert_eq!(sensor.counts[Count::GapBytes], 0);
}

#[test]
fn every_packet_may_come_twice() {
    let sent: Vec<_> = ended(begun(), LEAK).sent.into_iter().flat_map(|sent| [sent.clone(), sent]).collect();
    let sensor = read(&sent);
    assert_eq!(leaks(&sensor), ONCE);
    assert_eq!(sensor.counts[Count::Duplicates], 4);
}

#[test]
fn a_request_may_come_before_its_handshake() {
    let mut sent = ended(Talk::new().open(), LEAK).sent;
    sent[..4].rotate_right(1);
    assert_eq!(leaks(&read(&sent)), ONCE);
}

fn lost(mut talk: Talk, octets: &[u8]) -> Talk {
    talk.seq += octets.len() as u32;
    talk
}

#[test]
fn the_first_request_lost_is_a_gap() {
    let sensor = read(&ended(lost(Talk::new().open(), CLEAN), LEAK).sent);
    assert_eq!(leaks(&sensor), ONCE);
    assert_eq!(sensor.counts[Count::GapBytes], CLEAN.len() as u64);
}

#[test]
fn an_acknowledged_hole_is_given_up_at_once() {
    let mut sensor = Sensor::default();
    assert!(leaks(sensor.feed(&lost(begun(), CLEAN).client(LEAK).sent)).is_empty());
    assert_eq!(leaks(sensor.expire(SECOND / 10)), ONCE);
}

#[test]
fn a_hole_that_nobody_acknowledged_is_given_up_after_two_seconds() {
    let mut sensor = Sensor::default();
    sensor.feed(&lost(begun(), CLEAN).client_unacknowledged(LEAK).sent).expire(2 * SECOND - 1);
    assert!(leaks(&sensor).is_empty());
    assert_eq!(leaks(sensor.expire(1).finish()), ONCE);
}

#[test]
fn bytes_that_were_given_up_may_still_come() {
    let late: Vec<_> = begun().client(LEAK).sent.into_iter().filter(|sent| sent.payload == LEAK).collect();
    let mut sensor = Sensor::default();
    assert!(leaks(sensor.feed(&lost(begun(), LEAK).client(CLEAN).sent).expire(SECOND)).is_empty());
    assert_eq!(leaks(sensor.feed(&late).feed(&late).finish()), ONCE);
}

#[test]
fn a_lost_end_is_counted() {
    for (talk, missing) in [
        (lost(begun(), LEAK).server(OK).close(), LEAK.len()),
        (lost(begun(), LEAK).client_unacknowledged(CLEAN), LEAK.len()),
        (begun().close(), 0),
    ] {
        assert_eq!(read(&talk.sent).counts[Count::GapBytes], missing as u64);
    }
}

#[test]
fn a_half_stream_is_picked_up_in_the_middle() {
    let sensor = read(&Talk::new().client(b"=0.5&page=7").server(OK).client(LEAK).server(OK).sent);
    assert_eq!(leaks(&sensor), ONCE);
    assert_eq!(sensor.counts[Count::BlindMidstream], 1);
}

#[test]
fn the_snap_length_leaves_whole_lines() {
    for (kept, expected) in [(LEAK.len() - 2, &["y"][..]), (LEAK.len() - 8, &["n"]), (0, &[])] {
        let mut sent = ended(begun(), LEAK).sent;
        for each in sent.iter_mut().filter(|each| each.payload == LEAK) {
            each.payload.truncate(kept);
            each.missing = (LEAK.len() - kept) as u32;
        }
        let sensor = read(&sent);
        assert_eq!(leaks(&sensor), expected);
        assert_eq!(sensor.counts[Count::BlindSnaplen], 1);
    }
}

#[test]
fn a_panic_ends_one_half_stream_and_is_counted() {
    let mut talk = begun();
    talk.segment(DATA, b"PANIC / HTTP/1.1\r\n");
    let mut sensor = Sensor::default();
    sensor.feed(&Talk::new().client(LEAK).sent).feed(&talk.sent);
    assert_eq!(sensor.counts[Count::Panics], 1);
    talk.sent.clear();
    sensor.feed(&ended(talk, LEAK).sent); // which goes on, and is picked up again
    assert!(!leaks(&sensor).is_empty());
}
