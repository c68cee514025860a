//! What is remembered of connections that have not sent anything: in a table of fixed size, so that a flood of SYNs costs
//! nothing. Where two flows meet in it, the later one is remembered.

pub(super) const REMEMBERED_SYNS: usize = 1 << 16;

/// Where connections began: the sequence number behind the latest SYN of a flow, in a table of fixed size.
#[derive(Debug)]
pub(super) struct Origins(Box<[u64]>);

impl Origins {
    pub(super) fn new() -> Origins {
        Origins(vec![0; REMEMBERED_SYNS].into())
    }

    pub(super) fn remember(&mut self, mark: u64, seq: u32) {
        self.0[mark as usize % REMEMBERED_SYNS] = mark & !0xFFFF_FFFF | u64::from(seq);
    }

    pub(super) fn look(&self, mark: u64) -> Option<u32> {
        let found = self.0[mark as usize % REMEMBERED_SYNS];
        (found != 0 && found >> 32 == mark >> 32).then_some(found as u32)
    }

    pub(super) fn forget(&mut self, mark: u64) {
        self.0[mark as usize % REMEMBERED_SYNS] = 0;
    }
}
