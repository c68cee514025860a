//! All connections together: decoys, ports, tunnels, bounds, and laws. What happens to one client's half is in `client`,
//! segments that may not have been taken in `doubts`, copies that differ in `copies`.

mod client;
mod copies;
mod doubts;
mod early;
mod talk;

use super::paths::MOST_ALIKE;
use super::*;
use crate::records::{Layer, Oddity, Section};
use crate::testing::Random;
use talk::{CLEAN, DATA, LEAK, MASKED, OK, ONCE, SECOND, Sensor, Sent, Talk, begun, ended, leaks, read};

const GTP_1: &[Layer] = &[Layer { kind: "gtpu", number: 1 }];
const GTP_2: &[Layer] = &[Layer { kind: "gtpu", number: 2 }];
const L2TP: &[Layer] = &[Layer { kind: "l2tp", number: 1 }];

#[test]
fn a_half_stream_is_small() {
    assert_eq!(size_of::<HalfStream>(), 128);
    assert!(size_of::<Speaker>() <= 576, "{}", size_of::<Speaker>());
}

#[test]
fn a_decoy_does_not_stop_the_reading() {
    let far = Sent { seq: 901_000, payload: LEAK.to_vec(), ..Sent::new(DATA) };
    let decoys = [
        Sent::new(RST),
        Sent { payload: b"gone".to_vec(), ..Sent::new(RST) },
        Sent::new(FIN | ACK),
        Sent { seq: 77_000, ..Sent::new(SYN) },
        Sent { seq: 1000, ..Sent::new(SYN) },
        far,
    ];
    for decoy in decoys {
        for at in [0, 5, 40] {
            let mut talk = begun().client_unacknowledged(&LEAK[..at]);
            let decoy = if decoy.seq == 0 { Sent { seq: talk.seq, ..decoy.clone() } } else { decoy.clone() };
            talk.send(Sent { ack: talk.ack, ..decoy });
            assert_eq!(leaks(&read(&talk.client(&LEAK[at..]).server(OK).sent)), ONCE);
        }
    }
}

#[test]
fn two_segments_far_ahead_move_the_window() {
    let mut talk = begun();
    talk.seq += 3_000_000;
    let sensor = read(&ended(talk.client(LEAK).server(OK), LEAK).sent);
    assert_eq!(leaks(&sensor), ["y", "y"]);
    assert_eq!(sensor.counts[Count::BlindGap], 1);
}

#[test]
fn decoys_far_ahead_do_not_add_up() {
    let mut talk = begun();
    let mut far = talk.seq + 900_000;
    for cut in [&LEAK[..20], &LEAK[20..]] {
        talk.send(Sent { seq: far, ack: talk.ack, payload: MASKED.to_vec(), ..Sent::new(DATA) });
        far += MASKED.len() as u32;
        talk = talk.client_unacknowledged(cut);
    }
    assert_eq!(leaks(&read(&talk.server(OK).sent)), ONCE);
}

#[test]
fn a_segment_far_ahead_that_is_acknowledged_moves_the_window() {
    let mut talk = begun().client_unacknowledged(&LEAK[..20]);
    talk.seq += 3_000_000;
    let sensor = read(&talk.client(LEAK).server(OK).sent);
    assert!(leaks(&sensor).contains(&"y".to_owned()));
    assert_eq!(sensor.counts[Count::BlindGap], 1);
}

#[test]
fn a_window_that_moves_leaves_what_was_read_where_it_was() {
    let mut talk = begun().client_unacknowledged(&LEAK[..50]);
    for (n, ahead) in [900_000, 2_900_000, 4_900_000].into_iter().enumerate() {
        for seq in [talk.seq + ahead, talk.seq + ahead + MASKED.len() as u32] {
            talk.sent.push(Sent { seq, payload: MASKED.to_vec(), time_ns: talk.time_ns, ..Sent::new(DATA) });
        }
        let sensor = read(&talk.clone().client(&LEAK[50..]).server(OK).sent);
        assert_eq!(leaks(&sensor).iter().filter(|leak| *leak == "y").count(), 1, "{:?}", leaks(&sensor));
        assert_eq!(sensor.counts[Count::ShedWindows], n as u64);
    }
}

