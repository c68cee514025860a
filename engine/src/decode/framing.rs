//! What stands before the IP header: link types, Ethernet, tags, labels, PPP.
//!
//! Only the next layer's place is wanted; addresses, priorities and frame checks are not looked at.

use super::internet::looks_like_ip;
use super::{Next, Packet, Short, Skip, Step, Stepped};

pub(super) const IP: u16 = 0x0800;
pub(super) const IP6: u16 = 0x86DD;
/// Neither IP nor a tunnel of it; any other type that is not known may hide something.
const QUIET: [u16; 23] = [
    0x0806, 0x8035, // ARP and the reverse
    0x88CC, 0x8809, 0x8808, 0x8902, 0x88F5, 0x88F6, // LLDP, LACP, pauses, 802.1ag, 802.1ak
    0x888E, 0x88F7, 0x9000, 0x0842, // 802.1X, PTP, loopback tests, Wake-on-LAN
    0x8906, 0x8914, 0x8915, 0x88A2, // storage: FCoE, RoCE, AoE
    0x8137, 0x8138, 0x809B, 0x80F3, 0x6002, 0x6003, 0x6004, // IPX, AppleTalk, DECnet
];
/// Octets of such a tag.
pub(super) const TAG_SIZE: usize = 4;
/// A larger number is an EtherType (802.3 section 3.2.6).
const LONGEST_802_3: u16 = 1500;
const LEAST_TYPE: u16 = 0x0600;
/// 802.2: the control field of RFC 1042.
const UNNUMBERED: u8 = 0x03;

/// The first layer of a link type (tcpdump.org/linktypes).
pub fn link(link: u32) -> Option<Next> {
    Some(match link {
        0 | 108 => Next::Loopback,
        1 => Next::Ethernet,
        9 | 50 | 104 => Next::Serial,
        101 | 12 | 14 => Next::Ip,
        105 => Next::Wlan,
        113 => Next::Sll,
        127 => Next::Radiotap,
        228 => Next::Ipv4,
        229 => Next::Ipv6,
        239 => Next::Nflog,
        276 => Next::Sll2,
        _ => return None,
    })
}

/// Ethernet II or 802.3.
#[inline]
pub fn ethernet(packet: &mut Packet<'_, '_>) -> Stepped {
    let kind = packet.u16(12)?;
    packet.skip(14);
    Ok(by_type(kind))
}

/// What an EtherType, or in its place the length of an 802.3 frame, announces.
#[inline]
pub fn by_type(kind: u16) -> Step {
    if kind <= LONGEST_802_3 { Step::To(Next::Llc) } else { of_type(kind) }
}

/// What an EtherType announces.
#[inline]
fn of_type(kind: u16) -> Step {
    let is_quiet = || kind < LEAST_TYPE || QUIET.contains(&kind);
    ethertype(kind).unwrap_or_else(|| Step::Skip(if is_quiet() { Skip::NotIp } else { Skip::UnknownTunnel }))
}

/// A tag of 802.1Q or 802.1ad follows.
#[inline]
pub(super) fn is_tag(kind: u16) -> bool {
    matches!(kind, 0x8100 | 0x88A8 | 0x9100 | 0x9200)
}

/// What an EtherType announces, where it is known.
#[inline]
pub fn ethertype(kind: u16) -> Option<Step> {
    Some(match kind {
        IP => Step::To(Next::Ipv4),
        IP6 => Step::To(Next::Ipv6),
        _ if is_tag(kind) => Step::To(Next::Tag4),
        0x8926 | 0x892F => Step::To(Next::Tag6), // VN-Tag, Cisco's; HSR (IEC 62439-3)
        0x893F | 0x8909 => Step::To(Next::Tag8), // and its heir in 802.1BR; Cisco's MetaData
        0x8903 => Step::To(Next::FabricPath),
        0x22F3 => Step::To(Next::Trill),
        0x8847 | 0x8848 => Step::To(Next::Mpls),
        0x8864 => Step::To(Next::Pppoe),
        0x8863 => Step::Skip(Skip::TunnelControl),
        0x880B => Step::To(Next::Ppp),
        0x8870 => Step::To(Next::Llc),         // long 802.3 frames
        0x88E7 => Step::To(Next::Pbb),         // 802.1ah
        0x88E5 => Step::Skip(Skip::Encrypted), // 802.1AE
        0x894F => Step::To(Next::Nsh),
        _ => return None,
    })
}

/// For places where anything may stand: is there a type that is known, and behind it what it announces?
pub fn looks_like_ethernet(packet: &Packet<'_, '_>, at: usize) -> Result<bool, Short> {
    let kind = packet.u16(at + 12)?;
    if kind == IP || kind == IP6 {
        return Ok(packet.u8(at + 14)? >> 4 == if kind == IP { 4 } else { 6 });
    }
    if kind <= LONGEST_802_3 {
        let [_, _, control] = packet.array(at + 14)?;
        return Ok(control == UNNUMBERED);
    }
    Ok(ethertype(kind).is_some() || QUIET.contains(&kind))
}

