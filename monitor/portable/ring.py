"""Live ports: frames out of the rings that `port` has the kernel fill, read in plain Python over mmap.

What the kernel changed on a frame is undone: a VLAN tag that it took off is put back, and a frame whose checksum it
left to the network card says so (Frame.checksum_ready). What several ports hold is read in the order of time.
"""

from __future__ import annotations

import mmap
import select
import socket
import struct
import time
from collections.abc import Iterator

from monitor.portable.port import BLOCK_SIZE, open_ports
from monitor.portable.source import ETHERNET, count_frames
from monitor.ports import Drops
from monitor.records import Fault, Frame, Interface

LAST_BLOCK_MS = 4  # the kernel hands over any block after one, where its clock ticks as often as that
NOTE_S = 0.1  # between two looks at what the kernel says of a port

# linux/if_packet.h
TP_STATUS_KERNEL, TP_STATUS_USER = 0, 1
TP_STATUS_CSUMNOTREADY, TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 3, 1 << 4, 1 << 6
ETH_P_8021Q = 0x8100

_STATUS = struct.Struct("=8xI")  # of tpacket_block_desc
_BLOCK = struct.Struct("=8xIII")  # status, frames, offset of the first
_FRAME = struct.Struct("=IIIIIIHHIIH")  # tpacket3_hdr: next, s, ns, kept, length, status, MAC, net, hash, TCI, TPID

_new = tuple.__new__  # a NamedTuple without its keyword handling: a third of the time


class Blocks:
    """The ring's memory, read in the order in which the kernel fills it."""

    def __init__(self, memory: mmap.mmap, block_size: int, link: int) -> None:
        self._memory = memory
        self._block_size = block_size
        self._link = link
        self._base = 0  # of the block that is being read
        self._left = 0  # frames of it that were not read yet
        self._at = 0  # the next of them

    def walk(self, limit: int) -> list[Frame]:
        """At most `limit` frames of the blocks that the kernel has handed over; a block goes back once it is read."""
        frames: list[Frame] = []
        while len(frames) < limit:
            if not self._left:
                status, left, first = _BLOCK.unpack_from(self._memory, self._base)
                if not status & TP_STATUS_USER:
                    break
                self._left, self._at = left, self._base + first
            count = min(self._left, limit - len(frames))
            self._take(count, frames)
            self._left -= count
            if not self._left:
                _STATUS.pack_into(self._memory, self._base, TP_STATUS_KERNEL)
                self._base = (self._base + self._block_size) % len(self._memory)
        return frames

    def close(self) -> None:
        self._memory.close()

    def _take(self, count: int, frames: list[Frame]) -> None:
        memory, at, link, unpack = self._memory, self._at, self._link, _FRAME.unpack_from
        for _ in range(count):
            following, seconds, ns, kept, wire_len, status, begin, _, _, tci, tpid = unpack(memory, at)
            begin += at
            octets = memory[begin : begin + kept]
            if status & TP_STATUS_VLAN_VALID and link == ETHERNET:
                if not status & TP_STATUS_VLAN_TPID_VALID:
                    tpid = ETH_P_8021Q
                octets = octets[:12] + struct.pack("!HH", tpid, tci) + octets[12:]
                wire_len += 4
            ready = not status & TP_STATUS_CSUMNOTREADY
            frames.append(_new(Frame, (seconds * 1_000_000_000 + ns, link, wire_len, octets, ready)))
            at += following
        self._at = at


class Ring:
    """The frames of the ports, counted into `counts`; it is never `done`.

    Raises SourceError and ConfigError as Port does.
    """

    done = False
    bytes_total = None  # as CaptureReader says of a pipe

    def __init__(self, source: Interface, counts: dict[str, int]) -> None:
        self.faults: list[Fault] = []  # a port has none: what it loses is counted
        self._counts = counts
        self._ports = open_ports(source)
        self.remarks = tuple(port.remark for port in self._ports if port.remark)
        self._drops = Drops(source.names, counts)
        self._due = 0.0
        self._poll = select.poll()
        self._blocks: list[Blocks] = []
        self._sockets: dict[int, socket.socket] = {}
        for port in self._ports:
            self._sockets[port.socket.fileno()] = port.socket
            self._poll.register(port.socket, select.POLLIN | select.POLLERR)
            memory = mmap.mmap(port.socket.fileno(), BLOCK_SIZE * port.blocks)
            self._blocks.append(Blocks(memory, BLOCK_SIZE, port.link))

    @property
    def bytes_read(self) -> int:
        return self._counts["captured_bytes"]

    def read(self, limit: int, timeout: float) -> list[Frame]:
        """About `limit` frames at most; waits at most `timeout` seconds for the first."""
        frames = self._walk(limit)
        if not frames:
            for number, state in self._poll.poll(timeout * 1000):
                if state & select.POLLERR:
                    # it went down: reading the error takes it away, else every poll would come back at once
                    self._sockets[number].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    self._counts["blind.source"] += 1
            frames = self._walk(limit)
        if frames:
            count_frames(self._counts, frames)
        if not frames or time.monotonic() >= self._due:
            self.note()
        return frames

    def rest(self, limit: int) -> Iterator[list[Frame]]:
        """What the rings hold now, so many frames at a time; and the last counts."""
        self._poll.poll(LAST_BLOCK_MS)
        most = sum(port.blocks for port in self._ports)  # reads: frames that keep coming must not keep us
        for _ in range(most):
            frames = self._walk(limit)
            if not frames:
                break
            count_frames(self._counts, frames)
            yield frames
        self.note()

    def note(self) -> None:
        """Counts what the kernel says of the ports."""
        self._due = time.monotonic() + NOTE_S
        for port in self._ports:
            port.note(self._counts)
        self._drops.count()

    def close(self) -> None:
        for blocks in self._blocks:
            blocks.close()
        for port in self._ports:
            port.close()

    def _walk(self, limit: int) -> list[Frame]:
        if len(self._blocks) == 1:
            return self._blocks[0].walk(limit)
        frames = [frame for blocks in self._blocks for frame in blocks.walk(-(-limit // len(self._blocks)))]
        frames.sort(key=lambda frame: frame.time_ns)
        return frames
