//! Chunks that are here whole (RFC 9112 section 7.1): small ones come by the million, so a line is looked at once.
//!
//! Most lines are a digit and an end: these are read without a branch that depends on what they say, since nobody can
//! foretell it. Of others, sixteen octets or more are compared at a time. A chunk at which another way may part is left to
//! whoever asked.

use memchr::{memchr, memchr_iter, memchr2};

use super::{OddChunks, chunk_size};
use crate::block::Octets;
use crate::http1::kept::empty_line;
use crate::http1::request_head::WORDS_BYTES;

/// Chunks in a row of one length, behind which a whole row of the same may follow.
const ALIKE: usize = 3;
/// Chunks with other lines, behind which small ones are looked for once more: where they alternate, a look costs as much.
const OTHERS: usize = 8;

/// Chunks that lie whole at the beginning of some octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WholeChunks {
    /// Octets with their size lines.
    pub taken: usize,
    /// Octets of the body in them.
    pub body: u64,
    /// A size line ended without CR.
    pub is_odd: bool,
}

/// The chunks here, up to the first that may be read in several ways: where LF alone ends what it has not ended so far, or
/// a CR in an extension may be an end.
pub fn whole_chunks(octets: &[u8], known: OddChunks) -> WholeChunks {
    let mut found = WholeChunks::default();
    let mut row = Row::default();
    loop {
        if let Some(chunk) = small_chunks(octets, known, &mut found) {
            found.take(&chunk, repeated(octets, found.taken, &chunk));
        }
        for _ in 0..OTHERS {
            let Some(chunk) = any_chunk(octets.get(found.taken..).unwrap_or_default(), known) else { return found };
            found.take(&chunk, 1);
            if row.is_long_with(chunk.length) && chunk.line != Ended::Elsewhere {
                found.take(&chunk, repeated(octets, found.taken, &chunk));
            }
        }
    }
}

/// All of a body that lies whole at the beginning of some octets, up to the end of a trailer section without fields.
pub fn whole_body(octets: &[u8]) -> Option<WholeChunks> {
    const END: &[u8] = b"0\r\n\r\n";
    let chunks = whole_chunks(octets, OddChunks::default());
    let is_all = octets.get(chunks.taken..)?.starts_with(END);
    is_all.then_some(WholeChunks { taken: chunks.taken + END.len(), ..chunks })
}

/// Chunks of one length.
#[derive(Default)]
struct Row {
    length: usize,
    times: usize,
}

impl Row {
    /// Whether so many are in a row with this one.
    #[inline]
    fn is_long_with(&mut self, length: usize) -> bool {
        self.times = if length == self.length { self.times + 1 } else { 0 };
        self.length = length;
        self.times == ALIKE && length > 0
    }
}

impl WholeChunks {
    #[inline]
    fn take(&mut self, chunk: &Chunk, times: usize) {
        self.taken += times * chunk.length;
        self.body += times as u64 * chunk.size as u64;
        self.is_odd |= chunk.line != Ended::InCrLf;
    }
}

/// One that is whole, of fewer octets than wrap an integer.
#[derive(Clone, Copy)]
struct Chunk {
    /// With its lines.
    length: usize,
    /// Where its data begins.
    data: usize,
    size: usize,
    line: Ended,
}

/// Where the line of a chunk's size ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    InCrLf,
    InLf,
    /// The same behind an extension.
    InLfOfExtension,
    /// To some it ends before.
    Elsewhere,
}

/// By octet: what it says as a digit to the base of sixteen; 0: nothing.
static SIZES: [u8; 256] = {
    let mut sizes = [0; 256];
    let mut size = 1;
    while size < 16 {
        sizes[b"0123456789abcdef"[size] as usize] = size as u8;
        sizes[b"0123456789ABCDEF"[size] as usize] = size as u8;
        size += 1;
    }
    sizes
};

