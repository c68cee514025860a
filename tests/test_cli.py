from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from monitor import __version__
from monitor.__main__ import main
from monitor.cli import PROGRAM, cli
from pcaps.talk import pcap
from tests.leaks import NUMBER, RULES, agreed, clean, leak, write, write_cut

COMMAND = [sys.executable, "-m", "monitor"]
PAGES = [("--help",), *((name, "--help") for name in sorted(cli.commands))]


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(arg) for arg in args], prog_name=PROGRAM)


def replay(*args: str | Path) -> Result:
    return run("replay", "--rules", RULES, *args)


def rows(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


# --- the manual ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=" ".join)
def test_help_reads_like_a_manual(page: tuple[str, ...]) -> None:
    text = run(*page).stdout
    headings = [line for line in text.splitlines() if line[:1].isupper()]
    assert headings[:2] == ["SYNOPSIS", "DESCRIPTION"]
    assert headings[-2:] == ["EXAMPLES", "EXIT CODES"]
    assert "\x1b" not in text  # colours only on a terminal
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("page", PAGES, ids=" ".join)
def test_every_example_of_the_manual_can_be_typed(page: tuple[str, ...]) -> None:
    examples = run(*page).stdout.partition("EXAMPLES\n")[2].partition("\n\n")[0]
    calls = re.findall(rf"{PROGRAM} ([^|>\n]*)", examples)
    for call in calls:
        name, *args = shlex.split(call.replace("COMMAND", "check"))
        command = cli.commands[name]
        known = {option for param in command.params for option in (*param.opts, "--help")}
        assert {arg for arg in args if arg.startswith("--")} <= known
    assert calls or page == ("watch", "--help")


def test_help_has_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in CliRunner().invoke(cli, ["--help"], color=True).stdout


def test_the_version_says_which_engine_runs() -> None:
    assert re.fullmatch(
        rf"{PROGRAM} {re.escape(__version__)} \(engine (portable|native), Python 3\S+\)\n", run("--version").stdout
    )


def test_an_engine_that_is_asked_for_runs_or_nothing_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("monitor.engine.native_is_here", lambda: False)
    for wanted, complaint in (("native", "engine native is not in this installation"), ("fast", "is no engine")):
        monkeypatch.setenv("MSISDN_MONITOR_ENGINE", wanted)
        version, doctor = run("--version"), run("doctor")
        assert (version.exit_code, version.stdout, complaint in version.stderr) == (2, "", True)
        assert (doctor.exit_code, f"{complaint}" in doctor.stdout) == (2, True)
    monkeypatch.setenv("MSISDN_MONITOR_ENGINE", "portable")
    assert "(engine portable," in run("--version").stdout
    assert "engine portable" in run("doctor").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str) -> None:
    assert "_MSISDN_MONITOR_COMPLETE" in run("completion", shell).stdout


def test_completion_offers_commands_and_options() -> None:
    environment = os.environ | {
        "_MSISDN_MONITOR_COMPLETE": "bash_complete",
        "COMP_WORDS": f"{PROGRAM} re",
        "COMP_CWORD": "1",
    }
    offered = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, check=True).stdout
    assert offered.split() == ["plain,replay", "plain,requests"]


