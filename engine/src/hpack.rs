//! HPACK (RFC 7541): takes the header block of one HTTP/2 message, yields its fields.
//!
//! A witness may join late or lose bytes, so the dynamic table may lack entries that the sender refers to. Indices count
//! from the newest entry, and what is missing is always the oldest: an index beyond the known entries is *unresolved*,
//! never wrong, and decoding goes on. That is also why it does no harm to keep an entry that the sender has evicted.
//!
//! A block may name one entry thousands of times, an octet each: beyond a kilobyte the same again says no more.
//! An entry may be named by a million blocks: whether anybody needs it is asked once (`Needs`), and those that nobody
//! does are counted and not told (docs/decisions/0018-an-octet-that-stands-for-kilobytes.md).

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::mem;
use std::ops::Deref;
use std::sync::Arc;

/// RFC 9113 section 6.5.2.
const DEFAULT_TABLE_BYTES: usize = 4096;
/// The server's SETTINGS, which allow more than the default, lie in the other direction.
pub const MAX_TABLE_BYTES: usize = 64 * 1024;
/// RFC 7541 section 4.1.
pub const ENTRY_OVERHEAD: usize = 32;
/// Octets of fields that a block has already, and names again.
const REPEATED_BYTES: usize = 1024;
/// 35 bits; "excessively large integer encodings [...] MUST be treated as decoding errors".
const MAX_INTEGER_SHIFT: u32 = 28;

/// RFC 7541 appendix A, from index 1.
#[rustfmt::skip]
const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""), ("etag", ""),
    ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""), ("if-modified-since", ""),
    ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""),
    ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""),
    ("www-authenticate", ""),
];

/// RFC 7541 appendix B: the code is canonical, so the bits of each symbol (0 to 255, then EOS) are all there is to it.
#[rustfmt::skip]
const CODE_BITS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];
const EOS: u16 = 256;
const NO_SYMBOL: u16 = u16::MAX;

/// Where four bits lead from one node of the code's tree, and the symbol that ends on the way, or [`NO_SYMBOL`]; the
/// shortest code has five bits, so one is enough.
#[derive(Clone, Copy)]
struct Step {
    node: u8,
    symbol: u16,
}

static STEPS: [[Step; 16]; 256] = nibble_steps();

const fn nibble_steps() -> [[Step; 16]; 256] {
    let tree = code_tree();
    let mut steps = [[Step { node: 0, symbol: NO_SYMBOL }; 16]; 256];
    let mut start = 0;
    while start < 256 {
        let mut nibble = 0;
        while nibble < 16 {
            let mut step = Step { node: start as u8, symbol: NO_SYMBOL };
            let mut shift = 4;
            while shift > 0 {
                shift -= 1;
                let next = tree[step.node as usize][nibble >> shift & 1];
                if next & LEAF != 0 {
                    step = Step { node: 0, symbol: next & !LEAF };
                } else {
                    step.node = next as u8;
                }
            }
            steps[start][nibble] = step;
            nibble += 1;
        }
        start += 1;
    }
    steps
}

const LEAF: u16 = 0x8000;

/// Nodes as [next if 0, next if 1]; a leaf is its symbol with [`LEAF`].
const fn code_tree() -> [[u16; 2]; 256] {
    let mut tree = [[0; 2]; 256];
    let mut nodes = 1;
    let (mut code, mut bits) = (0_u32, 5);
    while bits <= 30 {
        let mut symbol = 0;
        while symbol <= EOS {
            if CODE_BITS[symbol as usize] == bits {
                let (mut node, mut shift) = (0, bits - 1);
                while shift > 0 {
                    let branch = (code >> shift & 1) as usize;
                    if tree[node][branch] == 0 {
                        tree[node][branch] = nodes;
                        nodes += 1;
                    }
                    node = tree[node][branch] as usize;
                    shift -= 1;
                }
                tree[node][(code & 1) as usize] = LEAF | symbol;
                code += 1;
            }
            symbol += 1;
        }
        code <<= 1;
        bits += 1;
    }
    tree
}

/// RFC 7541 section 5.2. Padding is not checked; what follows an EOS is not read.
fn huffman_decoded(coded: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(coded.len() * 8 / 5);
    let mut node = 0;
    for octet in coded {
        for nibble in [octet >> 4, octet & 15] {
            let step = STEPS[usize::from(node)][usize::from(nibble)];
            node = step.node;
            match step.symbol {
                NO_SYMBOL => {}
                EOS => return text,
                symbol => text.push(symbol as u8),
            }
        }
    }
    text
}

/// Octets that entries share: many may have the name of one.
#[derive(Clone, Debug, Eq)]
enum Text {
    Static(&'static str),
    Sent(Arc<[u8]>),
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        match (self, other) {
            (Text::Sent(one), Text::Sent(other)) if Arc::ptr_eq(one, other) => true,
            _ => **self == **other,
        }
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Text::Static(text) => text.as_bytes(),
            Text::Sent(octets) => octets,
        }
    }
}

