//! What a client may make us read beyond one reading of its octets: a stock, and so much for each octet that it sends.
//!
//! Octets can be read in several ways, and each way takes its time. Heads of ordinary size may all be read in another
//! way, for as long as the connection lasts; whoever sends short ones that are odd spends the stock, and what is beyond it
//! is shed and counted (`shed.readings`). The first way is never stopped.

use memchr::memchr_iter;

/// Some hundred short heads.
const STOCK: i64 = 128 * 1024;
/// By each octet.
const EARNED: i64 = 2;
/// Of reading a head once more, besides its octets.
const HEAD_PRICE: i64 = 256;
/// Of each CR or LF in lines that are short, in place of their octets.
const END_PRICE: i64 = 16;
/// Of a way that parts: it is held, and what it finds is compared.
const PART_PRICE: i64 = 512;
/// Of looking whether a line begins a head.
const LINE_PRICE: i64 = 64;

/// Of all ways of one half-stream together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Credit(i64);

impl Default for Credit {
    fn default() -> Credit {
        Credit(STOCK)
    }
}

impl Credit {
    /// Whether anything more may be read in another way. What has begun goes on: the next octets pay for it.
    #[inline]
    pub fn is_left(self) -> bool {
        self.0 > 0
    }

    #[inline]
    pub fn earn(&mut self, octets: i64) {
        self.0 = STOCK.min(self.0 + EARNED * octets);
    }

    pub fn pay_head(&mut self, octets: i64) {
        self.0 -= HEAD_PRICE + octets;
    }

    /// For lines that are read in other ways: short ones cost more than their octets.
    pub fn pay_lines(&mut self, block: &[u8]) {
        let ends = memchr_iter(b'\n', block).count() + memchr_iter(b'\r', block).count();
        self.0 -= HEAD_PRICE + (block.len() as i64).max(END_PRICE * ends as i64);
    }

    pub fn pay_part(&mut self) {
        self.0 -= PART_PRICE;
    }

    pub fn pay_line(&mut self) {
        self.0 -= LINE_PRICE;
    }
}
