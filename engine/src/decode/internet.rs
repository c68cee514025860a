//! IPv4, IPv6 and TCP: the layers that nearly every frame has.
//!
//! Lenient where a receiver is strict: the version counts, not what the layer before announced; header checksums of IPv4
//! are not looked at; a total length of 0 is a packet that the network card was to cut (TSO), and one that is too long is
//! a packet that was cut before it came here.

use super::{Found, Next, Packet, Short, Skip, Step, Stepped, tunnels};
use crate::records::{Checksum, Flow, Fragment, Oddities, Segment};

/// Protocol numbers of headers that are not the payload (RFC 8200 section 4, RFC 4302, 6275, 7401, 5533).
const HOP_BY_HOP: u8 = 0;
pub(super) const TCP: u8 = 6;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

const URG: u16 = 0x20;

/// IPv4 or IPv6, as the first four bits say.
pub fn ip(packet: &mut Packet<'_, '_>) -> Stepped {
    match packet.u8(0)? >> 4 {
        4 => ipv4(packet),
        6 => ipv6(packet),
        _ => Ok(Step::Skip(Skip::Malformed)),
    }
}

/// For places where anything may stand: do version and lengths agree with what is there?
pub fn looks_like_ip(packet: &Packet<'_, '_>) -> Result<bool, Short> {
    let size = packet.octets.len() + packet.missing as usize;
    let first = packet.u8(0)?;
    if first >> 4 == 6 {
        packet.array::<40>(0)?;
        return Ok(40 + usize::from(packet.u16(4)?) <= size);
    }
    if first >> 4 != 4 {
        return Ok(false);
    }
    packet.array::<20>(0)?;
    let (header, total) = (usize::from(first & 0x0F) << 2, usize::from(packet.u16(2)?));
    Ok(20 <= header && header <= total && total <= size)
}

/// And does the packet end where the octets do? For headers that prove little.
pub fn fills_with_ip(packet: &Packet<'_, '_>) -> Result<bool, Short> {
    if !looks_like_ip(packet)? {
        return Ok(false);
    }
    let total = if packet.u8(0)? >> 4 == 6 { 40 + packet.u16(4)? as usize } else { packet.u16(2)?.into() };
    Ok(total == packet.octets.len() + packet.missing as usize)
}

/// For places where nothing says what stands there: is a TCP segment in an IP packet among the first octets?
///
/// It need not fill the rest, and must prove itself: IPv4 by the sum of its header, IPv6, which has none, by TCP's.
/// Octets drawn by lot do so once in 2^30.
fn hides_segment(octets: &[u8]) -> bool {
    const SHORTEST: usize = 40; // IPv4 and TCP without options
    let Some(places) = (octets.len() + 1).checked_sub(SHORTEST) else { return false };
    let may = octets.first_chunk().map_or_else(
        || {
            let mut near = [0; NEAR];
            near[..octets.len()].copy_from_slice(octets);
            may_hide_segment(&near)
        },
        may_hide_segment,
    );
    may && (0..places.min(FARTHEST_HIDDEN)).any(|at| is_segment(&octets[at..]))
}

/// Octets: a tunnel's header and that of a frame with tags.
const FARTHEST_HIDDEN: usize = 64;
const NEAR: usize = FARTHEST_HIDDEN + 9;

/// All places at once, without a branch: this is done for every datagram of QUIC.
#[inline]
fn may_hide_segment(near: &[u8; NEAR]) -> bool {
    let begins = |first: u8, six: u8, nine: u8| (first >> 4 == 4) & (nine == TCP) | (first >> 4 == 6) & (six == TCP);
    (0..FARTHEST_HIDDEN).fold(false, |any, at| any | begins(near[at], near[at + 6], near[at + 9]))
}

/// A whole TCP segment, or the first fragment of one, stands here in an IP packet; what lies behind it is not looked at.
fn is_segment(octets: &[u8]) -> bool {
    let word = |at: usize| usize::from(u16::from_be_bytes([octets[at], octets[at + 1]]));
    let size = octets.len();
    if octets[0] >> 4 == 4 && octets[9] == TCP {
        let (header, total) = (usize::from(octets[0] & 0x0F) << 2, word(2));
        return header >= 20 && header + 20 <= total && total <= size && sum(&octets[..header]).is_multiple_of(0xFFFF);
    }
    let length = word(4);
    // the addresses and the segment stand side by side
    let whole = || sum(&octets[8..40 + length]) + u64::from(TCP) + length as u64;
    octets[0] >> 4 == 6
        && octets[6] == TCP
        && (20..=size.saturating_sub(40)).contains(&length)
        && whole().is_multiple_of(0xFFFF)
}

/// What no tunnel that is known announces: no flow is made of it, but a TCP segment in it is a blind spot.
pub fn unannounced(packet: &mut Packet<'_, '_>) -> Stepped {
    Ok(Step::Skip(if hides_segment(packet.octets) { Skip::UnknownTunnel } else { Skip::NotTcp }))
}

