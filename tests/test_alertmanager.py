"""One Alertmanager over a real socket: how it is spoken to, and what is said of one that cannot be."""

from __future__ import annotations

import json
import shutil
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from monitor.config import AlertmanagerAt
from monitor.errors import ConfigError
from monitor.report.alertmanager import Alertmanager
from tests.certificates import Authority

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")


class Post(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = self.headers["Authorization"] == "Basic c2Vuc29yOnNlY3JldA=="  # sensor:secret
        self.send_response(200 if known and body == [{"labels": {}}] else 401)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signed")
    authority = Authority(folder)
    authority.sign("server")
    authority.sign("sensor", "DNS:sensor.example")
    Authority(folder, "other")
    (folder / "password").write_text("secret\n")
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """An Alertmanager behind TLS that wants a certificate and a password."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Post)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def at(url: str, folder: Path, **more: Any) -> Alertmanager:
    said: dict[str, Any] = {
        "url": url, "username": "sensor", "password_file": folder / "password", "ca_file": folder / "ca.pem",
        "cert_file": folder / "sensor.pem", "key_file": folder / "sensor.key",
    }  # fmt: skip
    return Alertmanager(AlertmanagerAt(**said | more))


def test_one_behind_tls_and_a_password_takes_what_it_is_sent(url: str, folder: Path) -> None:
    assert at(url, folder).post([{"labels": {}}]) is None
    assert at(url, folder).name == url.removeprefix("https://")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ca_file": "other.pem"}, "CERTIFICATE_VERIFY_FAILED"),
        ({"cert_file": None}, ""),  # how it says so differs with the version of TLS
        ({"username": "nobody"}, "401 Unauthorized"),
    ],
)
def test_one_that_refuses_is_said(url: str, folder: Path, changes: dict[str, str | None], said: str) -> None:
    files = {name: folder / value if value and name.endswith("_file") else value for name, value in changes.items()}
    assert said in (at(url, folder, **files).post([{"labels": {}}]) or "it was taken")
    assert at(url, folder, **files).post([{"labels": {}}]) is not None


def test_one_that_is_not_there_is_said() -> None:
    assert "refused" in (Alertmanager(AlertmanagerAt(url="http://127.0.0.1:1")).post([]) or "")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"password_file": "gone"}, "gone: cannot read the password of https://"),
        ({"ca_file": "gone"}, "its TLS files cannot be used: "),
        ({"key_file": "server.key"}, "its TLS files cannot be used: "),
    ],
)
def test_files_that_cannot_be_used_are_an_error_at_the_start(folder: Path, changes: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        at("https://127.0.0.1:1", folder, **{name: folder / file for name, file in changes.items()})


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://am", "am:9093"),
        ("https://am.example", "am.example:443"),
        ("http://[2001:db8::1]:1/x", "[2001:db8::1]:1"),
    ],
)
def test_its_name_is_host_and_port(url: str, name: str) -> None:
    assert Alertmanager(AlertmanagerAt(url=url)).name == name
