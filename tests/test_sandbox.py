"""Each look is taken by a process of its own: there is no way back out of the sandbox, for pytest neither."""

from __future__ import annotations

import ctypes
import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monitor import sandbox
from monitor.sandbox import CALLS, Kernel, Reach, Sandbox, instructions

KERNEL = Kernel()
has_landlock = pytest.mark.skipif(
    not sys.platform.startswith("linux") or KERNEL.landlock_abi() < 4, reason="needs landlock of Linux 6.7"
)
PROGRAM = """
import errno, json, os, socket, subprocess, sys, threading
from pathlib import Path
from monitor.sandbox import Reach, Sandbox

folder = Path(sys.argv[1])
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
other = socket.create_server(("127.0.0.1", 0))
box = Sandbox.enter(Reach((folder / "rules",), (folder / "state",), connect=(port,), listen=(0,)))

def outcome(call, *words):
    try:
        call(*words)
    except OSError as refusal:
        return errno.errorcode[refusal.errno]
    return "allowed"

def elsewhere(call, *words):
    seen = []
    thread = threading.Thread(target=lambda: seen.append(outcome(call, *words)))
    thread.start()
    thread.join()
    return seen[0]

def named(path, flags=os.O_RDONLY):
    os.close(os.open(path, flags, 0o600))

looks = {
    "read rules": outcome(named, folder / "rules/network.yaml"),
    "read elsewhere": outcome(named, folder / "secret"),
    "read elsewhere, of a thread": elsewhere(named, folder / "secret"),
    "write state": outcome(named, folder / "state/new", os.O_WRONLY | os.O_CREAT),
    "write rules": outcome(named, folder / "rules/network.yaml", os.O_WRONLY),
    "make rules": outcome(named, folder / "rules/new", os.O_WRONLY | os.O_CREAT),
    "remove": outcome(os.unlink, folder / "secret"),
    "execve": outcome(os.execv, "/bin/true", ["true"]),
    "execve, of a thread": elsewhere(os.execv, "/bin/true", ["true"]),
    "a program": outcome(subprocess.run, ["/bin/true"]),
    "packet socket": outcome(socket.socket, socket.AF_PACKET, socket.SOCK_RAW),
    "other family": outcome(socket.socket, 40, socket.SOCK_STREAM),
    "raw socket": outcome(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1),
    "connect": outcome(socket.create_connection, ("127.0.0.1", port)),
    "connect elsewhere": outcome(socket.create_connection, other.getsockname()),
    "listen": outcome(socket.create_server, ("127.0.0.1", 0)),
    "listen elsewhere": outcome(socket.create_server, ("127.0.0.1", 9)),
    "signal": outcome(os.kill, os.getppid(), 0),
    "module loaded late": outcome(__import__, "sqlite3"),
}
print(json.dumps({"missing": box.missing, "parts": box.parts(), "looks": looks}))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    folder = tmp_path_factory.mktemp("box")
    (folder / "rules").mkdir()
    (folder / "state").mkdir()
    (folder / "rules/network.yaml").touch()
    (folder / "secret").touch()
    done = subprocess.run([sys.executable, "-c", PROGRAM, folder], capture_output=True, text=True, check=True)
    found: dict[str, dict[str, object]] = json.loads(done.stdout)
    return found


@has_landlock
def test_everything_is_in_force_for_every_thread(seen: dict[str, dict[str, object]]) -> None:
    assert seen["missing"] == {}
    assert seen["parts"] == dict.fromkeys(sandbox.PARTS, True) | {"workers": False}  # there are none


@has_landlock
@pytest.mark.parametrize(
    ("look", "outcome"),
    [
        ("read rules", "allowed"),
        ("read elsewhere", "EACCES"),
        ("read elsewhere, of a thread", "EACCES"),
        ("write state", "allowed"),
        ("write rules", "EACCES"),
        ("make rules", "EACCES"),
        ("remove", "EACCES"),
        ("execve", "EPERM"),
        ("execve, of a thread", "EPERM"),
        ("a program", "EPERM"),
        ("packet socket", "EPERM"),
        ("other family", "EPERM"),
        ("raw socket", "EPERM"),
        ("connect", "allowed"),
        ("connect elsewhere", "EACCES"),
        ("listen", "allowed"),
        ("listen elsewhere", "EACCES"),
        ("signal", "EPERM"),
        ("module loaded late", "allowed"),
    ],
)
def test_what_it_may_and_what_not(seen: dict[str, dict[str, object]], look: str, outcome: str) -> None:
    assert seen["looks"][look] == outcome  # type: ignore[index]


ENDING = """
import threading, time
from monitor.sandbox import Reach, Sandbox

threading.Thread(target=time.sleep, args=(0.05,)).start()
print(Sandbox.enter(Reach()).parts())
"""


def test_a_thread_that_is_ending_does_not_count() -> None:
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, check=True)
    assert "'capabilities': True, 'no_new_privs': True" in done.stdout


OLD = """
import json
from monitor.sandbox import Kernel, Reach, Sandbox

class Old(Kernel):
    def landlock_abi(self):
        return 0