/// RFC 791.
#[inline]
pub fn ipv4(packet: &mut Packet<'_, '_>) -> Stepped {
    let head: [u8; 20] = packet.array(0)?;
    let header = usize::from(head[0] & 0x0F) << 2;
    let total = usize::from(u16::from_be_bytes([head[2], head[3]]));
    packet.v6 = false;
    packet.src = address(&head[12..16]);
    packet.dst = address(&head[16..20]);
    if head[0] >> 4 != 4 {
        return Ok(if head[0] >> 4 == 6 { Step::To(Next::Ipv6) } else { Step::Skip(Skip::Malformed) });
    }
    if header < 20 || (0 < total && total < header) {
        return Ok(Step::Skip(Skip::Malformed));
    }
    packet.enter(header, (total > 0).then_some(total));
    packet.protocol = head[9];
    let fragment = u16::from_be_bytes([head[6], head[7]]);
    if fragment & 0x3FFF != 0 {
        let ident = u32::from(u16::from_be_bytes([head[4], head[5]]));
        let offset = u32::from(fragment & 0x1FFF) << 3;
        return Ok(part(packet, ident, offset, fragment & 0x2000 != 0, 0));
    }
    payload(packet)
}

/// RFC 8200. A payload length of 0 is that of a jumbogram (RFC 2675), or was left to the network card.
pub fn ipv6(packet: &mut Packet<'_, '_>) -> Stepped {
    let [first] = packet.array(0)?;
    if first >> 4 != 6 {
        // which may be shorter than a header of IPv6
        return Ok(if first >> 4 == 4 { Step::To(Next::Ipv4) } else { Step::Skip(Skip::Malformed) });
    }
    let head: [u8; 40] = packet.array(0)?;
    packet.protocol = head[6];
    packet.v6 = true;
    packet.src = address(&head[8..24]);
    packet.dst = address(&head[24..40]);
    let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
    packet.enter(40, (length > 0).then_some(40 + length));
    payload(packet)
}

#[inline]
pub(super) fn address(octets: &[u8]) -> [u8; 16] {
    let mut address = [0; 16];
    address[..octets.len()].copy_from_slice(octets);
    address
}

/// What an IP packet carries, behind its extension headers (RFC 8200 section 4) or AH (RFC 4302).
#[inline]
pub fn payload(packet: &mut Packet<'_, '_>) -> Stepped {
    if packet.protocol == TCP {
        return Ok(Step::To(Next::Tcp));
    }
    let (mut protocol, mut at) = (packet.protocol, 0);
    while let HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION | MOBILITY | HIP | SHIM6 = protocol {
        if !packet.v6 && protocol != AUTHENTICATION {
            return Ok(Step::Skip(Skip::NotTcp)); // IPv4 knows no other
        }
        if protocol == FRAGMENT {
            let head: [u8; 8] = packet.array(at)?;
            packet.protocol = head[0];
            let bits = u16::from_be_bytes([head[2], head[3]]);
            at += 8;
            if bits & 0xFFF9 != 0 {
                // else it is "atomic" (RFC 6946): a whole datagram
                let ident = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
                return Ok(part(packet, ident, u32::from(bits & 0xFFF8), bits & 1 != 0, at));
            }
            protocol = packet.protocol;
            continue;
        }
        let [following, length] = packet.array(at)?;
        let length = usize::from(length);
        if protocol == ROUTING {
            packet.dst = final_destination(packet, at)?;
        }
        at += if protocol == AUTHENTICATION { (length + 2) * 4 } else { (length + 1) * 8 };
        protocol = following;
    }
    packet.skip(at);
    Ok(if protocol == TCP { Step::To(Next::Tcp) } else { tunnels::inside_ip(protocol) })
}

/// RFC 9293 section 3.1.
#[inline]
pub fn tcp(packet: &mut Packet<'_, '_>) -> Stepped {
    let &mut Packet { time_ns, octets, missing, src, dst, v6, checksum_ready, oddities, .. } = packet;
    let Some(header) = header_size(octets)? else { return Ok(Step::Skip(Skip::Malformed)) };
    let carrier = Carrier { time_ns, src, dst, v6, missing, checksum_ready, oddities };
    let Some(segment) = carrier.segment(octets, header) else { return Ok(Step::Skip(packet.short())) };
    packet.found = Found::Segment(segment);
    Ok(Step::Found)
}

/// Octets of a TCP header; None when it says that it is shorter than any.
#[inline]
pub(super) fn header_size(octets: &[u8]) -> Result<Option<usize>, Short> {
    let head = octets.first_chunk::<20>().ok_or(Short)?;
    let size = usize::from(head[12] >> 2 & 0x3C);
    Ok((size >= 20).then_some(size))
}

/// What the IP header tells of a segment.
pub(super) struct Carrier {
    pub time_ns: i64,
    pub src: [u8; 16],
    pub dst: [u8; 16],
    pub v6: bool,
    pub missing: u32,
    pub checksum_ready: bool,
    pub oddities: Oddities,
}

