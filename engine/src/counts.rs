//! Every count once, in the order of `monitor/counts.py`, which has the help texts and checks that the keys agree.

use std::ops::{Index, IndexMut};

use crate::records::Oddities;
use crate::trace::Tracer;

macro_rules! counts {
    ($($name:ident $key:literal)*) => {
        /// One count.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Count { $($name),* }

        /// The keys of monitor/counts.py, in the order of [`Count`].
        pub const KEYS: &[&str] = &[$($key),*];
    };
}

counts! {
    Frames "frames"
    FrameBytes "frame_bytes"
    CapturedBytes "captured_bytes"
    KernelFrames "kernel_frames"
    KernelDrops "kernel_drops"
    RingFreezes "ring_freezes"
    NicDrops "nic_drops"
    SoftnetDrops "softnet_drops"
    Turns "turns"
    NotAdmittedPermille "not_admitted_permille"
    Segments "segments"
    SkippedEmpty "skipped.empty"
    SkippedUnknownLink "skipped.unknown_link"
    SkippedNotIp "skipped.not_ip"
    SkippedNotTcp "skipped.not_tcp"
    SkippedFragment "skipped.fragment"
    SkippedTruncated "skipped.truncated"
    SkippedMalformed "skipped.malformed"
    SkippedEncrypted "skipped.encrypted"
    SkippedTunnelControl "skipped.tunnel_control"
    SkippedUnknownTunnel "skipped.unknown_tunnel"
    SkippedDepth "skipped.depth"
    Messages "messages"
    Datagrams "datagrams"
    SecondReadings "second_readings"
    PayloadBytes "payload_bytes"
    HttpBytes "http_bytes"
    SentBytes "sent_bytes"
    UnseenBytes "unseen_bytes"
    LateBytes "late_bytes"
    Duplicates "duplicates"
    TwinHeads "twin_heads"
    HalfStreams "half_streams"
    MemoryHalfStreams "memory_bytes.memory"
    MemoryHold "memory_bytes.hold"
    MemoryDefrag "memory_bytes.defrag"
    MemoryQueue "memory_bytes.queue"
    QueueHeads "queue_heads"
    GapBytes "gap_bytes"
    OpaqueStreamsTls "opaque_streams.tls"
    OpaqueStreamsHttp2 "opaque_streams.http2"
    OpaqueStreamsResponse "opaque_streams.response"
    OpaqueStreamsOther "opaque_streams.other"
    Panics "panics"
    RejectedBadChecksum "rejected.bad_checksum"
    RejectedOutOfWindow "rejected.out_of_window"
    RejectedNotAccepted "rejected.not_accepted"
    Requests "requests"
    Trailers "trailers"
    HeadParts "head_parts"
    NotRequests "not_requests"
    AmbiguousRequests "ambiguous_requests"
    BodyBytes "body_bytes"
    OdditiesOverlap "oddities.overlap"
    OdditiesFragOverlap "oddities.frag_overlap"
    OdditiesFragMixed "oddities.frag_mixed"
    OdditiesUrgent "oddities.urgent"
    OdditiesFold "oddities.fold"
    OdditiesCr "oddities.cr"
    OdditiesFraming "oddities.framing"
    OdditiesHost "oddities.host"
    OdditiesNotHttp "oddities.not_http"
    OdditiesHostUnknown "oddities.host_unknown"
    OdditiesBadChecksum "oddities.bad_checksum"
    OdditiesBareLf "oddities.bare_lf"
    OdditiesSpaceBeforeColon "oddities.space_before_colon"
    OdditiesNoColon "oddities.no_colon"
    OdditiesEmptyName "oddities.empty_name"
    OdditiesOddName "oddities.odd_name"
    OdditiesNul "oddities.nul"
    OdditiesControl "oddities.control"
    OdditiesLeadingSpace "oddities.leading_space"
    OdditiesLeadingCrlf "oddities.leading_crlf"
    OdditiesOddMethod "oddities.odd_method"
    OdditiesOddTarget "oddities.odd_target"
    OdditiesOddVersion "oddities.odd_version"
    OdditiesRequestLineSpace "oddities.request_line_space"
    OdditiesHostMismatch "oddities.host_mismatch"
    OdditiesHostMissing "oddities.host_missing"
    OdditiesUserinfo "oddities.userinfo"
    OdditiesClAndTe "oddities.cl_and_te"
    OdditiesClTwice "oddities.cl_twice"
    OdditiesClOdd "oddities.cl_odd"
    OdditiesTeOdd "oddities.te_odd"
    OdditiesChunkOdd "oddities.chunk_odd"
    OdditiesProxyProtocol "oddities.proxy_protocol"
    OdditiesInConnect "oddities.in_connect"
    OdditiesBodyOfGet "oddities.body_of_get"
    OdditiesIncomplete "oddities.incomplete"
    OdditiesAfterGap "oddities.after_gap"
    OdditiesLong "oddities.long"
    OdditiesHpackUnresolved "oddities.hpack_unresolved"
    OdditiesSynData "oddities.syn_data"
    CleanHeads "clean_heads"
    BlindSnaplen "blind.snaplen"
    BlindGap "blind.gap"
    BlindMidstream "blind.midstream"
    BlindHeadIncomplete "blind.head_incomplete"
    BlindUnknownTunnel "blind.unknown_tunnel"
    BlindDepth "blind.depth"
    BlindTruncated "blind.truncated"
    BlindEncrypted "blind.encrypted"
    BlindFragments "blind.fragments"
    BlindUnknownLink "blind.unknown_link"
    BlindSource "blind.source"
    BlindHpack "blind.hpack"
    ShedHeadBytes "shed.head_bytes"
    ShedHeadLines "shed.head_lines"
    ShedHalfStreams "shed.half_streams"
    ShedHold "shed.hold"
    ShedMemory "shed.memory"
    ShedDefrag "shed.defrag"
    ShedSettle "shed.settle"
    ShedHpack "shed.hpack"
    ShedHttp2Streams "shed.http2_streams"
    ShedCopies "shed.copies"
    ShedReadings "shed.readings"
    ShedFragmentReadings "shed.fragment_readings"
    ShedLostGaps "shed.lost_gaps"
    ShedBodies "shed.bodies"
    ShedEarly "shed.early"
    ShedDoubts "shed.doubts"
    ShedAlike "shed.alike"
    ShedWindows "shed.windows"
    ShedBeginnings "shed.beginnings"
    ShedTwinHeads "shed.twin_heads"
    ShedOrigins "shed.origins"
    ShedEnded "shed.ended"
    ShedMarks "shed.marks"
    ShedDisk "shed.disk"
    ShedQueue "shed.queue"
    ShedNewFlows "shed.new_flows"
}

