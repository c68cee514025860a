//! Tunnels that IP carries: GRE, ERSPAN, and over UDP GTP-U, VXLAN, GENEVE, L2TP, Teredo, LISP, GUE, TZSP, CAPWAP.
//!
//! A UDP port proves nothing. What stands there must be the tunnel in every field that can be checked and hold a packet
//! or frame that can be one, or it is `unknown_tunnel`: no flow is ever made of bytes that only stood on that port. Nor is
//! any made of what stands where no tunnel is known: that is `unknown_tunnel` if there is a TCP segment in it.

use super::framing::{ethertype, looks_like_ethernet, nsh_protocol, ppp};
use super::internet::{fills_with_ip, looks_like_ip, unannounced};
use super::{Found, Next, Packet, Short, Skip, Step, Stepped};
use crate::records::{Flow, Message};

/// What an IP packet holds that may hold IP packets.
pub fn inside_ip(protocol: u8) -> Step {
    match protocol {
        4 => Step::To(Next::Ipv4),
        41 => Step::To(Next::Ipv6),
        17 => Step::To(Next::Udp),
        47 => Step::To(Next::Gre),
        50 => Step::Skip(Skip::Encrypted),
        97 => Step::To(Next::Etherip),
        115 => Step::To(Next::L2tp3),
        108 | 55 => Step::Skip(Skip::UnknownTunnel), // IPComp, RFC 2004
        143 => Step::To(Next::BareEthernet),
        137 => Step::To(Next::Mpls),        // RFC 4023
        1 | 58 => Step::Skip(Skip::NotTcp), // ICMP, which quotes packets
        _ => Step::To(Next::Unannounced),
    }
}

/// RFC 2784 and 2890, with the routing of RFC 1701; version 1 as PPTP has it (RFC 2637).
pub fn gre(packet: &mut Packet<'_, '_>) -> Stepped {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGEMENT: u16 = 0x0080;
    let (bits, kind) = (packet.u16(0)?, packet.u16(2)?);
    let version = bits & 7;
    let mut at = 4;
    if version > 1 {
        return Ok(Step::Skip(Skip::UnknownTunnel));
    }
    if bits & (CHECKSUM | ROUTING) != 0 {
        at += 4;
    }
    let mut key = None;
    if bits & KEY != 0 {
        key = Some(packet.u32(at)?);
        at += 4;
    }
    if bits & SEQUENCE != 0 {
        at += 4;
    }
    if version == 1 {
        let Some(key) = key.filter(|_| kind == 0x880B) else { return Ok(Step::Skip(Skip::UnknownTunnel)) };
        if bits & SEQUENCE == 0 {
            return Ok(Step::Skip(Skip::TunnelControl)); // an acknowledgement
        }
        packet.enter(if bits & ACKNOWLEDGEMENT != 0 { at + 4 } else { at }, None);
        packet.within("gre", u64::from(key & 0xFFFF)); // the call, without the length
        return Ok(Step::To(Next::Ppp));
    }
    if bits & ROUTING != 0 {
        at = behind_routing(packet, at)?;
    }
    packet.enter(at, None);
    match kind {
        0x88BE if bits & SEQUENCE != 0 => return Ok(Step::To(Next::Erspan2)),
        0x88BE => return Ok(Step::To(Next::Ethernet)),
        0x22EB => return Ok(Step::To(Next::Erspan3)),
        _ => {}
    }
    if let Some(key) = key {
        packet.within("gre", u64::from(key));
    }
    Ok(match kind {
        0x6558 => Step::To(Next::Ethernet),
        0x2001 | 0 => Step::Skip(Skip::TunnelControl), // NHRP, keepalive
        0x00FE | 0x0806 => Step::Skip(Skip::NotIp),    // OSI, ARP
        _ => ethertype(kind).unwrap_or(Step::Skip(Skip::UnknownTunnel)),
    })
}

