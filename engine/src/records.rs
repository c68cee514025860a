//! Every noun that passes between stages: the records of `monitor/records.py`, borrowed from the frame where they can be.

use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;

use crate::hashes::HashTable;

/// What the sieve lets through. It may pass too much, never too little.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Field names as `identify` normalises them (lower case, `-` for `_`), each once.
    pub names: Vec<Vec<u8>>,
    /// Every head passes.
    pub every_head: bool,
    /// What the letters of a field name may end with.
    pub stems: Vec<Vec<u8>>,
    /// Digits in a row that may be an identifier: what they begin with (`.` is any digit), and how many others follow.
    pub rows: Vec<(Vec<u8>, usize)>,
    /// The same, where the letters `named_by` stand as well, in the same target or field.
    pub named_rows: Vec<(Vec<u8>, usize)>,
    /// In lower case; whatever lies between them in the text.
    pub named_by: Vec<u8>,
    /// UDP ports: what goes there is handed over as a [`Message`].
    pub ports: Vec<u16>,
    /// Letters and digits that may be a number coded by itself: what they begin with, and how many others follow.
    pub tokens: Vec<(Vec<u8>, usize)>,
    /// Unkeyed digests of own numbers.
    pub digests: Option<Arc<HashTable>>,
    /// One in so many half-streams is traced for the audit; 1: all, and what is no segment; 0: none.
    pub audited: u64,
}

impl Default for Watch {
    fn default() -> Self {
        Watch {
            names: Vec::new(),
            every_head: false,
            stems: Vec::new(),
            rows: vec![(Vec::new(), 7)],
            named_rows: Vec::new(),
            named_by: Vec::new(),
            ports: Vec::new(),
            tokens: Vec::new(),
            digests: None,
            audited: 0,
        }
    }
}

/// One frame as the source read it; `data` lies in the source's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Nanoseconds of the capture clock since 1970.
    pub time_ns: i64,
    /// LINKTYPE_ number of tcpdump.org.
    pub link: u32,
    /// Bytes on the wire.
    pub wire_len: u32,
    /// What the capture kept of them.
    pub data: &'a [u8],
    /// False: sent by this machine, and its network card was to fill the checksum in.
    pub checksum_ready: bool,
}

/// An encapsulation that is part of a flow's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layer {
    /// `gtpu`, `vxlan`, …: as in `Flow.path` of monitor/records.py.
    pub kind: &'static str,
    /// TEID, VNI, key, session.
    pub number: u64,
}

/// One direction of a connection: innermost addresses and ports, and a keyed hash of its path.
///
/// IPv4 addresses are the first four bytes of theirs; `v6` tells which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Source address.
    pub src: [u8; 16],
    /// Destination address.
    pub dst: [u8; 16],
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
    /// Sixteen bytes of address, not four.
    pub v6: bool,
    /// Keyed hash of the path; 0 without one.
    pub path_hash: u64,
}

/// What verification of a TCP checksum says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// As the sender meant it.
    Good,
    /// Wrong.
    Bad,
    /// Cut by the snap length, or left to the network card.
    Unknown,
}

/// One whole UDP datagram (RFC 768) to a port of [`Watch::ports`].
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Capture time.
    pub time_ns: i64,
    /// Whose.
    pub flow: Flow,
    /// The encapsulations it came in, outermost first.
    pub path: &'a [Layer],
    /// Behind the UDP header.
    pub octets: &'a [u8],
}

/// A [`Message`] that waits to be handed over.
#[derive(Clone, Debug)]
pub struct KeptMessage {
    /// Capture time.
    pub time_ns: i64,
    /// Whose.
    pub flow: Flow,
    /// The encapsulations it came in, outermost first.
    pub path: Vec<Layer>,
    /// Behind the UDP header.
    pub octets: Vec<u8>,
}

impl From<Message<'_>> for KeptMessage {
    fn from(Message { time_ns, flow, path, octets }: Message<'_>) -> KeptMessage {
        KeptMessage { time_ns, flow, path: path.to_vec(), octets: octets.to_vec() }
    }
}

/// One TCP segment (RFC 9293 section 3.1).
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Capture time.
    pub time_ns: i64,
    /// Whose.
    pub flow: Flow,
    /// The encapsulations behind `flow.path_hash`, outermost first.
    pub path: &'a [Layer],
    /// Sequence number of the first payload byte (or of the SYN).
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// The nine flag bits.
    pub flags: u16,
    /// Header and payload, for the checksum.
    pub octets: &'a [u8],
    /// What the capture kept.
    pub payload: &'a [u8],
    /// Payload bytes that the snap length cut; they follow `payload`.
    pub missing: u32,
    /// Urgent pointer where URG is set, else 0.
    pub urgent: u16,
    /// The checksum was not left to the network card, nor its octets cut.
    pub verifiable: bool,
    /// What decode found odd.
    pub oddities: Oddities,
}

