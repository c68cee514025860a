"""How much of what was sent never came: takes the sequence numbers of one half-stream, whatever it speaks, and counts.

A byte that is skipped over, or that the peer acknowledges before it was seen, is unseen; when it comes after all (the
mirror brought it out of order, or it was lost before the tap and TCP sent it again) it is late. So at any time

    lost / sent  ~  (unseen_bytes - late_bytes) / sent_bytes

where each byte counts once, however often it was mirrored or sent. O(1) for each segment: of holes that may still be
filled only the latest few are remembered. Sequence numbers are compared as RFC 1982 says.
"""

from __future__ import annotations

MOST_HOLES = 8  # of one half-stream that are remembered
HOLES_BYTES = 128  # what they take, in round figures
FARTHEST = 640 * 1024  # a segment further ahead or behind is believed when another one follows on it
MOST_LOST = 1 << 30  # at once; more is no loss, but other sequence numbers
MOST_ACKED = 256 * 1024  # an acknowledgement of more that nobody saw is not of this half-stream
MODULUS = 0xFFFFFFFF


class Sent:
    """What one half-stream sent: everything up to `end`, but for the bytes in `holes`."""

    __slots__ = ("_far", "end", "holes")

    def __init__(self, seq: int) -> None:
        self.end = seq
        self.holes: list[tuple[int, int]] | None = None  # the latest last; None: nothing was ever out of order
        self._far: tuple[int, int] | None = None  # the latest segment that lay too far away

    @classmethod
    def since(cls, origin: int, missed: int, seq: int) -> Sent:
        """The first payload that is seen stands at `seq`, the first byte at `origin` (below 0: nobody knows).

        `missed` bytes from there on are counted as unseen already.
        """
        if origin < 0 or not 0 <= _ahead(seq, origin) <= FARTHEST:
            return cls(seq)
        sent = cls(origin + missed & MODULUS)
        if missed:
            sent.holes = [(origin, sent.end)]
        return sent

    def take(self, seq: int, size: int, counts: dict[str, int]) -> int:
        """So many bytes from this sequence number on were sent: seen, or cut off by the snap length. How many are new.

        A size of 0 says that the next byte would be that one (a FIN).
        """
        ahead = _ahead(seq, self.end)
        if abs(ahead) > FARTHEST:
            if not self._follows(seq, counts):
                self.holes = self.holes or []
                self._far = (seq, seq + size & MODULUS)
                return size
            ahead = _ahead(seq, self.end)
        if ahead > 0:
            self._skip(ahead, counts)
            ahead = 0
        again = min(size, -ahead)
        late = self._fill(seq, again, counts) if again and self.holes else 0
        more = size - again
        self.end = self.end + more & MODULUS
        counts["sent_bytes"] += more
        return late + more

    def acknowledge(self, ack: int, counts: dict[str, int]) -> None:
        """The peer has everything before this. One more than was sent is its FIN, or a probe."""
        ahead = _ahead(ack, self.end)
        if 1 < ahead <= MOST_ACKED:
            self._skip(ahead, counts)

    def begin_again(self, seq: int) -> None:
        """A SYN announced this as the first byte; the copy of an earlier one changes nothing."""
        if not -FARTHEST <= _ahead(seq, self.end) <= 0:
            self._begin(seq)

    def _begin(self, seq: int) -> None:
        """What follows stands here, and says nothing of what stood before."""
        self.end, self._far = seq, None
        if self.holes:
            self.holes = []

    def _follows(self, seq: int, counts: dict[str, int]) -> bool:
        """Whether two segments in a row are far away, and near to each other: then what lies between was lost."""
        if self._far is None or abs(_ahead(seq, self._far[1])) > FARTHEST:
            return False
        start, stop = self._far
        lost = _ahead(start, self.end)
        if 0 < lost <= MOST_LOST:
            self._far = None
            self._skip(lost, counts)
        else:
            self._begin(start)
        counts["sent_bytes"] += stop - start & MODULUS
        self.end = stop
        return True

    def _skip(self, size: int, counts: dict[str, int]) -> None:
        """The next bytes were not seen."""
        counts["sent_bytes"] += size
        counts["unseen_bytes"] += size
        end = self.end + size & MODULUS
        holes = self.holes = self.holes or []
        if holes and holes[-1][1] == self.end:
            holes[-1] = (holes[-1][0], end)
        else:
            self._remember(self.end, end)
        self.end = end

    def _remember(self, start: int, stop: int) -> None:
        assert self.holes is not None
        self.holes.append((start, stop))
        del self.holes[:-MOST_HOLES]

    def _fill(self, seq: int, size: int, counts: dict[str, int]) -> int:
        """These bytes came: what of them was missing is late."""
        late, holes, self.holes = 0, self.holes or (), []
        for start, stop in holes:
            length = _ahead(stop, start)
            before = min(max(_ahead(seq, start), 0), length)  # of the hole, what stands in front of them
            behind = min(max(_ahead(stop, seq + size), 0), length)
            if before + behind >= length:
                self._remember(start, stop)
                continue
            late += length - before - behind
            if before:
                self._remember(start, start + before & MODULUS)
            if behind:
                self._remember(stop - behind & MODULUS, stop)
        counts["late_bytes"] += late
        return late


def missed(seq: int, origin: int, counts: dict[str, int]) -> int:
    """The end of a half-stream of which nothing was seen tells how many bytes it had: they are unseen."""
    ahead = _ahead(seq, origin)
    if not 0 < ahead <= FARTHEST:
        return 0
    counts["sent_bytes"] += ahead
    counts["unseen_bytes"] += ahead
    return ahead


def _ahead(seq: int, other: int) -> int:
    """How far one sequence number lies ahead of another one; below 0 when it lies behind."""
    return ((seq - other + 0x80000000) & MODULUS) - 0x80000000