def imports(args: list[str], heavy: set[str]) -> str:
    """Those of the `heavy` modules that a command imports."""
    code = (
        f"import sys; from monitor.cli import cli; cli({args}, standalone_mode=False)\n"
        f"print(*{heavy} & set(sys.modules), file=sys.stderr)"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr.strip()


@pytest.mark.parametrize("args", [["--help"], ["replay", "--help"], ["completion", "zsh"]])
def test_the_command_line_stays_light(args: list[str]) -> None:
    assert imports(args, {"rich", "prometheus_client", "dpkt", "yaml"}) == ""


def test_a_replay_pays_neither_for_the_table_nor_for_metrics(tmp_path: Path) -> None:
    args = ["replay", str(write(tmp_path / "a.pcap", clean())), "--rules", str(RULES), "--format", "jsonl"]
    assert imports(args, {"rich", "prometheus_client", "scapy"}) == ""


# --- replay: results and exit codes -------------------------------------------------------------------------------


def test_a_leak_ends_with_1_and_one_object_a_line(tmp_path: Path) -> None:
    result = replay(write(tmp_path / "leak.pcap", leak(requests=2)), "--format", "jsonl")
    assert [row["type"] for row in rows(result)] == ["verdict", "verdict", "summary"]
    assert rows(result)[0]["outcome"] == "unknown_recipient"
    assert (result.exit_code, result.stderr) == (1, "")
    assert NUMBER.decode() not in result.output


def test_the_table_is_what_a_person_gets(tmp_path: Path) -> None:
    result = replay(write(tmp_path / "leak.pcap", leak()))
    assert result.exit_code == 1
    assert result.stdout.startswith("LEAKING")
    assert "shop.example" in result.stdout
    assert "\x1b" not in result.stdout
    assert NUMBER.decode() not in result.output


@pytest.mark.parametrize("talk", [clean, agreed])
def test_without_a_violation_it_ends_with_0(tmp_path: Path, talk: object) -> None:
    assert replay(write(tmp_path / "a.pcap", talk())).exit_code == 0  # type: ignore[operator]


def test_a_cut_capture_is_judged_up_to_the_cut_and_ends_with_4(tmp_path: Path) -> None:
    result = replay(write_cut(tmp_path / "cut.pcap", leak()), "--format", "jsonl")
    summary = rows(result)[-1]
    assert (result.exit_code, summary["violations"]) == (4, 1)
    assert [str(fault) for fault in summary["faults"]] == result.stderr.splitlines()  # type: ignore[attr-defined]
    assert "cut.pcap is cut at byte" in result.stderr


def test_an_unreadable_file_keeps_the_results_of_the_others_and_ends_with_3(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pcap"
    broken.write_bytes(b"this is no capture at all, only text")
    found = write(tmp_path / "leak.pcap", leak())
    result = replay(found, broken, tmp_path / "missing.pcap", "--format", "jsonl")
    assert (result.exit_code, rows(result)[-1]["violations"]) == (3, 1)
    assert len(result.stderr.splitlines()) == 2
    assert "missing.pcap cannot be opened" in result.stderr


def test_more_blind_spots_than_agreed_end_with_4(tmp_path: Path) -> None:
    talk = leak(requests=3)
    del talk.packets[7]  # the second request was never captured
    path = write(tmp_path / "gap.pcap", talk)
    assert replay(path).exit_code == 1
    assert replay(path, "--max-blind", "0").exit_code == 4
    assert replay(path, "--max-blind", "9").exit_code == 1


def test_tokens_compare_between_runs_with_one_key(tmp_path: Path) -> None:
    key, capture = tmp_path / "key", write(tmp_path / "leak.pcap", leak())
    key.write_text("k" * 64)
    key.chmod(0o600)
    with_key = [rows(replay(capture, "--format", "jsonl", "--token-key", key))[0]["token"] for _ in range(2)]
    without = [rows(replay(capture, "--format", "jsonl"))[0]["token"] for _ in range(2)]
    assert len({*with_key, *without}) == 3


def test_metrics_are_served_while_it_runs(tmp_path: Path) -> None:
    assert replay(write(tmp_path / "a.pcap", clean()), "--listen", "127.0.0.1:0").exit_code == 0


# --- mistakes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ([], "Missing argument 'FILE...'"),
        (["a.pcap", "--format", "xml"], "'xml' is not one of"),
        (["a.pcap", "--listen", "9108"], "`9108` is not HOST:PORT, such as 127.0.0.1:9108"),
        (["a.pcap", "--listen", ":9108"], "is not HOST:PORT"),
        (["a.pcap", "--listen", "127.0.0.1:99999"], "is not HOST:PORT"),
        (["a.pcap", "--engine", "fast"], "'fast' is not one of"),
        (["a.pcap", "--token-key", "missing.key"], "missing.key: cannot read the key"),
        (["a.pcap", "--rules", "missing/"], "missing: no such folder"),
        (["a.pcap", "--max-blind", "-1"], "-1"),
        (["a.pcap", "--formats", "jsonl"], "No such option '--formats'. Did you mean '--format'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence_and_2(args: list[str], sentence: str) -> None:
    result = replay(*args)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "args",
    [
        ["447700900123"],
        ["replay", "--447700900123"],
        ["replay", "a.pcap", "--max-blind", "447700900123x"],
        ["replay", "a.pcap", "--format", "+44 7700 900123"],
        ["replay", "447700900123.pcap"],
        ["replay", "a.pcap", "--rules", "447700900123"],
        ["requests", "http://shop.example/447700900123"],
        ["explain", "--at", "447700900123"],
        ["publish", str(RULES), "public", "--at", "447700900123"],
        ["doctor", "--interface", "x447700900123"],
        ["discover", "--interface", "x447700900123"],
        ["watch", "--interface", "x447700900123"],
    ],
    ids=" ".join,
)
def test_a_number_that_was_typed_does_not_come_back(args: list[str]) -> None:
    result = run(*args)
    assert result.exit_code in (2, 3)
    assert "900123" not in result.output
    assert "44********23" in result.output.replace("+44 **** ****23", "44********23")


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"
        result = replay(write(tmp_path / "a.pcap", clean()), "--listen", place)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"cannot listen on {place}" in result.stderr


def test_an_ipv6_address_stands_in_brackets(tmp_path: Path) -> None:
    result = replay(write(tmp_path / "a.pcap", clean()), "--listen", "[2001:db8::1]:9108")
    assert "cannot listen on 2001:db8::1:9108" in result.stderr  # parsed, but no address of this machine


def test_the_engine_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MSISDN_MONITOR_ENGINE", "portable")
    summary = replay(write(tmp_path / "a.pcap", clean()), "--format", "jsonl").stdout.splitlines()[-1]
    assert json.loads(summary)["engine"] == "portable"
    monkeypatch.setattr("monitor.engine.native_is_here", lambda: False)
    result = replay(write(tmp_path / "a.pcap", clean()), "--engine", "native")
    assert (result.exit_code, "engine native is not in this installation" in result.stderr) == (2, True)


def test_check_tells_every_error_at_once_and_ends_with_2(tmp_path: Path) -> None:
    for file in RULES.iterdir():
        (tmp_path / file.name).write_text(file.read_text().replace("    form: plain\n", "    from: plain\n"))
    result = run("check", tmp_path)
    assert result.exit_code == 2
    assert len(re.findall(r"\.yaml:\d+:\d+: grants\[\d\]\.from: .*did you mean `form`", result.stderr)) > 3


def test_check_runs_the_tests_in_the_rules(tmp_path: Path) -> None:
    for file in RULES.iterdir():
        (tmp_path / file.name).write_text(file.read_text().replace("expect: expired", "expect: allowed"))
    result = run("check", tmp_path)
    assert result.exit_code == 2
    assert re.search(r"\.yaml:\d+:\d+: tests\[\d+\]\.expect: expected allowed, but it is expired", result.stdout)


def test_sound_rules_are_ok() -> None:
    result = run("check", RULES)
    assert result.exit_code == 0
    assert re.search(r"^OK: 3 partners, \d+ grants, \d+ tests, sha256 [0-9a-f]{12}$", result.stdout, re.MULTILINE)


def test_check_says_when_few_public_suffixes_are_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("monitor.agreements.suffixes.LIST", tmp_path / "list.dat")
    assert "note: of names below which strangers can have names only the best" in run("check", RULES).stdout
    (tmp_path / "list.dat").write_text("example\n")
    assert "note:" not in run("check", RULES).stdout


# --- requests -----------------------------------------------------------------------------------------------------


def test_requests_prints_every_head_masked(tmp_path: Path) -> None:
    path = write(tmp_path / "leak.pcap", leak(requests=2))
    result = run("requests", path, "--format", "jsonl")
    assert [(row["type"], row["method"], row["target"]) for row in rows(result)] == [
        ("request", "GET", "/check?n=0"), ("request", "GET", "/check?n=1"),
    ]  # fmt: skip
    assert rows(result)[0]["fields"] == [["host", "shop.example"], ["x-msisdn", "44********23"]]
    assert (result.exit_code, result.stderr) == (0, "")
    shown = rows(run("requests", path, "--format", "jsonl", "--show-values"))
    assert shown[0]["fields"][1] == ["x-msisdn", NUMBER.decode()]  # type: ignore[index]


def test_requests_as_text_escapes_what_a_terminal_would_obey(tmp_path: Path) -> None:
    talk = leak(b"shop\x1b[2J.example")
    result = run("requests", write(tmp_path / "leak.pcap", talk))
    assert "    GET /check?n=0 HTTP/1.1\n" in result.stdout
    assert "    x-msisdn: 44********23\n" in result.stdout
    assert "\x1b" not in result.stdout


def test_requests_of_a_cut_capture_end_with_4(tmp_path: Path) -> None:
    result = run("requests", write_cut(tmp_path / "cut.pcap", leak()), "--format", "jsonl")
    assert (result.exit_code, len(rows(result))) == (4, 1)
    assert "is cut" in result.stderr


# --- pipes, terminals and signals ---------------------------------------------------------------------------------


def test_a_closed_pipe_ends_it_quietly(tmp_path: Path) -> None:
    path = write(tmp_path / "leak.pcap", leak(requests=2000))
    command = [*COMMAND, "replay", str(path), "--rules", str(RULES), "--format", "jsonl"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ran:
        assert ran.stdout
        assert ran.stderr
        ran.stdout.readline()
        ran.stdout.close()
        complaints = ran.stderr.read()
    assert (ran.returncode, complaints) == (4, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
@pytest.mark.parametrize(
    "told", [("replay", "--format", "jsonl"), ("replay",), ("requests",), ("--help",), ("--version",)]
)
def test_what_cannot_be_written_is_said_and_ends_with_4(told: tuple[str, ...], tmp_path: Path) -> None:
    command, *options = told
    captures = [str(write(tmp_path / "leak.pcap", leak(requests=2000)))] if not command.startswith("-") else []
    rules = ["--rules", str(RULES)] if command == "replay" else []
    with Path("/dev/full").open("wb") as full:
        asked = [*COMMAND, command, *captures, *rules, *options]
        ran = subprocess.run(asked, stdout=full, stderr=subprocess.PIPE, check=False)
    said = b"standard output: No space left on device; make room there, or write to another place\n"
    assert (ran.returncode, ran.stderr) == (4, said)


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_keeps_what_was_found_and_ends_with_4(asked: signal.Signals) -> None:
    command = [*COMMAND, "replay", "-", "--rules", str(RULES), "--format", "jsonl"]
    buffering = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=buffering) as ran:
        assert ran.stdin
        assert ran.stdout
        ran.stdin.write(pcap(leak().frames))
        ran.stdin.flush()
        first = json.loads(ran.stdout.readline())  # results do not wait for the end of the input
        ran.send_signal(asked)
        last = json.loads(ran.stdout.read())
        ran.wait(10)
    assert (first["type"], last["type"]) == ("verdict", "summary")
    assert (last["stopped"], last["violations"], ran.returncode) == (True, 1, 4)


def test_a_mistake_of_ours_is_not_taken_for_violations_and_shows_no_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise KeyError(f"msisdn={NUMBER.decode()}")

    monkeypatch.setattr("monitor.commands.replay.load", broken)
    monkeypatch.setattr("sys.argv", [PROGRAM, "replay", "-"])
    with pytest.raises(SystemExit) as end:
        main()
    told = capsys.readouterr().err
    assert end.value.code == 70
    assert "Traceback" in told
    assert "report it" in told
    assert NUMBER.decode() not in told


def test_an_interrupt_before_the_start_does_not_look_like_violations(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("monitor.commands.replay.load", interrupted)
    assert replay("-").exit_code == 4


def on_a_terminal(*args: str | Path, stdout: int | None = None) -> str:
    """What the command writes to a terminal."""
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm-256color"}
    command = [*COMMAND, *map(str, args)]
    with subprocess.Popen(command, stdout=stdout or theirs, stderr=theirs, env=environment) as ran:
        os.close(theirs)
        text = b""
        while piece := _read(ours):
            text += piece
    os.close(ours)
    assert ran.returncode in (0, 1)
    return text.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # EIO: the other side is closed
        return b""


def test_a_terminal_gets_a_progress_bar_and_colours(tmp_path: Path) -> None:
    path = write(tmp_path / "leak.pcap", leak(requests=500))
    text = on_a_terminal("replay", path, "--rules", RULES)
    assert "packets/s" in text
    assert "\x1b[1;31mLEAKING" in text


def test_json_on_a_terminal_is_not_torn_by_a_bar(tmp_path: Path) -> None:
    path = write(tmp_path / "leak.pcap", leak())
    text = on_a_terminal("replay", path, "--rules", RULES, "--format", "jsonl")
    assert [json.loads(line)["type"] for line in text.splitlines()] == ["verdict", "summary"]


def test_the_only_class_of_commands_is_the_page_of_a_manual() -> None:
    assert all(type(command).__name__ == "Page" for command in cli.commands.values())
    assert isinstance(cli, click.Group)


def test_memory_of_a_replay_can_be_bounded(tmp_path: Path) -> None:
    capture = write(tmp_path / "leak.pcap", leak(requests=2))
    assert replay(capture, "--memory-mib", "64").exit_code == 1
    assert replay(capture, "--memory-mib", "63").exit_code == 2
