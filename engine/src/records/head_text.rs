//! The text of a request head, in one piece of memory.

use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Range;

/// The text of a request head: method, target, version and fields one behind another in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadText {
    /// Behind each part stands a [`HeadText::PARTED`].
    octets: Vec<u8>,
    /// Where each part ends: method, target, version, then name and value of every field.
    ends: Vec<u32>,
    /// The sieve saw that no number stands in the target.
    target_is_clean: bool,
    /// Of [`Told`]: what fields there are, or were.
    told: u8,
    /// The sieve has seen it, and this is what it left.
    sifted: Option<Sifted>,
}

/// What is known of a text that went through the sieve before its head waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sifted {
    /// Nothing in it may be a number, and nothing is left of it.
    is_clean: bool,
    /// Of all that it said.
    mark: u32,
}

/// Of the few fields that are kept for what follows a head, for a guess.
const USUAL_BYTES: usize = 96;
const USUAL_FIELDS: usize = 4;

/// Names of fields that the reading of what follows depends on: a bit for each.
struct Told;

impl Told {
    const HOST: u8 = 1;
    /// More than one.
    const HOSTS: u8 = 2;
    const EXTENT: u8 = 4;
    const UPGRADE: u8 = 8;

    #[inline]
    fn of(name: &[u8], before: u8) -> u8 {
        match name.len() {
            4 if name == b"host" => before | Told::HOST | before << 1 & Told::HOSTS,
            14 if matches!(name, b"content-length" | b"content_length") => before | Told::EXTENT,
            17 if matches!(name, b"transfer-encoding" | b"transfer_encoding") => before | Told::EXTENT,
            7 if name == b"upgrade" => before | Told::UPGRADE,
            _ => before,
        }
    }
}

impl HeadText {
    /// Between two parts: no number and no word reaches over it.
    pub const PARTED: u8 = b':';
    /// Number of the part that is the target.
    pub const TARGET: usize = 1;
    /// Number of the part that is the name of the first field; the parts behind are its value, and other fields.
    pub const FIELDS: usize = 3;

    /// The request line (RFC 9112 section 3); fields follow by `push`.
    pub fn new(method: &[u8], target: &[u8], version: &[u8]) -> HeadText {
        let mut text = HeadText::default();
        text.begin(method, target, version);
        text
    }

    /// The same in the memory of an older text.
    pub fn begin(&mut self, method: &[u8], target: &[u8], version: &[u8]) {
        self.clear();
        for part in [method, target, version] {
            self.octets.extend_from_slice(part);
            self.end_part();
        }
    }

    /// All of another text, in the memory of an older one.
    pub fn begin_like(&mut self, other: &HeadText) {
        self.clear();
        self.octets.extend_from_slice(&other.octets);
        self.ends.extend_from_slice(&other.ends);
        self.told = other.told;
    }

    /// The same of a line in which one space stands before the target, and one behind it if there is a version.
    #[inline]
    pub fn begin_together(&mut self, line: &[u8], method: usize, target: usize) {
        self.clear();
        self.octets.extend_from_slice(line);
        self.octets.extend_from_slice(&[HeadText::PARTED; 2]);
        let behind = method + 1 + target;
        let ends = [method, behind, line.len().max(behind + 1)];
        for end in ends {
            self.octets[end] = HeadText::PARTED;
        }
        self.octets.truncate(ends[2] + 1);
        self.ends.extend_from_slice(&ends.map(|end| end as u32));
    }

    /// Nothing, with room for more.
    #[inline]
    pub fn clear(&mut self) {
        self.octets.clear();
        self.ends.clear();
        (self.target_is_clean, self.told, self.sifted) = (false, 0, None);
    }

    #[inline]
    fn end_part(&mut self) {
        self.ends.push(self.octets.len() as u32);
        self.octets.push(HeadText::PARTED);
    }

    /// Room for so many octets and fields, so that pushing them moves nothing.
    pub fn reserve(&mut self, octets: usize, fields: usize) {
        let parts = HeadText::FIELDS + 2 * fields;
        self.octets.reserve(octets + parts);
        self.ends.reserve(parts);
    }