impl Carrier {
    /// The segment in these octets; None when its header of that size is not whole.
    #[expect(clippy::inline_always, reason = "a segment is moved twice by a call: a fifth of what a plain frame costs")]
    #[inline(always)]
    pub fn segment<'a>(&self, octets: &'a [u8], header: usize) -> Option<Segment<'a>> {
        let payload = octets.get(header..)?;
        let head = octets.first_chunk::<20>()?;
        let flags = u16::from_be_bytes([head[12], head[13]]) & 0x1FF;
        Some(Segment {
            time_ns: self.time_ns,
            flow: Flow {
                src: self.src,
                dst: self.dst,
                sport: u16::from_be_bytes([head[0], head[1]]),
                dport: u16::from_be_bytes([head[2], head[3]]),
                v6: self.v6,
                path_hash: 0,
            },
            path: &[],
            seq: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            ack: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
            flags,
            octets,
            payload,
            missing: self.missing,
            urgent: if flags & URG != 0 { u16::from_be_bytes([head[18], head[19]]).max(1) } else { 0 },
            verifiable: self.missing == 0 && self.checksum_ready,
            oddities: self.oddities,
        })
    }
}

impl Segment<'_> {
    /// Its sender takes nothing more for now (RFC 9293 section 3.8.6.1).
    pub fn closes_window(&self) -> bool {
        self.octets.get(14..16).is_some_and(|window| window == [0, 0]) && self.octets.len() >= self.payload.len() + 20
    }

    /// RFC 9293 section 3.1, by RFC 1071. Not done before it is asked for: most segments are nobody's request.
    pub fn checksum(&self) -> Checksum {
        if !self.verifiable {
            return Checksum::Unknown;
        }
        let length = if self.flow.v6 { 16 } else { 4 };
        let size = self.octets.len() as u64;
        let addresses = sum(&self.flow.src[..length]) + sum(&self.flow.dst[..length]);
        let pseudo = addresses + u64::from(TCP) + size;
        if (pseudo + sum(self.octets)).is_multiple_of(0xFFFF) {
            return Checksum::Good;
        }
        // a card that is to fill it in finds the sum of the pseudo header, with or (for TSO) without the length
        let field = u64::from(u16::from_be_bytes([self.octets[16], self.octets[17]])) % 0xFFFF;
        if field == pseudo % 0xFFFF || field == (pseudo - size) % 0xFFFF {
            return Checksum::Unknown;
        }
        Checksum::Bad
    }
}

/// The sum of all 16-bit words modulo 65535, an odd byte at the end as if a zero followed.
///
/// 2^16 is 1 there, so a word of 64 bits weighs what its parts do. Words are taken as this machine has them, and their
/// sum is turned round at the end (RFC 1071 section 2 (B)): to swap the bytes of a 16-bit word is to multiply by 256.
fn sum(octets: &[u8]) -> u64 {
    let (words, rest) = octets.as_chunks::<8>();
    let mut tail = [0; 8];
    tail[..rest.len()].copy_from_slice(rest);
    let halves = |word: [u8; 8]| {
        let word = u64::from_ne_bytes(word);
        (word & 0xFFFF_FFFF) + (word >> 32)
    };
    let total = words.iter().map(|&word| halves(word)).sum::<u64>() + halves(tail);
    total % 0xFFFF * u64::from(1_u16.to_be())
}

fn part(packet: &mut Packet<'_, '_>, ident: u32, offset: u32, more: bool, at: usize) -> Step {
    packet.found = Found::Fragment(Fragment {
        time_ns: packet.time_ns,
        src: packet.src,
        dst: packet.dst,
        v6: packet.v6,
        protocol: packet.protocol,
        ident,
        offset,
        more,
        data: packet.octets.get(at..).unwrap_or_default(),
        missing: packet.missing,
        path: &[],
        depth: packet.depth,
    });
    Step::Found
}

/// Where a routing header at `at` leads: the destination that TCP's pseudo header has (RFC 8200 section 8.1).
fn final_destination(packet: &Packet<'_, '_>, at: usize) -> Result<[u8; 16], Short> {
    const SOURCE_ROUTE: u8 = 0; // RFC 2460
    const MOBILE_ROUTE: u8 = 2; // RFC 6275
    const SEGMENT_ROUTE: u8 = 4; // RFC 8754
    let [_, length, kind, left] = packet.array(at)?;
    match kind {
        SEGMENT_ROUTE if left > 0 => packet.array(at + 8), // the list is written backwards
        SOURCE_ROUTE | MOBILE_ROUTE if left > 0 && length > 1 => packet.array(at + 8 * (usize::from(length) + 1) - 16),
        _ => Ok(packet.dst),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn the_sum_is_that_of_all_words_whatever_the_machine_and_the_length() {
        let mut random = Random::new(1071);
        for _ in 0..2000 {
            let octets = random.octets(70);
            let plain: u64 =
                octets.chunks(2).map(|two| u64::from(two[0]) << 8 | two.get(1).map_or(0, |&b| b.into())).sum();
            assert_eq!(sum(&octets) % 0xFFFF, plain % 0xFFFF, "{octets:?}");
        }
        assert_eq!(sum(&[0xFF; 65_536]) % 0xFFFF, 0);
    }
}
