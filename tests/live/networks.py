"""Network namespaces for the live tests: they need root and iproute2, and leave nothing behind."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("ip") is None, reason="needs root and iproute2"
)


def ip(*words: str) -> str:
    return subprocess.run(("ip", *words), check=True, stdout=subprocess.PIPE, text=True).stdout


def carries(port: str) -> None:
    """Returns when frames can leave this port: the kernel sees a carrier a little later than it is put up."""
    until = time.monotonic() + 5
    while " state UP " not in ip("link", "show", port):
        assert time.monotonic() < until, f"{port} stays down"


@contextmanager
def own_network() -> Iterator[None]:
    """This thread, and the processes that it starts, in a fresh network of its own; lo is up."""
    with Path("/proc/thread-self/ns/net").open() as before:
        if _libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        try:
            ip("link", "set", "lo", "up")
            yield
        finally:
            if _libc.setns(before.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
