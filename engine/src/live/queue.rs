//! Suspect heads on their way to Python: a queue with a bound, which never makes the ring wait.
//!
//! When it is full, a head that is equal to one that waits is not queued but counted on that one (equal: same subscriber
//! and recipient, same request line, same fields as far as anybody will look at them); any other is dropped, and counted
//! as `shed{queue}`. The index of what waits is made when the queue first is full and goes when it has emptied: as long
//! as Python keeps up, nobody pays for it.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, Hasher};

use crate::records::RequestHead;
use crate::sieve::Sieve;

/// Octets of what one head says, with what its readings say.
pub fn size_of(head: &RequestHead) -> usize {
    head.text.octets().len() + head.readings.iter().map(size_of).sum::<usize>()
}

/// Heads that wait, first come first served.
#[derive(Debug)]
pub struct Queue {
    most_heads: usize,
    most_octets: usize,
    /// With how many equal ones there were.
    heads: VecDeque<(RequestHead, u64)>,
    octets: usize,
    /// How many were taken so far: the number of the first that waits.
    taken: u64,
    /// Numbers by what the heads say; some may be taken already.
    index: Option<HashMap<u64, u64, foldhash::fast::RandomState>>,
    hasher: foldhash::quality::RandomState,
}

impl Queue {
    /// An empty one with these bounds.
    pub fn new(most_heads: usize, most_octets: usize) -> Queue {
        let (heads, hasher) = (VecDeque::new(), foldhash::quality::RandomState::default());
        Queue { most_heads, most_octets, heads, octets: 0, taken: 0, index: None, hasher }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// Octets of what they say.
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// One more; false when it had to be dropped.
    pub fn push(&mut self, head: RequestHead, sieve: &Sieve) -> bool {
        let octets = size_of(&head);
        let is_full = self.heads.len() >= self.most_heads || self.octets + octets > self.most_octets;
        if is_full && self.index.is_none() {
            let numbers = (self.taken..).zip(&self.heads);
            self.index = Some(numbers.map(|(number, (waits, _))| (self.mark(waits, sieve), number)).collect());
        }
        if self.index.is_some() {
            let mark = self.mark(&head, sieve);
            let known = self.index.as_ref().and_then(|index| index.get(&mark)).copied();
            if let Some(known) = known.and_then(|number| number.checked_sub(self.taken))
                && let Some((waits, times)) = self.heads.get_mut(known as usize)
                && are_equal(waits, &head, sieve)
            {
                *times += 1;
                return true;
            }
            if !is_full && let Some(index) = &mut self.index {
                index.insert(mark, self.taken + self.heads.len() as u64);
            }
        }
        if !is_full {
            self.octets += octets;
            self.heads.push_back((head, 1));
        }
        !is_full
    }

    /// At most `most` of those that wait, each with how many there were.
    pub fn take(&mut self, most: usize) -> Vec<(RequestHead, u64)> {
        let count = self.heads.len().min(most);
        self.taken += count as u64;
        let taken: Vec<_> = self.heads.drain(..count).collect();
        self.octets -= taken.iter().map(|(head, _)| size_of(head)).sum::<usize>();
        if self.heads.is_empty() {
            self.index = None;
        }
        taken
    }

    fn mark(&self, head: &RequestHead, sieve: &Sieve) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        mix(head, sieve, &mut hasher);
        hasher.finish()
    }
}

/// The fields that anybody will look at.
fn kept<'a>(head: &'a RequestHead, sieve: &'a Sieve) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    head.text.fields().filter(|(name, value)| sieve.keeps(name, value))
}

fn mix(head: &RequestHead, sieve: &Sieve, hasher: &mut impl Hasher) {
    (head.flow.src, head.flow.dst, head.flow.dport).hash(hasher);
    (head.text.method(), head.text.target()).hash(hasher);
    kept(head, sieve).for_each(|field| field.hash(hasher));
    head.readings.iter().for_each(|reading| mix(reading, sieve, hasher));
}

