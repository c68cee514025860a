"""A kernel filter: a tcpdump expression in, a program of the kernel's packet filter out, attached to a socket.

libpcap compiles it (pcap-filter(7)), the library that tcpdump uses; it is looked for only when there is an expression.
For Ethernet it is asked about the very port, since for a live one it knows that the kernel takes VLAN tags off.
"""

from __future__ import annotations

import ctypes
import socket
import struct

from monitor.errors import ConfigError
from monitor.portable.source import ETHERNET

LIBRARIES = ("libpcap.so.1", "libpcap.so.0.8", "libpcap.so")  # the second is Debian's name
SO_ATTACH_FILTER = 26
DLT_RAW = 12
WHOLE = 262_144  # octets that the filter keeps of a frame: all
NETMASK_UNKNOWN = 0xFFFFFFFF


class _Program(ctypes.Structure):
    """struct bpf_program; an instruction has eight octets, in libpcap as in the kernel."""

    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


def attach(port: socket.socket, expression: str, name: str, link: int) -> None:
    """Lets the socket see only what the expression lets through.

    Raises ConfigError when the expression is wrong, or libpcap is not there.
    """
    library = _load()
    error = ctypes.create_string_buffer(256)
    if link == ETHERNET:
        handle = ctypes.c_void_p(library.pcap_open_live(name.encode(), WHOLE, 0, 100, error))
    else:
        handle = ctypes.c_void_p(library.pcap_open_dead(DLT_RAW, WHOLE))
    if not handle:
        raise ConfigError(f"--filter: libpcap cannot open {name}: {error.value.decode(errors='replace')}")
    try:
        program = _Program()
        if library.pcap_compile(handle, ctypes.byref(program), expression.encode(), 1, NETMASK_UNKNOWN):
            reason = ctypes.string_at(library.pcap_geterr(handle)).decode(errors="replace")
            raise ConfigError(f"--filter {expression!r} is wrong: {reason}; man pcap-filter says how it is written")
        try:
            described = struct.pack("HP", program.length, program.instructions)  # struct sock_fprog
            port.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, described)
        finally:
            library.pcap_freecode(ctypes.byref(program))
    finally:
        library.pcap_close(handle)


def _load() -> ctypes.CDLL:
    for name in LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.pcap_open_live.restype = library.pcap_open_dead.restype = ctypes.c_void_p
        library.pcap_geterr.restype = ctypes.c_void_p
        return library
    raise ConfigError("--filter needs libpcap, which is not here: apt-get install libpcap0.8, or leave --filter out")