/// What the stages write down: how often something happened since the start and, for an audit, what became of what. A
/// copy is of the numbers alone.
#[derive(Debug)]
pub struct Counts {
    values: [u64; KEYS.len()],
    /// While there is an audit.
    pub tracer: Option<Box<Tracer>>,
}

impl Clone for Counts {
    fn clone(&self) -> Counts {
        Counts { values: self.values, tracer: None }
    }
}

impl PartialEq for Counts {
    fn eq(&self, other: &Counts) -> bool {
        self.values == other.values
    }
}

impl Eq for Counts {}

impl Default for Counts {
    fn default() -> Self {
        Counts { values: [0; KEYS.len()], tracer: None }
    }
}

impl Index<Count> for Counts {
    type Output = u64;
    #[inline]
    fn index(&self, count: Count) -> &u64 {
        &self.values[count as usize]
    }
}

impl IndexMut<Count> for Counts {
    #[inline]
    fn index_mut(&mut self, count: Count) -> &mut u64 {
        &mut self.values[count as usize]
    }
}

impl Count {
    /// As monitor/counts.py has it.
    pub fn key(self) -> &'static str {
        KEYS[self as usize]
    }
}

impl Counts {
    /// One more of each of these.
    pub fn odd(&mut self, oddities: Oddities) {
        for oddity in oddities.iter() {
            self.values[Count::OdditiesOverlap as usize + oddity as usize] += 1;
        }
    }

    /// Those of another worker as well.
    pub fn add(&mut self, other: &Counts) {
        let permille = self[Count::NotAdmittedPermille].max(other[Count::NotAdmittedPermille]);
        self.values.iter_mut().zip(other.values).for_each(|(mine, more)| *mine += more);
        self[Count::NotAdmittedPermille] = permille; // a share: that of the worker that is worst off
    }

    /// Each key with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        KEYS.iter().copied().zip(self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Oddity;

    #[test]
    fn each_oddity_has_its_count() {
        for &oddity in Oddity::ALL {
            let mut counts = Counts::default();
            counts.odd(Oddities::of(&[oddity]));
            let counted: Vec<_> = counts.iter().filter(|&(_, value)| value != 0).collect();
            assert_eq!(counted, [(format!("oddities.{}", oddity.name()).as_str(), 1)]);
        }
        assert_eq!(KEYS.iter().filter(|key| key.starts_with("oddities.")).count(), Oddity::ALL.len());
    }
}
