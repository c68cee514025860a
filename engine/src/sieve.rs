//! Drops the request heads in which `identify` can find nothing.
//!
//! The sieve may pass too much, never too little, so of the number plan it knows only with which digits an identifier
//! begins and how many it has: a head passes when that many stand in a row, or when a field name hints at a subscriber
//! identifier. An identifier that only its name gives away (15 digits are an IMEI or anything) needs that name in the
//! same field. What may lie between the digits of one number is drawn wider than `identify` draws it; letters and the
//! delimiters of lists, parameters and clock times end a row. Base64 and hex in which digits show are decoded and looked
//! at likewise.
//!
//! A head is looked at once, sixty-four octets at a time (`screen`); only the parts in which something shows are read
//! octet by octet. Nothing is copied, no clean head costs an allocation.

mod coded;
mod digest;
mod quoted;
mod rows;
mod screen;
#[cfg(test)]
mod tests;
mod texts;

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::quality::RandomState;

use crate::block::{Block, each};
use crate::counts::{Count, Counts};
use crate::hashes::HashTable;
use crate::identify::Identify;
use crate::records::{HeadText, RequestHead, Section, Watch};
use crate::sieve::coded::Coded;
use crate::sieve::quoted::unquote;
pub(crate) use crate::sieve::quoted::unquoted;
use crate::sieve::rows::Rows;
use crate::sieve::screen::Shown;
pub(crate) use crate::sieve::screen::kinds;
pub(crate) use crate::sieve::texts::{from_base64, from_hex, is_digits_in_base64};

/// What a Watch asks for, made ready.
#[derive(Debug)]
pub struct Sieve {
    every_head: bool,
    rows: Rows,
    named_by: Vec<u8>,
    coded: Coded,
    digests: Option<Arc<HashTable>>,
    /// Reads what shows, so that nothing passes that is none; None: whatever shows passes.
    identify: Option<Identify>,
    names: HashSet<Vec<u8>, RandomState>,
    stems: Vec<Stem>,
    /// Octets of the shortest of both.
    shortest_name: usize,
    /// By the kinds of the last three octets of a name: how it may hint. Most names end otherwise.
    hinting_ends: Vec<u8>,
}

impl Sieve {
    /// The sieve of this watch.
    pub fn new(watch: &Watch) -> Sieve {
        let all_ends = (0..KINDS.pow(3)).map(|end| [end / KINDS / KINDS, end / KINDS % KINDS, end % KINDS]);
        let by_stem = |end| if watch.stems.iter().any(|stem| may_end(end, stem)) { BY_STEM } else { 0 };
        let mut hinting_ends: Vec<u8> = all_ends.map(by_stem).collect();
        for name in &watch.names {
            if let Some(end) = [b"http-", name.as_slice()].concat().last_chunk() {
                hinting_ends[place(end)] |= BY_NAME;
            }
        }
        let rows = Rows::new(watch);
        let shortest_name = watch.names.iter().chain(&watch.stems).map(Vec::len).min().unwrap_or(usize::MAX);
        Sieve {
            every_head: watch.every_head || rows.fewest == 0,
            rows,
            named_by: watch.named_by.clone(),
            coded: Coded::new(&watch.tokens),
            digests: watch.digests.clone(),
            identify: watch.wanted.as_deref().map(|wanted| Identify::for_sieve(wanted, !watch.ports.is_empty())),
            names: watch.names.iter().cloned().collect(),
            stems: watch.stems.iter().map(|stem| Stem::new(stem)).collect(),
            shortest_name,
            hinting_ends,
        }
    }

    /// Whether the head must be judged, and leaves of it what `identify` and `judge` need, if that was not done before;
    /// counts `clean_heads` when not.
    pub fn passes(&self, head: &mut RequestHead, counts: &mut Counts) -> bool {
        if self.every_head {
            return true;
        }
        if head.text.sifted() == Some(false) {
            return true;
        }
        let mut room = Vec::new();
        let section = head.section;
        let shown = self.look(&head.text, section, &mut room);
        let passes = shown.is_some()
            || head.readings.iter().any(|reading| self.look(&reading.text, reading.section, &mut room).is_some());
        if passes {
            leave(&mut head.text, shown);
            for reading in &mut head.readings {
                let shown = self.look(&reading.text, reading.section, &mut room);
                leave(&mut reading.text, shown);
            }
        }
        counts[Count::CleanHeads] += u64::from(!passes);
        passes
    }

    /// Whether a text that is all of its head is clean, and leaves what is needed of one that is not. None: every head is
    /// to be judged, with all of its text. `room` is for what is unquoted.
    pub fn sift(&self, text: &mut HeadText, room: &mut Vec<u8>) -> Option<bool> {
        if self.every_head {
            return None;
        }
        let shown = self.look(text, Section::Head, room);
        let is_clean = shown.is_none();
        if !is_clean {
            leave(text, shown);
        }
        Some(is_clean)
    }

