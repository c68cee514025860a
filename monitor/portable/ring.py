"""A live port: its name in, frames out, from a ring of blocks that the kernel fills and this process empties.

The ring is TPACKET_V3 of Linux (packet(7), Documentation/networking/packet_mmap.rst) over plain mmap: no system call
per frame, no library, and no right but CAP_NET_RAW. The kernel hands a block over when it is full or BLOCK_MS old, so a
frame is seen within milliseconds; all blocks together bridge 64 MiB, or two and a half seconds of a quiet port, while
Python is elsewhere.

What the kernel changed on a frame is undone: a VLAN tag that it took off is put back, and a frame whose checksum it
left to the network card says so (Frame.checksum_ready). On the loopback port each frame passes twice; the copy that is
being sent is left out. A port that goes down is counted as blind{source} and read on as soon as it is back, also under
a new index.
"""

from __future__ import annotations

import mmap
import os
import select
import socket
import struct
import sys
from contextlib import suppress

from monitor.errors import SourceError
from monitor.portable.source import ETHERNET, RAW, count_frames
from monitor.records import Fault, Frame

BLOCK_SIZE = 1 << 19  # the largest frame must fit in: 262,144 octets, as GRO builds them
BLOCKS = 128
BLOCK_MS = 20

# linux/if_packet.h
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP, PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, PACKET_IGNORE_OUTGOING = 1, 5, 6, 10, 23
PACKET_MR_PROMISC = 1
TPACKET_V3 = 2
TP_STATUS_KERNEL, TP_STATUS_USER = 0, 1
TP_STATUS_CSUMNOTREADY, TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 3, 1 << 4, 1 << 6
ETH_P_ALL, ETH_P_8021Q = 3, 0x8100

# linux/if_arp.h: what stands before IP on a port. Those of the second kind are read without it, as LINKTYPE_RAW
ARPHRD_ETHER, ARPHRD_LOOPBACK = 1, 772
ARPHRD_OF_IP = frozenset((512, 519, 768, 769, 776, 778, 823, 65534))  # PPP, RAWIP, IPIP, IP6IP6, SIT, GRE, GRE6, TUN

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
    """The frames of the port `name`, read promiscuously and counted into `counts`; it is never `done`.

    Raises SourceError when the port cannot be read: no such port, no permission, no memory, no IP on it, no Linux.
    """

    done = False
    bytes_total = None  # as CaptureReader says of a pipe

    def __init__(self, name: str, counts: dict[str, int]) -> None:
        self.faults: list[Fault] = []  # a port has none: what it loses is counted
        self._name = name
        self._counts = counts
        self._lost = False  # went down, and nothing came since
        self._socket, link = _open(name)
        try:
            self._memory = _share(self._socket)
            self._index = self._join()
        except OSError as error:
            self._socket.close()
            size = BLOCK_SIZE * BLOCKS >> 20
            raise SourceError(f"{name}: no ring of {size} MiB ({error.strerror}); free that much memory") from error
        self._blocks = Blocks(self._memory, BLOCK_SIZE, link)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN | select.POLLERR)

    @property
    def bytes_read(self) -> int:
        return self._counts["captured_bytes"]

    def read(self, limit: int, timeout: float) -> list[Frame]:
        """At most `limit` frames; waits at most `timeout` seconds for the first."""
        frames = self._blocks.walk(limit)
        if not frames:
            for _, state in self._poll.poll(timeout * 1000):
                if state & select.POLLERR:
                    self._note_error()
            frames = self._blocks.walk(limit)
        if frames:
            self._lost = False
            count_frames(self._counts, frames)
        elif self._lost:
            self._rejoin()
        # reading them sets the kernel's counters back to 0
        seen, dropped, froze = struct.unpack("=III", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 12))
        self._counts["kernel_frames"] += seen
        self._counts["kernel_drops"] += dropped
        self._counts["ring_freezes"] += froze
        return frames

    def close(self) -> None:
        self._memory.close()
        self._socket.close()

    def _join(self) -> int:
        """Hears the port from now on; its index."""
        index = socket.if_nametoindex(self._name)
        self._socket.bind((self._name, ETH_P_ALL))
        request = struct.pack("=iHH8x", index, PACKET_MR_PROMISC, 0)  # packet_mreq
        self._socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, request)
        return index

    def _note_error(self) -> None:
        """The port went down: reading the error takes it away, else every poll would come back at once."""
        self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._lost = True
        self._counts["blind.source"] += 1

    def _rejoin(self) -> None:
        """A port that only went down comes back by itself; one that was made anew has another index."""
        with suppress(OSError):  # it is gone: the next read looks again
            if socket.if_nametoindex(self._name) != self._index:
                self._index = self._join()


def _open(name: str) -> tuple[socket.socket, int]:
    """A socket that is bound to the port but hears nothing yet, and the link type of the frames that it will hear."""
    if not hasattr(socket, "AF_PACKET"):
        remedy = f"capture elsewhere: tcpdump -i {name} -U -w - | msisdn-monitor replay -"
        raise SourceError(f"{name}: this system has no AF_PACKET, only Linux does; {remedy}")
    try:
        socket.if_nametoindex(name)
    except OSError:
        there_are = ", ".join(port for _, port in socket.if_nameindex())
        raise SourceError(f"there is no interface {name}; there are: {there_are}") from None
    try:
        port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    except PermissionError:
        python = os.path.realpath(sys.executable)
        raise SourceError(
            f"{name}: reading an interface needs CAP_NET_RAW; use sudo, or sudo setcap cap_net_raw+ep {python},"
            " or AmbientCapabilities=CAP_NET_RAW in the systemd unit"
        ) from None
    port.bind((name, 0))
    hardware = port.getsockname()[3]
    if hardware in ARPHRD_OF_IP:
        port.close()
        return socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM), RAW
    if hardware == ARPHRD_LOOPBACK:
        port.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    elif hardware != ARPHRD_ETHER:
        port.close()
        raise SourceError(f"{name} carries neither Ethernet nor IP (ARPHRD {hardware}); name a port that does")
    return port, ETHERNET


def _share(port: socket.socket) -> mmap.mmap:
    port.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V3)
    frame_size = 2048  # only has to divide the block: frames of TPACKET_V3 are as long as they are
    request = struct.pack("=7I", BLOCK_SIZE, BLOCKS, frame_size, BLOCK_SIZE * BLOCKS // frame_size, BLOCK_MS, 0, 0)
    port.setsockopt(SOL_PACKET, PACKET_RX_RING, request)
    return mmap.mmap(port.fileno(), BLOCK_SIZE * BLOCKS)