import monitor.sandbox
monitor.sandbox.Kernel = Old
monitor.sandbox.CALLS = {}
box = Sandbox.enter(Reach())
print(json.dumps([box.missing, box.parts()]))
"""


def test_an_older_kernel_or_another_machine_goes_on_and_says_so() -> None:
    done = subprocess.run([sys.executable, "-c", OLD], capture_output=True, text=True, check=True)
    missing, parts = json.loads(done.stdout)
    assert list(missing) == ["landlock", "seccomp"]
    assert missing["landlock"].endswith("it takes Linux 5.13 with landlock among its lsm=")
    assert missing["seccomp"].startswith("no filter is written for ")
    assert parts == {"capabilities": True, "no_new_privs": True, "core": True} | dict.fromkeys(
        ("landlock", "seccomp", "workers"), False
    )


def run_filter(program: list[bytes], architecture: int, call: int, argument: int = 0) -> int:
    """What classic BPF (bpf(4)) makes of struct seccomp_data."""
    octets = struct.pack("=iIQ6Q", call, architecture, 0, argument, *[0] * 5)
    accumulator, at = 0, 0
    while True:
        code, true, false, value = struct.unpack("=HBBI", program[at])
        at += 1
        if code == sandbox.LOAD:
            (accumulator,) = struct.unpack_from("=I", octets, value)
        elif code == sandbox.EQUAL:
            at += true if accumulator == value else false
        elif code == sandbox.AT_LEAST:
            at += true if accumulator >= value else false
        elif code == sandbox.JUMP:
            at += value
        else:
            assert code == sandbox.RETURN
            return value


@pytest.mark.parametrize("machine", CALLS)
def test_the_filter_of_each_machine_says_what_its_table_says(machine: str) -> None:
    architecture, sockets, refused = CALLS[machine]
    program = list(instructions(machine))
    assert len(set(refused)) == len(refused)
    for call in range(460):
        expected = sandbox.REFUSE if call in refused else sandbox.ALLOW
        assert run_filter(program, architecture, call, argument=2) == expected, call  # AF_INET, if it is socket
        assert run_filter(program, architecture ^ 1, call) == sandbox.REFUSE
    assert run_filter(program, architecture, sandbox.X32 | 39) == sandbox.REFUSE
    allowed = [family for family in range(64) if run_filter(program, architecture, sockets, family) == sandbox.ALLOW]
    assert allowed == [1, 2, 10, 16]


def test_both_tables_refuse_the_same_but_for_calls_that_one_machine_lacks() -> None:
    amd64, arm64 = (len(CALLS[machine][2]) for machine in ("x86_64", "aarch64"))
    assert amd64 - arm64 == 3  # ioperm, iopl and mknod


def test_the_rights_of_each_abi_are_no_more_than_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []

    class Recording(Kernel):
        def _call(self, number: int, *arguments: object) -> int:
            if number == sandbox.SYS_LANDLOCK_CREATE:
                made.append(arguments[0])  # type: ignore[arg-type]
            return os.open(os.devnull, os.O_RDONLY) if number == sandbox.SYS_LANDLOCK_CREATE else 0

    for abi in range(1, 9):
        monkeypatch.setattr(Recording, "landlock_abi", lambda _, abi=abi: abi)
        Recording().landlock(Reach())
    sizes = [len(fields) // 8 for fields in made]
    rights = [struct.unpack_from("=Q", fields)[0].bit_length() for fields in made]
    assert sizes == [1, 1, 1, 2, 2, 3, 3, 3]
    assert rights == [13, 14, 15, 15, 16, 16, 16, 16]


def test_a_refusal_of_the_kernel_is_an_error_with_its_reason() -> None:
    ctypes.set_errno(0)
    with pytest.raises(OSError, match="Invalid argument"):
        KERNEL.prctl(-1)


def test_a_worker_counts_only_with_a_filter_more_than_the_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def thread(number: int, name: str, filters: int) -> None:
        (tmp_path / str(number)).mkdir(exist_ok=True)
        sets = "\n".join(f"{name}:\t0000000000000000" for name in sandbox.CAPABILITY_SETS)
        seccomp = f"Seccomp:\t2\nSeccomp_filters:\t{filters}"
        lines = f"Name:\t{name}\nTgid:\t10\nPid:\t{number}\n{sets}\nNoNewPrivs:\t1\n{seccomp}\n"
        (tmp_path / str(number) / "status").write_text(lines)

    monkeypatch.setattr(sandbox, "TASKS", tmp_path)
    thread(10, "python3", 3)
    thread(9, "ring-0", 4)
    assert Sandbox().parts()["workers"]
    thread(11, "ring-1", 3)
    assert not Sandbox().parts()["workers"]
    (tmp_path / "11/status").write_text((tmp_path / "9/status").read_text().replace("CapPrm:\t0", "CapPrm:\t2"))
    assert Sandbox().parts() | {"core": True, "landlock": True} == {
        **dict.fromkeys(sandbox.PARTS, True),
        "capabilities": False,
    }


@has_landlock
@pytest.mark.parametrize("words", [("requests", "--format", "jsonl"), ("replay", "--format", "jsonl")])
def test_a_command_that_reads_captures_locks_itself_in(words: tuple[str, ...]) -> None:
    top = Path(__file__).parents[1]
    command = (Path(sys.executable).with_name("msisdn-monitor"), *words, "-")
    with subprocess.Popen(command, cwd=top, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        until = time.monotonic() + 20
        while "Seccomp:\t2\n" not in (status := Path(f"/proc/{process.pid}/status").read_text()):
            assert time.monotonic() < until, "it reads, and is not locked in"
        process.communicate((top / "pcaps/o2-2012.pcap").read_bytes())
    assert process.returncode in {0, 1}
    assert "NoNewPrivs:\t1\n" in status
    assert "CapEff:\t0000000000000000\n" in status
