//! Frames in, TCP segments out: through every link type, tag, tunnel and IP header that an operator mirrors.
//!
//! Each frame has exactly one fate: it is a segment, a fragment that `defrag` keeps, or skipped for one named reason (a message as `not_tcp`, and it is handed on all the same). No
//! state: the same frame always has the same fate. A layer takes a [`Packet`] whose octets begin with its header and
//! says what follows; octets hold no more than the layer may read, so a length that lies cannot lead outside the capture.
//! Depth counts tunnel, tag, SNAP and IP headers, a stack of MPLS labels as one, IPv6 extension headers as none; a
//! datagram put together counts as one more, so fragments within fragments come to an end.

mod framing;
mod internet;
mod next;
mod plain;
mod tunnels;

use std::hash::BuildHasher;

use next::Next;

use crate::counts::{Count, Counts};
use crate::limits::Limits;
use crate::records::{Checksum, Datagram, Fragment, Frame, Layer, Message, Oddities, Oddity, Segment};

/// What a frame turned out to be.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// A TCP segment.
    Segment(Segment<'a>),
    /// A part of an IP datagram.
    Fragment(Fragment<'a>),
    /// A UDP datagram that was asked for.
    Message(Message<'a>),
    /// Neither; it is counted why.
    Nothing,
}

/// Why a frame did not become a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skip {
    Empty,
    UnknownLink,
    NotIp,
    NotTcp,
    Truncated,
    Malformed,
    Encrypted,
    TunnelControl,
    UnknownTunnel,
    Depth,
}

/// The header is not whole.
#[derive(Clone, Copy, Debug)]
struct Short;

/// What follows a layer.
#[derive(Clone, Copy)]
enum Step {
    To(Next),
    /// It is in `Packet::found`.
    Found,
    Skip(Skip),
}

type Stepped = Result<Step, Short>;

/// Where the walk through one frame stands.
struct Packet<'a, 'p> {
    time_ns: i64,
    /// From the header of the present layer on.
    octets: &'a [u8],
    /// Bytes that follow `octets` on the wire and that the capture did not keep.
    missing: u32,
    checksum_ready: bool,
    depth: u32,
    path: &'p mut Vec<Layer>,
    /// [`Watch::ports`](crate::records::Watch::ports).
    ports: &'p [u16],
    oddities: Oddities,
    /// Of the innermost IP header so far.
    src: [u8; 16],
    dst: [u8; 16],
    v6: bool,
    /// That the innermost IP header names.
    protocol: u8,
    found: Found<'a>,
}

impl Packet<'_, '_> {
    /// Steps over a header that counts for the depth into its payload, which ends at `end`, or where the octets do.
    ///
    /// What lies beyond is padding. A payload longer than the frame is one that was cut on its way here: by the snap
    /// length, or by a mirror that truncates and says so nowhere.
    fn enter(&mut self, header: usize, end: Option<usize>) {
        let size = self.octets.len();
        match end {
            None => self.skip(header),
            Some(end) => {
                self.octets = self.octets.get(header..end.min(size)).unwrap_or_default();
                self.missing = end.saturating_sub(size) as u32;
            }
        }
        self.depth += 1;
    }

    fn skip(&mut self, header: usize) {
        self.octets = self.octets.get(header..).unwrap_or_default();
    }

    fn u8(&self, at: usize) -> Result<u8, Short> {
        self.octets.get(at).copied().ok_or(Short)
    }

    fn u16(&self, at: usize) -> Result<u16, Short> {
        self.array(at).map(u16::from_be_bytes)
    }

    fn u32(&self, at: usize) -> Result<u32, Short> {
        self.array(at).map(u32::from_be_bytes)
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], Short> {
        self.octets.get(at..at + N).and_then(|octets| octets.try_into().ok()).ok_or(Short)
    }

    fn within(&mut self, kind: &'static str, number: u64) {
        self.path.push(Layer { kind, number });
    }
}

/// Decodes frames; holds nothing between them but room for the path.
#[derive(Debug)]
pub struct Decoder {
    deepest: u32,
    path: Vec<Layer>,
    ports: Vec<u16>,
    /// Keyed per process: nobody outside can choose paths whose hashes collide.
    hasher: foldhash::quality::RandomState,
}

impl Decoder {
    /// A decoder that stops below `limits.encapsulations`.
    pub fn new(limits: &Limits) -> Decoder {
        Decoder {
            deepest: limits.encapsulations,
            path: Vec::new(),
            ports: Vec::new(),
            hasher: foldhash::quality::RandomState::default(),
        }
    }

    /// From now on what goes to these UDP ports is a message.
    pub fn watch_ports(&mut self, ports: &[u16]) {
        self.ports = ports.to_vec();
    }

    /// The segment or fragment in this frame.
    #[expect(clippy::inline_always, reason = "a segment is moved twice by a call: a fifth of what a plain frame costs")]
    #[inline(always)]
    pub fn feed<'a>(&'a mut self, frame: &Frame<'a>, counts: &mut Counts) -> Found<'a> {
        if let Some(segment) = plain::segment(frame, self.deepest) {
            counts[Count::Segments] += 1;
            return Found::Segment(segment);
        }
        self.feed_any(frame, counts)
    }

    /// The same, layer by layer.
    fn feed_any<'a>(&'a mut self, frame: &Frame<'a>, counts: &mut Counts) -> Found<'a> {
        self.path.clear();
        let mut packet = Packet {
            time_ns: frame.time_ns,
            octets: frame.data,
            missing: frame.wire_len.saturating_sub(frame.data.len() as u32),
            checksum_ready: frame.checksum_ready,
            depth: 0,
            path: &mut self.path,
            ports: &self.ports,
            oddities: Oddities::default(),
            src: [0; 16],
            dst: [0; 16],
            v6: false,
            protocol: 0,
            found: Found::Nothing,
        };
        let step = match framing::link(frame.link) {
            _ if frame.data.is_empty() => Step::Skip(Skip::Empty),
            Some(layer) => Step::To(layer),
            None => Step::Skip(Skip::UnknownLink),
        };
        walk(&mut packet, step, self.deepest, counts);
        let found = packet.found;
        self.with_path(found)
    }

    /// The same for what `defrag` put together. No network card fills in a checksum behind fragments: one that is bad says
    /// that these may be of several datagrams of one number, of which other fragments were lost.
    pub fn datagram<'a>(&'a mut self, datagram: &'a Datagram, counts: &mut Counts) -> Found<'a> {
        self.path.clear();
        self.path.extend_from_slice(&datagram.path);
        let mut packet = Packet {
            time_ns: datagram.time_ns,
            octets: &datagram.data,
            missing: datagram.missing,
            checksum_ready: true,
            depth: datagram.depth + 1,
            path: &mut self.path,
            ports: &self.ports,
            oddities: datagram.oddities,
            src: datagram.src,
            dst: datagram.dst,
            v6: datagram.v6,
            protocol: datagram.protocol,
            found: Found::Nothing,
        };
        walk(&mut packet, Step::To(Next::Payload), self.deepest, counts);
        let mut found = packet.found;
        if let Found::Segment(segment) = &mut found
            && !segment.oddities.contains(Oddity::FragOverlap)
            && segment.checksum() == Checksum::Bad
        {
            segment.oddities.insert(Oddity::FragMixed);
        }
        self.with_path(found)
    }

    #[inline]
    fn with_path<'a>(&'a self, mut found: Found<'a>) -> Found<'a> {
        if !self.path.is_empty() {
            match &mut found {
                Found::Segment(segment) => {
                    segment.path = &self.path;
                    segment.flow.path_hash = self.hasher.hash_one(self.path.as_slice()).max(1);
                }
                Found::Fragment(fragment) => fragment.path = &self.path,
                Found::Message(message) => message.path = &self.path,
                Found::Nothing => {}
            }
        }
        found
    }
}

#[inline]
fn walk(packet: &mut Packet<'_, '_>, mut step: Step, deepest: u32, counts: &mut Counts) {
    while let Step::To(layer) = step {
        step = if packet.depth > deepest {
            Step::Skip(Skip::Depth)
        } else {
            layer.read(packet).unwrap_or(Step::Skip(packet.short()))
        };
    }
    match (step, &packet.found) {
        (Step::Skip(skip), _) => skip.count(counts),
        (_, Found::Segment(_)) => counts[Count::Segments] += 1,
        (_, Found::Message(_)) => {
            counts[Count::Messages] += 1;
            Skip::NotTcp.count(counts);
        }
        _ => {}
    }
}

impl Packet<'_, '_> {
    /// Why a header is not whole.
    fn short(&self) -> Skip {
        if self.missing > 0 { Skip::Truncated } else { Skip::Malformed }
    }
}

impl Skip {
    fn count(self, counts: &mut Counts) {
        let (skipped, blind) = match self {
            Skip::Empty => (Count::SkippedEmpty, None),
            Skip::UnknownLink => (Count::SkippedUnknownLink, Some(Count::BlindUnknownLink)),
            Skip::NotIp => (Count::SkippedNotIp, None),
            Skip::NotTcp => (Count::SkippedNotTcp, None),
            Skip::Truncated => (Count::SkippedTruncated, Some(Count::BlindTruncated)),
            Skip::Malformed => (Count::SkippedMalformed, None),
            Skip::Encrypted => (Count::SkippedEncrypted, Some(Count::BlindEncrypted)),
            Skip::TunnelControl => (Count::SkippedTunnelControl, None),
            Skip::UnknownTunnel => (Count::SkippedUnknownTunnel, Some(Count::BlindUnknownTunnel)),
            Skip::Depth => (Count::SkippedDepth, Some(Count::BlindDepth)),
        };
        counts[skipped] += 1;
        if let Some(tracer) = &mut counts.tracer {
            tracer.skip(skipped.key());
        }
        if let Some(blind) = blind {
            counts[blind] += 1;
        }
    }
}
