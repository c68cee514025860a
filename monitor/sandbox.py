"""Locks the process in once its ports are open: no capability, nothing new to gain, few files, few calls to the kernel.

`enter` is called once, by the program and never by a library, on the main thread before it starts others: they inherit
what holds for it. The worker threads of the native engine lock themselves in further (engine/src/sandbox.rs); why it is
so is in docs/decisions/0005-sandbox.md. The calls go through ctypes, with numbers and layouts of linux/prctl.h,
linux/capability.h, linux/landlock.h, linux/seccomp.h and linux/filter.h; they are the kernel's promise to programs and
do not change. What the kernel lacks is said, and the sensor goes on.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from errno import EPERM
from pathlib import Path
from typing import NamedTuple, Self

PARTS = (
    "capabilities",  # effective, permitted, inheritable and ambient sets are empty
    "no_new_privs",
    "core",  # a fault leaves no memory, and so no number, on the disk
    "landlock",
    "seccomp",
    "workers",  # threads that parse have a filter of their own; the portable engine has no such thread
)
TASKS = Path("/proc/self/task")
WORKER = "ring-"  # how the native engine calls its threads (live.rs)
ENDING_S = 0.5  # that a thread may take to end; one that goes on is seen, and what it lacks is said
CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapAmb")
FAMILIES = 1, 2, 10, 16  # AF_UNIX, AF_INET, AF_INET6, and AF_NETLINK, which names interfaces
DNS = 53

# where Python, the C library and TLS look for what they load late
LATE = ("/etc", "/usr", "/lib", "/lib64", "/proc", "/sys", "/dev/urandom", "/run/systemd/resolve")

PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 3, 4, 24, 38, 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
PR_GET_SECCOMP, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 21, 22, 2
CAPABILITY_VERSION_3 = 0x20080522
CAPABILITIES = 64  # bits of a set; the kernel has fewer

SYS_LANDLOCK_CREATE, SYS_LANDLOCK_ADD, SYS_LANDLOCK_RESTRICT = 444, 445, 446  # on every architecture
LANDLOCK_VERSION = 1
RULE_PATH, RULE_PORT = 1, 2
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE, IOCTL_DEV = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # all others are of folders
FS_BY_ABI = (0, 13, 14, 15, 15, 16)  # how many kinds of access an ABI knows; later ones added none
BIND_TCP, CONNECT_TCP = 1, 2
SCOPES = 3  # abstract sockets and signals reach no other process

ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | EPERM  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO
LOAD, JUMP, EQUAL, AT_LEAST, RETURN = 0x20, 0x05, 0x15, 0x35, 0x06  # BPF: ld [k], ja, jeq, jge, ret
CALL, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data, little-endian
X32 = 0x40000000  # calls of x86-64's other ABI

# AUDIT_ARCH_*, socket, and what no sensor calls: programs, other processes, mounts, modules, keys, clocks, identities
CALLS: Mapping[str, tuple[int, int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E,
        41,
        (
            *(59, 322),  # execve, execveat
            *(101, 310, 311, 312, 438, 440, 448),  # ptrace, process_vm_*, kcmp, pidfd_getfd, process_madvise, _mrelease
            *(321, 298, 323, 425, 426, 427),  # bpf, perf_event_open, userfaultfd, io_uring_*
            *(165, 166, 155, 161, 428, 429, 430, 431, 432, 433, 442),  # mount and its kin, pivot_root, chroot
            *(272, 308, 135),  # unshare, setns, personality
            *(175, 313, 176, 246, 320, 169, 167, 168, 172, 173),  # modules, kexec, reboot, swap, ports of the machine
            *(248, 249, 250, 303, 304, 300),  # keys, handles of files, fanotify_init
            *(163, 179, 443, 103, 164, 227, 305, 159, 170, 171),  # acct, quota, syslog, clocks, names of the host
            *(133, 259, 319, 447),  # mknod, mknodat, memfd_create, memfd_secret
            *(105, 106, 113, 114, 116, 117, 119, 122, 123, 126),  # set*id, setgroups, capset
        ),
    ),
    "aarch64": (
        0xC00000B7,
        198,
        (
            *(221, 281),
            *(117, 270, 271, 272, 438, 440, 448),
            *(280, 241, 282, 425, 426, 427),
            *(40, 39, 41, 51, 428, 429, 430, 431, 432, 433, 442),
            *(97, 268, 92),
            *(105, 273, 106, 104, 294, 142, 224, 225),
            *(217, 218, 219, 264, 265, 262),
            *(89, 60, 443, 116, 170, 112, 266, 171, 161, 162),
            *(33, 279, 447),
            *(146, 144, 145, 143, 159, 147, 149, 151, 152, 91),
        ),
    ),
}


class Reach(NamedTuple):
    """What the process may still reach: files and folders with all below them, and TCP ports."""

    read: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()
    connect: tuple[int, ...] = ()
    listen: tuple[int, ...] = ()


class Sandbox:
    """What is in force, and why the rest is not."""

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}  # part -> reason
        self._landlocked = False

    @classmethod
    def enter(cls, reach: Reach) -> Self:
        """Locks in the calling thread and all that it will start; there is no way back."""
        _outlive_others()
        sandbox = cls()
        kernel = Kernel()
        for part, lock in (
            ("core", lambda: kernel.prctl(PR_SET_DUMPABLE, 0)),  # a core dump would hold numbers
            ("no_new_privs", lambda: kernel.prctl(PR_SET_NO_NEW_PRIVS, 1)),
            ("capabilities", kernel.drop_capabilities),
            ("landlock", lambda: kernel.landlock(reach)),
            ("seccomp", kernel.seccomp),  # at last: it forbids what the others needed
        ):
            try:
                lock()
            except OSError as refusal:
                sandbox.missing[part] = refusal.strerror or str(refusal)
        sandbox._landlocked = "landlock" not in sandbox.missing
        return sandbox

    def parts(self) -> dict[str, bool]:
        """Which part holds for every thread of the process, as the kernel says."""
        threads = list(_threads())
        if not threads:
            return dict.fromkeys(PARTS, False)  # no Linux, and nothing to lock in with
        process = next(thread for thread in threads if thread["Pid"] == thread["Tgid"])  # its main thread
        workers = [thread for thread in threads if thread["Name"].startswith(WORKER)]
        return {
            "capabilities": all(int(thread[sets], 16) == 0 for thread in threads for sets in CAPABILITY_SETS),
            "no_new_privs": all(thread["NoNewPrivs"] == "1" for thread in threads),
            "core": Kernel().prctl(PR_GET_DUMPABLE) == 0,
            "landlock": self._landlocked,
            "seccomp": "seccomp" not in self.missing and all(thread["Seccomp"] == "2" for thread in threads),
            "workers": bool(workers) and all(_filters(worker) > _filters(process) for worker in workers),
        }


def _outlive_others() -> None:
    """Waits a moment for threads that have ended: the kernel lists one that was joined until it has cleared up."""
    until = time.monotonic() + ENDING_S
    while TASKS.is_dir() and len(list(TASKS.iterdir())) > 1 and time.monotonic() < until:
        time.sleep(0.001)


def _threads() -> Iterator[dict[str, str]]:
    """/proc/self/status of each thread (proc_pid_status(5))."""
    for task in TASKS.iterdir() if TASKS.is_dir() else ():
        try:
            lines = (task / "status").read_text().splitlines()
        except OSError:
            continue  # it ended meanwhile
        yield {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _filters(thread: Mapping[str, str]) -> int:
    return int(thread.get("Seccomp_filters", "0"))  # Linux 5.9


class Kernel:
    """The calls that Python has no function for. Each raises OSError with the kernel's reason."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def prctl(self, option: int, *arguments: int) -> int:
        return self._made(self._libc.prctl(option, *map(ctypes.c_ulong, (*arguments, 0, 0, 0, 0)[:4])))

    def drop_capabilities(self) -> None:
        """Out of every set; out of the bounding set too, where the process may (else no_new_privs keeps it shut)."""
        for capability in range(CAPABILITIES):
            try:
                self.prctl(PR_CAPBSET_DROP, capability)
            except OSError:
                break  # no right to, or no such capability
        self.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
        header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
        self._made(self._libc.capset(header, bytes(24)))

    def landlock_abi(self) -> int:
        """0 where there is none."""
        return max(0, int(self._libc.syscall(SYS_LANDLOCK_CREATE, None, ctypes.c_size_t(0), LANDLOCK_VERSION)))

    def landlock(self, reach: Reach) -> None:
        """Files, TCP ports, signals and abstract sockets, as far as the kernel's ABI knows them."""
        abi = self.landlock_abi()
        if not abi:
            raise OSError(0, f"{os.strerror(ctypes.get_errno())}; it takes Linux 5.13 with landlock among its lsm=")
        files = (1 << FS_BY_ABI[min(abi, len(FS_BY_ABI) - 1)]) - 1
        network = BIND_TCP | CONNECT_TCP if abi >= 4 else 0
        fields = (files, network, SCOPES)[: 1 if abi < 4 else 2 if abi < 6 else 3]
        ruleset = struct.pack(f"={len(fields)}Q", *fields)
        held = self._call(SYS_LANDLOCK_CREATE, ruleset, ctypes.c_size_t(len(ruleset)), 0)
        try:
            read = READ_FILE | READ_DIR
            for path in (*late(), *reach.read):
                self._allow(held, path, read)
            for path in (*reach.write, Path("/dev/null")):
                self._allow(held, path, files & ~EXECUTE)
            if network:
                ports = [(CONNECT_TCP, port) for port in (*reach.connect, DNS)]
                for rule in ports + [(BIND_TCP, port) for port in reach.listen]:
                    self._call(SYS_LANDLOCK_ADD, held, RULE_PORT, struct.pack("=QQ", *rule), 0)
            self._call(SYS_LANDLOCK_RESTRICT, held, 0)
        finally:
            os.close(held)

    def _allow(self, ruleset: int, path: Path, access: int) -> None:
        """All below the path, or the file; what is not there needs no rule."""
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return
        try:
            if not path.is_dir():
                access &= OF_FILES
            self._call(SYS_LANDLOCK_ADD, ruleset, RULE_PATH, struct.pack("=Qi", access, place), 0)
        finally:
            os.close(place)

    def seccomp(self) -> None:
        machine = os.uname().machine
        if machine not in CALLS or sys.byteorder != "little" or sys.maxsize < 1 << 32:
            raise OSError(0, f"no filter is written for {machine}")
        program = b"".join(instructions(machine))
        octets = ctypes.create_string_buffer(program, len(program))
        pointer = struct.pack("@HP", len(program) // 8, ctypes.addressof(octets))  # struct sock_fprog
        holder = ctypes.create_string_buffer(pointer, len(pointer))
        self.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(holder))

    def _call(self, number: int, *arguments: object) -> int:
        return self._made(self._libc.syscall(ctypes.c_long(number), *arguments))

    @staticmethod
    def _made(result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result


def late() -> Iterable[Path]:
    """Where files lie that a running Python may still want to read."""
    return (*map(Path, LATE), *(Path(folder) for folder in {sys.prefix, sys.base_prefix, *sys.path} if folder))


def instructions(machine: str) -> Iterator[bytes]:
    """The filter, instruction by instruction; a jump skips what stands behind it."""

    def step(code: int, value: int, otherwise: int = 0) -> bytes:
        return struct.pack("=HBBI", code, 0, otherwise, value)

    architecture, socket, refused = CALLS[machine]
    yield step(LOAD, ARCHITECTURE)
    yield step(EQUAL, architecture, 1)
    yield step(JUMP, 1)
    yield step(RETURN, REFUSE)
    yield step(LOAD, CALL)
    yield step(AT_LEAST, X32, 1)
    yield step(RETURN, REFUSE)
    for call in refused:
        yield step(EQUAL, call, 1)
        yield step(RETURN, REFUSE)
    yield step(EQUAL, socket, 2 + 2 * len(FAMILIES))
    yield step(LOAD, FIRST_ARGUMENT)
    for family in FAMILIES:
        yield step(EQUAL, family, 1)
        yield step(RETURN, ALLOW)
    yield step(RETURN, REFUSE)
    yield step(RETURN, ALLOW)