/// 802.2 with SNAP (RFC 1042), also from a bridge (802.1H).
pub fn llc(packet: &mut Packet<'_, '_>) -> Stepped {
    if packet.array(0)? != [0xAA, 0xAA, UNNUMBERED] {
        return Ok(Step::Skip(Skip::NotIp));
    }
    let [a, b, c, high, low] = packet.array(3)?;
    packet.enter(8, None);
    if [a, b, c] != [0, 0, 0] && [a, b, c] != [0, 0, 0xF8] {
        return Ok(Step::Skip(Skip::NotIp));
    }
    Ok(of_type(u16::from_be_bytes([high, low])))
}

/// A tag that ends with the EtherType of what it stands before.
pub fn tag<const SIZE: usize>(packet: &mut Packet<'_, '_>) -> Stepped {
    let kind = packet.u16(SIZE - 2)?;
    packet.enter(SIZE, None);
    Ok(by_type(kind))
}

/// The I-TAG of 802.1ah; the customer's whole frame follows.
pub fn pbb(packet: &mut Packet<'_, '_>) -> Stepped {
    packet.enter(4, None);
    Ok(Step::To(Next::Ethernet))
}

/// A stack of labels (RFC 3032). What follows is not announced; RFC 4928 leaves the first four bits to tell.
pub fn mpls(packet: &mut Packet<'_, '_>) -> Stepped {
    const BOTTOM: u32 = 0x100; // RFC 3032 section 2.1: the last label of the stack
    let mut at = 0;
    while packet.u32(at)? & BOTTOM == 0 {
        at += 4;
    }
    packet.enter(at + 4, None);
    let nibble = packet.u8(0)? >> 4;
    if (nibble == 4 || nibble == 6) && looks_like_ip(packet)? {
        return Ok(Step::To(Next::Ip));
    }
    if nibble == 0 && looks_like_ethernet(packet, 4)? {
        packet.skip(4); // a pseudowire with control word (RFC 4448)
        return Ok(Step::To(Next::Ethernet));
    }
    if looks_like_ethernet(packet, 0)? {
        return Ok(Step::To(Next::Ethernet));
    }
    Ok(match nibble {
        1 => Step::Skip(Skip::TunnelControl), // RFC 4385 section 5
        4 => Step::To(Next::Ipv4),
        6 => Step::To(Next::Ipv6),
        _ => Step::Skip(Skip::UnknownTunnel),
    })
}

/// Cisco's FabricPath: a tree and a time to live; the whole frame follows.
pub fn fabric_path(packet: &mut Packet<'_, '_>) -> Stepped {
    packet.enter(2, None);
    Ok(Step::To(Next::Ethernet))
}

/// RFC 6325 section 3: options of four octets each before the whole frame.
pub fn trill(packet: &mut Packet<'_, '_>) -> Stepped {
    let bits = packet.u16(0)?;
    packet.enter(6 + usize::from(bits >> 6 & 0x1F) * 4, None);
    Ok(Step::To(Next::Ethernet))
}

/// RFC 2516 section 4. Sessions are numbered, so two subscribers with equal addresses can be told apart.
pub fn pppoe(packet: &mut Packet<'_, '_>) -> Stepped {
    let [_, code, a, b, c, d] = packet.array(0)?;
    if code != 0 {
        return Ok(Step::Skip(Skip::TunnelControl));
    }
    packet.enter(6, Some(6 + usize::from(u16::from_be_bytes([c, d]))));
    packet.within("pppoe", u64::from(u16::from_be_bytes([a, b])));
    Ok(Step::To(Next::Ppp))
}

/// RFC 1661, with or without address and control (RFC 1662), its protocol number one or two bytes long.
pub fn ppp(packet: &mut Packet<'_, '_>) -> Stepped {
    const ADDRESS_AND_CONTROL: u16 = 0xFF03; // RFC 1662 section 3.1
    let (mut at, mut protocol) = (2, packet.u16(0)?);
    if protocol == ADDRESS_AND_CONTROL {
        (at, protocol) = (4, packet.u16(2)?);
    }
    if protocol & 0x0100 != 0 {
        (at, protocol) = (at - 1, protocol >> 8); // section 2: the last byte of the number is odd, all before it even
    }
    packet.skip(at);
    if protocol & 0x8000 != 0 {
        return Ok(Step::Skip(Skip::TunnelControl)); // section 2: "network-layer control" and "link-layer control"
    }
    Ok(match protocol {
        0x21 => Step::To(Next::Ipv4),
        0x57 => Step::To(Next::Ipv6),
        0x281 => Step::To(Next::Mpls),              // RFC 3032 section 4.3
        0x53 | 0xFD => Step::Skip(Skip::Encrypted), // RFC 1968; compressed or, as MPPE (RFC 3078), enciphered
        _ => Step::Skip(Skip::UnknownTunnel),
    })
}

