"""Is a capture read faster by read() into a buffer that is used again, or by mmap? Prints JSON: CPU seconds of each.

    python -m bench.reading out.pcap

Both sum up every octet with the same function, from memory where it lies; nothing else differs.
"""

from __future__ import annotations

import json
import mmap
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

CHUNK = 512 * 1024  # as engine/src/capture.rs reads


def by_read(path: Path) -> int:
    total, buffer = 1, bytearray(CHUNK)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(buffer):
            total = zlib.adler32(view[:size], total)
    return total


def by_mmap(path: Path) -> int:
    total = 1
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        mapped.madvise(mmap.MADV_SEQUENTIAL)
        with memoryview(mapped) as view:
            for at in range(0, len(view), CHUNK):
                with view[at : at + CHUNK] as part:
                    total = zlib.adler32(part, total)
    return total


def timed(read: Callable[[Path], int], path: Path) -> tuple[float, int]:
    begun = time.process_time()
    total = read(path)
    return time.process_time() - begun, total


def main() -> None:
    path = Path(sys.argv[1])
    (read_s, one), (mmap_s, other) = timed(by_read, path), timed(by_mmap, path)
    assert one == other, "both read the same file"
    print(json.dumps({"read": read_s, "mmap": mmap_s}))


if __name__ == "__main__":
    main()
