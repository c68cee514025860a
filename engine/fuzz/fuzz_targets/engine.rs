//! Any octets as a capture, through the whole engine, twice: its keyed hashes differ from run to run, its results do not,
//! and the books of frames balance. Captures of odd length meet small bounds.
#![no_main]

use std::cell::RefCell;
use std::fs::File;
use std::io::{Seek, Write};

use _engine::counts::{Count, Counts};
use _engine::limits::Limits;
use _engine::records::{RequestHead, Watch};
use _engine::worker::Worker;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static CAPTURE: RefCell<File> = RefCell::new({
        let path = std::env::temp_dir().join(format!("fuzz-engine-{}", std::process::id()));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let file = file.expect("the folder of temporary files can be written");
        std::fs::remove_file(path).expect("it was made just now");
        file
    });
}

fn read(octets: &[u8]) -> (Vec<RequestHead>, Counts) {
    let limits = match octets.len() % 2 {
        0 => Limits::default(),
        _ => Limits {
            head_bytes: 400,
            head_lines: 20,
            half_streams: 3,
            hold_bytes: 2000,
            hold_bytes_per_half_stream: 1000,
            fragments_bytes: 4000,
            encapsulations: 4,
            ..Limits::default()
        },
    };
    let mut worker = Worker::new(limits, &Watch { every_head: true, ..Watch::default() });
    CAPTURE.with_borrow_mut(|file| {
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(octets));
        written.and_then(|()| file.rewind()).expect("a temporary file can be written");
        worker.open(file.try_clone().expect("a file can be opened twice"));
        while worker.pump().is_none() {}
        worker.close();
    });
    worker.finish(usize::MAX);
    let heads = worker.take_heads();
    (heads, worker.counts().clone())
}

/// The hash of its path is keyed.
fn unkeyed(mut head: RequestHead) -> RequestHead {
    head.flow.path_hash = 0;
    head.readings = head.readings.into_iter().map(unkeyed).collect();
    head
}

fuzz_target!(|octets: &[u8]| {
    let (heads, counts) = read(octets);
    let skipped: u64 = counts.iter().filter(|(key, _)| key.starts_with("skipped.")).map(|(_, value)| value).sum();
    assert_eq!(counts[Count::Frames] + counts[Count::SecondReadings], counts[Count::Segments] + skipped);
    let left = [Count::HalfStreams, Count::MemoryHalfStreams, Count::MemoryHold, Count::MemoryDefrag];
    assert_eq!(left.map(|count| counts[count]), [0; 4], "nothing is held at the end");
    let (again, counted) = read(octets);
    assert_eq!(counts, counted);
    let heads: Vec<_> = heads.into_iter().map(unkeyed).collect();
    assert_eq!(heads, again.into_iter().map(unkeyed).collect::<Vec<_>>());
});
