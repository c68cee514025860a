//! The sieve before the wait: whatever comes of the bytes, what passes is the same as behind the wait.

use super::*;
use crate::records::Watch;

/// What passes of the heads, and what is counted.
fn passed(sent: &[(Sent, i64)], limits: &Limits, is_early: bool) -> (Vec<String>, String) {
    let sieve = Arc::new(Sieve::new(&Watch { names: vec![b"x-msisdn".to_vec()], ..Watch::default() }));
    let mut sensor = Sensor::with(limits.clone());
    if is_early {
        sensor.streams.sift_with(Arc::clone(&sieve));
    }
    for (each, later_ns) in sent {
        sensor.feed_one(each, each.path);
        if *later_ns > 0 {
            sensor.expire(*later_ns);
        }
    }
    sensor.finish();
    let Sensor { heads, mut counts, .. } = sensor;
    let mut shown = Vec::new();
    for mut head in heads {
        if sieve.passes(&mut head, &mut counts) {
            let texts = [&head].into_iter().chain(&head.readings).map(|head| {
                let fields: Vec<_> = head.text.fields().map(|(name, value)| [name, b"=", value].concat()).collect();
                let parts = [head.text.method(), head.text.target(), head.text.version(), &fields.join(&b'|')];
                format!("{} {:?}", parts.join(&b' ').escape_ascii(), head.oddities)
            });
            shown.push(texts.collect::<Vec<_>>().join(" or "));
        }
    }
    (shown, format!("{counts:?}"))
}

/// Requests of one connection, cut, acknowledged now and then, with copies that differ.
fn talk(random: &mut Random) -> Vec<(Sent, i64)> {
    let odd = b"POST /odd HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n 447700900123\r\nContent-Length: 4\nNo colon\r\n\r\nbody";
    let cr = b"GET /cr HTTP/1.1\rHost: shop.example\r\nX-B: 447700900123\rX-C: 1\r\n\r\n";
    let framed = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nGET /";
    let chunked =
        b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\nX-C: 1\r\n\r\n";
    let both =
        b"PUT /d HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nE: f\r\n\r\n";
    let empty = b"PUT /e HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: x\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    let bare: [&[u8]; 5] = [
        b"GET\t/  HTTP/1.1\r\n\r\n",
        b"frob http://a@b HTTP/2\n\r\n",
        b"GET /\n\n",
        b"GET /long/enough HTTP/1.1\r\n\r\n",
        b"GET * HTTP/1.1\rA: b\n\n",
    ];
    let bare = *random.pick(&bare);
    let usual: [&[u8]; 11] = [LEAK, CLEAN, CLEAN, MASKED, LEAK, b"\r\n", odd, cr, framed, b"junk\r\n", bare];
    let requests = [&usual[..], &[chunked, chunked, both, empty]].concat();
    let path = *random.pick(&[&[][..], &[], GTP_1]);
    let mut talk = Talk { mss: 20 + random.below(200), step_ns: SECOND / 1000, ..Talk::new() }.open();
    for _ in 0..=random.below(6) {
        talk = talk.client_unacknowledged(random.pick::<&[u8]>(&requests));
        if random.below(3) == 0 {
            talk = talk.server(OK);
        }
    }
    let mut sent = talk.on(path);
    for _ in 0..random.below(6) {
        let at = random.below(sent.len());
        let mut copy = sent[random.below(at + 1)].clone();
        if copy.client && !copy.payload.is_empty() {
            let place = random.below(copy.payload.len());
            copy.payload[place] = *random.pick(b"0123456789aA:\r\n X");
            copy.urgent = if random.below(9) == 0 { 1 + random.below(copy.payload.len()) as u16 } else { 0 };
        }
        if random.below(8) == 0 {
            copy.path = *random.pick(&[&[][..], GTP_2]); // and a twin
        }
        copy.time_ns = sent[at].time_ns;
        sent.insert(at + 1, copy);
    }
    if random.below(4) == 0 {
        sent.remove(3 + random.below(sent.len() - 3));
    }
    sent.into_iter().map(|sent| (sent, i64::from(random.below(12) == 0) * SECOND * random.below(5) as i64)).collect()
}

#[test]
fn what_passes_is_the_same_before_and_after_the_wait() {
    let (mut shown, mut with_readings) = (0, 0);
    for seed in 0..600 {
        let mut random = Random::new(seed);
        let sent = talk(&mut random);
        let limits = Limits { head_lines: *random.pick(&[2, 4096, 4096]), ..Limits::default() };
        let (late, early) = (passed(&sent, &limits, false), passed(&sent, &limits, true));
        assert_eq!(early, late, "seed {seed}");
        shown += late.0.len();
        with_readings += late.0.iter().filter(|head| head.contains(" or ")).count();
    }
    assert!(shown > 600 && with_readings > 60, "{shown} {with_readings}");
}

#[test]
fn of_a_clean_head_nothing_is_kept() {
    let mut sensor = Sensor::default();
    sensor.streams.sift_with(Arc::new(Sieve::new(&Watch::default())));
    sensor.feed(&begun().client(LEAK).server(OK).sent).finish();
    let texts: Vec<_> = sensor.heads.iter().map(|head| (head.text.sifted(), head.text.field_count())).collect();
    assert_eq!((texts, sensor.counts[Count::CleanHeads]), (vec![(Some(false), 2)], 1));
}
