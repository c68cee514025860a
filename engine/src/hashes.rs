//! Unkeyed digests of own numbers: a digest in, whether it is of one out. The table of monitor/identify/hashes.py.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Write};
use std::num::NonZero;
use std::os::unix::fs::FileExt;
use std::thread;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Ways to spell a number before it is hashed: E.164, with `+`, national.
const SPELT: u64 = 3;
/// Numbers that a thread hashes at a time.
const CHUNK: u64 = 1 << 16;

/// What numbers a table is of.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// E.164 country code.
    pub country: String,
    /// Written before a national number.
    pub trunk: String,
    /// First and last numbers, in the order in which the table counts them.
    pub ranges: Vec<(u64, u64)>,
}

/// Where a table lies.
#[derive(Debug)]
pub enum Octets {
    /// In memory.
    Memory(Vec<u8>),
    /// In a file, of which a look-up reads two places.
    File(File),
}

/// A table of digests.
#[derive(Debug)]
pub struct HashTable {
    numbers: Numbers,
    octets: Octets,
    /// Where the first algorithm's section begins.
    begin: u64,
    layout: Layout,
}

/// The sections of a table, in order.
#[derive(Clone, Copy, Debug)]
enum Algorithm {
    Md5,
    Sha1,
    Sha256,
}

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256];

#[derive(Clone, Copy, Debug)]
struct Layout {
    entries: u64,
    code_bits: u32,
    bucket_bits: u32,
}

impl Numbers {
    fn amount(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| last - first + 1).sum()
    }

    fn layout(&self) -> Layout {
        let entries = SPELT * self.amount();
        let code_bits = 64 - entries.saturating_sub(1).max(1).leading_zeros();
        Layout { entries, code_bits, bucket_bits: code_bits.saturating_sub(4) }
    }

    fn number(&self, mut index: u64) -> u64 {
        for (first, last) in &self.ranges {
            if index <= last - first {
                return first + index;
            }
            index -= last - first + 1;
        }
        0
    }

    /// One of its spellings, in `room`.
    fn spelt<'a>(&self, number: u64, spelling: u64, room: &'a mut Vec<u8>) -> &'a [u8] {
        room.clear();
        let begin = match spelling {
            0 => "",
            1 => "+",
            _ => &self.trunk,
        };
        // writing into memory cannot fail
        let _ = write!(room, "{begin}");
        let from = room.len();
        let _ = write!(room, "{number}");
        if spelling == 2 {
            room.drain(from..(from + self.country.len()).min(room.len()));
        }
        room
    }
}

impl Layout {
    fn section(self) -> u64 {
        4 * ((1 << self.bucket_bits) + 1 + self.entries)
    }

    /// Bits of a digest that the table keeps: its bucket, and as many as an entry has room for.
    fn kept_bits(self) -> u32 {
        self.bucket_bits + 32 - self.code_bits
    }
}

impl Algorithm {
    fn of(octets: usize) -> Option<Algorithm> {
        match octets {
            16 => Some(Algorithm::Md5),
            20 => Some(Algorithm::Sha1),
            32 => Some(Algorithm::Sha256),
            _ => None,
        }
    }

    /// Whether this is the digest of a text.
    fn makes(self, text: &[u8], digest: &[u8]) -> bool {
        match self {
            Algorithm::Md5 => Md5::digest(text)[..] == *digest,
            Algorithm::Sha1 => Sha1::digest(text)[..] == *digest,
            Algorithm::Sha256 => Sha256::digest(text)[..] == *digest,
        }
    }

    /// The first bits of the digest of a text.
    fn bits(self, text: &[u8]) -> u64 {
        match self {
            Algorithm::Md5 => bits(&Md5::digest(text)),
            Algorithm::Sha1 => bits(&Sha1::digest(text)),
            Algorithm::Sha256 => bits(&Sha256::digest(text)),
        }
    }
}

fn bits(digest: &[u8]) -> u64 {
    digest.first_chunk().copied().map_or(0, u64::from_be_bytes)
}

impl HashTable {
    /// The table of these numbers, whose line takes `begin` octets.
    pub fn new(numbers: Numbers, octets: Octets, begin: u64) -> HashTable {
        let layout = numbers.layout();
        HashTable { numbers, octets, begin, layout }
    }

