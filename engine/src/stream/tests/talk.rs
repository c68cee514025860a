//! A TCP talk as a list of segments, and what Streams makes of them: pcaps/talk.py and tests/connections.py in short.

use super::super::*;
use crate::records::{Certainty, Checksum, Layer, Oddities};

pub const SECOND: i64 = 1_000_000_000;
pub const DATA: u16 = 0x18;
pub const CLEAN: &[u8] = b"GET /clean HTTP/1.1\r\nHost: shop.example\r\nAccept: */*\r\n\r\n";
pub const LEAK: &[u8] = b"GET / HTTP/1.1\r\nHost: shop.example\r\nX-MSISDN: 447700900123\r\n\r\n";
pub const MASKED: &[u8] = b"GET / HTTP/1.1\r\nHost: shop.example\r\nX-MSISDN: none-was-set\r\n\r\n";
pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
pub const ONCE: [&str; 1] = ["y"];

/// One segment of either side.
#[derive(Clone, Debug)]
pub struct Sent {
    pub time_ns: i64,
    pub client: bool,
    pub sport: u16,
    pub dport: u16,
    pub path: &'static [Layer],
    pub seq: u32,
    pub ack: u32,
    pub flags: u16,
    pub payload: Vec<u8>,
    pub missing: u32,
    pub urgent: u16,
    /// Its checksum.
    pub is_bad: bool,
}

impl Sent {
    pub fn new(flags: u16) -> Sent {
        Sent {
            time_ns: 0,
            client: true,
            sport: 40001,
            dport: 80,
            path: &[],
            seq: 0,
            ack: 0,
            flags,
            payload: Vec::new(),
            missing: 0,
            urgent: 0,
            is_bad: false,
        }
    }
}

#[derive(Clone)]
pub struct Talk {
    pub sport: u16,
    pub dport: u16,
    pub time_ns: i64,
    pub step_ns: i64,
    pub mss: usize,
    /// Of the client: the next byte to send.
    pub seq: u32,
    /// Of the server.
    pub ack: u32,
    pub sent: Vec<Sent>,
}

impl Talk {
    pub fn new() -> Talk {
        let time_ns = 1_700_000_000 * SECOND;
        Talk {
            sport: 40001,
            dport: 80,
            time_ns,
            step_ns: SECOND / 1000,
            mss: 1460,
            seq: 1000,
            ack: 5000,
            sent: Vec::new(),
        }
    }

    /// One segment as told; moves no sequence number.
    pub fn send(&mut self, sent: Sent) {
        self.time_ns += self.step_ns;
        self.sent.push(Sent { time_ns: self.time_ns, sport: self.sport, dport: self.dport, ..sent });
    }

    /// Of the client, where it is now.
    pub fn segment(&mut self, flags: u16, payload: &[u8]) {
        self.send(Sent { seq: self.seq, ack: self.ack, payload: payload.to_vec(), ..Sent::new(flags) });
    }

    fn answer(&mut self, flags: u16, payload: &[u8]) {
        let answer =
            Sent { seq: self.ack, ack: self.seq, payload: payload.to_vec(), client: false, ..Sent::new(flags) };
        self.send(answer);
    }

    pub fn open(mut self) -> Talk {
        self.send(Sent { seq: self.seq, ..Sent::new(SYN) });
        self.seq = self.seq.wrapping_add(1);
        self.answer(SYN | ACK, b"");
        self.ack += 1;
        self.segment(ACK, b"");
        self
    }

    pub fn client_unacknowledged(mut self, octets: &[u8]) -> Talk {
        for cut in octets.chunks(self.mss) {
            self.segment(DATA, cut);
            self.seq = self.seq.wrapping_add(cut.len() as u32);
        }
        self
    }

    pub fn client(self, octets: &[u8]) -> Talk {
        let mut talk = self.client_unacknowledged(octets);
        talk.answer(ACK, b"");
        talk
    }

    pub fn server_unacknowledged(mut self, octets: &[u8]) -> Talk {
        for cut in octets.chunks(self.mss) {
            self.answer(DATA, cut);
            self.ack += cut.len() as u32;
        }
        self
    }