fn behind_routing(packet: &Packet<'_, '_>, mut at: usize) -> Result<usize, Short> {
    loop {
        let [a, b, _, size] = packet.array(at)?;
        at += 4 + usize::from(size);
        if a == 0 && b == 0 && size == 0 {
            return Ok(at);
        }
    }
}

/// draft-foschiano-erspan section 4.2; type I is nothing but the frame, in GRE without a sequence number.
pub fn erspan2(packet: &mut Packet<'_, '_>) -> Stepped {
    packet.skip(8);
    Ok(Step::To(Next::Ethernet))
}

/// draft-foschiano-erspan section 4.3, with the platform specific subheader where its flag says so.
pub fn erspan3(packet: &mut Packet<'_, '_>) -> Stepped {
    let bits = packet.u16(10)?;
    packet.skip(if bits & 1 != 0 { 20 } else { 12 });
    Ok(Step::To(if bits >> 10 & 0x1F == 2 { Next::Ip } else { Next::Ethernet }))
}

/// RFC 3378.
pub fn etherip(packet: &mut Packet<'_, '_>) -> Stepped {
    packet.enter(2, None);
    Ok(Step::To(Next::Ethernet))
}

/// A frame at once (RFC 8986 section 4.9).
pub fn bare_ethernet(packet: &mut Packet<'_, '_>) -> Stepped {
    packet.enter(0, None);
    Ok(Step::To(Next::Ethernet))
}

/// RFC 768, for the tunnels in it and what Watch asks for.
pub fn udp(packet: &mut Packet<'_, '_>) -> Stepped {
    let [a, b, c, d, e, f] = packet.array(0)?;
    let (sport, dport) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let length = usize::from(u16::from_be_bytes([e, f]));
    let octets = packet.octets;
    let tunnel = match to_port(dport).or_else(|| port(dport)).or_else(|| port(sport)) {
        Some(tunnel) => tunnel,
        None if packet.ports.contains(&dport) => return Ok(message(packet, sport, dport, length)),
        None if is_teredo(octets, length) => Next::Teredo,
        None => {
            packet.skip(8);
            return unannounced(packet);
        }
    };
    if (8..=octets.len()).contains(&length) {
        packet.missing = 0;
    }
    let end = if length >= 8 { length.min(octets.len()) } else { octets.len() };
    packet.octets = octets.get(8..end).unwrap_or_default();
    if packet.octets.is_empty() && packet.missing == 0 {
        return Ok(Step::Skip(Skip::NotTcp)); // keeps a mapping of NAT alive
    }
    Ok(tunnel.read(packet).unwrap_or(Step::Skip(if packet.missing > 0 {
        Skip::Truncated
    } else {
        Skip::UnknownTunnel
    })))
}

/// A datagram that was asked for: the whole of it or nothing.
fn message(packet: &mut Packet<'_, '_>, sport: u16, dport: u16, length: usize) -> Step {
    let Some(octets) = packet.octets.get(8..length) else { return Step::Skip(packet.short()) };
    packet.found = Found::Message(Message {
        time_ns: packet.time_ns,
        flow: Flow { src: packet.src, dst: packet.dst, sport, dport, v6: packet.v6, path_hash: 0 },
        path: &[],
        octets,
    });
    Step::Found
}

/// Tunnels told by their destination port.
fn to_port(dport: u16) -> Option<Next> {
    Some(match dport {
        4341 => Next::Lisp,
        4754 => Next::Gre, // RFC 8086
        4789 | 8472 => Next::Vxlan,
        4790 => Next::VxlanGpe,
        6080 => Next::Gue,
        6081 => Next::Geneve,
        6635 => Next::Mpls, // RFC 7510
        37008 => Next::Tzsp,
        _ => return None,
    })
}

/// Tunnels told by the port at either end.
fn port(port: u16) -> Option<Next> {
    Some(match port {
        2152 => Next::Gtpu,
        1701 => Next::L2tp,
        3544 => Next::Teredo,
        4500 => Next::NatTraversal,
        5247 => Next::Capwap,
        _ => return None,
    })
}

