//! Workers without a kernel: who owns what, and what is dealt out. tests/live has the rings.

use std::sync::mpsc::{Receiver, channel, sync_channel};

use super::dealt::{Dealer, Owners, Parcel};
use super::pressure::Pressure;
use crate::counts::{Count, Counts};
use crate::limits::Limits;
use crate::records::{Frame, RequestHead, Watch};
use crate::testing::hex;
use crate::worker::Stages;

pub(super) const TIME_NS: i64 = 1_700_000_000_000_000_000;

/// One segment of a client, or of its server, from a port; the checksum is left out, as a card would fill it in.
pub(super) fn frame(port: u16, payload: &[u8], is_client: bool) -> Vec<u8> {
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

pub(super) fn shown(octets: &[u8], time_ns: i64) -> Frame<'_> {
    Frame { time_ns, link: 1, wire_len: octets.len() as u32, data: octets, checksum_ready: false }
}

/// A reader that deals out to others, and those, all in this thread.
struct Workers {
    owners: Owners,
    dealer: Dealer,
    inboxes: Vec<Receiver<Parcel>>,
    reader: Stages,
    stages: Vec<Stages>,
    pressure: Pressure,
}

impl Workers {
    fn new(count: usize) -> Workers {
        let watch = Watch { every_head: true, ..Watch::default() };
        let stages = |me| Stages::new(Limits::default(), &watch, me as u32);
        let (senders, inboxes): (Vec<_>, Vec<_>) = (0..count).map(|_| sync_channel(1)).unzip();
        let owners = Owners::new(count);
        let dealer = Dealer::new(owners.clone(), senders, channel().1);
        let (reader, stages) = (stages(0), (1..=count).map(stages).collect());
        Workers { owners, dealer, inboxes, reader, stages, pressure: Pressure::default() }
    }

    /// A frame, which is read on at once.
    fn read(&mut self, octets: &[u8]) {
        self.reader.arrive(&shown(octets, TIME_NS), &mut self.dealer);
        self.dealer.hand_out(TIME_NS, self.pressure);
        for (stages, inbox) in self.stages.iter_mut().zip(&self.inboxes) {
            if let Ok(mut parcel) = inbox.try_recv() {
                stages.follow(&mut parcel.segments, &[], &mut self.owners.admission(parcel.pressure));
            }
        }
    }

    /// Heads of each worker, and the counts of all.
    fn finish(mut self) -> (Vec<Vec<RequestHead>>, Counts) {
        self.reader.finish(usize::MAX);
        let mut counts = self.reader.counts.clone();
        let mut heads = Vec::new();
        for stages in &mut self.stages {
            stages.finish(usize::MAX);
            counts.add(&stages.counts);
            heads.push(std::mem::take(&mut stages.passed));
        }
        (heads, counts)
    }
}

/// The same in two IP fragments, of which the second has no ports.
fn fragments(frame: &[u8]) -> [Vec<u8>; 2] {
    let (headers, rest) = frame.split_at(34);
    let (first, second) = rest.split_at(24);
    [(first, 0x2000_u16), (second, 3)].map(|(part, place)| {
        let mut octets = [headers, part].concat();
        octets[16..18].copy_from_slice(&(20 + part.len() as u16).to_be_bytes());
        octets[20..22].copy_from_slice(&place.to_be_bytes());
        octets
    })
}

#[test]
fn one_worker_has_both_directions_of_a_connection_and_its_fragments_in_order() {
    let mut workers = Workers::new(4);
    for port in 1000..1100 {
        workers.read(&frame(port, b"GET / HTTP/1.1\r\n", true));
        workers.read(&frame(port, b"", false));
        let mut rest = frame(port, b"Host: shop.example\r\n\r\n", true);
        rest[14 + 20 + 7] += 16; // it follows on the first one
        for part in fragments(&rest) {
            workers.read(&part);
        }
    }
    let (heads, counts) = workers.finish();
    assert_eq!(heads.iter().map(Vec::len).sum::<usize>(), 100);
    assert!(heads.iter().all(|each| (10..45).contains(&each.len())), "they share the work");
    assert_eq!((counts[Count::Frames], counts[Count::Segments], counts[Count::Datagrams]), (400, 300, 100));
    assert_eq!(counts[Count::Requests], 100);
}

#[test]
fn a_panic_in_one_connection_is_counted_and_ends_no_other() {
    let mut workers = Workers::new(2);
    for port in 1000..1020 {
        workers.read(&frame(port, b"GET / HTTP/1.1\r\n", true));
        workers.read(&frame(port + 5000, b"PANIC / HTTP/1.1\r\n", true)); // as client.rs has it for tests
        let mut rest = frame(port, b"Host: shop.example\r\n\r\n", true);
        rest[14 + 20 + 7] += 16;
        workers.read(&rest);
    }
    let (heads, counts) = workers.finish();
    assert_eq!((heads.iter().map(Vec::len).sum::<usize>(), counts[Count::Panics]), (20, 20));
}

#[test]
fn under_pressure_what_is_known_goes_on_and_of_what_is_new_a_share_begins() {
    let head = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
    let mut workers = Workers::new(1);
    workers.read(&frame(1, &head[..20], true));
    workers.pressure.note(7);
    let mut rest = frame(1, &head[20..], true);
    rest[14 + 20 + 7] += 20;
    workers.read(&rest);
    (1000..2000).for_each(|port| workers.read(&frame(port, head, true)));
    let (heads, counts) = workers.finish();
    let read = heads[0].len() as u64;
    assert!(heads[0].iter().any(|head| head.flow.sport == 1), "the one that was known");
    assert!((2..50).contains(&read), "{read} of one in 64");
    assert_eq!(counts[Count::ShedNewFlows], 1001 - read);
}