    /// Whether an own number has this digest of 16, 20 or 32 octets. What cannot be read has none.
    pub fn has(&self, digest: &[u8]) -> bool {
        self.find(digest).is_some()
    }

    /// The own number that it is of.
    pub fn find(&self, digest: &[u8]) -> Option<u64> {
        self.found(Algorithm::of(digest.len())?, digest).unwrap_or(None)
    }

    fn found(&self, algorithm: Algorithm, digest: &[u8]) -> io::Result<Option<u64>> {
        let layout = self.layout;
        let kept = bits(digest) >> (64 - layout.kept_bits());
        let (bucket, more) = (kept >> (32 - layout.code_bits), kept & ((1 << (32 - layout.code_bits)) - 1));
        let section = self.begin + algorithm as u64 * layout.section();
        let mut room = [0; 8];
        self.read(section + 4 * bucket, &mut room)?;
        let [mut at, end] = [word(&room[..4]), word(&room[4..])].map(u64::from);
        let entries = section + 4 * ((1 << layout.bucket_bits) + 1);
        let mut text = Vec::new();
        while at < end {
            let mut room = [0; 256];
            let some = &mut room[..4 * (end - at).min(64) as usize];
            self.read(entries + 4 * at, some)?;
            for entry in some.chunks_exact(4).map(word).map(u64::from) {
                let code = entry & ((1 << layout.code_bits) - 1);
                if entry >> layout.code_bits == more {
                    let number = self.numbers.number(code / SPELT);
                    if algorithm.makes(self.numbers.spelt(number, code % SPELT, &mut text), digest) {
                        return Ok(Some(number));
                    }
                }
            }
            at += 64;
        }
        Ok(None)
    }

    fn read(&self, at: u64, room: &mut [u8]) -> io::Result<()> {
        match &self.octets {
            Octets::File(file) => file.read_exact_at(room, at),
            Octets::Memory(octets) => {
                let there = octets.get(at as usize..).and_then(|rest| rest.get(..room.len()));
                room.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

fn word(octets: &[u8]) -> u32 {
    octets.first_chunk().copied().map_or(0, u32::from_le_bytes)
}

/// Writes the sections of a table. `progress` is told of digests made, and may stop it.
pub fn write_sections(
    numbers: &Numbers,
    out: &mut impl Write,
    mut progress: impl FnMut(u64) -> io::Result<()>,
) -> io::Result<()> {
    let layout = numbers.layout();
    let mut keys = vec![0; layout.entries as usize];
    for algorithm in ALGORITHMS {
        fill(&mut keys, numbers, algorithm, layout, &mut progress)?;
        keys.sort_unstable();
        let mut next = keys.iter().peekable();
        let mut before = 0_u32;
        for bucket in 0..=1 << layout.bucket_bits {
            while next.next_if(|&&key| key >> 32 < bucket).is_some() {
                before += 1;
            }
            out.write_all(&before.to_le_bytes())?;
        }
        for key in &keys {
            out.write_all(&(*key as u32).to_le_bytes())?;
        }
    }
    Ok(())
}

/// A key is the kept bits of a digest, then the code of what it is of: in their order the table holds them.
fn fill(
    keys: &mut [u64],
    numbers: &Numbers,
    algorithm: Algorithm,
    layout: Layout,
    progress: &mut impl FnMut(u64) -> io::Result<()>,
) -> io::Result<()> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let chunk = (CHUNK * SPELT) as usize;
    for (round, some) in keys.chunks_mut(chunk * threads).enumerate() {
        let first = (round * threads) as u64 * CHUNK;
        let made = some.len() as u64;
        thread::scope(|scope| {
            for (part, first) in some.chunks_mut(chunk).zip((first..).step_by(CHUNK as usize)) {
                scope.spawn(move || {
                    let mut text = Vec::new();
                    for (code, key) in (first * SPELT..).zip(part) {
                        let number = numbers.number(code / SPELT);
                        let bits = algorithm.bits(numbers.spelt(number, code % SPELT, &mut text));
                        *key = bits >> (64 - layout.kept_bits()) << layout.code_bits | code;
                    }
                });
            }
        });
        progress(made)?;
    }
    Ok(())
}
