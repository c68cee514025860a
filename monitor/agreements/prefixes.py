"""Networks to what they stand for, the narrowest first: an address is looked up in well under a microsecond."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network

Network = IPv4Network | IPv6Network
_Spans = tuple[list[bytes], list[str | None]]  # the first address of each, ascending, and what it stands for


class Prefixes:
    """Longest prefix match over packed addresses of 4 or 16 bytes."""

    __slots__ = ("_spans",)

    def __init__(self, networks: Iterable[tuple[Network, str]]) -> None:
        listed = list(networks)
        self._spans = {size: _spans(size, listed) for size in (4, 16)}

    def get(self, address: bytes) -> str | None:
        firsts, names = self._spans[len(address)]
        return names[bisect_right(firsts, address) - 1]


def _spans(size: int, networks: Iterable[tuple[Network, str]]) -> _Spans:
    """Addresses between two ends of networks stand for the same; of networks that are equal the first counts."""
    named: dict[tuple[int, int], str] = {}
    for network, name in networks:
        if network.max_prefixlen == 8 * size:
            named.setdefault((int(network.network_address), network.prefixlen), name)
    spans: dict[int, str | None] = {0: None}
    around: list[tuple[int, str | None]] = [(1 << 8 * size, None)]  # where it ends, the narrowest last
    for (first, prefixlen), name in sorted(named.items()):
        _leave(around, first, spans)
        spans[first] = name
        around.append((first + (1 << 8 * size - prefixlen), name))
    _leave(around, 1 << 8 * size, spans)
    spans.pop(1 << 8 * size, None)
    return [first.to_bytes(size, "big") for first in spans], list(spans.values())


def _leave(around: list[tuple[int, str | None]], first: int, spans: dict[int, str | None]) -> None:
    """Goes out of the networks that end at `first` or before it."""
    while len(around) > 1 and around[-1][0] <= first:
        end, _ = around.pop()
        spans[end] = around[-1][1]