/// Takes chunks whose lines are a digit and an end, up to where there is another, few octets are left, or a row of the same
/// begins: then the last one of it so far.
///
/// Where the next chunk begins is known as soon as eight octets behind the data are: an end there and a line.
#[inline]
fn small_chunks(octets: &[u8], known: OddChunks, found: &mut WholeChunks) -> Option<Chunk> {
    let lf_of_line = u64::from(known.has(OddChunks::LF_ENDS_LINE));
    let lf_of_data = u64::from(known.has(OddChunks::LF_ENDS_DATA));
    let mut line = word(octets, found.taken)?;
    let mut row = Row::default();
    loop {
        let (is_line, of_line) = line_end(line >> 8);
        let size = (line & 0x0F) + (line >> 6 & 1) * 9;
        let is_size = size > 0 && size == u64::from(SIZES[(line & 0xFF) as usize]);
        let data = 1 + of_line;
        let end = word(octets, found.taken + (data + size) as usize)?;
        let (is_end, of_end) = line_end(end);
        let is_known = (of_line + lf_of_line > 1) & (of_end + lf_of_data > 1);
        if !(is_size & is_line & is_end & is_known) {
            return None;
        }
        let length = (data + size + of_end) as usize;
        let line_ends = if of_line == 2 { Ended::InCrLf } else { Ended::InLf };
        let chunk = Chunk { length, data: data as usize, size: size as usize, line: line_ends };
        found.take(&chunk, 1);
        if row.is_long_with(length) {
            return Some(chunk);
        }
        line = end >> (8 * of_end);
    }
}

/// Eight octets, the first of them lowest.
#[inline]
fn word(octets: &[u8], place: usize) -> Option<u64> {
    octets.get(place..)?.first_chunk().copied().map(u64::from_le_bytes)
}

/// Whether a line ends with the lowest of these octets, and how many they are if so.
#[inline]
fn line_end(octets: u64) -> (bool, u64) {
    const CRLF: u64 = u16::from_le_bytes(*b"\r\n") as u64;
    const LF: u64 = b'\n' as u64;
    // CR is odd and LF is not
    ((octets & 0xFFFF == CRLF) | (octets & 0xFF == LF), 1 + (octets & 1))
}

/// The chunk with data that these octets begin with, if it is whole and there is one way to read it.
#[inline]
fn any_chunk(octets: &[u8], known: OddChunks) -> Option<Chunk> {
    if matches!(octets, [b'0', b'\r' | b'\n', ..]) {
        return None; // the last one
    }
    let line = size_line_within::<1>(octets).or_else(|| size_line_within::<4>(octets));
    let line = line.or_else(|| size_line(octets)).filter(|line| line.is_known(octets, known))?;
    let end = line.data.checked_add(line.size)?;
    let (is_end, length) = match octets.get(end..end.checked_add(2)?).and_then(<[u8]>::first_chunk) {
        Some(&octets) => line_end(u64::from(u16::from_le_bytes(octets))),
        None => (true, empty_line(octets.get(end..)?)? as u64),
    };
    let is_known = length > 1 || known.has(OddChunks::LF_ENDS_DATA);
    let length = end + length as usize;
    (is_end && is_known).then_some(Chunk { length, data: line.data, size: line.size, line: line.ended })
}

impl SizeLine {
    /// Whether no way parts at this line, which these octets begin with.
    fn is_known(&self, octets: &[u8], known: OddChunks) -> bool {
        match self.ended {
            Ended::InCrLf => true,
            Ended::InLf => known.has(OddChunks::LF_ENDS_LINE),
            Ended::InLfOfExtension => known.has(OddChunks::LF_ENDS_EXTENSION),
            Ended::Elsewhere => {
                let line = &octets[..self.data - 1];
                let may_end = |data: usize| may_end_chunk(octets.get(data..).unwrap_or_default(), self.size as u64);
                let ends = |cr| known.has(OddChunks::CR_ENDS_LINE) || may_end(cr + 1) || may_end(cr + 2);
                let ends_before = self.lone_cr.is_some_and(|cr| cr + 1 < line.len() && ends(cr));
                !ends_before && (line.ends_with(b"\r") || known.has(OddChunks::LF_ENDS_EXTENSION))
            }
        }
    }
}

