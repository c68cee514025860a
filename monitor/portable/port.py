"""A live port: its name in, a socket out, with a ring that the kernel fills from then on. Both engines read these.

The ring is TPACKET_V3 of Linux (packet(7), Documentation/networking/packet_mmap.rst): no system call per frame, no
library, and no right but CAP_NET_RAW, which is needed only here. The kernel hands a block over when it is full or
BLOCK_MS old, so a frame is seen within two milliseconds; all blocks together bridge RING_BYTES, or a quarter of a
second of a quiet port, while the reader is elsewhere. A ring that the machine has no memory for is made smaller. A port
has one ring, however many workers read: several have no order among them (docs/decisions/0012).

On the loopback port each frame passes twice; the copy that is being sent is left out. A port that goes down is read on
as soon as it is back, also under a new index.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from contextlib import suppress

from monitor.errors import SourceError
from monitor.portable.filter import attach
from monitor.portable.source import ETHERNET, RAW
from monitor.ports import missing
from monitor.records import Interface
from monitor.redact import mask_name

BLOCK_SIZE = 1 << 18  # a frame of 65,535 octets, and one of nearly four times that as GRO may build them
RING_BYTES, LEAST_RING_BYTES = 64 << 20, 4 << 20
BLOCK_MS = 1

# linux/if_packet.h
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP, PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION = 1, 5, 6, 10
PACKET_TIMESTAMP, PACKET_IGNORE_OUTGOING = 17, 23
PACKET_MR_PROMISC = 1
SOF_TIMESTAMPING_RAW_HARDWARE = 1 << 6
TPACKET_V3 = 2
ETH_P_ALL = 3

# linux/if_arp.h: what stands before IP on a port. Those of the second kind are read without it, as LINKTYPE_RAW
ARPHRD_ETHER, ARPHRD_LOOPBACK = 1, 772
ARPHRD_OF_IP = frozenset((512, 519, 768, 769, 776, 778, 823, 65534))  # PPP, RAWIP, IPIP, IP6IP6, SIT, GRE, GRE6, TUN


class Port:
    """One port, read promiscuously by `socket`, which has a ring of `blocks` blocks of frames of the type `link`.

    Raises SourceError when it cannot be read: no such port, no permission, no memory, no IP on it, no Linux; and
    ConfigError when the filter is wrong.
    """

    def __init__(self, name: str, source: Interface) -> None:
        self.name = name
        self.socket, self.link = _open(name)
        try:
            self._set_up(source)
            self._index = self._join()
        except OSError as error:
            self.close()
            raise SourceError(f"{name} cannot be read: {error.strerror}") from error
        except BaseException:
            self.close()
            raise

    @property
    def remark(self) -> str | None:
        """What an operator should know of how it was opened."""
        if self.blocks * BLOCK_SIZE == RING_BYTES:
            return None
        return (
            f"{self.name}: the ring has {self.blocks * BLOCK_SIZE >> 20} MiB, the machine had no memory for "
            f"{RING_BYTES >> 20}; bursts may be lost (kernel_drops_total)"
        )

    def note(self, counts: dict[str, int]) -> None:
        """Counts what the kernel says since the last time, and joins a port that was made anew; now and then."""
        # reading them sets the kernel's counters back to 0
        seen, dropped, froze = struct.unpack("=III", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 12))
        counts["kernel_frames"] += seen
        counts["kernel_drops"] += dropped
        counts["ring_freezes"] += froze
        # one that only went down comes back by itself; while it is gone there is nothing to do
        with suppress(OSError):
            if socket.if_nametoindex(self.name) != self._index:
                self._index = self._join()

    def close(self) -> None:
        self.socket.close()

    def _set_up(self, source: Interface) -> None:
        self.socket.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V3)
        if source.hardware_stamps:
            self.socket.setsockopt(SOL_PACKET, PACKET_TIMESTAMP, SOF_TIMESTAMPING_RAW_HARDWARE)
        if source.filter:
            attach(self.socket, source.filter, self.name, self.link)
        self.blocks = self._make_ring()

    def _make_ring(self) -> int:
        blocks = RING_BYTES // BLOCK_SIZE
        frame_size = 2048  # only has to divide the block: frames are as long as they are
        while True:
            frames = BLOCK_SIZE * blocks // frame_size
            request = struct.pack("=7I", BLOCK_SIZE, blocks, frame_size, frames, BLOCK_MS, 0, 0)
            try:
                self.socket.setsockopt(SOL_PACKET, PACKET_RX_RING, request)
            except OSError as error:
                blocks //= 2
                if error.errno == errno.ENOMEM and blocks * BLOCK_SIZE >= LEAST_RING_BYTES:
                    continue
                raise SourceError(
                    f"{self.name}: no memory for a ring of even {LEAST_RING_BYTES >> 20} MiB ({error.strerror}); free "
                    f"memory, best {RING_BYTES >> 20} MiB, or raise MemoryMax of the unit or container"
                ) from error
            return blocks

    def _join(self) -> int:
        """Hears the port from now on; its index."""
        index = socket.if_nametoindex(self.name)
        request = struct.pack("=iHH8x", index, PACKET_MR_PROMISC, 0)  # packet_mreq
        self.socket.bind((self.name, ETH_P_ALL))
        self.socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, request)
        return index


def open_ports(source: Interface) -> list[Port]:
    """All of them, or SourceError and none."""
    if not hasattr(socket, "AF_PACKET"):
        remedy = f"capture elsewhere: tcpdump -i {source.names[0]} -U -w - | msisdn-monitor replay -"
        raise SourceError(f"{source.names[0]}: this system has no AF_PACKET, only Linux does; {remedy}")
    ports: list[Port] = []
    try:
        for name in source.names:
            ports.append(Port(name, source))
    except BaseException:
        for port in ports:
            port.close()
        raise
    return ports


def _open(name: str) -> tuple[socket.socket, int]:
    """A socket that is bound to the port but hears nothing yet, and the link type of the frames that it will hear."""
    if wrong := missing(name):
        raise SourceError(mask_name(wrong))
    try:
        port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
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
        return socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0), RAW
    if hardware == ARPHRD_LOOPBACK:
        port.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    elif hardware != ARPHRD_ETHER:
        port.close()
        raise SourceError(
            f"{name} carries neither Ethernet nor IP (ARPHRD {hardware} of linux/if_arp.h); name a port of Ethernet, "
            "PPP, GRE, IP-in-IP, WireGuard or TUN, or capture it with tcpdump and replay that"
        )
    return port, ETHERNET