#[test]
fn ports_may_be_used_again() {
    for seq in [500_000, 1100, 3_000_000_000] {
        let first = begun();
        let second = Talk { seq, time_ns: first.time_ns, ..Talk::new() };
        let mut sensor = Sensor::default();
        sensor.feed(&first.sent).feed(&second.open().client(LEAK).sent);
        assert_eq!(leaks(&sensor), ONCE, "{seq}");
        assert_eq!(sensor.finish().counts[Count::GapBytes], 0);
    }
    let lost_syn = ended(Talk { seq: 3_000_000_000, ..Talk::new() }.client(LEAK).server(OK), LEAK);
    assert_eq!(leaks(Sensor::default().feed(&begun().sent).feed(&lost_syn.sent).finish()), ["y", "y"]);
}

#[test]
fn ports_may_be_used_again_out_of_order() {
    let mut second = Talk { seq: 3_000_000_000, mss: 30, time_ns: begun().time_ns, ..Talk::new() }.open();
    let opened = second.sent.len();
    second = second.client_unacknowledged(LEAK);
    second.sent[opened..].reverse();
    let mut sensor = Sensor::default();
    assert_eq!(leaks(sensor.feed(&begun().sent).feed(&second.sent).finish()), ONCE);
    assert_eq!(sensor.counts[Count::RejectedOutOfWindow], 0);
}

#[test]
fn a_syn_may_come_between_parts_of_the_first_request() {
    let sent = Talk { mss: 20, ..Talk::new() }.open().client(LEAK).sent;
    let order = [4, 0, 3].into_iter().chain(5..sent.len());
    assert_eq!(leaks(&read(&order.map(|at| sent[at].clone()).collect::<Vec<_>>())), ONCE);
}

#[test]
fn data_may_follow_a_fin() {
    let mut talk = begun();
    talk.send(Sent { seq: talk.seq, ack: talk.ack, ..Sent::new(FIN | ACK) });
    talk.seq += 1;
    let mut sensor = Sensor::default();
    talk = talk.client(&LEAK[..30]);
    sensor.feed(&talk.sent).expire(3 * SECOND);
    talk.sent.clear();
    assert_eq!(leaks(sensor.feed(&talk.client(&LEAK[30..]).sent)), ONCE);
}

#[test]
fn a_response_is_never_read() {
    for body in [LEAK, &[&[b'x'; 50], LEAK].concat()] {
        let talk = Talk::new().open().client(CLEAN).server(b"HTTP/1.1 200 OK\r\n\r\n").server(body).server(LEAK);
        let sensor = read(&talk.sent);
        assert!(leaks(&sensor).is_empty());
        assert_eq!(sensor.counts[Count::OpaqueStreamsResponse], 1);
    }
    let picked_up = Talk::new().server(b"some text of a page\r\n").client(CLEAN).server(LEAK).server(LEAK);
    assert!(leaks(&read(&picked_up.sent)).is_empty());
}

#[test]
fn fields_of_a_response_behind_a_hole_are_not_read() {
    let mut talk = Talk::new();
    talk.send(Sent { seq: talk.ack, client: false, ..Sent::new(SYN | ACK) });
    talk.ack += 20;
    let talk = talk.server_unacknowledged(b"text/html\r\nX-MSISDN: 447700900123\r\nServer: s\r\n\r\n");
    assert!(leaks(&read(&talk.sent)).is_empty());
}

#[test]
fn any_protocol_may_come_before() {
    let talk = Talk { dport: 25, ..Talk::new() }.open().server(b"220 mail.example ESMTP\r\n");
    let talk = talk.client(b"EHLO client.example\r\n").client(b"\x80\x81\x82 binary").client(LEAK);
    assert!(leaks(&read(&talk.sent)).iter().map(|leak| leak.starts_with('y')).eq([true]));
}

#[test]
fn looks_are_counted_once() {
    let mut talk = Talk::new().open();
    for _ in 0..3 {
        talk = talk.client(b"\x17\x03\x03\0\x05hello").server(b"\x17\x03\x03\0\x05hello");
    }
    let other =
        Talk { sport: 2, ..Talk::new() }.open().client(b"\xff\xfe\xfd").client(b"\xff\xfe\xfc").server(b"\x01\x02");
    let mut sensor = Sensor::default();
    sensor.feed(&talk.sent).feed(&other.sent);
    assert_eq!(sensor.counts[Count::OpaqueStreamsTls], 2);
    assert_eq!(sensor.counts[Count::OpaqueStreamsOther], 2);
}