/// One IPv4 or IPv6 fragment (RFC 791 section 3.2, RFC 8200 section 4.5).
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// Capture time.
    pub time_ns: i64,
    /// Source address, as in [`Flow`].
    pub src: [u8; 16],
    /// Destination address.
    pub dst: [u8; 16],
    /// Sixteen bytes of address, not four.
    pub v6: bool,
    /// Protocol of the whole datagram.
    pub protocol: u8,
    /// Identification.
    pub ident: u32,
    /// Where `data` begins in the datagram, bytes.
    pub offset: u32,
    /// More fragments follow.
    pub more: bool,
    /// What the capture kept.
    pub data: &'a [u8],
    /// Bytes of it that the snap length cut.
    pub missing: u32,
    /// Encapsulations so far.
    pub path: &'a [Layer],
    /// Headers so far.
    pub depth: u32,
}

/// A whole IP payload that `defrag` put together; goes back into `decode`.
#[derive(Clone, Debug)]
pub struct Datagram {
    /// Time of the completing fragment.
    pub time_ns: i64,
    /// Source address.
    pub src: [u8; 16],
    /// Destination address.
    pub dst: [u8; 16],
    /// Sixteen bytes of address, not four.
    pub v6: bool,
    /// What `data` is.
    pub protocol: u8,
    /// The payload.
    pub data: Vec<u8>,
    /// Bytes at its end that the snap length cut.
    pub missing: u32,
    /// Encapsulations so far.
    pub path: Vec<Layer>,
    /// Headers so far.
    pub depth: u32,
    /// `frag_overlap` when fragments disagreed: one Datagram for each reading.
    pub oddities: Oddities,
}

macro_rules! oddities {
    ($($name:ident $key:literal)*) => {
        /// One thing about a head that is not as it should be; monitor/counts.py says what each means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs)]
        pub enum Oddity { $($name),* }

        impl Oddity {
            /// The table of monitor/counts.py.
            pub const ALL: &[Oddity] = &[$(Oddity::$name),*];

            /// As Python knows it.
            pub const fn name(self) -> &'static str {
                match self { $(Oddity::$name => $key),* }
            }
        }
    };
}

oddities! {
    Overlap "overlap"
    FragOverlap "frag_overlap"
    FragMixed "frag_mixed"
    Urgent "urgent"
    Fold "fold"
    Cr "cr"
    Framing "framing"
    Host "host"
    NotHttp "not_http"
    HostUnknown "host_unknown"
    BadChecksum "bad_checksum"
    BareLf "bare_lf"
    SpaceBeforeColon "space_before_colon"
    NoColon "no_colon"
    EmptyName "empty_name"
    OddName "odd_name"
    Nul "nul"
    Control "control"
    LeadingSpace "leading_space"
    LeadingCrlf "leading_crlf"
    OddMethod "odd_method"
    OddTarget "odd_target"
    OddVersion "odd_version"
    RequestLineSpace "request_line_space"
    HostMismatch "host_mismatch"
    HostMissing "host_missing"
    Userinfo "userinfo"
    ClAndTe "cl_and_te"
    ClTwice "cl_twice"
    ClOdd "cl_odd"
    TeOdd "te_odd"
    ChunkOdd "chunk_odd"
    ProxyProtocol "proxy_protocol"
    InConnect "in_connect"
    BodyOfGet "body_of_get"
    Incomplete "incomplete"
    AfterGap "after_gap"
    Long "long"
    HpackUnresolved "hpack_unresolved"
    SynData "syn_data"
}

/// A set of oddities; its order is that of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities(u64);

impl Oddities {
    /// These.
    pub const fn of(oddities: &[Oddity]) -> Oddities {
        let (mut set, mut at) = (0, 0);
        while at < oddities.len() {
            set |= 1 << oddities[at] as u32;
            at += 1;
        }
        Oddities(set)
    }

    /// Adds one.
    #[inline]
    pub fn insert(&mut self, oddity: Oddity) {
        self.0 |= 1 << oddity as u32;
    }

    /// Both sets.
    #[inline]
    pub const fn with(self, more: Oddities) -> Oddities {
        Oddities(self.0 | more.0)
    }

    /// Whether this one is among them.
    #[inline]
    pub const fn contains(self, oddity: Oddity) -> bool {
        self.0 >> oddity as u32 & 1 != 0
    }

    /// Whether any of `others` is among them.
    #[inline]
    pub const fn intersects(self, others: Oddities) -> bool {
        self.0 & others.0 != 0
    }

    /// None at all.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Oddity> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let first = left.trailing_zeros();
            left &= left.wrapping_sub(1);
            Oddity::ALL.get(first as usize).copied()
        })
    }
}