    /// One more field; its name is kept in lower case.
    #[inline]
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let begin = self.octets.len();
        self.octets.extend_from_slice(name);
        self.octets[begin..].make_ascii_lowercase();
        self.told = Told::of(&self.octets[begin..], self.told);
        self.end_part();
        self.octets.extend_from_slice(value);
        self.end_part();
    }

    /// The value of the last field goes on behind so many spaces; an empty one begins without any.
    #[inline]
    pub fn extend_last(&mut self, spaces: usize, octets: &[u8]) {
        let begin = self.begin_of(self.ends.len().saturating_sub(1));
        self.octets.pop();
        if self.octets.len() > begin {
            (0..spaces).for_each(|_| self.octets.push(b' '));
        }
        match octets {
            [octet] => self.octets.push(*octet), // such come by the million
            _ => self.octets.extend_from_slice(octets),
        }
        if let Some(end) = self.ends.last_mut() {
            *end = self.octets.len() as u32;
        }
        self.octets.push(HeadText::PARTED);
    }

    /// That of the last field; None: there is no field.
    #[inline]
    pub fn last_value(&self) -> Option<&[u8]> {
        (self.field_count() > 0).then(|| self.part(self.ends.len() - 1))
    }

    /// A field with a name in lower case, of which `length` octets count, and of the `size` octets that `value` begins with:
    /// in whole registers, where most fit in.
    #[inline]
    pub fn push_short(&mut self, name: [u8; 16], length: usize, value: &[u8], size: usize) {
        let begin = self.octets.len();
        self.octets.extend_from_slice(&name);
        self.octets.truncate(begin + length);
        self.told = Told::of(&self.octets[begin..], self.told);
        self.octets.push(HeadText::PARTED);
        let middle = self.octets.len();
        match value.as_chunks::<32>().0 {
            [first, ..] if size <= 32 => self.octets.extend_from_slice(first),
            [first, second, ..] if size <= 64 => {
                self.octets.extend_from_slice(first);
                self.octets.extend_from_slice(second);
            }
            _ if size == 0 => {}
            _ => self.octets.extend_from_slice(&value[..size]),
        }
        self.octets.truncate(middle + size);
        self.octets.push(HeadText::PARTED);
        self.ends.extend_from_slice(&[(middle - 1) as u32, (middle + size) as u32]);
    }

    /// The same of a name that no colon and no value follows: such come by the million.
    #[inline]
    pub fn push_name(&mut self, name: [u8; 16], length: usize) {
        let begin = self.octets.len();
        let mut field = [HeadText::PARTED; 18];
        field[..16].copy_from_slice(&name);
        (field[length], field[length + 1]) = (HeadText::PARTED, HeadText::PARTED);
        self.octets.extend_from_slice(&field);
        self.octets.truncate(begin + length + 2);
        self.told = Told::of(&field[..length], self.told);
        self.ends.extend_from_slice(&[(begin + length) as u32, (begin + length + 1) as u32]);
    }

    /// As many of another text's fields, from this one on.
    pub fn push_fields(&mut self, other: &HeadText, fields: Range<usize>) {
        let part = |field: usize| HeadText::FIELDS + 2 * field;
        let parts = part(fields.start)..part(fields.end).min(other.ends.len());
        let (begin, base) = (other.begin_of(parts.start), self.octets.len());
        self.octets.extend_from_slice(other.octets.get(begin..other.begin_of(parts.end)).unwrap_or_default());
        let ends = other.ends.get(parts).unwrap_or_default();
        self.ends.extend(ends.iter().map(|&end| (end as usize - begin + base) as u32));
        let both = self.told & other.told & Told::HOST;
        self.told |= other.told | both << 1;
    }

    /// The request line with those fields whose names are wanted, the first `most` of them.
    pub fn only(&self, is_wanted: impl Fn(&[u8]) -> bool, most: usize) -> HeadText {
        let line = self.begin_of(HeadText::FIELDS);
        let mut text = HeadText::default();
        text.reserve(line + USUAL_BYTES, USUAL_FIELDS);
        text.octets.extend_from_slice(self.octets.get(..line).unwrap_or_default());
        text.ends.extend_from_slice(self.ends.get(..HeadText::FIELDS).unwrap_or(&self.ends));
        let wanted = self.names().enumerate().filter(|(_, name)| is_wanted(name)).take(most);
        for (field, name) in wanted {
            let part = HeadText::FIELDS + 2 * field;
            let (begin, base) = (self.begin_of(part), text.octets.len());
            text.told = Told::of(name, text.told);
            text.octets.extend_from_slice(self.octets.get(begin..self.begin_of(part + 2)).unwrap_or_default());
            let middle = base + name.len();
            text.ends.extend_from_slice(&[middle as u32, (text.octets.len() - 1) as u32]);
        }
        text
    }

    /// Whether exactly one field says who gets the head.
    #[inline]
    pub fn has_one_host(&self) -> bool {
        self.told & (Told::HOST | Told::HOSTS) == Told::HOST
    }

    /// Whether any field does.
    #[inline]
    pub fn has_host(&self) -> bool {
        self.told & Told::HOST != 0
    }

    /// Whether a field may say how long the body is.
    #[inline]
    pub fn may_tell_extent(&self) -> bool {
        self.told & Told::EXTENT != 0
    }

    /// Whether a field may say either.
    #[inline]
    pub fn may_be_needed(&self) -> bool {
        self.told & (Told::HOST | Told::EXTENT) != 0
    }

    /// Whether a field may ask for another protocol.
    #[inline]
    pub fn may_upgrade(&self) -> bool {
        self.told & Told::UPGRADE != 0
    }

    /// All of it, parted.
    #[inline]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Where each part ends.
    #[inline]
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Leaves only these fields, which are in order.
    pub fn retain(&mut self, fields: &[u32]) {
        let (mut end, mut parts) = (self.begin_of(HeadText::FIELDS), HeadText::FIELDS);
        for &field in fields {
            let name = HeadText::FIELDS + 2 * field as usize;
            let (begin, middle, behind) = (self.begin_of(name), self.begin_of(name + 1), self.begin_of(name + 2));
            self.octets.copy_within(begin..behind, end);
            self.ends[parts] = (end + middle - begin - 1) as u32;
            end += behind - begin;
            self.ends[parts + 1] = (end - 1) as u32;
            parts += 2;
        }
        self.octets.truncate(end);
        self.ends.truncate(parts);
    }

    /// As on the wire.
    pub fn method(&self) -> &[u8] {
        self.part(0)
    }

    /// As on the wire.
    pub fn target(&self) -> &[u8] {
        self.part(HeadText::TARGET)
    }

    /// Whether the sieve saw that no number stands in the target; false says nothing.
    pub fn target_is_clean(&self) -> bool {
        self.target_is_clean
    }

    /// Whether nothing in it may be a number; None: the sieve has not seen it yet, and all of it is here.
    #[inline]
    pub fn sifted(&self) -> Option<bool> {
        self.sifted.map(|sifted| sifted.is_clean)
    }

    /// What is left of a clean text of this mark.
    pub fn clean(mark: u32) -> HeadText {
        HeadText { sifted: Some(Sifted { is_clean: true, mark }), ..HeadText::default() }
    }

    /// For who has sent it through the sieve and found it suspect, with the mark that it had before.
    pub fn note_sifted(&mut self, mark: u32) {
        self.sifted = Some(Sifted { is_clean: false, mark });
    }

    /// A keyed hash of all that it says, or said before the sieve saw it.
    #[inline]
    pub fn mark(&self, keyed: &impl BuildHasher) -> u32 {
        if let Some(sifted) = self.sifted {
            return sifted.mark;
        }
        if self.field_count() == 0 {
            return HeadText::mark_of_line([self.method(), self.target(), self.version()], keyed);
        }
        let mut hasher = keyed.build_hasher();
        hasher.write(&self.octets);
        u32::hash_slice(&self.ends, &mut hasher);
        hasher.finish() as u32
    }

    /// The mark of a text of this request line without fields.
    #[inline]
    pub fn mark_of_line(parts: [&[u8]; 3], keyed: &impl BuildHasher) -> u32 {
        let mut hasher = keyed.build_hasher();
        for part in parts {
            hasher.write(part);
        }
        hasher.finish() as u32
    }

    /// Octets that its memory has room for.
    pub fn capacity(&self) -> usize {
        self.octets.capacity()
    }

    /// For the sieve to say.
    pub fn note_clean_target(&mut self) {
        self.target_is_clean = true;
    }

    /// `HTTP/1.1`, `HTTP/2`, empty for HTTP/0.9.
    pub fn version(&self) -> &[u8] {
        self.part(2)
    }

    /// How many fields there are.
    #[inline]
    pub fn field_count(&self) -> usize {
        self.ends.len().saturating_sub(HeadText::FIELDS) / 2
    }

    /// Lower-case name and stripped value of each field, in wire order.
    #[inline]
    pub fn fields(&self) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> + ExactSizeIterator + Clone {
        (0..self.field_count()).map(|at| {
            let name = HeadText::FIELDS + 2 * at;
            (self.part(name), self.part(name + 1))
        })
    }

    /// The names alone.
    #[inline]
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = self.begin_of(HeadText::FIELDS);
        let ends = self.ends.get(HeadText::FIELDS..).unwrap_or_default();
        ends.as_chunks().0.iter().map(move |&[name, value]| {
            let from = std::mem::replace(&mut begin, value as usize + 1);
            self.octets.get(from..name as usize).unwrap_or_default()
        })
    }

    /// Whether there is a field of this name.
    pub fn has(&self, wanted: &[u8]) -> bool {
        self.names().any(|name| name == wanted)
    }

    /// One of the parts; empty where there is none.
    #[inline]
    pub fn part(&self, at: usize) -> &[u8] {
        let Some(&end) = self.ends.get(at) else { return &[] };
        self.octets.get(self.begin_of(at)..end as usize).unwrap_or_default()
    }

    #[inline]
    fn begin_of(&self, part: usize) -> usize {
        part.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |&end| end as usize + 1)
    }
}
