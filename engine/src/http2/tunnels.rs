//! What streams of CONNECT carry (RFC 9113 section 8.5): connections of their own, of HTTP/1 perhaps. Takes the payloads of
//! their DATA frames, yields request heads.

use super::messages::Messages;
use crate::counts::{Count, Counts};
use crate::http1::{Context, Http1};
use crate::limits::Limits;
use crate::records::PlacedHead;

/// At a time; each keeps an unfinished head at the most.
const MOST_TUNNELS: usize = 16;
/// Of memory for each, in round figures.
const TUNNEL_BYTES: usize = 1024;

#[derive(Clone, Debug)]
struct Tunnel {
    stream: u32,
    http1: Http1,
    kept: Vec<u8>,
    /// Before what is kept.
    read: i64,
    /// Of the last part in the outer connection.
    position: i64,
    /// How much further on that is.
    behind: i64,
}

impl Tunnel {
    /// Where the heads stand in the outer connection; one of several parts stands in the last of them.
    fn place(&self, heads: &mut [PlacedHead]) {
        for placed in heads {
            for at in [&mut placed.start, &mut placed.end] {
                *at = (*at + self.behind).max(self.position);
            }
        }
    }
}

/// Bounded by `MOST_TUNNELS`.
#[derive(Clone, Debug, Default)]
pub struct Tunnels {
    /// In the order in which they began.
    tunnels: Vec<Tunnel>,
}

impl Tunnels {
    /// Bytes of memory, about.
    pub fn weight(&self) -> usize {
        self.tunnels.iter().map(|tunnel| TUNNEL_BYTES + tunnel.kept.len() + tunnel.http1.weight()).sum()
    }

    fn place_of(&self, stream: u32) -> Option<usize> {
        self.tunnels.iter().position(|tunnel| tunnel.stream == stream)
    }

    pub fn has(&self, stream: u32) -> bool {
        self.place_of(stream).is_some()
    }

    /// A request of CONNECT went out there; what another one opened there has ended.
    pub fn open(&mut self, stream: u32, position: i64, midstream: bool, counts: &mut Counts) {
        if self.tunnels.len() >= MOST_TUNNELS {
            counts[Count::ShedHttp2Streams] += 1;
            return;
        }
        let mut http1 = Http1::new(0, midstream);
        http1.enter_tunnel();
        self.tunnels.push(Tunnel { stream, http1, kept: Vec::new(), read: 0, position, behind: position });
    }

    /// Adds the heads that these octets complete, which stand at `position` of the outer connection.
    #[expect(clippy::too_many_arguments)]
    pub fn feed(
        &mut self,
        stream: u32,
        octets: &[u8],
        position: i64,
        time_ns: i64,
        messages: &Messages,
        limits: &Limits,
        counts: &mut Counts,
        out: &mut Vec<PlacedHead>,
    ) {
        let Some(place) = self.place_of(stream) else { return };
        let tunnel = &mut self.tunnels[place];
        tunnel.position = position;
        tunnel.behind = position - tunnel.read - tunnel.kept.len() as i64;
        tunnel.kept.extend_from_slice(octets);
        let heads = &mut Vec::new();
        let Tunnel { http1, kept, read, .. } = tunnel;
        untraced(messages, limits, counts, |context| http1.feed(kept, *read, time_ns, context, heads));
        let start = tunnel.http1.start();
        tunnel.http1.keep(start); // nothing is read again here
        tunnel.kept.drain(..((start - tunnel.read) as usize).min(tunnel.kept.len()));
        tunnel.read = start;
        tunnel.place(heads);
        if tunnel.http1.hopeless() {
            self.tunnels.remove(place);
        }
        out.append(heads);
    }

    /// Nothing follows there: adds what was seen of a head.
    pub fn end(
        &mut self,
        stream: u32,
        messages: &Messages,
        limits: &Limits,
        counts: &mut Counts,
        out: &mut Vec<PlacedHead>,
    ) {
        let Some(place) = self.place_of(stream) else { return };
        let mut tunnel = self.tunnels.remove(place);
        let heads = &mut Vec::new();
        let Tunnel { http1, kept, read, .. } = &mut tunnel;
        untraced(messages, limits, counts, |context| http1.finish(kept, *read, context, heads));
        tunnel.place(heads);
        out.append(heads);
    }

    /// Octets of the outer connection are missing, of these perhaps: all begin anew, in the middle.
    pub fn cut(&mut self, messages: &Messages, limits: &Limits, counts: &mut Counts, out: &mut Vec<PlacedHead>) {
        let places: Vec<_> = self.tunnels.iter().map(|tunnel| (tunnel.stream, tunnel.position)).collect();
        for &(stream, _) in &places {
            self.end(stream, messages, limits, counts, out);
        }
        for (stream, position) in places {
            self.open(stream, position, true, counts);
        }
    }
}

/// Reads what a tunnel carries: the outer connection alone is traced.
fn untraced(messages: &Messages, limits: &Limits, counts: &mut Counts, read: impl FnOnce(&mut Context<'_>)) {
    let tracer = counts.tracer.take();
    let (flow, path) = messages.ends();
    read(&mut Context { limits, counts, flow, path, early: None });
    counts.tracer = tracer;
}