/// Whether two heads say the same of the same subscriber to the same recipient.
fn are_equal(one: &RequestHead, other: &RequestHead, sieve: &Sieve) -> bool {
    let ends = |head: &RequestHead| (head.flow.src, head.flow.dst, head.flow.dport, head.flow.v6);
    ends(one) == ends(other)
        && one.path == other.path
        && one.text.method() == other.text.method()
        && one.text.target() == other.text.target()
        && one.text.version() == other.text.version()
        && (one.oddities, one.certainty, one.section) == (other.oddities, other.certainty, other.section)
        && kept(one, sieve).eq(kept(other, sieve))
        && one.readings.len() == other.readings.len()
        && one.readings.iter().zip(&other.readings).all(|(one, other)| are_equal(one, other, sieve))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Flow, HeadText, Watch};
    use crate::testing::head_of;

    fn head(subscriber: u8, number: &[u8], port: u16) -> RequestHead {
        let mut text = HeadText::new(b"GET", b"/", b"HTTP/1.1");
        text.push(b"Host", b"shop.example");
        text.push(b"Date", &port.to_be_bytes()); // nobody looks at it
        text.push(b"X-MSISDN", number);
        RequestHead {
            time_ns: i64::from(port),
            flow: Flow { src: [subscriber; 16], dst: [9; 16], sport: port, dport: 80, v6: true, path_hash: 0 },
            ..head_of(text)
        }
    }

    fn sieve() -> Sieve {
        Sieve::new(&Watch { names: vec![b"x-msisdn".to_vec()], ..Watch::default() })
    }

    #[test]
    fn below_the_bound_equal_heads_stay_apart() {
        let mut queue = Queue::new(4, 1 << 20);
        assert!((0..4).all(|port| queue.push(head(1, b"447700900123", port), &sieve())));
        let taken = queue.take(9);
        assert_eq!(
            taken.iter().map(|(head, times)| (head.flow.sport, *times)).collect::<Vec<_>>(),
            [(0, 1), (1, 1), (2, 1), (3, 1)]
        );
    }

    #[test]
    fn when_full_equal_heads_are_counted_and_others_dropped() {
        let mut queue = Queue::new(2, 1 << 20);
        assert!(queue.push(head(1, b"447700900123", 1), &sieve()));
        assert!(queue.push(head(2, b"447700900456", 1), &sieve()));
        assert!(queue.push(head(1, b"447700900123", 2), &sieve()));
        assert!(queue.push(head(2, b"447700900456", 2), &sieve()));
        assert!(queue.push(head(2, b"447700900456", 3), &sieve()));
        assert!(!queue.push(head(1, b"447700900789", 4), &sieve()), "another number");
        assert!(!queue.push(head(3, b"447700900123", 4), &sieve()), "another subscriber");
        let taken = queue.take(1);
        assert_eq!((taken[0].0.flow.src[0], taken[0].1), (1, 2));
        assert!(queue.push(head(1, b"447700900123", 5), &sieve()), "there is room again, and the first is gone");
        assert!(queue.push(head(1, b"447700900123", 6), &sieve()));
        let times: Vec<_> = queue.take(9).iter().map(|(head, times)| (head.flow.src[0], *times)).collect();
        assert_eq!(times, [(2, 3), (1, 2)]);
        assert!(queue.is_empty() && queue.index.is_none() && queue.octets == 0);
    }

    #[test]
    fn octets_are_bounded_as_well() {
        let one = head(1, b"447700900123", 1);
        let mut queue = Queue::new(100, size_of(&one) * 5 / 2);
        assert!(queue.push(one, &sieve()));
        assert!(queue.push(head(2, b"447700900123", 1), &sieve()));
        assert!(!queue.push(head(3, b"447700900123", 1), &sieve()));
        assert_eq!(queue.len(), 2);
    }
}
