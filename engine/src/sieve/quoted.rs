//! Percent-encoding, undone (RFC 3986 section 2.1).

/// Undoes it; what is not coded well stays.
pub fn unquote_to(octets: &[u8], room: &mut Vec<u8>) {
    room.reserve(octets.len());
    let mut rest = octets;
    while let Some(at) = memchr::memchr(b'%', rest) {
        room.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        while let Some(behind) = rest.strip_prefix(b"%") {
            let nibble =
                |at: usize| behind.get(at).map(|octet| NIBBLES[usize::from(*octet)]).filter(|nibble| *nibble < 16);
            (rest, ()) = match (nibble(0), nibble(1)) {
                (Some(high), Some(low)) => (&behind[2..], room.push(high << 4 | low)),
                _ => (behind, room.push(b'%')),
            };
        }
    }
    room.extend_from_slice(rest);
}

/// Of the digits of a hexadecimal number; 16 of all else.
pub static NIBBLES: [u8; 256] = {
    let (mut nibbles, mut octet) = ([16; 256], 0);
    while octet < 256 {
        nibbles[octet] = match octet as u8 {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ b'A'..=b'F' => digit - b'A' + 10,
            digit @ b'a'..=b'f' => digit - b'a' + 10,
            _ => 16,
        };
        octet += 1;
    }
    nibbles
};

/// The same in memory of its own.
pub fn unquoted(octets: &[u8]) -> Vec<u8> {
    let mut room = Vec::new();
    unquote_to(octets, &mut room);
    room
}
