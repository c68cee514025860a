"""IP fragments in, whole datagrams out (RFC 791 section 3.2, RFC 8200 section 4.5).

Fragments come in any order, more than once, and may contradict each other. What a receiver then keeps depends on its
system (Novak, "Target-Based Fragmentation Reassembly", 2005), so there are two readings: in one the fragment that came
first holds, in the other the one that came last; and one more for each fragment that neither shows, as far as there is
room. A datagram of which a byte was never sent is never given.

Of a datagram in the making there are its fragments as they came and the ranges that they cover. The bytes are put
together when the ranges reach an end that a last fragment claimed; then everything under its key is forgotten, since
the next fragment may belong to another datagram that was given the same number. Only where there are bytes behind that
end it stays, once, for an end further away. What a first fragment holds is not given away alone: no receiver takes it,
and where only the capture lost the rest, it is a blind spot like any gap.

The fragment that completes a datagram is not counted as skipped: what becomes of the datagram becomes of its frame. A
second reading has no frame of its own and is counted apart, so the books of `decode` balance.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from operator import itemgetter

from monitor.portable.trace import Tracer
from monitor.records import Datagram, Fragment, Limits

LONGEST = 0xFFFF  # what lies beyond, no datagram holds (RFC 791 section 3.1, RFC 8200 section 4.5)
NO_END = LONGEST + 1
MOST_READINGS = 4
OVERHEAD = 1024  # bytes of memory that a fragment without a byte in it takes
ECHOES = 4096  # fragments remembered after their datagram was whole; the second copy of a mirror is never far behind

Key = tuple[object, ...]
Ranges = list[tuple[int, int]]
_start, _end = itemgetter(0), itemgetter(1)


class Assembly:
    """The fragments of one datagram in order of arrival, each once."""

    __slots__ = ("claimed", "contradicted", "fragments", "fresh", "ranges", "since_ns", "size")

    def __init__(self, since_ns: int) -> None:
        self.since_ns = since_ns
        self.fragments: dict[tuple[int, bool, bytes, int], Fragment] = {}
        self.ranges: Ranges = []  # bytes sent, whether or not the snap length let them through: sorted, none touching
        self.claimed = NO_END  # the nearest end that a last fragment has and that was not yet reached
        self.contradicted = False  # an end was reached, and there are bytes behind it
        self.size = 0
        self.fresh = False  # holds more than copies of what was whole before

    @property
    def whole(self) -> bool:
        start, end = self.ranges[0]
        return start == 0 and self.claimed <= end


class Defragmenter:
    def __init__(self, limits: Limits, counts: dict[str, int], tracer: Tracer | None = None) -> None:
        self._tracer = tracer
        self._limits = limits
        self._counts = counts
        self._assemblies: OrderedDict[Key, Assembly] = OrderedDict()  # oldest first
        self._echoes: OrderedDict[int, None] = OrderedDict()  # hashes, oldest first
        self._size = 0
        self._now_ns = 0

    def feed(self, fragment: Fragment) -> tuple[Datagram, ...]:
        """The datagram that this fragment completes, in two readings where its fragments disagree; mostly none."""
        self.expire(fragment.time_ns)
        datagrams = self._add(fragment)
        if datagrams:
            self._counts["datagrams"] += 1
            self._counts["second_readings"] += len(datagrams) - 1
        else:
            self._counts["skipped.fragment"] += 1
        self._counts["memory_bytes.defrag"] = self._size
        return datagrams

    def expire(self, now_ns: int) -> None:
        """Give up what has waited for Limits.fragment_ns. The capture clock may go backwards, this one does not."""
        self._now_ns = max(self._now_ns, now_ns)
        while self._assemblies:
            oldest = next(iter(self._assemblies))
            if self._now_ns - self._assemblies[oldest].since_ns <= self._limits.fragment_ns:
                break
            self._give_up(oldest)

    def finish(self) -> None:
        """The capture has ended: what waits now waits in vain."""
        for key in tuple(self._assemblies):
            self._give_up(key)
        self._counts["memory_bytes.defrag"] = 0

    def _add(self, fragment: Fragment) -> tuple[Datagram, ...]:
        _, src, dst, protocol, ident, start, more, octets, missing, path, _ = fragment
        end = start + len(octets) + missing
        if end > LONGEST:
            self._drop(fragment, "malformed")
            return ()
        key = (src, dst, protocol if len(src) == 4 else None, ident, path)
        assembly = self._assemblies.get(key)
        if not assembly:
            assembly = self._assemblies[key] = Assembly(self._now_ns)
        piece = (start, more, octets, missing)
        if piece in assembly.fragments:
            self._drop(fragment, "duplicate")
            return ()
        assembly.fragments[piece] = fragment
        assembly.fresh |= hash((key, piece)) not in self._echoes
        cover(assembly.ranges, start, end)
        if not more:
            assembly.claimed = min(assembly.claimed, end)
        assembly.size += OVERHEAD + len(octets)
        self._size += OVERHEAD + len(octets)
        datagrams = self._complete(key, assembly) if assembly.whole else ()
        while self._size > self._limits.fragments_bytes:
            self._counts["shed.defrag"] += 1
            self._give_up(next(iter(self._assemblies)))
        return datagrams

    def _complete(self, key: Key, assembly: Assembly) -> tuple[Datagram, ...]:
        covered = assembly.ranges[0][1]
        fragments = tuple(assembly.fragments.values())
        ends = [f.offset + len(f.data) + f.missing for f in fragments if not f.more]
        reached = [end for end in ends if end <= covered]
        beyond = assembly.ranges[-1][1] > max(reached)
        datagrams, left_out = readings(fragments, reached, beyond or assembly.contradicted)
        self._counts["shed.fragment_readings"] += left_out
        if beyond and not assembly.contradicted:
            assembly.contradicted = True
            assembly.claimed = min((end for end in ends if end > covered), default=NO_END)
            return datagrams
        self._forget(key)
        self._counts["blind.fragments"] += beyond
        # a mirror that shows every packet twice leaves copies that never become whole, and hide nothing
        self._echoes.update((hash((key, piece)), None) for piece in assembly.fragments)
        while len(self._echoes) > ECHOES:
            self._echoes.popitem(last=False)
        return datagrams

    def _forget(self, key: Key) -> Assembly:
        assembly = self._assemblies.pop(key)
        self._size -= assembly.size
        return assembly

    def _give_up(self, key: Key) -> None:
        assembly = self._forget(key)
        self._counts["blind.fragments"] += assembly.fresh
        for fragment in assembly.fragments.values():
            self._drop(fragment, "fragments" if assembly.fresh else "duplicate")

    def _drop(self, fragment: Fragment, why: str) -> None:
        if self._tracer is not None:
            self._tracer.skipped(fragment.data, why)


def cover(ranges: Ranges, start: int, end: int) -> None:
    """Add one range to those that are sorted and do not touch, and keep them so."""
    first = bisect_left(ranges, start, key=_end)
    last = bisect_right(ranges, end, key=_start)
    if first < last:
        start, end = min(start, ranges[first][0]), max(end, ranges[last - 1][1])
    ranges[first:last] = [(start, end)]


def readings(fragments: tuple[Fragment, ...], ends: list[int], contradicted: bool) -> tuple[tuple[Datagram, ...], int]:
    """The datagram of fragments in order of arrival, of which the last ones claimed `ends`; several if they disagree,
    and how many fragments none of these shows."""
    first = _read(reversed(fragments), ends[0])
    last = _read(fragments, ends[-1])
    ways = [first] if first == last else [first, last]
    left_out = 0
    for each in fragments if len(ways) > 1 and len(fragments) > 2 else ():
        if any(_shows(way, each) for way in ways):
            continue
        if len(ways) < MOST_READINGS:
            ways.append(_read((*fragments, each), ends[-1]))
        else:
            left_out += 1
    newest = fragments[-1]
    oddities = ("frag_overlap",) if contradicted or len(ways) > 1 else ()
    return tuple(
        Datagram(newest.time_ns, newest.src, newest.dst, *way, newest.path, newest.depth, oddities) for way in ways
    ), left_out


def _shows(way: tuple[int, bytes, int], fragment: Fragment) -> bool:
    """Whether the bytes of a fragment, as far as they lie in it, are in this reading."""
    seen = way[1][fragment.offset : fragment.offset + len(fragment.data)]
    return seen == fragment.data[: len(seen)]


def _read(fragments: Iterable[Fragment], end: int) -> tuple[int, bytes, int]:
    """Protocol, bytes and number of missing bytes, the later of two fragments before the earlier."""
    protocol, octets, kept = 0, bytearray(end), end
    for fragment in fragments:
        start = fragment.offset
        if start == 0:
            protocol = fragment.protocol  # RFC 8200 section 4.5: "only the Offset zero fragment is used"
        octets[start : start + len(fragment.data)] = fragment.data
        if fragment.missing:
            kept = min(kept, start + len(fragment.data))
    return protocol, bytes(octets[:kept]), end - kept