    /// Whether one reading of a head must be judged.
    pub fn is_suspect(&self, text: &HeadText) -> bool {
        self.is_suspect_in(text, Section::Head, &mut Vec::new())
    }

    /// The same of any section; `room` is for what is unquoted.
    pub(crate) fn is_suspect_in(&self, text: &HeadText, section: Section, room: &mut Vec<u8>) -> bool {
        self.every_head || self.look(text, section, room).is_some()
    }

    /// A target of fewer octets, in a head without fields, has no room for an identifier.
    #[inline]
    pub(crate) fn room_for_none(&self) -> usize {
        if self.every_head { 0 } else { self.rows.fewest.min(self.coded.shortest) }
    }

    /// Where an identifier may show; None: nowhere.
    fn look(&self, text: &HeadText, section: Section, room: &mut Vec<u8>) -> Option<Suspicion> {
        if text.field_count() == 0 && text.target().len() < self.room_for_none() {
            return None;
        }
        // with the kinds of what shows; None: nobody knows
        let (mut fields, mut in_target) = (Vec::<(u32, Option<u8>)>::new(), false);
        let (octets, ends) = (text.octets(), text.ends());
        let field_of = |part: usize| part.checked_sub(HeadText::FIELDS).map(|place| place as u32 / 2);
        // a line without a colon may have come as a name, so names are searched like values
        let beside = |part: usize| match field_of(part) {
            Some(_) => text.part(((part - HeadText::FIELDS) ^ 1) + HeadText::FIELDS),
            None => b"",
        };
        let mut is_number = |part, seen: &Seen| self.is_number(seen, text.part(part), beside(part), room);
        let (mut part, mut doubt) = (0, None::<(usize, Seen)>);
        self.screen(octets, |place, shown| {
            while ends.get(part).is_some_and(|&end| end as usize <= place) {
                part += 1;
            }
            if let Some((part, seen)) = doubt.take_if(|(before, _)| *before != part)
                && is_number(part, &seen)
            {
                in_target |= field_of(part).is_none();
                fields.extend(field_of(part).map(|field| (field, None)));
            }
            if let Some((_, seen)) = &mut doubt {
                return seen.note(shown);
            }
            let field = field_of(part);
            let kinds = shown.kinds | if shown.named_row { kinds::NAMED } else { 0 };
            if let Some((last, all)) = fields.last_mut()
                && field == Some(*last)
            {
                *all = all.map(|all| all | kinds);
                return;
            }
            if field.is_none() && (in_target || part != HeadText::TARGET) {
                return;
            }
            if shown.kinds == 0 {
                doubt.insert((part, Seen::default())).1.note(shown);
                return;
            }
            in_target |= field.is_none();
            fields.extend(field.map(|field| (field, Some(kinds))));
        });
        if let Some((part, seen)) = doubt
            && is_number(part, &seen)
        {
            in_target |= field_of(part).is_none();
            fields.extend(field_of(part).map(|field| (field, None)));
        }
        let shown = fields.len();
        for (field, name) in (0..).zip(text.names()) {
            if self.hints(name) && fields[..shown].binary_search_by_key(&field, |(field, _)| *field).is_err() {
                fields.push((field, None));
            }
        }
        if fields.len() > shown {
            fields.sort_unstable();
        }
        if let Some(identify) = &self.identify {
            in_target = in_target && section == Section::Head && identify.is_in_target(self, text.target());
            fields.retain(|&(field, shown)| {
                let part = HeadText::FIELDS + 2 * field as usize;
                let (name, value) = (text.part(part), text.part(part + 1));
                if section == Section::Head && is_said(name, value, text) {
                    return false;
                }
                identify.is_in_field(self, section, name, value, shown)
                    || (identify.may_be_compared(value) && self.hints(name))
            });
        }
        let fields: Vec<u32> = fields.into_iter().map(|(field, _)| field).collect();
        (in_target || !fields.is_empty()).then_some(Suspicion { in_target, fields })
    }

    /// Whether `identify` and `judge` need this field of a suspect head: it may show a number, or who got it.
    pub fn keeps(&self, name: &[u8], value: &[u8]) -> bool {
        self.every_head
            || names_recipient(name)
            || self.hints(name)
            || self.has_number(value, name, &mut Vec::new())
            || self.has_number(name, value, &mut Vec::new())
    }

    /// Whether no field is suspect for the sake of this name, whatever its value is.
    pub fn is_idle_name(&self, name: &[u8]) -> bool {
        !self.keeps(name, b"") && !self.names(name)
    }

