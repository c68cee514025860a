//! The sieve before a head waits, while its text is at hand: takes the text, leaves of it what is needed later.
//!
//! Most heads are clean, and of a clean head nothing is needed but where it stands: its text is read into memory that the
//! next one uses again. Should a copy of its bytes differ, the client reads the text once more from the bytes that it
//! keeps for such copies (docs/decisions/0016-the-sieve-before-the-wait.md).

use std::hash::BuildHasher;
use std::mem;
use std::sync::Arc;

use foldhash::quality::RandomState;

use crate::http1::RequestLine;
use crate::records::{HeadText, Section};
use crate::sieve::Sieve;

/// Of a text; the memory of a longer one is not kept.
const ROOM_BYTES: usize = 64 * 1024;
/// Of texts that are read otherwise.
const MOST_OTHERS: usize = 4;

/// Memory of texts that were read, for those that are read next.
#[derive(Debug, Default)]
pub struct Rooms {
    text: HeadText,
    /// Of other ways to read one.
    others: Vec<HeadText>,
    list: Vec<HeadText>,
}

impl Rooms {
    /// Of the next text.
    #[inline]
    pub fn text(&mut self) -> HeadText {
        mem::take(&mut self.text)
    }

    /// Of another way to read it.
    pub fn other(&mut self) -> HeadText {
        self.others.pop().unwrap_or_default()
    }

    /// Of a list of these.
    pub fn list(&mut self) -> Vec<HeadText> {
        mem::take(&mut self.list)
    }

    /// Of a text that nobody needs any more.
    #[inline]
    pub fn take_back(&mut self, room: HeadText) {
        if room.capacity() <= ROOM_BYTES {
            self.text = room;
        }
    }

    /// The same of another way to read one.
    #[inline]
    pub fn take_other_back(&mut self, room: HeadText) {
        if room.capacity() <= ROOM_BYTES && self.others.len() < MOST_OTHERS {
            self.others.push(room);
        }
    }

    fn take_all_back(&mut self, mut others: Vec<HeadText>) {
        let room = MOST_OTHERS.saturating_sub(self.others.len());
        self.others.extend(others.drain(..).filter(|other| other.capacity() <= ROOM_BYTES).take(room));
        self.list = others;
    }
}

/// A sieve with the memory of the text at hand.
#[derive(Debug)]
pub struct Early {
    sieve: Arc<Sieve>,
    /// Of the marks that texts have.
    keyed: RandomState,
    rooms: Rooms,
    /// For what is unquoted.
    unquoted: Vec<u8>,
}

impl Early {
    /// This sieve; the marks are keyed so.
    pub fn new(sieve: Arc<Sieve>, keyed: RandomState) -> Early {
        Early { sieve, keyed, rooms: Rooms::default(), unquoted: Vec::new() }
    }

    /// The sieve.
    pub fn sieve(&self) -> &Arc<Sieve> {
        &self.sieve
    }

    /// Memory for the next text and others, which comes back by `sift` or `keep`.
    #[inline]
    pub fn rooms(&mut self) -> &mut Rooms {
        &mut self.rooms
    }

    /// Leaves of a text what may be a number, and who gets it: of a clean one nothing but its mark, which is the answer.
    /// Where there are other ways to read it, either all are clean or all stay whole.
    #[inline]
    pub fn sift(&mut self, text: &mut HeadText, others: &mut Vec<HeadText>) -> Option<u32> {
        if !others.is_empty() {
            return self.sift_all(text, others);
        }
        let mark = text.mark(&self.keyed);
        let Some(is_clean) = self.sieve.sift(text, &mut self.unquoted) else {
            self.keep(text, others);
            return None;
        };
        if is_clean {
            self.rooms.take_back(mem::take(text));
            return Some(mark);
        }
        self.keep(text, others);
        text.note_sifted(mark);
        None
    }

    /// A target of fewer octets, in a head without fields, has no room for an identifier.
    #[inline]
    pub fn room_for_none(&self) -> usize {
        self.sieve.room_for_none()
    }

    /// The mark of a head that is this line and nothing else.
    #[inline]
    pub fn mark_of_line(&self, line: &RequestLine<'_>) -> u32 {
        HeadText::mark_of_line([line.method, line.target, line.version], &self.keyed)
    }

    /// The mark of a trailer section behind who gets it, if that is clean.
    pub fn mark_of_trailer(&mut self, text: &HeadText) -> Option<u32> {
        let is_suspect = self.sieve.is_suspect_in(text, Section::Trailer, &mut self.unquoted);
        (!is_suspect).then(|| text.mark(&self.keyed))
    }

    fn sift_all(&mut self, text: &mut HeadText, others: &mut Vec<HeadText>) -> Option<u32> {
        let (sieve, unquoted) = (&self.sieve, &mut self.unquoted);
        if [&*text].into_iter().chain(&*others).any(|text| sieve.is_suspect_in(text, Section::Head, unquoted)) {
            self.keep(text, others);
            return None;
        }
        let mark = mark_of([&*text].into_iter().chain(&*others), &self.keyed);
        self.rooms.take_back(mem::take(text));
        self.rooms.take_all_back(mem::take(others));
        Some(mark)
    }

    /// Keeps all of a text and of the other ways to read it, in memory of their own.
    pub fn keep(&mut self, text: &mut HeadText, others: &mut Vec<HeadText>) {
        let own = text.clone();
        self.rooms.take_back(mem::replace(text, own));
        let own = others.clone();
        self.rooms.take_all_back(mem::replace(others, own));
    }
}

/// A keyed hash of all that a head says: in one way to read it, and in the others.
pub fn mark_of<'a>(texts: impl Iterator<Item = &'a HeadText>, keyed: &RandomState) -> u32 {
    let mut marks = texts.map(|text| text.mark(keyed));
    let first = marks.next().unwrap_or_default();
    marks.fold(first, |all, mark| keyed.hash_one((all, mark)) as u32)
}
