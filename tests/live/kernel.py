"""The TCP of this machine's kernel, which says what was delivered: a raw client, a server, and a tap between them.

A raw socket at one end of a veth pair plays the client, segment by segment as a case says, in a network of its own; the
kernel at the other end serves ordinary sockets. What passes the cable is kept, and what the server's application got.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum, auto
from pathlib import Path
from typing import NamedTuple

from pcaps.talk import ACK, FIN, PSH, RST, SYN, Packet, ethernet, internet_checksum, tcp
from pcaps.talk import ip as ip_packet
from tests.live.cables import PACKET_QDISC_BYPASS, SOL_PACKET
from tests.live.networks import carries, ip, own_network

CLIENT, SERVER = "192.0.2.2", "192.0.2.1"
CLIENT6, SERVER6 = "2001:db8::2", "2001:db8::1"
MACS = {"near": "02:00:00:00:00:01", "far": "02:00:00:00:00:02"}  # pcaps.talk.ethernet has them
FROM_SERVER = bytes.fromhex("020000000001020000000002")
FRONT = b"GET /long/enough/to/be/cut HTTP/1.1\r\nHost: shop.example\r\nX-MSISDN: "
NUMBER, OTHER = b"447700900123", b"447700900321"  # which have the same checksum
HEAD = FRONT + NUMBER + b"\r\nAccept: */*\r\n\r\n"
DECOY = HEAD.replace(NUMBER, OTHER)
AT = len(FRONT)  # of the number
FIRST = 1000  # sequence number of the client's SYN
PLAIN, OPEN_FAST, INLINE = 80, 81, 82  # ports: as it comes, with TCP Fast Open, urgent bytes left in place
TCP_FASTOPEN, SO_OOBINLINE = 23, 10
SETTINGS = {"tcp_syncookies": "0", "tcp_fastopen": "519", "tcp_invalid_ratelimit": "0"}  # 519: no cookie is asked for
_REQUEST = re.compile(rb"[!-~]+ [!-~]+ HTTP/1[.][01]\r?\n")
_EMPTY_LINE = re.compile(rb"(?<=\n)\r?\n")
_LINE = re.compile(rb"\nX-MSISDN: ([0-9]+)\r?\n")


class Sent(NamedTuple):
    """One segment of the client, `at` bytes behind its first one: the SYN is at -1."""

    at: int
    octets: bytes = b""
    flags: int = PSH | ACK
    ack: int = 0  # relative to the right one
    options: bytes = b""
    urgent: int = 0
    bad_checksum: bool = False
    data_offset: int | None = None  # in words, as the header has it; None: the true one
    total_length: int | None = None  # as the IP header has it
    window: int = 65535
    dies: bool = False  # behind the tap, because its TTL is low

    def __str__(self) -> str:
        odd = (f"{name}={it!r}" for name, it in self._asdict().items() if it != self._field_defaults.get(name, ""))
        return f"Sent({', '.join(odd)})"


class Act(Enum):
    CLOSE = auto()  # the server's application reads what there is and closes


Step = Sent | Act
OPENING: tuple[Step, ...] = (Sent(-1, flags=SYN), Sent(0, flags=ACK))


class Case(NamedTuple):
    steps: tuple[Step, ...]
    opening: tuple[Step, ...] = OPENING
    syn_options: bytes = b""
    options: bytes = b""  # of each segment that has none of its own
    port: int = PLAIN
    ends: bool = True  # the client's FIN behind the head comes last


class Talk(NamedTuple):
    """What became of a case."""

    port: int  # the client's
    delivered: tuple[bytes, ...]  # what the application was given, by connection
    taken: frozenset[bytes]  # numbers in the requests that it was given
    refused: frozenset[bytes]  # those that were sent only where it was given other bytes
    frames: list[Packet]


def part(octets: bytes, start: int, stop: int | None = None) -> Sent:
    return Sent(start, octets[start:stop])


WHOLE, FALSE = part(HEAD, 0), part(DECOY, 0)


class Wire:
    """The cable; `near` is the client's end, where no kernel answers."""

    def __init__(self, near: socket.socket, servers: Mapping[int, socket.socket]) -> None:
        self._near, self._servers = near, servers
        self._frames: list[Packet] = []
        self.ack = 0
        self._port = 20_000
        self._pings = 0
        self._taken: list[tuple[socket.socket, bytearray]] = []
        self._delivered: list[bytes] = []  # by the connections that are closed

    def talk(self, case: Case) -> Talk:
        """One connection or more, on a client's port of its own."""
        self.begin()
        steps = case.opening + case.steps + ((Sent(len(HEAD), flags=FIN | ACK),) if case.ends else ())
        for step in steps:
            if isinstance(step, Sent):
                packet = self._packet(case, step)
                self.record(packet)
                if not step.dies:
                    self.send(packet)
                self.listen()
            else:
                self._serve(case.port)
                self._hang_up(kindly=True)
                self.listen()
        talk = self.heard(case.port)
        return talk._replace(refused=_refused(steps, talk.delivered))

    def heard(self, port: int) -> Talk:
        """What passed, and what the server's application took; nothing of this client is left behind."""
        self._serve(port)
        frames, self._frames = self._frames, []
        self._hang_up(kindly=False)
        for seq in (FIRST + 1, FIRST - 99):  # what is half open yet
            self.send(tcp(CLIENT, self._port, SERVER, port, seq, 0, RST))
        self.listen()
        delivered = tuple(self._delivered)
        heads = [head for octets in delivered for head in _EMPTY_LINE.split(octets) if _REQUEST.match(head)]
        taken = frozenset(number for head in heads for number in _LINE.findall(head))
        return Talk(self._port, delivered, taken & {NUMBER, OTHER}, frozenset(), frames)

    def begin(self) -> int:
        """A client's port that nobody had."""
        self._frames, self._delivered, self.ack = [], [], 0
        self._port += 1
        return self._port

    def _packet(self, case: Case, step: Sent) -> bytes:
        options = step.options or case.options or (case.syn_options if step.flags & SYN else b"")
        packet = tcp(
            CLIENT, self._port, SERVER, case.port, FIRST + 1 + step.at,
            self.ack + step.ack if step.flags & ACK else 0, step.flags, step.octets, options=options,
            urgent=step.urgent, bad_checksum=step.bad_checksum, window=step.window,
        )  # fmt: skip
        if step.data_offset is not None:
            packet = _amended(packet, 32, bytes((step.data_offset << 4 | packet[32] & 15,)))
        if step.total_length is not None:
            header = packet[:2] + struct.pack("!H", step.total_length) + packet[4:10] + b"\0\0" + packet[12:20]
            packet = header[:10] + struct.pack("!H", internet_checksum(header)) + header[12:] + packet[20:]
        return packet

    def send(self, packet: bytes) -> None:
        self._near.send(ethernet(packet))

    def record(self, packet: bytes) -> None:
        """It passes the tap."""
        self._frames.append((time.time_ns(), ethernet(packet)))

    def listen(self) -> None:
        """All that the server's kernel says to what was sent: a ping goes the same way behind it."""
        self._pings += 1
        echo = struct.pack("!BBHHH", 8, 0, 0, 1, self._pings & 0xFFFF)
        echo = echo[:2] + struct.pack("!H", internet_checksum(echo)) + echo[4:]
        self.send(ip_packet(CLIENT, SERVER, socket.IPPROTO_ICMP, echo))
        while True:
            frame = self._near.recv(65535)
            if frame[:12] != FROM_SERVER or frame[12:14] not in (b"\x08\0", b"\x86\xdd"):
                continue
            protocol, at = (frame[23], 34) if frame[12] == 8 else (frame[20], 54)
            if protocol == socket.IPPROTO_TCP:
                self._frames.append((time.time_ns(), frame))
                if frame[at + 2 : at + 4] == self._port.to_bytes(2, "big") and frame[at + 13] & SYN:
                    self.ack = int.from_bytes(frame[at + 4 : at + 8], "big") + 1
            elif frame[at] == 0 and frame[at + 4 :] == echo[4:]:
                return

    def _serve(self, port: int) -> None:
        """The application takes the connections that there are, and reads."""
        with suppress(BlockingIOError):
            while True:
                self._taken.append((self._servers[port].accept()[0], bytearray()))
        for taken, octets in self._taken:
            with suppress(BlockingIOError, ConnectionResetError):
                while fresh := taken.recv(65535, socket.MSG_DONTWAIT):
                    octets.extend(fresh)

    def _hang_up(self, *, kindly: bool) -> None:
        for taken, octets in self._taken:
            self._delivered.append(bytes(octets))
            if not kindly:
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            taken.close()
        self._taken = []


