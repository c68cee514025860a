"""The pages of the sensor over real sockets of this machine."""

from __future__ import annotations

import gzip
import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from monitor.errors import ConfigError
from monitor.report import web
from monitor.report.web import listening

HOST = "127.0.0.1"


def page(accept: str) -> tuple[bytes, str]:
    return f"accept={accept}\n".encode(), "text/x-test"


@pytest.fixture
def port() -> Iterator[int]:
    with listening(HOST, 0, page) as port:
        yield port


def get(port: int, path: str, method: str = "GET", **fields: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in fields.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body, answer.headers


def test_metrics_come_in_the_format_that_was_asked_for(port: int) -> None:
    status, body, fields = get(port, "/metrics?x=1", accept="application/openmetrics-text")
    assert (status, body, fields["content-type"]) == (200, b"accept=application/openmetrics-text\n", "text/x-test")


def test_metrics_are_compressed_where_that_is_understood(port: int) -> None:
    _, body, fields = get(port, "/metrics", accept_encoding="gzip")
    assert fields["content-encoding"] == "gzip"
    assert gzip.decompress(body).startswith(b"accept=")


def test_ready_while_it_sees_and_healthy_while_the_loop_goes_round() -> None:
    ready, healthy = [True, False], [True, False]
    with listening(HOST, 0, page, lambda: ready.pop(0), lambda: healthy.pop(0)) as port:
        assert get(port, "/-/ready")[:2] == (200, b"ready\n")
        assert get(port, "/-/ready")[:2] == (503, b"not ready: the capture is not up\n")
        assert get(port, "/-/healthy")[:2] == (200, b"healthy\n")
        assert get(port, "/-/healthy")[:2] == (503, b"the packet loop stands still\n")


def test_the_landing_page_leads_on(port: int) -> None:
    status, body, fields = get(port, "/")
    assert (status, fields["content-type"]) == (200, "text/html; charset=utf-8")
    assert b'href="/metrics"' in body


def test_what_is_not_there_is_said_without_repeating_it(port: int) -> None:
    status, body, _ = get(port, "/447700900123")
    assert status == 404
    assert b"900123" not in body


def test_a_head_has_no_body(port: int) -> None:
    assert get(port, "/-/healthy", "HEAD")[:2] == (200, b"")


def test_nothing_can_be_sent_to_it(port: int) -> None:
    assert get(port, "/metrics", "POST")[0] == 501


def test_there_are_never_more_clients_than_places(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection((HOST, port), 5)) for _ in range(web.MOST_CLIENTS)]
        one_more = stack.enter_context(socket.create_connection((HOST, port), 5))
        assert one_more.recv(1) == b""
        idle[0].sendall(b"GET /-/healthy HTTP/1.0\r\n\r\n")
        assert idle[0].recv(100).startswith(b"HTTP/1.1 200")


def test_a_silent_client_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "SLOWEST_S", 0.05)
    monkeypatch.setattr(web.Answer, "timeout", 0.05)
    with listening(HOST, 0, page) as port, socket.create_connection((HOST, port), 5) as silent:
        assert silent.recv(1) == b""


def test_it_is_gone_when_it_is_over() -> None:
    with listening(HOST, 0, page) as port:
        pass
    with pytest.raises(OSError, match="refused"):
        get(port, "/metrics")


def test_a_port_in_use_is_said_with_its_remedy(port: int) -> None:
    with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}: .*in use.*--listen"), listening(HOST, port, page):
        pytest.fail("it listened on a port that is taken")


def test_a_host_that_is_not_ours_is_said() -> None:
    with pytest.raises(ConfigError, match=r"203\.0\.113\.9:9108"), listening("203.0.113.9", 9108, page):
        pytest.fail("it listened on an address that this machine does not have")


def test_a_host_without_address_is_said() -> None:
    with pytest.raises(ConfigError, match=r"nobody\.invalid:9108: .*--listen"), listening("nobody.invalid", 9108, page):
        pytest.fail("it listened on a name that nobody has")
