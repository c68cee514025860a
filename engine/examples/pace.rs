//! The engine alone, without Python: `cargo run --release --example pace -- FILE...` prints what each capture held.

use std::fs::File;
use std::io;

use _engine::limits::Limits;
use _engine::records::Watch;
use _engine::worker::Worker;

fn main() -> io::Result<()> {
    for path in std::env::args().skip(1) {
        let mut worker = Worker::new(Limits::default(), &Watch::default());
        worker.open(File::open(&path)?);
        let ending = loop {
            if let Some(ending) = worker.pump() {
                break ending;
            }
        };
        worker.close();
        worker.finish(usize::MAX);
        let counts: Vec<_> = worker.counts().iter().filter(|(_, count)| *count > 0).collect();
        println!("{path}: {ending:?}, {} suspect heads, {counts:?}", worker.waiting());
    }
    Ok(())
}
