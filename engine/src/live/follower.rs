//! A thread that reads on what the reader deals out to it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};

use super::dealt::{Owners, Parcel};
use super::desk::Desk;

/// One thread, with all stages behind decoding.
#[derive(Debug)]
pub(super) struct Follower {
    inbox: Receiver<Parcel>,
    /// To where what was read goes back.
    spent: Sender<Parcel>,
    owners: Owners,
    desk: Desk,
}

impl Follower {
    pub fn new(inbox: Receiver<Parcel>, spent: Sender<Parcel>, owners: Owners, desk: Desk) -> Follower {
        Follower { inbox, spent, owners, desk }
    }

    /// Until the reader has ended, and everything is read.
    pub fn run(mut self) {
        loop {
            self.desk.turn();
            let idle_for = self.desk.idle_for();
            match self.inbox.recv_timeout(idle_for) {
                Ok(parcel) => self.open(parcel),
                Err(RecvTimeoutError::Timeout) if self.desk.idle_for().is_zero() => self.desk.expire(0),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.desk.finish(),
            }
        }
    }

    fn open(&mut self, mut parcel: Parcel) {
        let stages = &mut self.desk.stages;
        stages.follow(&mut parcel.segments, &[], &mut self.owners.admission(parcel.pressure));
        stages.time_ns = stages.time_ns.max(parcel.time_ns);
        self.desk.publish(0);
        let _ = self.spent.send(parcel); // the reader may have gone before
    }
}