/// The line of a chunk's size.
struct SizeLine {
    size: usize,
    /// Where the data begins, behind its LF.
    data: usize,
    ended: Ended,
    /// Where a CR stands in it that no LF follows.
    lone_cr: Option<usize>,
}

/// One that these octets have whole.
#[inline]
fn size_line_within<const TIMES: usize>(octets: &[u8]) -> Option<SizeLine> {
    let line = Octets::<TIMES>::of(octets, b'x');
    let (eols, crs) = (line.are(b'\n').bits(), line.are(b'\r').bits());
    let (hex, zeros) = (line.hex_digits().bits(), line.are(b'0').bits());
    let blanks = (line.are(b' ') | line.are(b'\t')).bits();
    let eol = eols.trailing_zeros() as usize;
    let digits = (hex & !zeros).trailing_zeros() as usize; // but for zeros before them
    let first = (eols | crs).trailing_zeros() as usize;
    if eol >= Octets::<TIMES>::SIZE || digits >= first {
        return None;
    }
    let begin = blanks.trailing_ones() as usize;
    let behind = begin + (hex >> begin).trailing_ones() as usize;
    let end = behind + (blanks >> behind).trailing_ones() as usize;
    let (is_crlf, is_bare) = (first + 1 == eol, end == first);
    let is_extended = !is_bare & (line.are(b';').bits() >> end & 1 != 0);
    let is_sound = (is_crlf | (first == eol)) & (digits < behind) & (is_bare | is_extended);
    let size = match behind.wrapping_sub(digits) {
        _ if !is_sound => return None,
        1 => u64::from(SIZES[usize::from(octets[digits])]),
        length @ 2..=8 => hexadecimal(word(octets, digits)?, length),
        _ => return None,
    };
    let ended = match is_crlf {
        true => Ended::InCrLf,
        false if is_extended => Ended::InLfOfExtension,
        false => Ended::InLf,
    };
    Some(SizeLine { size: size as usize, data: eol + 1, ended, lone_cr: None })
}

/// What so many digits say, one to eight that these octets begin with.
#[inline]
fn hexadecimal(octets: u64, digits: usize) -> u64 {
    let octets = (octets << (64 - 8 * digits)).swap_bytes(); // the last one lowest
    let fours = (octets & 0x0F0F_0F0F_0F0F_0F0F) + (octets >> 6 & 0x0101_0101_0101_0101) * 9;
    let eights = (fours | fours >> 4) & 0x00FF_00FF_00FF_00FF;
    let sixteens = (eights | eights >> 8) & 0x0000_FFFF_0000_FFFF;
    (sixteens | sixteens >> 16) & 0xFFFF_FFFF
}

/// The same of any line, if it is here whole.
fn size_line(octets: &[u8]) -> Option<SizeLine> {
    let first = memchr2(b'\r', b'\n', octets)?;
    let is_lone = octets[first] == b'\r' && octets.get(first + 1) != Some(&b'\n');
    let eol =
        if is_lone { first + memchr(b'\n', &octets[first..])? } else { first + usize::from(octets[first] == b'\r') };
    let line = &octets[..eol];
    let found = chunk_size(line).filter(|found| (1..=u64::from(u32::MAX)).contains(&found.size))?;
    let ended = match line.ends_with(b"\r") {
        _ if is_lone => Ended::Elsewhere,
        true => Ended::InCrLf,
        false if memchr(b';', line).is_some() => Ended::InLfOfExtension,
        false => Ended::InLf,
    };
    let lone_cr = is_lone.then_some(first);
    Some(SizeLine { size: usize::try_from(found.size).ok()?, data: eol + 1, ended, lone_cr })
}

/// Whether a chunk of this size may end where the data that begins here would, as far as the octets are here.
pub fn may_end_chunk(data: &[u8], size: u64) -> bool {
    let behind = usize::try_from(size).ok().and_then(|size| data.get(size..)).unwrap_or_default();
    size == 0 || matches!(behind, [] | [b'\r'] | [b'\r', b'\n', ..] | [b'\n', ..])
}

