//! Workers without a kernel: who owns what, and what is handed over. tests/live has the rings.

use super::parcel::{Owners, Parcel};
use super::pressure::Pressure;
use crate::counts::{Count, Counts};
use crate::limits::Limits;
use crate::records::{Frame, RequestHead, Watch};
use crate::testing::hex;
use crate::worker::Stages;

const TIME_NS: i64 = 1_700_000_000_000_000_000;

/// One segment of a client, or of its server, from a port; the checksum is left out, as a card would fill it in.
fn frame(port: u16, payload: &[u8], is_client: bool) -> Vec<u8> {
    let (client, server) = ([100, 64, 1, 2], [203, 0, 113, 9]);
    let mut octets = hex("0200000000010200000000020800");
    let length = (40 + payload.len()) as u16;
    octets.extend([&[0x45, 0][..], &length.to_be_bytes(), &[0, 0, 0, 0, 64, 6, 0, 0]].concat());
    let (from, to) = if is_client { (client, server) } else { (server, client) };
    octets.extend([from, to].concat());
    let ports = if is_client { [port, 80] } else { [80, port] };
    octets.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
    octets.extend(hex("00000001000000015018ffff00000000"));
    octets.extend_from_slice(payload);
    octets
}

fn shown(octets: &[u8]) -> Frame<'_> {
    Frame { time_ns: TIME_NS, link: 1, wire_len: octets.len() as u32, data: octets, checksum_ready: false }
}

struct Workers {
    owners: Owners,
    stages: Vec<Stages>,
    pressure: Pressure,
}

impl Workers {
    fn new(count: usize) -> Workers {
        let watch = Watch { every_head: true, ..Watch::default() };
        let stages = (0..count).map(|me| Stages::new(Limits::default(), &watch, me as u32)).collect();
        Workers { owners: Owners::new(count), stages, pressure: Pressure::default() }
    }

    /// A frame that worker `at` reads; what it hands over is read at once.
    fn read(&mut self, at: usize, octets: &[u8]) {
        let mut outgoing: Vec<_> = self.stages.iter().map(|_| Parcel::default()).collect();
        self.stages[at].arrive(&shown(octets), &mut self.owners.route(at, self.pressure, &mut outgoing));
        for (peer, parcel) in outgoing.into_iter().enumerate() {
            let mut onward = [(); 8].map(|()| Parcel::default());
            parcel.open(&mut self.stages[peer], &mut self.owners.route(peer, self.pressure, &mut onward));
            assert!(onward.iter().all(Parcel::is_empty), "whoever is handed something owns it");
        }
    }

    /// Of each worker.
    fn finish(&mut self) -> (Vec<Vec<RequestHead>>, Counts) {
        let mut counts = Counts::default();
        let mut heads = Vec::new();
        for stages in &mut self.stages {
            stages.finish(usize::MAX);
            counts.add(&stages.counts);
            heads.push(std::mem::take(&mut stages.passed));
        }
        (heads, counts)
    }
}

#[test]
fn wherever_the_kernel_deals_a_connection_one_worker_reads_it_and_it_counts_once() {
    let mut workers = Workers::new(4);
    for port in 1000..1100 {
        for (number, part) in [&b"GET / HTTP/1.1\r\n"[..], b"Host: shop.example\r\n\r\n"].into_iter().enumerate() {
            let mut octets = frame(port, part, true);
            octets[14 + 20 + 7] += 16 * number as u8; // the second one follows on the first
            workers.read((port as usize + number) % 4, &octets);
            workers.read((port as usize + 2) % 4, &frame(port, b"", false));
        }
    }
    let (heads, counts) = workers.finish();
    assert_eq!(heads.iter().map(Vec::len).sum::<usize>(), 100);
    assert!(heads.iter().all(|each| (10..45).contains(&each.len())), "they share the work");
    assert_eq!((counts[Count::Frames], counts[Count::Segments]), (400, 400));
    assert_eq!(counts[Count::Requests], 100);
}

#[test]
fn under_pressure_what_is_known_goes_on_and_of_what_is_new_a_share_begins() {
    let head = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    let mut workers = Workers::new(1);
    workers.read(0, &frame(1, &head[..20], true));
    workers.pressure.note(7);
    let mut rest = frame(1, &head[20..], true);
    rest[14 + 20 + 7] += 20;
    workers.read(0, &rest);
    (1000..2000).for_each(|port| workers.read(0, &frame(port, head, true)));
    let (heads, counts) = workers.finish();
    let read = heads[0].len() as u64;
    assert!(heads[0].iter().any(|head| head.flow.sport == 1), "the one that was known");
    assert!((2..50).contains(&read), "{read} of one in 64");
    assert_eq!(counts[Count::ShedNewFlows], 1001 - read);
}