/// A name, and whether a field that has it may be needed for its sake; None: nobody has asked yet.
#[derive(Clone, Debug)]
struct Name {
    text: Text,
    is_needed: Option<bool>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// None: the name stood in an entry that is missing.
    name: Option<Name>,
    value: Text,
    /// Whether the field is needed; None: nobody has asked yet.
    is_needed: Option<bool>,
    /// Number of the block that named it last.
    named_in: u64,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.name() == other.name() && self.value == other.value
    }
}

impl Entry {
    fn new(name: Option<Name>, value: Text) -> Entry {
        Entry { name, value, is_needed: None, named_in: 0 }
    }

    /// Empty where it is not known.
    fn name(&self) -> &[u8] {
        self.name.as_ref().map_or(&[], |name| &name.text)
    }

    fn size(&self) -> usize {
        self.name().len() + self.value.len() + ENTRY_OVERHEAD
    }

    fn is_needed(&mut self, needs: &impl Needs) -> bool {
        self.is_needed.unwrap_or_else(|| {
            let is_needed = self.size() < ENTRY_OVERHEAD + SMALL || needs.field(self.name(), &self.value);
            self.is_needed = Some(is_needed);
            is_needed
        })
    }
}

/// Who knows what of a field is needed: an entry may be named a million times, and is asked about once.
pub trait Needs {
    /// Whether anybody needs this field.
    fn field(&self, name: &[u8], value: &[u8]) -> bool;
    /// Whether anybody may need a field for the sake of its name.
    fn name(&self, name: &[u8]) -> bool;
}

/// Everything is needed.
impl Needs for () {
    fn field(&self, _: &[u8], _: &[u8]) -> bool {
        true
    }

    fn name(&self, _: &[u8]) -> bool {
        true
    }
}

/// Smaller ones are told without asking.
const SMALL: usize = 32;

/// What a header block said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// A name is empty where it is not known; its value still counts. Those that nobody needs are left out.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// How many there are with those.
    pub count: usize,
    /// Fields of which the name or everything is not known.
    pub unresolved: u64,
    /// False: the block was cut or malformed, `fields` are what stood before.
    pub whole: bool,
    /// Fields were left out because of the bound.
    pub bounded: bool,
}

/// The rest of a header block cannot be read.
struct Unreadable;

/// A block while it is read.
struct Told<'a> {
    block: &'a mut Block,
    bound: usize,
    /// Fields.
    most: usize,
    /// Octets of all, as RFC 7541 section 4.1 counts them.
    size: usize,
    /// The same of those that the block had already.
    repeated: usize,
}

impl Told<'_> {
    fn field(&mut self, name: Option<&[u8]>, value: &[u8], is_again: bool, is_needed: bool) {
        self.block.unresolved += u64::from(name.is_none());
        let name = name.unwrap_or_default();
        let size = name.len() + value.len() + ENTRY_OVERHEAD;
        self.size += size;
        if self.size > self.bound {
            self.block.bounded = true; // the table must still be kept
            return;
        }
        self.repeated += if is_again { size } else { 0 };
        if !is_again || self.repeated <= REPEATED_BYTES {
            self.block.count += 1;
            if is_needed && self.block.count <= self.most {
                self.block.fields.push((name.to_vec(), value.to_vec()));
            }
        }
    }
}

/// The decoder of one direction of one connection.
#[derive(Clone, Debug)]
pub struct Hpack {
    /// For the octets of the fields of one block.
    bound: usize,
    /// Newest first, as RFC 7541 section 2.3.2 counts.
    table: VecDeque<Entry>,
    table_bytes: usize,
    table_limit: usize,
    /// Blocks read.
    blocks: u64,
}

impl Hpack {
    /// A decoder whose blocks have fields of at most `bound` octets, ENTRY_OVERHEAD for each included.
    pub fn new(bound: usize) -> Hpack {
        Hpack { bound, table: VecDeque::new(), table_bytes: 0, table_limit: DEFAULT_TABLE_BYTES, blocks: 0 }
    }

    /// As RFC 7541 section 4.1 counts them.
    pub fn table_bytes(&self) -> usize {
        self.table_bytes
    }

    /// Whether both read on alike.
    pub fn is_like(&self, other: &Hpack) -> bool {
        self.table_limit == other.table_limit && self.table == other.table
    }

    /// Blocks were missed: nothing is known of where the entries stand now.
    pub fn forget(&mut self) {
        self.table.clear();
        self.table_bytes = 0;
    }

    /// Who needs what is another from now on.
    pub fn ask_again(&mut self) {
        for entry in &mut self.table {
            entry.is_needed = None;
            if let Some(name) = &mut entry.name {
                name.is_needed = None;
            }
        }
    }

    /// RFC 7541 section 6: the first `most` fields. The table is as unknown as after `forget` when the block was not whole.
    pub fn decode(&mut self, coded: &[u8], most: usize, needs: &impl Needs) -> Block {
        let mut block = Block::default();
        self.blocks += 1;
        block.whole = self.read(coded, most, needs, &mut block).is_ok();
        if !block.whole {
            self.forget();
        }
        block
    }