/// 3GPP TS 29.281 section 5.
pub fn gtpu(packet: &mut Packet<'_, '_>) -> Stepped {
    const G_PDU: u8 = 0xFF;
    const MOST_EXTENSIONS: u32 = 32; // two are many; a hundred are there to be read
    let [bits, kind, a, b, c, d, e, f] = packet.array(0)?;
    let length = usize::from(u16::from_be_bytes([a, b]));
    // version 1, GTP and not GTP'
    if bits & 0xF0 != 0x30 || 8 + length > packet.octets.len() + packet.missing as usize {
        return Ok(Step::Skip(Skip::UnknownTunnel));
    }
    match kind {
        G_PDU => {}
        // echo, error indication, supported headers, tunnel status, end marker
        1 | 2 | 26 | 31 | 253 | 254 => return Ok(Step::Skip(Skip::TunnelControl)),
        _ => return Ok(Step::Skip(Skip::UnknownTunnel)),
    }
    let mut at = if bits & 7 != 0 { 12 } else { 8 };
    if bits & 4 != 0 {
        // a chain of extension headers, the type of the next at the end of each
        let mut left = MOST_EXTENSIONS;
        while packet.u8(at - 1)? != 0 {
            let size = packet.u8(at)?;
            if size == 0 || left == 0 {
                return Ok(Step::Skip(Skip::UnknownTunnel));
            }
            at += usize::from(size) * 4;
            left -= 1;
        }
    }
    packet.enter(at, Some(8 + length));
    packet.within("gtpu", u64::from(u32::from_be_bytes([c, d, e, f])));
    packet_inside(packet)
}

/// RFC 7348 section 5. Reserved bits may be anything (section 5: "ignored on receipt").
pub fn vxlan(packet: &mut Packet<'_, '_>) -> Stepped {
    let head: [u8; 8] = packet.array(0)?;
    if head[0] & 0x08 == 0 {
        return Ok(Step::Skip(Skip::UnknownTunnel));
    }
    packet.enter(8, None);
    packet.within("vxlan", network(&head));
    frame_inside(packet)
}

/// draft-ietf-nvo3-vxlan-gpe section 3.
pub fn vxlan_gpe(packet: &mut Packet<'_, '_>) -> Stepped {
    let head: [u8; 8] = packet.array(0)?;
    if head[0] & 0x0C != 0x0C {
        return vxlan(packet);
    }
    packet.enter(8, None);
    packet.within("vxlan", network(&head));
    Ok(nsh_protocol(head[3]))
}

/// RFC 8926 section 3.4.
pub fn geneve(packet: &mut Packet<'_, '_>) -> Stepped {
    let head: [u8; 8] = packet.array(0)?;
    if head[0] >> 6 != 0 {
        return Ok(Step::Skip(Skip::UnknownTunnel));
    }
    packet.enter(8 + usize::from(head[0] & 0x3F) * 4, None);
    packet.within("geneve", network(&head));
    match u16::from_be_bytes([head[2], head[3]]) {
        0x6558 => frame_inside(packet),
        0x0800 | 0x86DD => packet_inside(packet),
        _ => Ok(Step::Skip(Skip::UnknownTunnel)),
    }
}

/// The 24-bit network identifier of VXLAN and GENEVE.
fn network(head: &[u8; 8]) -> u64 {
    u64::from(u32::from_be_bytes([0, head[4], head[5], head[6]]))
}