#[test]
fn http2_comes_with_prior_knowledge_or_after_an_upgrade() {
    let block = b"\x82\x86\x84\x01\x0cshop.example\x00\x08x-msisdn\x0c447700900123";
    let opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let frame = [b"\0\0", &[block.len() as u8][..], b"\x01\x05\0\0\0\x03", block].concat();
    let upgrade = b"GET /clean HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    for mss in [1460, 1] {
        for before in [&b""[..], upgrade] {
            let talk = Talk { mss, ..Talk::new() }.open().client(before).client(opening).client(&frame);
            let sensor = read(&talk.sent);
            assert_eq!(leaks(&sensor), ONCE);
            assert_eq!(sensor.counts[Count::Requests], 1 + u64::from(!before.is_empty()));
        }
    }
}

#[test]
fn trailers_are_counted_apart() {
    let octets = b"POST / HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-MSISDN: 447700900123\r\n\r\n";
    let sensor = read(&ended(begun(), octets).sent);
    let sections: Vec<_> = sensor.heads.iter().map(|head| head.section).collect();
    assert_eq!(sections, [Section::Head, Section::Head, Section::Trailer]);
    assert_eq!((sensor.counts[Count::Requests], sensor.counts[Count::Trailers]), (2, 1));
}

// --- tunnels --------------------------------------------------------------------------------------------------------

fn in_turns(one: &[Sent], other: &[Sent]) -> Vec<Sent> {
    one.iter().zip(other).flat_map(|(one, other)| [one.clone(), other.clone()]).collect()
}

#[test]
fn the_same_connection_on_two_paths_counts_once() {
    let (inside, outside) = (ended(begun(), LEAK).on(GTP_1), ended(begun(), LEAK).on(&[]));
    for both in [in_turns(&inside, &outside), in_turns(&outside, &inside)] {
        let sensor = read(&both);
        let targets: Vec<_> = sensor.heads.iter().map(|head| head.text.target()).collect();
        assert_eq!(targets, [&b"/clean"[..], b"/"]);
        assert_eq!(sensor.counts[Count::TwinHeads], 2);
    }
}

#[test]
fn two_subscribers_may_have_the_same_addresses_and_ports() {
    let both = in_turns(&ended(begun(), LEAK).on(GTP_1), &ended(begun(), MASKED).on(GTP_2));
    let mut found = leaks(&read(&both));
    found.sort();
    assert_eq!(found, ["n", "y"]);
}

#[test]
fn the_way_back_may_have_another_tunnel_or_none() {
    let mut talk = Talk::new().open().client_unacknowledged(LEAK);
    let up = talk.on(GTP_1);
    talk.sent.clear();
    talk = talk.server_unacknowledged(OK);
    for path in [GTP_2, &[]] {
        assert_eq!(leaks(Sensor::default().feed(&up).feed(&talk.on(path))), ONCE);
    }
}

#[test]
fn an_acknowledgement_goes_to_a_tunnel_of_its_kind() {
    let mut talk = Talk::new().client_unacknowledged(LEAK);
    let masked = Talk::new().client_unacknowledged(MASKED);
    let mut sensor = Sensor::default();
    for (path, talk) in [(&[][..], &talk), (GTP_1, &masked), (L2TP, &talk)] {
        let ahead = path.len() as u32;
        let sent = talk.on(path).into_iter().map(|sent| Sent { seq: sent.seq + ahead, ..sent });
        sensor.feed(&sent.collect::<Vec<_>>());
    }
    talk.sent.clear();
    talk.send(Sent { seq: talk.ack, ack: talk.seq + 1, client: false, ..Sent::new(ACK) });
    assert_eq!(leaks(sensor.feed(&talk.on(GTP_2))), ["n"]);
    assert_eq!(leaks(sensor.feed(&talk.on(&[])))[1..], ["y"]);
}

#[test]
fn a_peer_that_is_forgotten_is_nobodys_peer() {
    let mut sensor = Sensor::with(Limits { half_streams: 1, ..Limits::default() });
    let mut talk = Talk::new().open();
    for n in 0..20 {
        talk = if n % 3 == 0 { talk.server(OK) } else { talk.client(LEAK) };
    }
    for path in [GTP_1, &[], GTP_2] {
        sensor.feed(&talk.on(path));
    }
    assert!(sensor.finish().counts[Count::ShedHalfStreams] > 20);
    assert_eq!(sensor.streams.halves.len(), 0);
    assert!(sensor.streams.tunnelled.is_empty());
}

#[test]
fn a_flood_of_tunnels_is_linear() {
    let mut sensor = Sensor::default();
    let sent = Talk::new().client_unacknowledged(LEAK).sent;
    let paths: Vec<_> = (0..20_000).map(|number| [Layer { kind: "gtpu", number }]).collect();
    for path in &paths {
        for each in &sent {
            sensor.feed_one(each, path);
        }
    }
    assert_eq!(leaks(sensor.expire(SECOND)).len(), 20_000 - (MOST_ALIKE - 1));
}

