"""The program itself: begins the command line, and ends the process with a code that says what happened.

`msisdn-monitor`, and `python -m monitor` where no command is installed.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from contextlib import suppress

from monitor.cli import OWN_PROCESS, PROGRAM, cli
from monitor.manual import STOPPED

MISTAKE = 70  # EX_SOFTWARE of sysexits.h
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # what nobody but standard output fails with unhandled
OBJECTS = 50_000  # between two searches for cycles: what is imported holds none, and Python would look every 700


def main() -> None:
    gc.set_threshold(OBJECTS)
    try:
        cli(prog_name=PROGRAM, obj=OWN_PROCESS)
    except SystemExit as end:
        _leave(end.code)
        raise
    except Exception as fault:  # noqa: BLE001 - Python would end with 1: violations; and show what the traffic held
        if isinstance(fault, OSError) and fault.filename is None and fault.errno in NO_ROOM:
            _give_up(fault)
        import traceback

        from monitor.redact import mask_text

        sys.stderr.write(f"{mask_text(traceback.format_exc())}\nThis is a mistake in {PROGRAM}: please report it.\n")
        sys.exit(MISTAKE)


def _leave(code: object) -> None:
    """Ends the process at once where all is said: to take it apart object by object takes a tenth of a short run.

    Returns where the code is none, and it has to end as others do.
    """
    if not isinstance(code, int):
        return
    try:
        sys.stdout.flush()
    except OSError as fault:
        _give_up(fault)
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


def _give_up(fault: OSError) -> None:
    """Ends the process: what was found cannot be written, for the disk is full, or who reads it has left."""
    with suppress(OSError):
        if fault.errno != errno.EPIPE:
            sys.stderr.write(f"standard output: {fault.strerror}; make room there, or write to another place\n")
        sys.stderr.flush()
    os._exit(STOPPED)


if __name__ == "__main__":
    main()