    pub fn server(self, octets: &[u8]) -> Talk {
        let mut talk = self.server_unacknowledged(octets);
        talk.segment(ACK, b"");
        talk
    }

    pub fn close(mut self) -> Talk {
        self.segment(FIN | ACK, b"");
        self.seq += 1;
        self.answer(FIN | ACK, b"");
        self.ack += 1;
        self.segment(ACK, b"");
        self
    }

    /// As mirrored on this path.
    pub fn on(&self, path: &'static [Layer]) -> Vec<Sent> {
        self.sent.iter().map(|sent| Sent { path, ..sent.clone() }).collect()
    }
}

/// An open connection with one clean request behind it.
pub fn begun() -> Talk {
    Talk::new().open().client(CLEAN).server(OK)
}

/// These octets in earnest, an answer, and the end.
pub fn ended(talk: Talk, octets: &[u8]) -> Talk {
    talk.client(octets).server(OK).close()
}

/// A Streams that remembers its heads.
pub struct Sensor {
    pub streams: Streams,
    pub counts: Counts,
    pub heads: Vec<RequestHead>,
    pub now_ns: i64,
}

impl Default for Sensor {
    fn default() -> Sensor {
        Sensor::with(Limits::default())
    }
}

impl Sensor {
    pub fn with(limits: Limits) -> Sensor {
        Sensor { streams: Streams::new(limits), counts: Counts::default(), heads: Vec::new(), now_ns: 0 }
    }

    pub fn feed(&mut self, sent: &[Sent]) -> &mut Sensor {
        for each in sent {
            self.feed_one(each, each.path);
        }
        self
    }

    pub fn feed_one(&mut self, sent: &Sent, path: &[Layer]) {
        const CLIENT: [u8; 16] = [100, 64, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        const SERVER: [u8; 16] = [203, 0, 113, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let &Sent { time_ns, sport, dport, seq, ack, flags, missing, urgent, is_bad, .. } = sent;
        let numbers = path.iter().map(|layer| layer.number << 8 | u64::from(layer.kind.as_bytes()[0]));
        let path_hash = numbers.fold(0, |hash, number| hash << 32 | number);
        let flow = Flow { src: CLIENT, dst: SERVER, sport, dport, v6: false, path_hash };
        let flow = if sent.client { flow } else { reversed(&flow) };
        let octets = [&[0; 20], sent.payload.as_slice()].concat();
        let (payload, oddities) = (&octets[20..], Oddities::default());
        let segment = Segment {
            time_ns,
            flow,
            path,
            seq,
            ack,
            flags,
            octets: &octets,
            payload,
            missing,
            urgent,
            verifiable: is_bad,
            oddities,
        };
        assert_eq!(segment.checksum() == Checksum::Bad, is_bad);
        self.now_ns = self.now_ns.max(time_ns);
        self.streams.feed(&segment, &mut self.counts, &mut self.heads);
    }

    pub fn expire(&mut self, later_ns: i64) -> &mut Sensor {
        self.now_ns += later_ns;
        self.streams.expire(self.now_ns, &mut self.counts, &mut self.heads);
        self
    }

    pub fn finish(&mut self) -> &mut Sensor {
        self.streams.finish(self.now_ns, usize::MAX, &mut self.counts, &mut self.heads);
        self
    }
}

pub fn read(sent: &[Sent]) -> Sensor {
    let mut sensor = Sensor::default();
    sensor.feed(sent).finish();
    sensor
}

/// Of each head but the clean one whether it shows the number (y or n), then its other readings, then whether it is
/// ambiguous (?): `n(y)?`.
pub fn leaks(sensor: &Sensor) -> Vec<String> {
    let shows = |head: &RequestHead| {
        if head.text.fields().any(|(_, value)| value == b"447700900123") { 'y' } else { 'n' }
    };
    let leak = |head: &RequestHead| {
        let mut leak = String::from(shows(head));
        if !head.readings.is_empty() {
            leak.extend(["(", &head.readings.iter().map(shows).collect::<String>(), ")"]);
        }
        if head.certainty == Certainty::Ambiguous {
            leak.push('?');
        }
        leak
    };
    sensor.heads.iter().filter(|head| head.text.target() != b"/clean").map(leak).collect()
}
