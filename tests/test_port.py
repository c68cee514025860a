"""What an operator is told when a port cannot be read; tests/live has the same with a kernel."""

from __future__ import annotations

import ctypes
import socket
import struct

import pytest

from monitor.errors import ConfigError, SourceError
from monitor.portable import port as ports
from monitor.portable.port import BLOCK_SIZE, PACKET_RX_RING, Port, open_ports
from monitor.records import Interface

NO_MEMORY = OSError(12, "Cannot allocate memory")


class Socket:
    """A socket of a kind of hardware, for rings of so many blocks at most."""

    def __init__(self, hardware: int = 1, most_blocks: int = 256) -> None:
        self.hardware, self.most_blocks, self.closed = hardware, most_blocks, False

    def __call__(self, *_: object) -> Socket:
        return self

    def bind(self, _: object) -> None: ...

    def getsockname(self) -> tuple[object, ...]:
        return ("eth0", 0, 0, self.hardware, b"")

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        if option == PACKET_RX_RING and struct.unpack_from("=2I", value)[1] > self.most_blocks:
            raise NO_MEMORY

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def eth0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "AF_PACKET", 17, raising=False)
    monkeypatch.setattr(socket, "if_nametoindex", {"eth0": 2}.__getitem__)
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo"), (2, "eth0")])


def message(name: str = "eth0") -> str:
    with pytest.raises(SourceError) as refused:
        open_ports(Interface((name,)))
    assert refused.value.exit_code == 3
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("eth1", "there is no interface eth1, perhaps eth0; there are: lo, eth0"),
        ("wlan", "there is no interface wlan; there are: lo, eth0"),
    ],
)
def test_no_such_interface(eth0, name, said):
    assert message(name) == said


def test_no_permission(monkeypatch, eth0):
    def refuse(*_: object) -> Socket:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(ports.sys, "executable", "/opt/python3")
    assert message() == (
        "eth0: reading an interface needs CAP_NET_RAW; use sudo, or sudo setcap cap_net_raw+ep /opt/python3,"
        " or AmbientCapabilities=CAP_NET_RAW in the systemd unit"
    )


def test_no_linux(monkeypatch, eth0):
    monkeypatch.delattr(socket, "AF_PACKET")
    assert message() == (
        "eth0: this system has no AF_PACKET, only Linux does;"
        " capture elsewhere: tcpdump -i eth0 -U -w - | msisdn-monitor replay -"
    )


def test_little_memory_gives_a_smaller_ring_and_a_remark(monkeypatch, eth0):
    monkeypatch.setattr(socket, "socket", Socket(most_blocks=100))
    port = Port("eth0", Interface(("eth0",)))
    assert port.blocks == 64
    assert port.remark == (
        "eth0: the ring has 16 MiB, the machine had no memory for 64; bursts may be lost (kernel_drops_total)"
    )


def test_no_memory(monkeypatch, eth0):
    refusing = Socket(most_blocks=(4 << 20) // BLOCK_SIZE - 1)
    monkeypatch.setattr(socket, "socket", refusing)
    assert message() == (
        "eth0: no memory for a ring of even 4 MiB (Cannot allocate memory); free memory, best 64 MiB, "
        "or raise MemoryMax of the unit or container"
    )
    assert refusing.closed


def test_no_ethernet(monkeypatch, eth0):
    other = Socket(hardware=280)
    monkeypatch.setattr(socket, "socket", other)
    assert message() == (
        "eth0 carries neither Ethernet nor IP (ARPHRD 280 of linux/if_arp.h); name a port of Ethernet, PPP, GRE, "
        "IP-in-IP, WireGuard or TUN, or capture it with tcpdump and replay that"
    )
    assert other.closed


def test_a_filter_without_libpcap(monkeypatch, eth0):
    def missing(_: str) -> None:
        raise OSError("cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    monkeypatch.setattr(socket, "socket", Socket())
    with pytest.raises(ConfigError, match="--filter needs libpcap, which is not here: apt-get install"):
        Port("eth0", Interface(("eth0",), filter="tcp"))