/// Whether two receivers could read the bytes differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// One reading.
    Confirmed,
    /// Two.
    Ambiguous,
}

/// A head, or the trailer section that belongs to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// RFC 9112 section 2.1.
    Head,
    /// RFC 9112 section 7.1.2.
    Trailer,
}

/// The text of a request head: method, target, version and fields one behind another in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
            14 if name == b"content-length" => before | Told::EXTENT,
            17 if name == b"transfer-encoding" => before | Told::EXTENT,
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

    /// The same of a line in which one space stands before the target and one behind it.
    #[inline]
    pub fn begin_together(&mut self, line: &[u8], method: usize, target: usize) {
        self.clear();
        self.octets.extend_from_slice(line);
        self.octets.push(HeadText::PARTED);
        let ends = [method, method + 1 + target, line.len()];
        for end in ends {
            self.octets[end] = HeadText::PARTED;
        }
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

    /// The same of a name in lower case, of which `length` octets count, and of the `size` octets that `value` begins with:
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
            _ => self.octets.extend_from_slice(&value[..size]),
        }
        self.octets.truncate(middle + size);
        self.octets.push(HeadText::PARTED);
        self.ends.extend_from_slice(&[(middle - 1) as u32, (middle + size) as u32]);
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
    pub fn mark(&self, keyed: &impl BuildHasher) -> u32 {
        self.sifted.map_or_else(|| keyed.hash_one(self) as u32, |sifted| sifted.mark)
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

/// A request head on its way to the sieve and to Python: owned, because its bytes outlive the frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// Of the last segment of the head.
    pub time_ns: i64,
    /// Whose.
    pub flow: Flow,
    /// Encapsulations behind `flow.path_hash`.
    pub path: Vec<Layer>,
    /// Request line and fields.
    pub text: HeadText,
    /// In the order of the table.
    pub oddities: Oddities,
    /// See [`Certainty`].
    pub certainty: Certainty,
    /// See [`Section`].
    pub section: Section,
    /// Other ways in which a receiver could read the same bytes.
    pub readings: Vec<RequestHead>,
}

/// What is kept of a clean head that waits: a [`RequestHead`] would be moved about for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanHead {
    /// Of the last segment of the head.
    pub time_ns: i64,
    /// In the order of the table.
    pub oddities: Oddities,
    /// See [`Certainty`].
    pub certainty: Certainty,
    /// Of its text: [`HeadText::mark`].
    pub mark: u32,
}

/// What a head says, or that it is clean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The sieve has seen all of it: one reading of one head, and nothing in it may be a number.
    Clean(CleanHead),
    /// The same of any other, and of all that it says.
    Whole(Box<RequestHead>),
}

/// A request head and where in its half-stream it stands: the bytes `[start, end)`.
///
/// A position is a sequence number counted on beyond 2^32; before the first byte that was seen it may be negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedHead {
    /// Position of the first octet.
    pub start: i64,
    /// Position behind the last one.
    pub end: i64,
    /// What it says.
    pub said: Said,
    /// What is odd about the copy that shows it, when the bytes that came first do not.
    pub why: Option<Oddity>,
    /// It is a further part of a head that is too long for one.
    pub part: bool,
}

impl PlacedHead {
    /// Such a head, which the bytes show that came first.
    pub fn new(start: i64, end: i64, head: RequestHead) -> PlacedHead {
        PlacedHead { start, end, said: Said::Whole(Box::new(head)), why: None, part: false }
    }

    /// What it says; None: it is clean.
    #[inline]
    pub fn head(&self) -> Option<&RequestHead> {
        match &self.said {
            Said::Clean(_) => None,
            Said::Whole(head) => Some(head),
        }
    }

    /// What is odd about it.
    #[inline]
    pub fn oddities(&self) -> Oddities {
        match &self.said {
            Said::Clean(clean) => clean.oddities,
            Said::Whole(head) => head.oddities,
        }
    }

    /// This is odd about it as well.
    pub fn add(&mut self, oddities: Oddities) {
        let known = match &mut self.said {
            Said::Clean(clean) => &mut clean.oddities,
            Said::Whole(head) => &mut head.oddities,
        };
        *known = known.with(oddities);
    }

    /// See [`Certainty`].
    #[inline]
    pub fn certainty(&self) -> Certainty {
        match &self.said {
            Said::Clean(clean) => clean.certainty,
            Said::Whole(head) => head.certainty,
        }
    }

    /// Another receiver could read something else.
    pub fn doubt(&mut self) {
        let certainty = match &mut self.said {
            Said::Clean(clean) => &mut clean.certainty,
            Said::Whole(head) => &mut head.certainty,
        };
        *certainty = Certainty::Ambiguous;
    }

    /// See [`Section`].
    #[inline]
    pub fn section(&self) -> Section {
        self.head().map_or(Section::Head, |head| head.section)
    }
}
