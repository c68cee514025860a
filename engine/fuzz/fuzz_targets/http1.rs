//! Any octets as the client's half of an HTTP/1 connection, in any segments, with holes: heads stand where they say.
//!
//! The first eight octets are the lengths of segments, in turn; an odd one of 128 or more is a hole of as many instead.
#![no_main]

use _engine::counts::Counts;
use _engine::http1::{Context, Http1};
use _engine::limits::Limits;
use _engine::reassembly::Gap;
use _engine::records::Flow;
use libfuzzer_sys::fuzz_target;

const START: i64 = (1 << 32) - 20;

fuzz_target!(|octets: &[u8]| {
    let Some((cuts, mut rest)) = octets.split_first_chunk::<8>() else { return };
    let limits = Limits { head_bytes: 300, head_lines: 20, ..Limits::default() };
    let flow = Flow { src: [1; 16], dst: [2; 16], sport: 40001, dport: 80, v6: false, path_hash: 0 };
    let mut counts = Counts::default();
    let mut context = Context { limits: &limits, counts: &mut counts, flow, path: &[], early: None };
    let mut http1 = Http1::new(START, cuts[0] & 1 != 0);
    // what the caller keeps, and all that was ever sent
    let (mut kept, mut first, mut sent, mut placed) = (Vec::new(), START, Vec::new(), Vec::new());
    for &cut in cuts.iter().cycle() {
        let size = (usize::from(cut) + 1).min(rest.len());
        let (segment, behind) = rest.split_at(size);
        rest = behind;
        sent.extend_from_slice(segment);
        if cut >= 128 && cut & 1 != 0 {
            let position = first + kept.len() as i64;
            let gap = Gap { position, missing: size as i64, cut: false };
            http1.gap(&kept, first, &gap, &mut context, &mut placed);
            kept.clear();
            first = position + size as i64;
        } else {
            kept.extend_from_slice(segment);
            http1.feed(&kept, first, 7, &mut context, &mut placed);
            let start = http1.start();
            assert!((first..=first + kept.len() as i64).contains(&start), "nothing is needed that was not there");
            kept.drain(..(start - first) as usize);
            first = start;
            // one head that may still be cut, and a line between heads
            assert!(kept.len() <= limits.head_bytes + 16 * 1024 + 256, "{} octets are kept", kept.len());
        }
        if rest.is_empty() {
            break;
        }
    }
    http1.finish(&kept, first, &mut context, &mut placed);
    for each in &placed {
        let (start, end) = ((each.start - START) as usize, (each.end - START) as usize);
        assert!(start <= end && end <= sent.len());
    }
});
