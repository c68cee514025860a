//! Every bound of the engine. The values are those of `monitor.records.Limits`, which hands them over at start.

/// Of memory, unless told otherwise: shared out among the bounds.
const BUDGET_BYTES: usize = 512 * 1024 * 1024;

/// Bounds; each has a counter `shed{bound}` or `blind{reason}` beside it.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Nested tunnel, tag and IP headers of one frame.
    pub encapsulations: u32,
    /// Bytes of one request head.
    pub head_bytes: usize,
    /// Lines of one request head.
    pub head_lines: usize,
    /// Half-streams held at once.
    pub half_streams: usize,
    /// Memory of all half-streams together, with what they hold.
    pub memory_bytes: usize,
    /// Out-of-order bytes of all half-streams together.
    pub hold_bytes: usize,
    /// Out-of-order bytes of one half-stream.
    pub hold_bytes_per_half_stream: usize,
    /// How far ahead of the expected byte a segment is believed.
    pub window_bytes: u32,
    /// Bytes of all unfinished datagrams.
    pub fragments_bytes: usize,
    /// Suspect heads of a live port that wait for Python.
    pub queue_bytes: usize,
    /// How long an unfinished datagram waits, nanoseconds.
    pub fragment_ns: i64,
    /// How long a silent half-stream is remembered.
    pub idle_ns: i64,
    /// How long a hole may last before it is a gap.
    pub gap_ns: i64,
    /// How long a head waits for a conflicting copy.
    pub settle_ns: i64,
    /// Heads of one poll.
    pub batch_heads: usize,
    /// Of the hash by which new connections are kept when memory is short; Python deals it out, one for each process.
    pub sampling_key: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            encapsulations: 16,
            head_bytes: 256 * 1024,
            head_lines: 4096,
            half_streams: 1_000_000,
            memory_bytes: BUDGET_BYTES / 16 * 13,
            hold_bytes: BUDGET_BYTES / 64 * 3,
            hold_bytes_per_half_stream: 1024 * 1024,
            window_bytes: 640 * 1024,
            fragments_bytes: BUDGET_BYTES / 16,
            queue_bytes: BUDGET_BYTES / 8,
            fragment_ns: 30_000_000_000,
            idle_ns: 1_800_000_000_000,
            gap_ns: 2_000_000_000,
            settle_ns: 1_000_000_000,
            batch_heads: 1024,
            sampling_key: 0,
        }
    }
}
