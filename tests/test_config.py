from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor import config
from monitor.config import LogAs, SensorConfig, endpoint, load, overridden
from monitor.errors import ConfigError

EXAMPLE = Path(__file__).parent.parent / "deploy/sensor.yaml"
WHOLE = """\
interfaces: [eth1, eth2]
filter: not port 443
workers: 2
memory_mib: 256
hardware_stamps: true
engine: native
rules: rules
token_key: /etc/key
listen: "[::1]:9108"
web_config: web.yml
name: lon-1
alertmanagers:
  - {url: "https://am.example:9093", username: sensor, password_file: word, ca_file: ca.pem}
outbox: /var/lib/x/outbox.json
resolve_after: 1h
runbook: https://wiki.example/
journal: verdicts.jsonl
log: json
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sensor.yaml"


def faults(file: Path, text: str) -> list[str]:
    file.write_text(text)
    with pytest.raises(ConfigError) as mistake:
        load(file)
    return str(mistake.value).replace(f"{file}:", "").split("\n")


def test_every_key_is_read_and_paths_are_below_the_file(file: Path) -> None:
    file.write_text(WHOLE)
    read = load(file)
    assert set(SensorConfig.language) == {line.split(":")[0] for line in WHOLE.splitlines() if line[0] != " "}
    assert (read.interfaces, read.workers, read.memory_mib) == (("eth1", "eth2"), 2, 256)
    assert read.hardware_stamps
    assert (read.rules, read.token_key) == (file.parent / "rules", Path("/etc/key"))
    assert (read.listen, read.resolve_after, read.log) == (("::1", 9108), 3600, LogAs.JSON)
    assert read.alertmanagers[0].password_file == file.parent / "word"
    assert read.sensor == "lon-1"


def test_what_is_left_out_and_what_is_just_allowed(file: Path) -> None:
    file.write_text("{}\n")
    read = load(file)
    assert (read.workers, read.memory_mib, read.listen) == (1, 512, ("127.0.0.1", 9108))
    file.write_text(
        "workers: 64\nmemory_mib: 64\nlisten: 127.0.0.1:65535\n"
        "alertmanagers: [{url: 'http://am.example'}, {url: 'https://am.example'}]\n"
    )
    read = load(file)
    assert (read.workers, read.memory_mib, read.listen) == (64, 64, ("127.0.0.1", 65535))
    assert [(each.host, each.port) for each in read.alertmanagers] == [("am.example", 9093), ("am.example", 443)]


def test_a_name_may_be_spelt_in_hexadecimal(file: Path) -> None:
    file.write_text("interfaces: [br-1a2b3c4d5e6f]\nname: node-7d9f8b6c5d\n")
    assert load(file).interfaces == ("br-1a2b3c4d5e6f",)


def test_the_example_is_sound_and_shows_every_key(file: Path) -> None:
    load(EXAMPLE)
    shown = {line.lstrip("# ").split(":")[0] for line in EXAMPLE.read_text().splitlines()}
    assert set(SensorConfig.language) <= shown
    file.write_text(re.sub(r"^# (?=[a-z_]+: )", "", EXAMPLE.read_text(), flags=re.MULTILINE))  # with what is only shown
    assert load(file).engine == "native"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("interface: eth1", "1:1: interface: unknown key; did you mean `interfaces`?"),
        ("interfaces: eth1", "1:13: interfaces: a list is expected here; write it in brackets: `[eth1]`"),
        ("interfaces: []", "1:13: interfaces: nothing in it; name at least one, or leave the key out"),
        ("interfaces: [a/b]", "1:14: interfaces[0]: `a/b` is no name of an interface; `ip link` lists them"),
        (
            "interfaces: [v447700900123]",
            "1:14: interfaces[0]: `v44********23` is no name of an interface; `ip link` lists them",
        ),
        ("workers: 0", "1:10: workers: `0` is no number of threads; write 1 to 64"),
        ("workers: 65", "1:10: workers: `65` is no number of threads; write 1 to 64"),
        ("memory_mib: 63", "1:13: memory_mib: `63` is no amount of memory; write MiB, 64 or more"),
        ("memory_mib: 1G", "1:13: memory_mib: `1G` is no amount of memory; write MiB, 64 or more"),
        ("engine: rust", "1:9: engine: `rust` is no engine; write one of auto, native, portable"),
        ("hardware_stamps: yes", "1:18: hardware_stamps: `yes` is neither `true` nor `false`; write one of them"),
        ("listen: 9108", "1:9: listen: `9108` is not HOST:PORT, such as 127.0.0.1:9108"),
        ("listen: localhost:99999", "1:9: listen: `localhost:99999` is not HOST:PORT, such as 127.0.0.1:9108"),
        ("log: xml", "1:6: log: `xml` is no way to write the log; write one of text, json"),
        ("name: a b", "1:7: name: `a b` is no name; write letters, digits, `.`, `-`, `_` and `:`, at most 64"),
        (
            "resolve_after: 15",
            "1:16: resolve_after: `15` is no span of time; write a number and m, h or d, such as `30m`, `1h` or `1d`",
        ),
        (
            "alertmanagers: [{}]",
            "1:17: alertmanagers[0].url: is missing: where it listens, such as http://127.0.0.1:9093",
        ),
        (
            "alertmanagers: [{url: am:9093}]",
            "1:23: alertmanagers[0].url: `am:9093` is no address of an Alertmanager; write one such as "
            "`http://127.0.0.1:9093`",
        ),
        (
            "alertmanagers: [{url: 'http://u:p@am'}]",
            "1:23: alertmanagers[0].url: `http://u:p@am` is no address of an Alertmanager; write one such as "
            "`http://127.0.0.1:9093`",
        ),
        (
            "alertmanagers: [{url: 'http://am', username: x}]",
            "1:46: alertmanagers[0].username: is of no use without `password_file`; write both",
        ),
        (
            "alertmanagers: [{url: 'https://am', key_file: x}]",
            "1:47: alertmanagers[0].key_file: is of no use without `cert_file`; write both",
        ),
        (
            "alertmanagers: [{url: 'http://am', ca_file: x}]",
            "1:45: alertmanagers[0].ca_file: is of no use with http; write https in `url`",
        ),
        ("", "1:1: `key: value` lines are expected here; copy one of the examples"),
    ],
)
def test_a_mistake_is_said_with_its_place_and_its_remedy(file: Path, text: str, said: str) -> None:
    assert faults(file, text) == [said]


def test_all_mistakes_are_said_at_once(file: Path) -> None:
    assert len(faults(file, "workers: x\nengin: native\nlisten: 1\n")) == 3


def test_a_file_that_is_not_there_is_said(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"sensor\.yaml: cannot be read: No such file"):
        load(file)


def test_the_command_line_wins_where_it_says_something(file: Path) -> None:
    file.write_text(WHOLE)
    read = overridden(
        load(file), {"interfaces": (), "engine": "portable", "web_config": None, "listen": ("0.0.0.0", 1)}
    )
    assert (read.interfaces, read.engine, read.listen) == (("eth1", "eth2"), "portable", ("0.0.0.0", 1))
    assert read.web_config == file.parent / "web.yml"


def test_what_changed_is_named(file: Path) -> None:
    file.write_text(WHOLE)
    before = load(file)
    assert config.changed(before, load(file)) == []
    file.write_text(WHOLE.replace("ca.pem", "other.pem").replace("1h", "2h"))
    assert config.changed(before, load(file)) == ["alertmanagers", "resolve_after"]


def test_without_a_file_there_are_defaults() -> None:
    plain = SensorConfig()
    assert (plain.listen, plain.rules, plain.log, plain.alertmanagers) == (
        ("127.0.0.1", 9108),
        Path("rules"),
        "text",
        (),
    )
    assert plain.sensor


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("[2001:db8::1]:80", ("2001:db8::1", 80)), ("h:1", ("h", 1))],
)
def test_an_endpoint_is_read(text: str, expected: tuple[str, int]) -> None:
    assert endpoint(text) == expected
