//! Segments that a receiver may not have taken.

use super::*;

fn bad(talk: &mut Talk, octets: &[u8]) {
    talk.segment(DATA, octets);
    if let Some(sent) = talk.sent.last_mut() {
        sent.is_bad = true;
    }
}

#[test]
fn a_bad_checksum_is_not_believed_against_a_good_one() {
    for (first, second, expected) in [(MASKED, LEAK, "y"), (LEAK, MASKED, "n")] {
        let mut talk = begun();
        bad(&mut talk, first);
        let sensor = read(&ended(talk, second).sent);
        assert_eq!(leaks(&sensor), [expected]);
        assert_eq!(sensor.counts[Count::RejectedBadChecksum], 1);
    }
}

#[test]
fn a_bad_checksum_that_nobody_acknowledged_is_not_believed() {
    let mut talk = begun();
    bad(&mut talk, LEAK);
    let sensor = read(&talk.server(OK).sent);
    assert!(leaks(&sensor).is_empty());
    assert_eq!(sensor.counts[Count::RejectedBadChecksum], 1);
}

#[test]
fn bad_checksums_of_an_offloaded_client_are_acknowledged() {
    let mut talk = Talk::new();
    for _ in 0..3 {
        bad(&mut talk, LEAK);
        talk.seq += LEAK.len() as u32;
        talk = talk.server_unacknowledged(OK);
    }
    let sensor = read(&talk.sent);
    assert_eq!(leaks(&sensor), ["y", "y", "y"]);
    assert_eq!(sensor.counts[Count::OdditiesBadChecksum], 1);
}

#[test]
fn a_bad_checksum_is_believed_where_nothing_can_contradict_it() {
    let mut talk = Talk::new();
    for cut in LEAK.repeat(10).chunks(16) {
        bad(&mut talk, cut);
        talk.seq += cut.len() as u32;
    }
    assert_eq!(leaks(&read(&talk.sent)), ["y"; 10]);
    assert_eq!(leaks(Sensor::default().feed(&talk.sent).expire(2 * SECOND).expire(SECOND)), ["y"; 10]);
}

#[test]
fn a_bad_checksum_is_believed_of_a_client_that_has_no_other() {
    let mut talk = Talk::new();
    bad(&mut talk, LEAK);
    assert_eq!(leaks(&read(&talk.server_unacknowledged(OK).sent)), ONCE); // which acknowledges what came before
}

#[test]
fn data_of_a_syn_counts_when_it_is_acknowledged() {
    let mut talk = Talk::new();
    talk.segment(SYN, LEAK);
    let refused = talk.sent.clone();
    talk.seq += 1 + LEAK.len() as u32;
    talk.send(Sent { seq: talk.ack, ack: talk.seq, client: false, ..Sent::new(SYN | ACK) });
    let accepted = read(&talk.sent);
    assert_eq!(leaks(&accepted), ONCE);
    assert_eq!(accepted.counts[Count::OdditiesSynData], 1);
    let mut talk = Talk { seq: 1001, ..Talk::new() };
    talk.send(Sent { seq: talk.ack, ack: talk.seq, client: false, ..Sent::new(SYN | ACK) });
    talk.ack += 1;
    let alone = [&refused[..], &talk.sent].concat();
    let again = read(&[&refused[..], &ended(talk, MASKED).sent].concat());
    assert_eq!(leaks(&again), ["n"]);
    assert_eq!(again.counts[Count::RejectedNotAccepted], 1);
    assert!(leaks(&read(&alone)).is_empty());
}

#[test]
fn a_segment_that_every_receiver_drops_is_not_believed() {
    for decoy in [Sent::new(DATA & !ACK), Sent { ack: 5_000_000, ..Sent::new(DATA) }] {
        for mut talk in [Talk::new().open(), begun()] {
            talk.send(Sent { seq: talk.seq, payload: MASKED.to_vec(), ..decoy.clone() });
            let sensor = read(&ended(talk, LEAK).sent);
            assert_eq!(leaks(&sensor), ONCE);
            assert_eq!(sensor.counts[Count::RejectedNotAccepted], 1);
        }
    }
    let mut talk = Talk::new();
    talk.segment(DATA & !ACK, LEAK);
    assert_eq!(leaks(&read(&talk.sent)), ONCE); // nothing contradicts it
}

#[test]
fn a_refused_probe_is_not_used() {
    let mut talk = begun();
    talk.segment(ACK, b"\0");
    talk.send(Sent { seq: talk.ack, ack: talk.seq, client: false, ..Sent::new(ACK) });
    assert_eq!(leaks(&read(&ended(talk, LEAK).sent)), ONCE);
}
