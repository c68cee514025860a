//! The short way through the frames that nearly all are: Ethernet, tags perhaps, IP without options or fragments, TCP.
//!
//! No layer is chosen by a call here, and nothing is written before it is known that this is such a frame. Whatever is
//! otherwise in the least takes the long way; a test holds that both ways lead to the same.

use super::framing::{IP, IP6, TAG_SIZE, is_tag};
use super::internet::{Carrier, TCP, address, header_size};
use crate::records::{Frame, Oddities, Segment};

const ETHERNET: u32 = 1;
const ETHERNET_SIZE: usize = 14;

/// The segment in a plain frame; None: it is to go the long way, which may go `deepest` headers deep.
#[expect(clippy::inline_always, reason = "a segment is moved twice by a call: a fifth of what a plain frame costs")]
#[inline(always)]
pub(super) fn segment<'a>(frame: &Frame<'a>, deepest: u32) -> Option<Segment<'a>> {
    if frame.link != ETHERNET {
        return None;
    }
    let (mut at, mut depth) = (ETHERNET_SIZE, 1);
    let mut kind = kind_before(frame.data, at)?;
    while is_tag(kind) {
        at += TAG_SIZE;
        depth += 1;
        kind = kind_before(frame.data, at)?;
    }
    if depth > deepest {
        return None;
    }
    let octets = frame.data.get(at..)?;
    let (src, dst, begin, end);
    if kind == IP {
        let head = octets.first_chunk::<20>()?;
        let more_or_offset = u16::from_be_bytes([head[6], head[7]]) & 0x3FFF;
        if head[0] != 0x45 || head[9] != TCP || more_or_offset != 0 {
            return None;
        }
        (src, dst) = (address(&head[12..16]), address(&head[16..20]));
        (begin, end) = (20, usize::from(u16::from_be_bytes([head[2], head[3]])));
    } else if kind == IP6 {
        let head = octets.first_chunk::<40>()?;
        if head[0] >> 4 != 6 || head[6] != TCP {
            return None;
        }
        (src, dst) = (address(&head[8..24]), address(&head[24..40]));
        (begin, end) = (40, 40 + usize::from(u16::from_be_bytes([head[4], head[5]])));
    } else {
        return None;
    }
    let octets = octets.get(begin..end)?; // all of it is here, and what lies beyond is padding
    let (v6, checksum_ready) = (kind == IP6, frame.checksum_ready);
    let carrier =
        Carrier { time_ns: frame.time_ns, src, dst, v6, missing: 0, checksum_ready, oddities: Oddities::default() };
    carrier.segment(octets, header_size(octets).ok()??)
}

/// The EtherType that stands before this place.
#[inline]
fn kind_before(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at - 2..at)?.try_into().ok().map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::super::Decoder;
    use super::*;
    use crate::counts::Counts;
    use crate::limits::Limits;
    use crate::testing::Random;

    /// A plain frame: tagged or not, of IPv4 or IPv6, and whatever follows the headers.
    fn plain_frame(random: &mut Random) -> Vec<u8> {
        let payload = random.octets(40);
        let mut octets = vec![2; 12];
        for _ in 0..random.below(3) {
            octets.extend([0x81, 0x00, 0x00, 0x07]);
        }
        let size = (20 + payload.len()) as u8;
        if random.below(2) == 0 {
            octets.extend([0x08, 0x00, 0x45, 0, 0, 20 + size, 0, 1, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        } else {
            octets.extend([0x86, 0xDD, 0x60, 0, 0, 0, 0, size, 6, 64]);
            octets.extend([0x20; 32]);
        }
        octets.extend([0x30, 0x39, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 16, 0, 0, 0, 0, 0]);
        octets.extend(payload);
        octets.extend(random.octets(6)); // padding
        octets
    }

    #[test]
    fn the_short_way_leads_where_the_long_one_does() {
        let mut random = Random::new(1);
        let (mut short, mut long) = (0, 0);
        for _ in 0..40_000 {
            let mut octets = plain_frame(&mut random);
            for _ in 0..random.below(3) {
                let at = random.below(octets.len().min(80));
                octets[at] = *random.pick(&[0, 1, 4, 5, 6, 8, 0x20, 0x40, 0x45, 0x60, 0x81, 0xFF]);
            }
            let wire_len = (octets.len() + random.below(2) * random.below(50)) as u32;
            let kept = octets.len() - random.below(2) * random.below(octets.len());
            let link = *random.pick(&[1, 1, 1, 1, 1, 101]);
            let data = &octets[..kept];
            let frame = Frame { time_ns: 7, link, wire_len, data, checksum_ready: random.below(2) == 0 };
            let limits = Limits { encapsulations: random.below(4) as u32, ..Limits::default() };
            let mut decoder = Decoder::new(&limits);
            let (mut counts, mut others) = (Counts::default(), Counts::default());
            let one = format!("{:?}", decoder.feed(&frame, &mut counts));
            let other = format!("{:?}", decoder.feed_any(&frame, &mut others));
            assert_eq!(one, other, "{octets:02X?}");
            assert_eq!(format!("{counts:?}"), format!("{others:?}"));
            *if segment(&frame, limits.encapsulations).is_some() { &mut short } else { &mut long } += 1;
        }
        assert!(short > 5_000 && long > 5_000, "{short} {long}");
    }
}
