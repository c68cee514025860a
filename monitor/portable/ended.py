"""The heads of connections that have ended.

Whoever saw no acknowledgement sends once more what he sent, a FIN with it, later each time (RFC 6298 section 5.5): what
is known of the connection is forgotten by then, and the same head would count again. The acknowledgement may have been
seen here and be lost behind: then nobody owes the bytes, and as a rule they do not come. Or a mirror, or a file, brings
all of a connection once more. Hashes are kept, of so many of each kind, for as long as that may take.
"""

from __future__ import annotations

from collections import OrderedDict

from monitor.records import Flow

REMEMBERED_NS = 240_000_000_000  # 2 MSL of RFC 9293 section 3.4.1: so long sequence numbers tell bytes apart
REMEMBERED = 1 << 16
MOST_OF_ONE = 64  # before the last, of all connections that had the same addresses and ports

LastHead = tuple[int, int]  # sequence number and hash


class Ended:
    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts
        self._owed: OrderedDict[tuple[int, LastHead], int] = OrderedDict()  # until when, by hash of the flow, and head
        self._acknowledged: OrderedDict[tuple[int, LastHead], int] = OrderedDict()
        self._earlier: OrderedDict[int, tuple[int, tuple[LastHead, ...]]] = OrderedDict()  # before the last, by flow
        self._most = 0  # of these heads

    def remember(
        self, flow: Flow, head: LastHead, now_ns: int, *, is_owed: bool, earlier: tuple[LastHead, ...] = ()
    ) -> None:
        """This half-stream has ended, and these were its last head and those before it."""
        self._expire(now_ns)
        if earlier:
            self._remember_earlier(hash(flow), earlier, now_ns)
        heads = self._owed if is_owed else self._acknowledged
        heads.setdefault((hash(flow), head), now_ns + REMEMBERED_NS)
        if len(heads) > REMEMBERED:
            self._counts["shed.ended"] += is_owed
            heads.popitem(last=False)

    def knows(self, flow: Flow, head: LastHead, now_ns: int) -> bool:
        """Whether this half-stream has ended, and had this head."""
        self._expire(now_ns)
        mark = hash(flow)
        both = (mark, head)
        return both in self._owed or both in self._acknowledged or head in self._earlier.get(mark, (0, ()))[1]

    def _remember_earlier(self, mark: int, heads: tuple[LastHead, ...], now_ns: int) -> None:
        heads = (*self._earlier.get(mark, (0, ()))[1], *heads)[-MOST_OF_ONE:]
        self._drop_earlier(mark)
        self._earlier[mark] = (now_ns + REMEMBERED_NS, heads)
        self._most += len(heads)
        while self._most > REMEMBERED:
            self._drop_earlier(next(iter(self._earlier)))

    def _expire(self, now_ns: int) -> None:
        for heads in (self._owed, self._acknowledged):
            while heads and next(iter(heads.values())) <= now_ns:
                heads.popitem(last=False)
        while self._earlier and next(iter(self._earlier.values()))[0] <= now_ns:
            self._drop_earlier(next(iter(self._earlier)))

    def _drop_earlier(self, mark: int) -> None:
        self._most -= len(self._earlier.pop(mark, (0, ()))[1])