    /// Each digest of an own number in a text, how many octets it has and whose it is.
    pub(crate) fn digests_in(&self, text: &[u8], show: impl FnMut(usize, u64)) {
        if let Some(table) = &self.digests {
            digest::each(text, table, show);
        }
    }

    /// The kinds of numbers that may stand in a text as it is.
    pub(crate) fn shown(&self, text: &[u8]) -> u8 {
        let mut kinds = 0;
        self.screen(text, |_, shown| kinds |= shown.kinds | if shown.named_row { kinds::NAMED } else { 0 });
        kinds
    }

    /// Whether a number may stand in these octets; `beside` are the others of the same field.
    fn has_number(&self, octets: &[u8], beside: &[u8], room: &mut Vec<u8>) -> bool {
        let mut seen = Seen::default();
        self.screen(octets, |_, shown| seen.note(shown));
        self.is_number(&seen, octets, beside, room)
    }

    /// The same where this was seen in the octets as they are.
    ///
    /// Percent-encoding (RFC 3986 section 2.1) is undone once and twice: a Referer quotes an address that was quoted
    /// before. Only the few texts that have any are copied, to `room`.
    fn is_number(&self, seen: &Seen, octets: &[u8], beside: &[u8], room: &mut Vec<u8>) -> bool {
        if seen.number || !seen.percent {
            return seen.number || (seen.row && (self.is_named_in(octets) || self.names(beside)));
        }
        if room.len() < 2 * octets.len() {
            room.resize(2 * octets.len(), 0);
        }
        let (once, twice) = room.split_at_mut(octets.len());
        let once = unquote(octets, once);
        let mut unquoted = Seen { row: seen.row, ..Seen::default() };
        self.screen(once, |_, shown| unquoted.note(shown));
        let twice = if unquoted.percent && !unquoted.number { unquote(once, twice) } else { b"" };
        self.screen(twice, |_, shown| unquoted.note(shown));
        // whether the letters stand there is asked last: seldom is there a row that needs them
        let mut texts = [octets, once, twice].into_iter();
        unquoted.number || (unquoted.row && (texts.any(|text| self.is_named_in(text)) || self.names(beside)))
    }

    /// Whether the letters `named_by` stand there: as the octets are, or unquoted once or twice.
    fn names(&self, octets: &[u8]) -> bool {
        let is_in = |octets: &[u8]| self.is_named_in(octets);
        let is_quoted = |octets: &[u8]| memchr::memchr(b'%', octets).is_some();
        is_in(octets)
            || (is_quoted(octets) && {
                let once = unquoted(octets);
                is_in(&once) || (is_quoted(&once) && is_in(&unquoted(&once)))
            })
    }

    /// Whether they stand in a text as it is.
    pub(crate) fn is_named_in(&self, text: &[u8]) -> bool {
        let blocks = (0..text.len()).step_by(Block::SIZE).map(|start| &text[start..]);
        self.is_spelt(blocks.flat_map(|block| each(Block::of(block, b' ').letters().bits()).map(|bit| block[bit])))
    }

    fn is_spelt(&self, octets: impl Iterator<Item = u8>) -> bool {
        // as many letters as a word of the machine has room for: more than the name that is asked for has
        let added = |letters: u64, letter: &u8| letters << 8 | u64::from(letter.to_ascii_lowercase());
        let wanted = self.named_by.iter().fold(0, added);
        let mask = 1_u64.checked_shl(8 * self.named_by.len() as u32).map_or(u64::MAX, |above| above - 1);
        let mut letters = 0;
        self.named_by.is_empty()
            || octets.filter(u8::is_ascii_alphabetic).any(|letter| {
                letters = added(letters, &letter);
                letters & mask == wanted
            })
    }

    /// Whether a name hints at an identifier.
    #[inline]
    fn hints(&self, name: &[u8]) -> bool {
        let ways = || name.last_chunk().map_or(BY_NAME | BY_STEM, |end| self.hinting_ends[place(end)]);
        name.len() >= self.shortest_name && self.hints_so(name, ways())
    }

    #[inline]
    fn hints_so(&self, name: &[u8], ways: u8) -> bool {
        if ways == 0 {
            return false; // most names
        }
        let name = match name {
            [h, t, u, p, b'-' | b'_', bare @ ..] if [*h, *t, *u, *p].eq_ignore_ascii_case(b"http") => bare,
            _ => name,
        };
        (ways & BY_STEM != 0 && self.ends_with_stem(name)) || (ways & BY_NAME != 0 && self.is_named(name))
    }

