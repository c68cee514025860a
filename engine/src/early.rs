//! The sieve before a head waits, while its text is at hand: takes the text, leaves of it what is needed later.
//!
//! Most heads are clean, and of a clean head nothing is needed but where it stands: its text is read into memory that the
//! next one uses again. Should a copy of its bytes differ, the client reads the text once more from the bytes that it
//! keeps for such copies (docs/decisions/0016-the-sieve-before-the-wait.md).

use std::mem;
use std::sync::Arc;

use foldhash::quality::RandomState;

use crate::records::HeadText;
use crate::sieve::Sieve;

/// Of a text; the memory of a longer one is not kept.
const ROOM_BYTES: usize = 64 * 1024;

/// A sieve with the memory of the text at hand.
#[derive(Debug)]
pub struct Early {
    sieve: Arc<Sieve>,
    /// Of the marks that texts have.
    keyed: RandomState,
    text: HeadText,
    /// For what is unquoted.
    unquoted: Vec<u8>,
}

impl Early {
    /// This sieve; the marks are keyed so.
    pub fn new(sieve: Arc<Sieve>, keyed: RandomState) -> Early {
        Early { sieve, keyed, text: HeadText::default(), unquoted: Vec::new() }
    }

    /// The sieve.
    pub fn sieve(&self) -> &Arc<Sieve> {
        &self.sieve
    }

    /// Memory for the next text, which comes back by `sift` or `keep`.
    #[inline]
    pub fn room(&mut self) -> HeadText {
        mem::take(&mut self.text)
    }

    /// Leaves of a text what may be a number, and who gets it: of a clean one nothing but its mark, which is the answer.
    pub fn sift(&mut self, text: &mut HeadText) -> Option<u32> {
        let mark = text.mark(&self.keyed);
        let Some(is_clean) = self.sieve.sift(text, &mut self.unquoted) else {
            self.keep(text);
            return None;
        };
        if is_clean {
            self.take_back(mem::take(text));
            return Some(mark);
        }
        self.keep(text);
        text.note_sifted(mark);
        None
    }

    /// Keeps all of a text, in memory of its own.
    pub fn keep(&mut self, text: &mut HeadText) {
        let own = text.clone();
        self.take_back(mem::replace(text, own));
    }

    fn take_back(&mut self, room: HeadText) {
        if room.capacity() <= ROOM_BYTES {
            self.text = room;
        }
    }
}
