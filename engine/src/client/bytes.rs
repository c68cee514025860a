//! The bytes that a client keeps: those at the front are let go at no cost.

/// Left for the next bytes when nothing is kept.
const SPARE_BYTES: usize = 4 * 1024;

/// A run of bytes that grows at its end and shrinks at its beginning.
#[derive(Debug, Default)]
pub(super) struct Bytes {
    octets: Vec<u8>,
    /// How many at the beginning are let go.
    gone: usize,
}

impl Bytes {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.octets.len() == self.gone
    }

    #[inline]
    pub fn all(&self) -> &[u8] {
        &self.octets[self.gone..]
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.octets.len() - self.gone
    }

    /// What lies behind the first `count` of them.
    #[inline]
    pub fn from(&self, count: i64) -> &[u8] {
        usize::try_from(count).ok().and_then(|count| self.all().get(count..)).unwrap_or_default()
    }

    #[inline]
    pub fn extend(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// Lets the first `count` go. Bytes are moved only when most of them are gone, so all of this is linear.
    #[inline]
    pub fn skip(&mut self, count: usize) {
        self.gone = (self.gone + count).min(self.octets.len());
        if self.gone == self.octets.len() {
            self.clear();
        } else if self.gone > self.octets.len() / 2 {
            self.octets.drain(..self.gone);
            self.gone = 0;
            if self.octets.capacity() > SPARE_BYTES.max(4 * self.octets.len()) {
                self.octets.shrink_to(2 * self.octets.len());
            }
        }
    }

    #[inline]
    pub fn clear(&mut self) {
        self.gone = 0;
        self.octets.clear();
        if self.octets.capacity() > SPARE_BYTES {
            self.octets = Vec::new();
        }
    }
}
