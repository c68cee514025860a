//! Percent-encoding, undone (RFC 3986 section 2.1).

use crate::block::Octets;

/// Octets that are copied at a time: percent signs stand close together, where there are any.
type Few = Octets<2>;

/// Undoes it in a room of as many octets at least; what is not coded well stays. The part of the room that is filled.
pub fn unquote<'a>(octets: &[u8], room: &'a mut [u8]) -> &'a [u8] {
    let (mut rest, mut filled) = (octets, 0);
    while !rest.is_empty() {
        let whole = rest.first_chunk::<{ Few::SIZE }>().zip(room[filled..].first_chunk_mut());
        let at = if let Some((few, place)) = whole {
            *place = *few; // more than is filled now
            Few::of(few, b' ').are(b'%').bits().trailing_zeros() as usize
        } else {
            let at = memchr::memchr(b'%', rest).unwrap_or(rest.len());
            room[filled..filled + at].copy_from_slice(&rest[..at]);
            at
        };
        let at = at.min(Few::SIZE);
        (rest, filled) = (&rest[at..], filled + at);
        while let Some(behind) = rest.strip_prefix(b"%") {
            let nibble =
                |at: usize| behind.get(at).map(|octet| NIBBLES[usize::from(*octet)]).filter(|nibble| *nibble < 16);
            (rest, room[filled]) = match (nibble(0), nibble(1)) {
                (Some(high), Some(low)) => (&behind[2..], high << 4 | low),
                _ => (behind, b'%'),
            };
            filled += 1;
        }
    }
    &room[..filled]
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
    let mut room = vec![0; octets.len()];
    let length = unquote(octets, &mut room).len();
    room.truncate(length);
    room
}
