"""The last heads of connections that have ended.

Whoever saw no acknowledgement sends once more what he sent, a FIN with it, later each time (RFC 6298 section 5.5): what
is known of the connection is forgotten by then, and the same head would count again. Hashes are kept, of so many of
them, for as long as that may take.
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
        self._until_ns: OrderedDict[tuple[int, LastHead], int] = OrderedDict()  # by hash of the flow, and head

    def remember(self, flow: Flow, head: LastHead, now_ns: int) -> None:
        """This half-stream has ended, and this was its last head."""
        self._until_ns.setdefault((hash(flow), head), now_ns + REMEMBERED_NS)
        while (over := next(iter(self._until_ns.values())) <= now_ns) or len(self._until_ns) > REMEMBERED:
            self._counts["shed.ended"] += not over
            self._until_ns.popitem(last=False)

    def knows(self, flow: Flow, head: LastHead) -> bool:
        """Whether this half-stream has ended with this head."""
        return (hash(flow), head) in self._until_ns