/// PPP, or Cisco's HDLC on the same line.
pub fn serial(packet: &mut Packet<'_, '_>) -> Stepped {
    if !matches!(packet.octets.first(), Some(0x0F | 0x8F)) {
        return Ok(Step::To(Next::Ppp));
    }
    let kind = packet.u16(2)?;
    packet.skip(4);
    Ok(by_type(kind))
}

/// RFC 8300.
pub fn nsh(packet: &mut Packet<'_, '_>) -> Stepped {
    let [_, low, _, protocol] = packet.array(0)?;
    packet.enter(usize::from(low & 0x3F) * 4, None);
    Ok(nsh_protocol(protocol))
}

/// What NSH, and the generic extension of VXLAN, say to follow.
pub fn nsh_protocol(protocol: u8) -> Step {
    match protocol {
        1 => Step::To(Next::Ipv4),
        2 => Step::To(Next::Ipv6),
        3 => Step::To(Next::Ethernet),
        4 => Step::To(Next::Nsh),
        5 => Step::To(Next::Mpls),
        _ => Step::Skip(Skip::UnknownTunnel),
    }
}

/// Linux "any" device: LINKTYPE_LINUX_SLL.
pub fn sll(packet: &mut Packet<'_, '_>) -> Stepped {
    let kind = packet.u16(14)?;
    packet.skip(16);
    Ok(by_type(kind))
}

/// LINKTYPE_LINUX_SLL2.
pub fn sll2(packet: &mut Packet<'_, '_>) -> Stepped {
    let kind = packet.u16(0)?;
    packet.skip(20);
    Ok(by_type(kind))
}

/// LINKTYPE_NULL and LINKTYPE_LOOP: an address family in the byte order of the machine that captured.
pub fn loopback(packet: &mut Packet<'_, '_>) -> Stepped {
    let mut family = packet.u32(0)?;
    if family > 0xFFFF {
        family = family.swap_bytes();
    }
    packet.skip(4);
    Ok(match family {
        2 => Step::To(Next::Ipv4),
        10 | 23 | 24 | 28 | 30 => Step::To(Next::Ipv6), // Linux, Windows, NetBSD and OpenBSD, FreeBSD, Darwin
        _ => Step::Skip(Skip::NotIp),
    })
}

/// LINKTYPE_NFLOG: attributes of which one is the packet.
pub fn nflog(packet: &mut Packet<'_, '_>) -> Stepped {
    const PAYLOAD: u16 = 9;
    let (mut at, mut kind, mut size) = (0, 0u16, 4usize);
    while kind & 0x7FFF != PAYLOAD {
        at += size.next_multiple_of(4).max(4);
        let [a, b, c, d] = packet.array(at)?;
        (size, kind) = (usize::from(u16::from_le_bytes([a, b])), u16::from_le_bytes([c, d]));
    }
    let end = (at + size).min(packet.octets.len());
    packet.octets = packet.octets.get(at + 4..end).unwrap_or_default();
    Ok(Step::To(Next::Ip))
}

/// LINKTYPE_IEEE802_11_RADIOTAP: what the radio says, then 802.11.
pub fn radiotap(packet: &mut Packet<'_, '_>) -> Stepped {
    let [_, _, a, b] = packet.array(0)?;
    packet.skip(usize::from(u16::from_le_bytes([a, b])));
    Ok(Step::To(Next::Wlan))
}

/// A data frame of 802.11 that is not enciphered (section 9.2.4.1).
pub fn wlan(packet: &mut Packet<'_, '_>) -> Stepped {
    const DATA_FRAME: u8 = 0x08;
    const QOS: u8 = 0x80;
    const TO_AND_FROM: u8 = 0x03;
    const PROTECTED: u8 = 0x40;
    const ORDER: u8 = 0x80;
    let [kind, flags] = packet.array(0)?;
    if kind & 0x4F != DATA_FRAME {
        return Ok(Step::Skip(Skip::NotIp));
    }
    if flags & PROTECTED != 0 {
        return Ok(Step::Skip(Skip::Encrypted));
    }
    let mut size = if flags & TO_AND_FROM == TO_AND_FROM { 30 } else { 24 };
    if kind & QOS != 0 {
        size += if flags & ORDER != 0 { 6 } else { 2 };
    }
    packet.skip(size);
    Ok(Step::To(Next::Llc))
}
