//! Request heads with their places in a half-stream; of clean ones little more than the place.

use std::sync::Arc;

use super::{Certainty, HeadText, Oddities, Oddity, RequestHead, Section};

/// What is kept of a clean head that waits: a [`RequestHead`] would be moved about for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanHead {
    /// Of the last segment of the head.
    pub time_ns: i64,
    /// In the order of the table.
    pub oddities: Oddities,
    /// Of these, what its own octets say in each way to read them.
    pub own: Oddities,
    /// See [`Certainty`].
    pub certainty: Certainty,
    /// It was read in every way, not in the first only.
    pub in_all_ways: bool,
    /// Of all its texts.
    pub mark: u32,
    /// Of a trailer section: the head that it belongs to.
    pub owner: Option<Arc<Owner>>,
}

/// What of a head its sections that follow depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Request line and Hosts, which they say again; of a long one also what says where its body ends.
    pub text: HeadText,
    /// See [`Certainty`].
    pub certainty: Certainty,
}

/// What a head says, or that it is clean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The sieve has seen all of it, in every way to read it, and nothing in it may be a number.
    Clean(CleanHead),
    /// The same of any other, and of all that it says.
    Whole(Box<RequestHead>),
}

/// A request head and where in its half-stream it stands: the bytes `[start, end)`.
///
/// A position is a sequence number counted on beyond 2^32; before the first byte that was seen it may be negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedHead {
    /// Position of the first octet.
    pub start: i64,
    /// Position behind the last one.
    pub end: i64,
    /// What it says.
    pub said: Said,
    /// What is odd about the copy that shows it, when the bytes that came first do not.
    pub why: Option<Oddity>,
    /// It is a further part of a head that is too long for one.
    pub part: bool,
}

impl PlacedHead {
    /// Such a head, which the bytes show that came first.
    pub fn new(start: i64, end: i64, head: RequestHead) -> PlacedHead {
        PlacedHead { start, end, said: Said::Whole(Box::new(head)), why: None, part: false }
    }

    /// What it says; None: it is clean.
    #[inline]
    pub fn head(&self) -> Option<&RequestHead> {
        match &self.said {
            Said::Clean(_) => None,
            Said::Whole(head) => Some(head),
        }
    }

    /// What is odd about it.
    #[inline]
    pub fn oddities(&self) -> Oddities {
        match &self.said {
            Said::Clean(clean) => clean.oddities,
            Said::Whole(head) => head.oddities,
        }
    }

    /// This is odd about it as well.
    pub fn add(&mut self, oddities: Oddities) {
        let known = match &mut self.said {
            Said::Clean(clean) => &mut clean.oddities,
            Said::Whole(head) => &mut head.oddities,
        };
        *known = known.with(oddities);
    }

    /// See [`Certainty`].
    #[inline]
    pub fn certainty(&self) -> Certainty {
        match &self.said {
            Said::Clean(clean) => clean.certainty,
            Said::Whole(head) => head.certainty,
        }
    }

    /// Another receiver could read something else.
    pub fn doubt(&mut self) {
        let certainty = match &mut self.said {
            Said::Clean(clean) => &mut clean.certainty,
            Said::Whole(head) => &mut head.certainty,
        };
        *certainty = Certainty::Ambiguous;
    }

    /// See [`Section`].
    #[inline]
    pub fn section(&self) -> Section {
        match &self.said {
            Said::Clean(clean) if clean.owner.is_none() => Section::Head,
            Said::Clean(_) => Section::Trailer,
            Said::Whole(head) => head.section,
        }
    }
}
