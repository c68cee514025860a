"""The last heads of connections that have ended.

Whoever saw no acknowledgement sends once more what he sent, a FIN with it, later each time (RFC 6298 section 5.5): what
is known of the connection is forgotten by then, and the same head would count again. The acknowledgement may have been
seen here and be lost behind: then nobody owes the bytes, and as a rule they do not come. Hashes are kept, of so many of
either kind, for as long as that may take.
"""

from __future__ import annotations

from collections import OrderedDict

from monitor.records import Flow

REMEMBERED_NS = 120_000_000_000  # 2 MSL of RFC 9293 section 3.4.1 are twice that; nobody waits as long
REMEMBERED = 1 << 16

LastHead = tuple[int, int]  # sequence number and hash


class Ended:
    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts
        self._owed: OrderedDict[tuple[int, LastHead], int] = OrderedDict()  # until when, by hash of the flow, and head
        self._acknowledged: OrderedDict[tuple[int, LastHead], int] = OrderedDict()

    def remember(self, flow: Flow, head: LastHead, now_ns: int, *, is_owed: bool) -> None:
        """This half-stream has ended, and this was its last head."""
        heads = self._owed if is_owed else self._acknowledged
        while heads and next(iter(heads.values())) <= now_ns:
            heads.popitem(last=False)
        heads.setdefault((hash(flow), head), now_ns + REMEMBERED_NS)
        if len(heads) > REMEMBERED:
            self._counts["shed.ended"] += is_owed
            heads.popitem(last=False)

    def knows(self, flow: Flow, head: LastHead) -> bool:
        """Whether this half-stream has ended with this head."""
        both = (hash(flow), head)
        return both in self._owed or both in self._acknowledged