/// Whether the line of a chunk's size that ends with this LF may go on up to CRLF, as far as the octets are here.
pub fn may_go_on(octets: &[u8], size: u64) -> bool {
    let seen = octets.get(..WORDS_BYTES).unwrap_or(octets);
    match memchr_iter(b'\r', seen).find(|cr| seen.get(cr + 1) == Some(&b'\n')) {
        Some(crlf) => may_end_chunk(&octets[crlf + 2..], size),
        None => seen.len() < WORDS_BYTES,
    }
}

/// How often a chunk stands at this place in a row that has the lines of the one before it, and any data.
fn repeated(octets: &[u8], place: usize, chunk: &Chunk) -> usize {
    const WORD: usize = size_of::<u128>();
    if chunk.length > WORD {
        return 0;
    }
    let word = |at: usize| octets.get(at..at + WORD)?.try_into().ok().map(u128::from_le_bytes);
    let low = |octets: usize| 1_u128.checked_shl(8 * octets as u32).unwrap_or(0).wrapping_sub(1);
    let lines = low(chunk.length) & !(low(chunk.data + chunk.size) & !low(chunk.data));
    let Some(wanted) = place.checked_sub(chunk.length).and_then(word).map(|word| word & lines) else { return 0 };
    let mut times = 0;
    while word(place + times * chunk.length).is_some_and(|word| word & lines == wanted) {
        times += 1;
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    /// Line by line.
    fn plainly(octets: &[u8], known: OddChunks) -> WholeChunks {
        let mut found = WholeChunks::default();
        while let Some(rest) = octets.get(found.taken..)
            && let Some(line) = size_line(rest).filter(|line| line.is_known(rest, known))
        {
            let end = line.data + line.size;
            let Some(length) = rest.get(end..).and_then(empty_line) else { break };
            if length == 1 && !known.has(OddChunks::LF_ENDS_DATA) {
                break;
            }
            found.take(&Chunk { length: end + length, data: line.data, size: line.size, line: line.ended }, 1);
        }
        found
    }

    fn random_chunks(random: &mut Random) -> Vec<u8> {
        let mut octets = Vec::new();
        let crlf = random.below(8);
        for _ in 0..=random.below(12) {
            let begin = ["", "", "", "0", "000000000", " \t", " 0", "\r"][random.below(8)];
            let most = *random.pick(&[3, 18, 18, 300]);
            let (size, extension) = (random.below(most), format!(";{}", "a".repeat(random.below(80))));
            let behind = ["", "", "", " ", ";", ";a=b", "\r", "x", &extension][random.below(9)];
            let end = if random.below(8) < crlf { "\r\n" } else { "\n" };
            let line = if random.below(2) == 0 { format!("{size:x}") } else { format!("{size:X}") };
            let line = format!("{begin}{line}{behind}{end}");
            let times = *random.pick(&[1, 4, 40]);
            for _ in 0..=random.below(times) {
                octets.extend(line.as_bytes());
                octets.extend((0..size).map(|_| if crlf == 0 { b'x' } else { *random.pick(b"x\r\n01a;") }));
                octets.extend(if random.below(8) < crlf { &b"\r\n"[..] } else { b"\n" });
            }
        }
        octets.truncate(octets.len() - random.below(30).min(octets.len()));
        octets
    }

    #[test]
    fn chunks_in_bulk_are_those_that_stand_there_one_by_one() {
        let mut random = Random::new(71);
        let mut taken = 0;
        for _ in 0..1000 {
            let octets = random_chunks(&mut random);
            let all = [OddChunks::LF_ENDS_LINE, OddChunks::LF_ENDS_EXTENSION, OddChunks::LF_ENDS_DATA];
            let some = all.into_iter().filter(|_| random.below(4) > 0);
            let known = some.fold(OddChunks::default(), OddChunks::with);
            let found = whole_chunks(&octets, known);
            assert_eq!(found, plainly(&octets, known), "{}", octets.escape_ascii());
            taken += found.taken;
        }
        assert!(taken > 150_000, "{taken}");
    }
}
