"""sensor.yaml in, the configuration of `watch` out: which ports, by which rules, and whom to tell.

The file is read as the rules are: every fault at once, as file:line:column, an unknown key with the one that is meant.
What the command line or the environment says wins over it. Paths in it are relative to its own folder.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from monitor.redact import mask_name
from monitor.written.document import quoted
from monitor.written.file import read
from monitor.written.language import Entry, Model, Scalar, Some, key
from monitor.written.scalars import BOOLEAN, SPAN, TEXT, listed, one_of

M = TypeVar("M", bound=Model)
MOST_WORKERS = 64
FEWEST_MIB = 64  # a table of SYNs takes 6 besides


class LogAs(StrEnum):
    TEXT = "text"
    JSON = "json"


def endpoint(text: str) -> tuple[str, int]:
    """HOST:PORT, an IPv6 address in brackets. The host is never left out: everybody's address must be meant."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{quoted(text)} is not HOST:PORT, such as 127.0.0.1:9108")
    return host, int(port)


def _interface(text: str) -> str:
    if not re.fullmatch(r"[^\s/]{1,15}", text) or mask_name(text) != text:  # IFNAMSIZ; and it is a label of the metrics
        raise ValueError(f"{quoted(text)} is no name of an interface; `ip link` lists them")
    return text


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not set(text) & set("@?# ")
    except ValueError:
        sound = False
    if not sound:
        raise ValueError(f"{quoted(text)} is no address of an Alertmanager; write one such as `http://127.0.0.1:9093`")
    return text


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", text) or mask_name(text) != text:
        raise ValueError(f"{quoted(text)} is no name; write letters, digits, `.`, `-`, `_` and `:`, at most 64")
    return text


def _workers(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d?", text) or int(text) > MOST_WORKERS:
        raise ValueError(f"{quoted(text)} is no number of threads; write 1 to {MOST_WORKERS}")
    return int(text)


def _mib(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{1,6}", text) or int(text) < FEWEST_MIB:
        raise ValueError(f"{quoted(text)} is no amount of memory; write MiB, {FEWEST_MIB} or more")
    return int(text)


FILE, URL, INTERFACE = Scalar(Path), Scalar(_url, format="uri"), Scalar(_interface)


class AlertmanagerAt(Model):
    """An Alertmanager that the sensor itself tells of first violations."""

    url: str = key(URL, "where it listens, such as http://127.0.0.1:9093")
    username: str | None = key(TEXT, "for basic authentication", default=None)
    password_file: Path | None = key(FILE, "file with the password of `username`", default=None)
    ca_file: Path | None = key(FILE, "who may have signed its certificate; the system's, if left out", default=None)
    cert_file: Path | None = key(FILE, "certificate that it knows the sensor by", default=None)
    key_file: Path | None = key(FILE, "key of `cert_file`", default=None)

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or (443 if self.encrypted else 9093)

    @property
    def encrypted(self) -> bool:
        return self.url.startswith("https:")

    @classmethod
    def clash(cls, said: Mapping[str, Any]) -> tuple[str, str] | None:
        for one, other in (("username", "password_file"), ("cert_file", "key_file")):
            for there, missing in ((one, other), (other, one)):
                if there in said and missing not in said:
                    return there, f"is of no use without `{missing}`; write both"
        for there in ("ca_file", "cert_file"):
            if there in said and not said["url"].startswith("https:"):
                return there, "is of no use with http; write https in `url`"
        return None


class SensorConfig(Model):
    """What `watch` does."""

    file: Path | None = None  # it was read from

    interfaces: tuple[str, ...] = key(Some(INTERFACE), "ports to read, promiscuously", default=())
    filter: str = key(TEXT, "tcpdump expression; what it refuses is not seen", default="")
    workers: int = key(Scalar(_workers, "integer"), "threads that read", default=1)
    memory_mib: int = key(
        Scalar(_mib, "integer"),
        "MiB for connections, fragments and waiting heads of a thread; then the idle go first",
        default=512,
    )
    hardware_stamps: bool = key(BOOLEAN, "take times from the network card's clock", default=False)
    engine: Literal["auto", "native", "portable"] = key(
        one_of(("auto", "native", "portable"), "engine"), "`native` means: that one, or refuse to start", default="auto"
    )
    rules: Path = key(FILE, "folder of the agreements", default=Path("rules"))
    token_key: Path | None = key(FILE, "key of the tokens, mode 0600", default=None)
    listen: tuple[str, int] = key(Scalar(endpoint), "where Prometheus finds /metrics", default=("127.0.0.1", 9108))
    web_config: Path | None = key(FILE, "TLS and passwords of /metrics, in Prometheus' own format", default=None)
    name: str = key(Scalar(_name), "of this sensor, in its alerts; the host's, if left out", default="")
    alertmanagers: tuple[AlertmanagerAt, ...] = key(
        Some(Entry(AlertmanagerAt)), "who is told of a first violation at once", default=()
    )
    outbox: Path | None = key(FILE, "file that keeps alerts until they are delivered", default=None)
    resolve_after: int = key(SPAN, "an alert ends when nothing of its kind was seen for so long", default=15 * 60)
    runbook: str = key(TEXT, "what stands in front of the names of the runbook's pages", default="docs/runbook/")
    journal: Path | None = key(FILE, "file to which every verdict is added, a line of JSON each", default=None)
    log: LogAs = key(listed(LogAs, "way to write the log"), "text or json", default=LogAs.TEXT)

    @property
    def sensor(self) -> str:
        return self.name or mask_name(socket.gethostname())


def load(path: Path) -> SensorConfig:
    """Raises ConfigError with every fault of the file, one a line."""
    config = _placed(path.parent, read(SensorConfig, path))
    config.file = path
    return config


def overridden(config: SensorConfig, options: Mapping[str, object]) -> SensorConfig:
    """With what the command line says; None and nothing say nothing."""
    return SensorConfig(**vars(config) | {name: said for name, said in options.items() if said not in (None, ())})


def changed(running: SensorConfig, new: SensorConfig) -> list[str]:
    """The keys that differ."""
    return [name for name in SensorConfig.language if _plain(getattr(running, name)) != _plain(getattr(new, name))]


def _placed(folder: Path, model: M) -> M:
    """With its paths below the folder of the file that says them."""

    def place(said: object) -> object:
        if isinstance(said, Path):
            return folder / said
        if isinstance(said, Model):
            return _placed(folder, said)
        return tuple(map(place, said)) if isinstance(said, tuple) else said

    return type(model)(**{name: place(said) for name, said in vars(model).items()})


def _plain(said: object) -> object:
    return [vars(each) for each in said] if isinstance(said, tuple) and said and isinstance(said[0], Model) else said
