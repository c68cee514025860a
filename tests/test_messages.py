"""Datagrams to a watched port: whole, in order, from any encapsulation, the same from both engines."""

from __future__ import annotations

import struct
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from monitor.engine import Preference, open_engine
from monitor.records import Batch, CaptureFiles, Message, Watch
from pcaps.talk import ETHERNET, Packet, ethernet, ip, pcap

NAS, SERVER = "192.0.2.1", "192.0.2.9"
SECOND = 10**9
WATCH = Watch(ports=frozenset({1813}))
Read = Callable[..., Batch]


def udp(octets: bytes, dport: int = 1813, length: int | None = None) -> bytes:
    header = struct.pack("!HHHH", 40000, dport, 8 + len(octets) if length is None else length, 0)
    return ip(NAS, SERVER, 17, header + octets)


@pytest.fixture
def read(tmp_path: Path, engine_name: Preference) -> Read:
    def read_all(*packets: bytes, watch: Watch = WATCH, snap: int = 65535) -> Batch:
        frames: list[Packet] = [(n * SECOND, ethernet(packet)) for n, packet in enumerate(packets)]
        (tmp_path / "x.pcap").write_bytes(pcap(frames, link=ETHERNET, snap=snap))
        engine = open_engine(CaptureFiles((str(tmp_path / "x.pcap"),)), watch, prefer=engine_name)
        found: list[Message] = []
        while True:
            batch = engine.poll(1)
            found += batch.messages
            if batch.done:
                engine.close()
                return batch._replace(messages=found)

    return read_all


def octets(batch: Batch) -> list[bytes]:
    return [message.octets for message in batch.messages]


def test_a_message_is_whose_and_what(read: Read) -> None:
    (message,) = read(udp(b"one")).messages
    assert message.time_ns == 0
    assert message.flow == (ip_address(NAS).packed, 40000, ip_address(SERVER).packed, 1813, ())
    assert message.octets == b"one"
    assert "one" not in repr(message)


def test_messages_keep_their_order_and_other_ports_are_not_watched(read: Read) -> None:
    batch = read(udp(b"one"), udp(b"other", dport=1812), udp(b"two"), udp(b""), udp(b"three"))
    assert octets(batch) == [b"one", b"two", b"", b"three"]
    assert [message.time_ns // SECOND for message in batch.messages] == [0, 2, 3, 4]
    assert (batch.counts["messages"], batch.counts["skipped.not_tcp"], batch.counts["frames"]) == (4, 5, 5)


def test_nobody_asked(read: Read) -> None:
    batch = read(udp(b"one"), watch=Watch())
    assert (octets(batch), batch.counts["messages"], batch.counts["skipped.not_tcp"]) == ([], 0, 1)


def test_padding_is_no_part_and_a_length_that_lies_is_malformed(read: Read) -> None:
    batch = read(udp(b"padded", length=8 + 3), udp(b"long", length=50), udp(b"short", length=7))
    assert octets(batch) == [b"pad"]
    assert batch.counts["skipped.malformed"] == 2


def test_a_cut_message_is_no_message(read: Read) -> None:
    batch = read(udp(bytes(100)), snap=60)
    assert (octets(batch), batch.counts["skipped.truncated"], batch.counts["blind.truncated"]) == ([], 1, 1)


def test_messages_in_fragments_and_in_tunnels(read: Read) -> None:
    whole = IP(src=NAS, dst=SERVER) / UDP(sport=40000, dport=1813) / Raw(bytes(range(200)))
    tunnel = IP(src=NAS, dst=SERVER) / UDP(dport=4789) / VXLAN(vni=7, flags=8) / Raw(ethernet(udp(b"inside")))
    batch = read(*map(bytes, fragment(whole, 64)), bytes(tunnel))
    assert octets(batch) == [bytes(range(200)), b"inside"]
    assert batch.messages[1].flow.path == (("vxlan", 7),)