// --- bounds ---------------------------------------------------------------------------------------------------------

#[test]
fn a_flood_of_syns_costs_nothing() {
    let mut sensor = Sensor::default();
    let syn = Talk::new().open().sent[0].clone();
    for sport in 0..=u16::MAX {
        for dport in [80, 443] {
            sensor.feed(&[Sent { sport, dport, ..syn.clone() }]);
        }
    }
    assert_eq!(sensor.expire(0).counts[Count::HalfStreams], 0);
    assert_eq!(leaks(sensor.feed(&ended(begun(), LEAK).sent).finish()), ONCE);
}

#[test]
fn the_half_stream_that_was_silent_for_longest_goes_first() {
    let begun = &LEAK[..LEAK.len() - 2];
    // nobody is torn for whoever comes, but for being silent
    for (text, step_ns, gone) in [(LEAK, 1, [1, 2, 3]), (begun, 1, [5, 6, 7]), (begun, 5 * SECOND, [1, 2, 3])] {
        let mut sensor = Sensor::with(Limits { half_streams: 4, settle_ns: 99 * SECOND, ..Limits::default() });
        for sport in 1..8 {
            let time_ns = 1_700_000_000 * SECOND + i64::from(sport) * step_ns;
            let talk = Talk { sport, time_ns, ..Talk::new() };
            sensor.feed(&talk.client_unacknowledged(text).sent);
        }
        assert_eq!(sensor.counts[Count::ShedHalfStreams], 3);
        assert!(sensor.heads.iter().map(|head| head.flow.sport).eq(gone));
        assert_eq!(sensor.finish().heads.len(), 7);
    }
}

#[test]
fn a_silent_half_stream_is_forgotten_and_picked_up_again() {
    let mut sensor = Sensor::default();
    let mut talk = begun();
    sensor.feed(&talk.sent);
    for left in [2, 2, 0] {
        assert_eq!(sensor.expire(600 * SECOND).counts[Count::HalfStreams], left);
    }
    talk.sent.clear();
    talk.time_ns = sensor.now_ns;
    assert_eq!(leaks(sensor.feed(&ended(talk, LEAK).sent).finish()), ONCE);
}

#[test]
fn a_step_of_the_clock_forgets_nothing() {
    for step_ns in [1_000_000_000 * SECOND, -1_000_000_000 * SECOND] {
        let mut talk = begun().client(&LEAK[..30]);
        let mut sensor = Sensor::default();
        sensor.feed(&talk.sent);
        talk.sent.clear();
        talk.time_ns += step_ns;
        assert_eq!(leaks(sensor.feed(&talk.client(&LEAK[30..]).sent)), ONCE);
    }
}

#[test]
fn a_closed_connection_is_forgotten_soon() {
    let mut sensor = Sensor::default();
    sensor.feed(&ended(begun(), LEAK).sent).expire(0);
    assert_eq!(sensor.counts[Count::HalfStreams], 2);
    assert_eq!(sensor.expire(2 * SECOND).counts[Count::HalfStreams], 0);
}

#[test]
fn a_head_that_ends_in_a_reset_is_judged_soon() {
    let mut talk = Talk::new().open().client(&LEAK[..LEAK.len() - 2]);
    talk.send(Sent { seq: talk.seq, ack: talk.ack, ..Sent::new(RST | ACK) });
    let mut sensor = Sensor::default();
    assert_eq!(leaks(sensor.feed(&talk.sent).expire(2 * SECOND)), ONCE);
    assert!(sensor.heads[0].oddities.contains(Oddity::Incomplete));
}

fn hoard(sport: u16) -> Vec<Sent> {
    let mut talk = Talk { sport, ..Talk::new() }.open().client_unacknowledged(LEAK);
    talk.seq += 1;
    talk.client_unacknowledged(&[b'x'; 20_000]).sent
}

#[test]
fn what_waits_behind_holes_is_bounded() {
    let mut sensor = Sensor::with(Limits { hold_bytes: 100_000, ..Limits::default() });
    for sport in 1..=20 {
        sensor.feed(&hoard(sport)).expire(0);
        assert!(sensor.counts[Count::MemoryHold] <= 100_000);
    }
    assert!(sensor.counts[Count::ShedHold] >= 15);
    assert_eq!(leaks(sensor.finish()).len(), 20);
    assert_eq!(sensor.counts[Count::MemoryHold], 0);
    assert!(sensor.streams.holding.is_empty() && sensor.streams.held == 0);
    let mut late = Talk::new().open().client_unacknowledged(&CLEAN.repeat(400));
    late.seq += 1;
    let mut one = Sensor::with(Limits { hold_bytes_per_half_stream: 10_000, ..Limits::default() });
    assert!(one.feed(&late.client_unacknowledged(&[b'x'; 20_000]).sent).counts[Count::ShedHold] > 0);
}