def _refused(steps: tuple[Step, ...], delivered: Iterable[bytes]) -> frozenset[bytes]:
    """The numbers that the client sent only where the application was given other bytes, none behind the last."""
    end = max(map(len, delivered), default=0)
    places: dict[bytes, list[int]] = {NUMBER: [AT], OTHER: [AT]}
    for step in steps:
        for number, at in places.items():
            if isinstance(step, Sent) and number in step.octets:
                at.append(step.at + step.octets.index(number))
    sent = [step for step in steps if isinstance(step, Sent)]
    if any(step.octets for step in sent[: next(n for n, step in enumerate(sent) if step.flags & SYN)]):
        return frozenset()  # in the middle of another connection, as far as anybody can see
    own = [step.octets for step in sent if step.flags & SYN]  # so may those be whose answer nobody can tell from others
    kept = b"".join([*own, *delivered])
    return frozenset(n for n, at in places.items() if n not in kept and max(at) + len(n) <= end)


def _amended(packet: bytes, at: int, octets: bytes) -> bytes:
    """The packet with other octets in its TCP header, and its checksum as right or wrong as it was."""
    fresh = packet[:at] + octets + packet[at + len(octets) :]
    total = int.from_bytes(packet[36:38], "big") + sum(struct.unpack("!10H", packet[20:40]))
    total -= sum(struct.unpack("!10H", fresh[20:40]))
    return fresh[:36] + struct.pack("!H", total % 0xFFFF) + fresh[38:]