    fn read(&mut self, coded: &[u8], most: usize, needs: &impl Needs, block: &mut Block) -> Result<(), Unreadable> {
        let mut rest = Rest(coded);
        let mut told = Told { block, bound: self.bound, most, size: 0, repeated: 0 };
        while let Some(&kind) = rest.0.first() {
            match kind {
                0x80.. => {
                    let index = rest.integer(7)?.checked_sub(1).ok_or(Unreadable)?;
                    if let Some((name, value)) = STATIC.get(index) {
                        told.field(Some(name.as_bytes()), value.as_bytes(), false, true);
                    } else if let Some(entry) = self.table.get_mut(index - STATIC.len()) {
                        let is_again = mem::replace(&mut entry.named_in, self.blocks) == self.blocks;
                        let is_needed = entry.is_needed(needs);
                        told.field(entry.name.as_ref().map(|name| &*name.text), &entry.value, is_again, is_needed);
                    } else {
                        told.block.unresolved += 1;
                    }
                }
                0x20..0x40 => {
                    let limit = rest.integer(5)?;
                    self.resize(MAX_TABLE_BYTES.min(limit));
                }
                _ => {
                    let entry = self.literal(&mut rest, if kind >= 0x40 { 6 } else { 4 }, needs)?;
                    // its value came just now: it is asked about where its name is not worth the copying
                    let is_idle = entry.name.as_ref().is_some_and(|name| name.is_needed == Some(false));
                    let is_needed = !is_idle || needs.field(b"", &entry.value);
                    told.field(entry.name.as_ref().map(|name| &*name.text), &entry.value, false, is_needed);
                    if kind >= 0x40 {
                        self.insert(entry);
                    }
                }
            }
        }
        Ok(())
    }

    /// An entry that was sent.
    fn sent(&mut self, index: usize) -> Option<&mut Entry> {
        self.table.get_mut(index.checked_sub(1 + STATIC.len())?)
    }

    fn entry(&self, index: usize) -> Result<Option<Entry>, Unreadable> {
        let index = index.checked_sub(1).ok_or(Unreadable)?;
        Ok(match STATIC.get(index) {
            Some((name, value)) => {
                let name = Name { text: Text::Static(name), is_needed: None };
                Some(Entry::new(Some(name), Text::Static(value)))
            }
            None => self.table.get(index - STATIC.len()).cloned(),
        })
    }

    fn literal(&mut self, rest: &mut Rest<'_>, prefix_bits: u32, needs: &impl Needs) -> Result<Entry, Unreadable> {
        let name = match rest.integer(prefix_bits)? {
            0 => Some(Name { text: rest.string()?, is_needed: None }),
            index => {
                if let Some(name) = self.sent(index).and_then(|entry| entry.name.as_mut())
                    && name.text.len() >= SMALL
                {
                    name.is_needed = Some(name.is_needed.unwrap_or_else(|| needs.name(&name.text)));
                }
                self.entry(index)?.and_then(|entry| entry.name)
            }
        };
        Ok(Entry::new(name, rest.string()?))
    }

    fn insert(&mut self, entry: Entry) {
        self.table_bytes += entry.size();
        self.table.push_front(Entry { named_in: self.blocks, ..entry });
        self.resize(self.table_limit);
    }

    /// RFC 7541 section 4.3 and 4.4.
    fn resize(&mut self, limit: usize) {
        self.table_limit = limit;
        while self.table_bytes > limit {
            self.table_bytes -= self.table.pop_back().map_or(self.table_bytes, |entry| entry.size());
        }
    }
}

/// What is left of a header block.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn octet(&mut self) -> Result<u8, Unreadable> {
        let (&octet, rest) = self.0.split_first().ok_or(Unreadable)?;
        self.0 = rest;
        Ok(octet)
    }

    /// RFC 7541 section 5.1.
    fn integer(&mut self, prefix_bits: u32) -> Result<usize, Unreadable> {
        let full = (1 << prefix_bits) - 1;
        let mut value = usize::from(self.octet()?) & full;
        if value < full {
            return Ok(value);
        }
        for shift in (0..=MAX_INTEGER_SHIFT).step_by(7) {
            let octet = self.octet()?;
            value += usize::from(octet & 0x7F) << shift;
            if octet < 0x80 {
                return Ok(value);
            }
        }
        Err(Unreadable)
    }

    /// RFC 7541 section 5.2.
    fn string(&mut self) -> Result<Text, Unreadable> {
        let coded = self.0.first().is_some_and(|octet| octet & 0x80 != 0);
        let length = self.integer(7)?;
        let (octets, rest) = self.0.split_at_checked(length).ok_or(Unreadable)?;
        self.0 = rest;
        Ok(Text::Sent(if coded { huffman_decoded(octets).into() } else { octets.into() }))
    }
}