/// L2TPv2 (RFC 2661 section 3.1); the session header of version 3 cannot be read without its setup.
pub fn l2tp(packet: &mut Packet<'_, '_>) -> Stepped {
    const CONTROL: u16 = 0x8000;
    const LENGTH: u16 = 0x4000;
    const SEQUENCE: u16 = 0x0800;
    const OFFSET: u16 = 0x0200;
    let bits = packet.u16(0)?;
    if bits & 0x000F != 2 {
        return Ok(Step::Skip(Skip::UnknownTunnel));
    }
    let (mut at, mut length) = (2, None);
    if bits & LENGTH != 0 {
        length = Some(usize::from(packet.u16(at)?));
        at += 2;
    }
    if bits & CONTROL != 0 {
        let control = bits & LENGTH != 0 && bits & SEQUENCE != 0;
        return Ok(Step::Skip(if control { Skip::TunnelControl } else { Skip::UnknownTunnel }));
    }
    let session = packet.u32(at)?; // tunnel and session
    at += if bits & SEQUENCE != 0 { 8 } else { 4 };
    if bits & OFFSET != 0 {
        at += 2 + usize::from(packet.u16(at)?);
    }
    if length.is_some_and(|length| length < at || length > packet.octets.len() + packet.missing as usize) {
        return Ok(Step::Skip(Skip::UnknownTunnel));
    }
    packet.enter(at, length);
    packet.within("l2tp", u64::from(session));
    ppp(packet)
}

/// RFC 4380 section 5.1.1: IPv6, behind authentication and origin indication.
pub fn teredo(packet: &mut Packet<'_, '_>) -> Stepped {
    let mut at = 0;
    while packet.u8(at)? == 0 {
        let [_, indicator, identifier, authentication] = packet.array(at)?;
        at += if indicator == 0 { 8 } else { 13 + usize::from(identifier) + usize::from(authentication) };
    }
    packet.enter(at, None);
    let inside = looks_like_ip(packet)? && packet.u8(0)? >> 4 == 6;
    Ok(if inside { Step::To(Next::Ipv6) } else { Step::Skip(Skip::UnknownTunnel) })
}

/// Whether a datagram between any two ports is one of Teredo's: only with its server a client uses port 3544.
///
/// IPv6 without anything before it (RFC 4380 section 5.2.6), exactly as long as UDP says, to or from an address of
/// Teredo's own prefix (section 2.6): 52 bits that other traffic does not have by chance.
fn is_teredo(octets: &[u8], length: usize) -> bool {
    const PREFIX: [u8; 4] = [0x20, 0x01, 0, 0];
    let Some(head) = octets.get(8..48).filter(|head| head[0] >> 4 == 6) else { return false };
    let payload = usize::from(u16::from_be_bytes([head[4], head[5]]));
    length == 48 + payload && (head[8..12] == PREFIX || head[24..28] == PREFIX)
}

/// RFC 9300 section 5.1, and RFC 9305 where it names a protocol. Two instances may use the same addresses.
pub fn lisp(packet: &mut Packet<'_, '_>) -> Stepped {
    const INSTANCE: u8 = 0x08;
    const PROTOCOL: u8 = 0x04;
    const KEY: u8 = 0x03;
    let head: [u8; 8] = packet.array(0)?;
    if head[0] & KEY != 0 {
        return Ok(Step::Skip(Skip::UnknownTunnel)); // enciphered (RFC 8061), if it is LISP at all
    }
    packet.enter(8, None);
    if head[0] & INSTANCE != 0 {
        packet.within("lisp", network(&head));
    }
    match head[3] {
        _ if head[0] & PROTOCOL == 0 => packet_fills(packet),
        1 | 2 => packet_fills(packet),
        3 => frame_inside(packet),
        _ => Ok(Step::Skip(Skip::UnknownTunnel)),
    }
}

/// draft-ietf-intarea-gue section 3; variant 1 is an IP packet at once, as the version that it begins with says.
pub fn gue(packet: &mut Packet<'_, '_>) -> Stepped {
    const CONTROL: u8 = 0x20;
    let [bits, protocol] = packet.array(0)?;
    let variant = bits >> 6;
    if variant == 0 && bits & CONTROL != 0 {
        return Ok(Step::Skip(Skip::TunnelControl));
    }
    packet.enter(if variant == 0 { 4 + usize::from(bits & 0x1F) * 4 } else { 0 }, None);
    match (variant, protocol) {
        (1, _) | (0, 4 | 41) => packet_fills(packet),
        (0, 143) => frame_inside(packet),
        _ => Ok(Step::Skip(Skip::UnknownTunnel)),
    }
}

