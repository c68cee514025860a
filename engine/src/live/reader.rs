//! The thread that reads the rings of all ports: reads on by itself, or deals out what it decoded.

use std::io::{PipeReader, Read};
use std::thread::sleep;
use std::time::Duration;

use super::dealt::{Dealer, Owners};
use super::desk::Desk;
use super::pressure::Pressure;
use crate::counts::Count;
use crate::ring::{Ring, wait};

/// The kernel hands over any block after a millisecond, where its clock ticks as often as that.
const LAST_BLOCK: Duration = Duration::from_millis(4);

/// One thread, and the ring of every port.
#[derive(Debug)]
pub(super) struct Reader {
    rings: Vec<Ring>,
    ear: PipeReader,
    owners: Owners,
    /// None: there is nobody else.
    dealer: Option<Dealer>,
    pressure: Pressure,
    desk: Desk,
}

impl Reader {
    pub fn new(rings: Vec<Ring>, ear: PipeReader, owners: Owners, dealer: Option<Dealer>, desk: Desk) -> Reader {
        Reader { rings, ear, owners, dealer, pressure: Pressure::default(), desk }
    }

    pub fn run(mut self) {
        while !self.desk.should_stop() {
            self.desk.turn();
            if !self.walk() {
                self.rest();
            }
        }
        self.wind_up();
    }

    /// Reads one block, the one whose first frame is the oldest; false when there is none.
    fn walk(&mut self) -> bool {
        let fullest = self.rings.iter().map(Ring::eighths_full).max();
        let ready = self.rings.iter_mut().filter_map(|ring| Some((ring.ready_ns()?, ring)));
        let Some((_, ring)) = ready.min_by_key(|(ready_ns, _)| *ready_ns) else { return false };
        self.pressure.note(fullest.unwrap_or_default());
        let stages = &mut self.desk.stages;
        match &mut self.dealer {
            None => {
                let mut route = self.owners.admission(self.pressure);
                ring.walk(&mut |frame| stages.arrive(&frame, &mut route))
            }
            Some(dealer) => ring.walk(&mut |frame| stages.arrive(&frame, dealer)),
        };
        self.publish();
        true
    }

    /// What came of a block goes on: to Python, and to those who read on.
    fn publish(&mut self) {
        self.desk.publish(self.pressure.refused_permille());
        if let Some(dealer) = &mut self.dealer {
            dealer.hand_out(self.desk.stages.time_ns, self.pressure);
        }
    }

    /// Nothing came: sees to what is due by now, or sleeps until something is or comes.
    fn rest(&mut self) {
        let longest = self.desk.idle_for();
        if longest.is_zero() {
            return self.desk.expire(self.pressure.refused_permille());
        }
        if !self.pressure.is_easy() {
            self.pressure.note(0);
            self.publish();
        }
        let (errors, is_rung) = wait(&self.rings, &self.ear, longest);
        if is_rung {
            let _ = self.ear.read(&mut [0; 64]);
        }
        // a port went down: the error must be read, else every wait would end at once
        let down = self.rings.iter().zip(errors).filter(|(ring, is_error)| *is_error && ring.take_error() != 0).count();
        if down > 0 {
            self.desk.stages.counts[Count::BlindSource] += down as u64;
            self.publish();
        }
    }

    /// The end: what the rings hold now.
    fn wind_up(mut self) {
        sleep(LAST_BLOCK); // one of each ring may be neither full nor old enough
        let blocks: usize = self.rings.iter().map(Ring::blocks).sum();
        for _ in 0..blocks {
            if !self.walk() {
                break;
            }
        }
        self.desk.finish();
    }
}
