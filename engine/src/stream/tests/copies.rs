//! Copies that differ: what the first one shows, and what the others do.

use super::*;

#[test]
fn of_two_copies_the_first_is_read_first() {
    for (first, second, expected) in [(LEAK, MASKED, "y(n)"), (MASKED, LEAK, "n(y)")] {
        let mut talk = begun();
        talk.segment(DATA, first);
        let sensor = read(&ended(talk, second).sent);
        assert_eq!(leaks(&sensor), [expected]);
        assert_eq!(sensor.counts[Count::OdditiesOverlap], 1);
    }
}

#[test]
fn copies_may_come_ahead_of_a_hole() {
    for (first, second, expected) in [(LEAK, MASKED, "y(n)"), (MASKED, LEAK, "n(y)")] {
        let mut talk = begun();
        for copy in [first, second] {
            talk.send(Sent { seq: talk.seq + 10, ack: talk.ack, payload: copy[10..].to_vec(), ..Sent::new(DATA) });
        }
        talk.segment(DATA, &LEAK[..10]);
        talk.seq += LEAK.len() as u32;
        assert_eq!(leaks(&read(&talk.server(OK).sent)), [expected]);
    }
}

#[test]
fn a_copy_in_many_segments_is_one_reading() {
    let mut talk = begun();
    talk.segment(DATA, MASKED);
    talk.mss = 9;
    let sensor = read(&ended(talk, LEAK).sent);
    assert!(leaks(&sensor)[0].starts_with("n(y"));
    assert!(sensor.heads[1].readings.len() <= 4);
}

#[test]
fn a_copy_in_which_there_is_no_head_leaves_the_head_in_doubt() {
    let junk = &[b'x'; LEAK.len()];
    for (first, second) in [(LEAK, &junk[..]), (junk, LEAK)] {
        let mut talk = begun();
        talk.segment(DATA, first);
        assert_eq!(leaks(&read(&ended(talk, second).sent)), ["y?"]);
    }
}

#[test]
fn a_copy_may_hide_a_second_head() {
    let hidden = [CLEAN, LEAK].concat();
    let head = |padding: usize| {
        [b"GET / HTTP/1.1\r\nHost: shop.example\r\nA: ", &vec![b'a'; padding][..], b"\r\n\r\n"].concat()
    };
    let mut talk = begun();
    talk.segment(DATA, &head(hidden.len() - head(0).len()));
    let found = leaks(&read(&ended(talk, &hidden).sent));
    assert!(found.iter().filter(|leak| leak.starts_with('y')).eq(["y?"]), "{found:?}");
}

#[test]
fn a_copy_of_the_last_byte_changes_nothing() {
    let mut talk = begun().client_unacknowledged(LEAK);
    talk.send(Sent { seq: talk.seq - 1, ack: talk.ack, payload: vec![0], ..Sent::new(ACK) }); // RFC 9293 section 3.8.4
    assert_eq!(leaks(&read(&talk.server(OK).sent)), ONCE);
}

#[test]
fn a_late_copy_shows_only_what_is_new() {
    let mut sensor = Sensor::default();
    sensor.feed(&Talk::new().client_unacknowledged(MASKED).sent).expire(SECOND);
    assert_eq!(leaks(&sensor), ["n"]);
    let copy = Talk { time_ns: sensor.now_ns, ..Talk::new() }.client_unacknowledged(LEAK);
    assert_eq!(leaks(sensor.feed(&copy.sent).finish()), ["n", "y?"]);
    let fields: Vec<_> = sensor.heads[1].text.fields().collect();
    assert_eq!(fields, [(&b"host"[..], &b"shop.example"[..]), (b"x-msisdn", b"447700900123")]);
}

#[test]
fn soon_after_the_acknowledgement_a_copy_is_read_and_later_none_counts() {
    for (wait_ns, said) in [(0, &["n", "y?"][..]), (SECOND / 8, &["n"])] {
        let mut talk = begun().client(MASKED);
        talk.time_ns += wait_ns;
        for octets in [LEAK, MASKED, &LEAK[..LEAK.len() - 2]] {
            let seq = talk.seq - LEAK.len() as u32;
            talk.send(Sent { seq, ack: talk.ack, payload: octets.to_vec(), ..Sent::new(DATA) });
        }
        assert_eq!(leaks(&read(&talk.server(OK).sent)), said);
    }
}

#[test]
fn copies_of_a_body_that_look_like_a_request_do_not_count() {
    let upload =
        format!("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: {}\r\n\r\n", LEAK.len()).into_bytes();
    let mut talk = begun();
    for body in [&vec![b'u'; LEAK.len()], LEAK] {
        let seq = talk.seq + upload.len() as u32;
        talk.send(Sent { seq, ack: talk.ack, payload: body.to_vec(), ..Sent::new(DATA) });
    }
    talk.segment(DATA, &upload);
    talk.seq += (upload.len() + LEAK.len()) as u32;
    assert!(leaks(&read(&talk.server(OK).sent)).iter().all(|leak| leak.starts_with('n')));
}

#[test]
fn the_urgent_byte_is_read_and_left_out() {
    let at = memchr::memmem::find(LEAK, b"447700900123").unwrap() + 5;
    let too_many = [&LEAK[..at], b"-", &LEAK[at..]].concat();
    for (octets, first) in [(&too_many[..], 'n'), (LEAK, 'y')] {
        for urgent in [at, at + 1] {
            // RFC 6093 section 2.1: two ways to count
            let mut talk = begun();
            let payload = octets.to_vec();
            talk.send(Sent { seq: talk.seq, ack: talk.ack, payload, urgent: urgent as u16, ..Sent::new(DATA) });
            talk.seq += octets.len() as u32;
            let found = leaks(&read(&talk.server(OK).sent));
            let [leak] = &found[..] else { panic!("{found:?}") };
            assert!(leak.starts_with(first), "{leak}");
            assert!(leak[1..].contains(if first == 'y' { 'n' } else { 'y' }), "{leak}");
        }
    }
}