/// TaZmen Sniffer Protocol, in which routers and access points mirror: a few tags, then the frame.
pub fn tzsp(packet: &mut Packet<'_, '_>) -> Stepped {
    const MOST_TAGS: usize = 32;
    const END: u8 = 1; // this and padding are of one octet
    let [version, kind, high, low] = packet.array(0)?;
    match (version, kind) {
        (1, 0 | 1) => {} // received, to be sent
        // configuration, keepalive, opening of a port
        (1, 3..=5) => return Ok(Step::Skip(Skip::TunnelControl)),
        _ => return Ok(Step::Skip(Skip::UnknownTunnel)),
    }
    let (mut at, mut tag, mut tags) = (4, 0, 0);
    while tag != END {
        if tags == MOST_TAGS {
            return Ok(Step::Skip(Skip::UnknownTunnel));
        }
        tag = packet.u8(at)?;
        at += if tag <= END { 1 } else { 2 + usize::from(packet.u8(at + 1)?) };
        tags += 1;
    }
    packet.enter(at, None);
    match u16::from_be_bytes([high, low]) {
        1 => frame_inside(packet),
        18 => Ok(Step::To(Next::Wlan)),
        _ => Ok(Step::Skip(Skip::UnknownTunnel)),
    }
}

/// RFC 5415 section 4.3: frames between an access point and its controller, of Ethernet or of 802.11 itself.
pub fn capwap(packet: &mut Packet<'_, '_>) -> Stepped {
    const NATIVE: u32 = 0x100;
    const FRAGMENT: u32 = 0x80;
    const KEEPALIVE: u32 = 0x08;
    let word = packet.u32(0)?;
    match word >> 24 {
        0 if word & KEEPALIVE != 0 => return Ok(Step::Skip(Skip::TunnelControl)),
        0 if word & FRAGMENT == 0 => {}
        1 => return Ok(Step::Skip(Skip::Encrypted)), // DTLS
        _ => return Ok(Step::Skip(Skip::UnknownTunnel)),
    }
    packet.enter((word >> 19 & 0x1F) as usize * 4, None);
    if word & NATIVE == 0 {
        return frame_inside(packet);
    }
    Ok(if word >> 9 & 0x1F == 1 { Step::To(Next::Wlan) } else { Step::Skip(Skip::UnknownTunnel) })
}

/// L2TPv3 over IP (RFC 3931 section 4.1.1). How long a cookie is, and what follows, only its setup said.
pub fn l2tp3(packet: &mut Packet<'_, '_>) -> Stepped {
    Ok(Step::Skip(if packet.u32(0)? == 0 { Skip::TunnelControl } else { Skip::UnknownTunnel }))
}

/// RFC 3948: ESP, unless the SPI is 0 (IKE) or there is only one byte (a keepalive).
pub fn nat_traversal(packet: &mut Packet<'_, '_>) -> Stepped {
    let ike_or_keepalive = packet.octets.len() == 1 || packet.u32(0)? == 0;
    Ok(Step::Skip(if ike_or_keepalive { Skip::NotTcp } else { Skip::Encrypted }))
}

fn packet_inside(packet: &mut Packet<'_, '_>) -> Stepped {
    Ok(if looks_like_ip(packet)? { Step::To(Next::Ip) } else { Step::Skip(Skip::UnknownTunnel) })
}

fn packet_fills(packet: &mut Packet<'_, '_>) -> Stepped {
    Ok(if fills_with_ip(packet)? { Step::To(Next::Ip) } else { Step::Skip(Skip::UnknownTunnel) })
}

fn frame_inside(packet: &mut Packet<'_, '_>) -> Stepped {
    Ok(if looks_like_ethernet(packet, 0)? { Step::To(Next::Ethernet) } else { Step::Skip(Skip::UnknownTunnel) })
}
