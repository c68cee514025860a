//! Every noun that passes between stages: the records of `monitor/records.py`, borrowed from the frame where they can be.

mod head_text;
mod placed;

use std::sync::Arc;

use crate::hashes::HashTable;
use crate::identify::Identifier;
pub use head_text::HeadText;
pub use placed::{CleanHead, Owner, PlacedHead, Said};

/// What `identify` looks for: monitor.records.Wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// E.164 country code, and what is written before a national number and before a country code.
    pub country: Vec<u8>,
    /// See above.
    pub trunk: Vec<u8>,
    /// See above.
    pub access: Vec<u8>,
    /// Own numbers of each length: digits, what stands behind the country code in all of them, first and last numbers.
    pub lengths: Vec<WantedLength>,
    /// MCC and MNC.
    pub imsi_prefixes: Vec<Vec<u8>>,
    /// Numbers coded by themselves.
    pub tokens: Vec<WantedToken>,
    /// Fields that are known to carry an identifier, whoever's.
    pub carries: Vec<(Vec<u8>, Identifier)>,
    /// What a name hints at, and the letters at its end.
    pub hints: Vec<(Vec<u8>, Identifier)>,
    /// See above.
    pub stems: Vec<(Vec<u8>, Identifier)>,
    /// That the operator invented.
    pub own_fields: Vec<Vec<u8>>,
    /// That handsets write.
    pub handset_fields: Vec<Vec<u8>>,
    /// That carry an alias.
    pub aliases: Vec<Vec<u8>>,
}

/// Digits; what stands behind the country code in all of them; first and last numbers.
pub type WantedLength = (usize, Vec<u8>, Vec<(u64, u64)>);

/// How it is spelt; an expression for its letters, one class after another; digits in front that say what the others
/// are; whether so few tokens look so by chance that nothing must hint at one.
pub type WantedToken = (String, Vec<u8>, usize, bool);

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
    /// What `identify` looks for: what shows is read before it passes. None: nobody reads it here.
    pub wanted: Option<Arc<Wanted>>,
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
            wanted: None,
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
    /// Urgent pointer where URG is set, else 0; one of 0 is as good as 1: Linux takes the same octet out.
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