    fn is_named(&self, name: &[u8]) -> bool {
        let (mut usual, mut long) = ([0; 64], Vec::new());
        let normal_name = usual.get_mut(..name.len()).unwrap_or_else(|| {
            long.resize(name.len(), 0);
            &mut long
        });
        for (normal, &octet) in normal_name.iter_mut().zip(name) {
            *normal = if octet == b'_' { b'-' } else { octet.to_ascii_lowercase() };
        }
        self.names.contains(normal_name)
    }

    /// Whether the letters of a name end with one of the stems.
    fn ends_with_stem(&self, name: &[u8]) -> bool {
        let letters = name.iter().rev().filter(|octet| octet.is_ascii_alphabetic()).map(u8::to_ascii_lowercase);
        let (mut end, mut missing) = (*b"---", 3);
        for letter in letters.clone().take(end.len()) {
            missing -= 1;
            end[missing] = letter;
        }
        if self.hinting_ends[place(&end)] & BY_STEM == 0 {
            return false;
        }
        let last = in_word(letters.clone());
        self.stems.iter().any(|stem| {
            last & stem.mask == stem.last && letters.clone().take(stem.letters.len()).eq(stem.letters.iter().copied())
        })
    }
}

/// What the letters of a name that hints may end with.
#[derive(Debug)]
struct Stem {
    /// The last one first.
    letters: Vec<u8>,
    /// As many of these as a word has room for, and where they stand in it.
    last: u128,
    mask: u128,
}

impl Stem {
    fn new(stem: &[u8]) -> Stem {
        let letters: Vec<u8> = stem.iter().rev().copied().collect();
        let (last, mask) = (in_word(letters.iter().copied()), in_word(letters.iter().map(|_| u8::MAX)));
        Stem { letters, last, mask }
    }
}

/// The first octets, as many as a word has room for.
fn in_word(octets: impl Iterator<Item = u8>) -> u128 {
    octets.take(size_of::<u128>()).zip(0..).fold(0, |word, (octet, at)| word | u128::from(octet) << (8 * at))
}

/// How a name hints.
const BY_NAME: u8 = 1;
const BY_STEM: u8 = 2;

/// What is seen of a text.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    number: bool,
    /// One that is a number where it is named so.
    row: bool,
    percent: bool,
}

impl Seen {
    #[inline]
    fn note(&mut self, shown: Shown) {
        self.number |= shown.kinds != 0;
        self.row |= shown.named_row;
        self.percent |= shown.percent;
    }
}

/// Whether the head's method or target says what this field says (RFC 9113 section 8.3); a second one may differ.
fn is_said(name: &[u8], value: &[u8], text: &HeadText) -> bool {
    (name == b":path" && value == text.target()) || (name == b":method" && value == text.method())
}

/// Whether a field says who gets the head.
fn names_recipient(name: &[u8]) -> bool {
    name == b"host" || name == b":authority"
}

/// Of octets in a name: the letters are the first 26, then the dash, then all others.
const KINDS: usize = 28;

static KIND: [u8; 256] = {
    let mut kinds = [27; 256];
    let mut letter = 0;
    while letter < 26 {
        kinds[(b'a' + letter) as usize] = letter;
        kinds[(b'A' + letter) as usize] = letter;
        letter += 1;
    }
    kinds[b'-' as usize] = 26;
    kinds[b'_' as usize] = 26;
    kinds
};

#[inline]
fn kind(octet: u8) -> usize {
    usize::from(KIND[usize::from(octet)])
}

/// In `Sieve::hinting_ends`.
#[inline]
fn place(end: &[u8; 3]) -> usize {
    end.iter().fold(0, |place, &octet| place * KINDS + kind(octet))
}

/// Whether the letters of a name that has octets of these kinds at its end may end with a stem.
fn may_end(end: [usize; 3], stem: &[u8]) -> bool {
    let letters = end.into_iter().rev().take_while(|&kind| kind < 26);
    letters.zip(stem.iter().rev()).all(|(letter, &wanted)| letter == kind(wanted))
}

/// Where a head may show an identifier.
#[derive(Debug, Default)]
struct Suspicion {
    in_target: bool,
    /// Those that hint at one or may show one, in order.
    fields: Vec<u32>,
}

/// Leaves the fields that are under suspicion, and who gets the head; says whether the target is clean.
fn leave(text: &mut HeadText, shown: Option<Suspicion>) {
    let Suspicion { in_target, mut fields } = shown.unwrap_or_default();
    if !in_target {
        text.note_clean_target();
    }
    let hosts = (0..).zip(text.fields()).filter(|(_, (name, _))| names_recipient(name));
    fields.extend(hosts.map(|(field, _)| field));
    fields.sort_unstable();
    fields.dedup();
    text.retain(&fields);
}
