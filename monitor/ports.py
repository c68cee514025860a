"""What the kernel says of its network ports: which there are, whether they are up, what they lost.

Reads /sys and /proc alone, and changes nothing; where there are none (not Linux), nothing was lost.
"""

from __future__ import annotations

import socket
from difflib import get_close_matches
from pathlib import Path

PORTS = Path("/sys/class/net")
SOFTNET = Path("/proc/self/net/softnet_stat")  # /proc/net is hidden from a unit with ProcSubset=pid


def missing(name: str) -> str | None:
    """What is wrong with the name of a port, and which one may be meant; None when it is there."""
    there_are = names()
    if name in there_are:
        return None
    near = get_close_matches(name, there_are, 1)
    return f"there is no interface {name}{f', perhaps {near[0]}' if near else ''}; there are: {', '.join(there_are)}"


def names() -> list[str]:
    """Every port, as the kernel numbers them; by /sys where a unit forbids AF_NETLINK, which the first way takes."""
    try:
        return [name for _, name in socket.if_nameindex()]
    except OSError:
        return sorted(port.name for port in PORTS.iterdir())


def is_up(name: str) -> bool:
    """Whether the port is there and can carry frames (RFC 2863's ifOperStatus; loopback says `unknown`)."""
    try:
        return (PORTS / name / "operstate").read_text().strip() in ("up", "unknown")
    except OSError:
        return False


def nic_drops(name: str) -> int:
    """Frames that the network card lost since it was started; 0 where nothing counts them.

    Drivers count a lack of buffers under one name or the other, some under both.
    """
    return max(_number(name, "rx_missed_errors"), _number(name, "rx_fifo_errors"))


def mtu(name: str) -> int:
    """Octets of the longest packet that the port is set for; Ethernet's where nobody says."""
    try:
        return int((PORTS / name / "mtu").read_text())
    except OSError:
        return 1500


def softnet_drops() -> int:
    """Frames of all ports that found a processor's backlog full (the second column of /proc/net/softnet_stat)."""
    try:
        return sum(int(line.split()[1], 16) for line in SOFTNET.read_text().splitlines())
    except OSError:
        return 0


def _number(name: str, statistic: str) -> int:
    try:
        return int((PORTS / name / "statistics" / statistic).read_text())
    except OSError:
        return 0


class Drops:
    """What was lost before any ring since this was made, into `counts`: of these ports' cards, and of the kernel."""

    def __init__(self, names: tuple[str, ...], counts: dict[str, int]) -> None:
        self._names = names
        self._counts = counts
        self._last = self._read()

    def count(self) -> None:
        now = self._read()
        for source, (key, amount) in now.items():
            before = self._last[source][1]
            self._counts[key] += amount - before if amount >= before else amount  # the port was made anew
        self._last = now

    def _read(self) -> dict[str, tuple[str, int]]:
        return {name: ("nic_drops", nic_drops(name)) for name in self._names} | {"": ("softnet_drops", softnet_drops())}