@contextmanager
def wired() -> Iterator[Wire]:
    """A cable between two networks, a kernel that serves at its far end."""
    cpus = os.sched_getaffinity(0)
    with own_network(), ExitStack() as stack:
        os.sched_setaffinity(0, {min(cpus)})  # what is sent is received in order: one queue
        stack.callback(os.sched_setaffinity, 0, cpus)
        for name, value in SETTINGS.items():
            Path("/proc/sys/net/ipv4", name).write_text(value)
        ends = ("address", MACS["near"], "type", "veth", "peer", "name", "far", "address", MACS["far"])
        ip("link", "add", "near", *ends)
        for name in ("near", "far"):
            ip("link", "set", name, "addrgenmode", "none", "up")
        ip("addr", "add", f"{SERVER}/24", "dev", "far")
        ip("addr", "add", f"{SERVER6}/64", "dev", "far", "nodad")
        for client in (CLIENT, CLIENT6):
            ip("neigh", "add", client, "lladdr", MACS["near"], "dev", "far", "nud", "permanent")
        carries("far")
        near = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300))
        near.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        near.bind(("near", 0x0003))
        near.settimeout(5)
        servers = {}
        for port in (PLAIN, OPEN_FAST, INLINE):
            server = stack.enter_context(socket.socket(socket.AF_INET6))
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            if port == OPEN_FAST:
                server.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 64)
            if port == INLINE:
                server.setsockopt(socket.SOL_SOCKET, SO_OOBINLINE, 1)
            server.bind(("::", port))
            server.listen(1024)
            server.setblocking(False)
            servers[port] = server
        yield Wire(near, servers)