// --- laws -----------------------------------------------------------------------------------------------------------

#[test]
fn order_and_copies_of_segments_do_not_matter() {
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let (mss, seq) = (1 + random.below(90), u32::MAX - random.below(300) as u32);
        let mut talk = Talk { mss, seq, step_ns: SECOND / 10_000, ..Talk::new() };
        let is_opened = random.below(2) == 0;
        if is_opened {
            talk = talk.open();
        }
        let before = std::mem::take(&mut talk.sent);
        let requests = 1 + random.below(6);
        for n in 0..requests {
            // without a handshake, a binary body that comes first may be taken for another protocol
            let body = if is_opened { random.octets(80) } else { vec![b'b'; random.below(80)] };
            let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
            let head = format!("PUT /{n} HTTP/1.1\r\nHost: shop.example\r\n{length}\r\n");
            talk = talk.client_unacknowledged(&[head.as_bytes(), &body].concat());
        }
        let plain = read(&[&before[..], &talk.sent].concat());
        assert!(
            plain
                .heads
                .iter()
                .map(|head| head.text.target().to_vec())
                .eq((0..requests).map(|n| format!("/{n}").into_bytes()))
        );
        let mut mixed: Vec<(usize, &Sent)> =
            talk.sent.iter().enumerate().map(|(n, sent)| (n + random.below(13), sent)).collect();
        for _ in 0..random.below(8) {
            mixed.push((random.below(2 * talk.sent.len()), random.pick(&talk.sent)));
        }
        mixed.sort_by_key(|&(place, _)| place);
        let mixed: Vec<Sent> = before.iter().chain(mixed.iter().map(|&(_, sent)| sent)).cloned().collect();
        let sensor = read(&mixed);
        let content = |sensor: &Sensor| {
            let mut heads: Vec<_> =
                sensor.heads.iter().map(|head| format!("{:?}{:?}", head.text, head.oddities)).collect();
            heads.sort();
            heads
        };
        assert_eq!(content(&sensor), content(&plain), "seed {seed}");
        assert_eq!(sensor.counts[Count::GapBytes], 0, "seed {seed}");
    }
}

#[test]
fn no_traffic_is_an_error() {
    let payloads = [&b""[..], LEAK, CLEAN, MASKED, OK, &LEAK[..20], &LEAK[20..], b"\xff\xfe"];
    let flags = [SYN, SYN | ACK, DATA, DATA, DATA, FIN | ACK, RST, ACK, 0];
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let limits =
            Limits { half_streams: 2, hold_bytes: 4000, hold_bytes_per_half_stream: 2000, ..Limits::default() };
        let (mut sensor, mut sent_bytes) = (Sensor::with(limits), 0);
        for _ in 0..random.below(40) {
            let mut number = || if random.below(2) == 0 { random.below(300) } else { random.below(1 << 32) } as u32;
            let (seq, ack) = (number(), number());
            let sent = Sent {
                time_ns: sensor.now_ns,
                seq,
                ack,
                payload: random.pick(&payloads).to_vec(),
                missing: random.below(3) as u32,
                client: random.below(2) == 0,
                is_bad: random.below(4) == 0,
                urgent: random.below(2) as u16 * 5,
                ..Sent::new(*random.pick(&flags))
            };
            sent_bytes += if sent.flags & RST == 0 { sent.payload.len() } else { 0 };
            let path = *random.pick(&[&[][..], &[], GTP_1, GTP_2]);
            sensor.feed(&[Sent { path, ..sent }]).expire(random.below(3_000_000_000) as i64);
            assert!(sensor.counts[Count::MemoryHold] <= 4000, "seed {seed}");
            assert!(sensor.counts[Count::HalfStreams] <= 2, "seed {seed}");
        }
        sensor.finish();
        assert_eq!(sensor.counts[Count::PayloadBytes], sent_bytes as u64, "seed {seed}");
        let parted = [Count::Requests, Count::Trailers, Count::HeadParts];
        let read: u64 = parted.into_iter().map(|count| sensor.counts[count]).sum();
        assert_eq!(read, sensor.heads.len() as u64, "seed {seed}");
    }
}
