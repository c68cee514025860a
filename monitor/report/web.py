"""The web server of the sensor: /metrics for Prometheus, /-/healthy and /-/ready for whoever starts it, / for people.

Small on purpose. A page is made in the thread of its request from what the pipeline left lying there, so a scrape waits
for nobody and nobody waits for a scrape; one page is made at a time, slow clients are cut off, and there are never
more than MOST_CLIENTS of them. Encryption and passwords are web_config's.
"""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Lock, Thread
from typing import Any

from monitor import __version__
from monitor.errors import ConfigError
from monitor.report.web_config import WebConfig

MOST_CLIENTS = 16
SLOWEST_S = 10.0  # for a client to send its request or to take the answer
TEXT, HTML = "text/plain; charset=utf-8", "text/html; charset=utf-8"
LANDING = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>msisdn-monitor</title>
<style>body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 36rem; padding: 0 1rem }}</style>
<h1>msisdn-monitor</h1>
<p>Version {__version__}. Which subscriber numbers leave this network, to whom, and does an agreement cover it?
<ul>
<li><a href="/metrics">/metrics</a> for Prometheus
<li><a href="/-/healthy">/-/healthy</a>: the packet loop goes round
<li><a href="/-/ready">/-/ready</a>: the rules are loaded and the capture is up
</ul>
</html>
"""

OPEN = WebConfig()  # everybody may ask, in the clear
Claim = Callable[[], bool]
Page = Callable[[str], tuple[bytes, str]]  # an Accept field -> body and content type


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self, address: tuple[str, int], page: Page, ready: Claim, healthy: Claim, config: Callable[[], WebConfig]
    ) -> None:
        self.page, self.ready, self.healthy, self.config = page, ready, healthy, config
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.making = Lock()
        self._places = BoundedSemaphore(MOST_CLIENTS)
        super().__init__(address, Answer)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The handshake is here and not where connections are taken, or one silent client would keep all others out."""
        config = self.config()
        try:
            request.settimeout(SLOWEST_S)
            if context := config.tls():
                request = context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
                request.do_handshake()
                config.check_peer(request)
            super().process_request_thread(request, client_address)
        except OSError:  # TLS that was not agreed on, or a client that went away
            self.shutdown_request(request)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no fault of ours, and nothing for the log."""


class Answer(BaseHTTPRequestHandler):
    server: Server
    server_version = "msisdn-monitor"
    sys_version = ""
    timeout = SLOWEST_S
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if not self.server.config().knows(self.headers.get("Authorization", "")):
            self._answer(HTTPStatus.UNAUTHORIZED, b"say who you are\n", {"WWW-Authenticate": 'Basic realm="metrics"'})
            return
        match self.path.partition("?")[0]:
            case "/metrics":
                self._metrics()
            case "/-/healthy" if self.server.healthy():
                self._answer(HTTPStatus.OK, b"healthy\n")
            case "/-/healthy":
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"the packet loop stands still\n")
            case "/-/ready" if self.server.ready():
                self._answer(HTTPStatus.OK, b"ready\n")
            case "/-/ready":
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"not ready: the capture is not up\n")
            case "/":
                self._answer(HTTPStatus.OK, LANDING.encode(), {"Content-Type": HTML})
            case _:
                self._answer(HTTPStatus.NOT_FOUND, b"there is /metrics, /-/healthy and /-/ready\n")

    do_HEAD = do_GET

    def _metrics(self) -> None:
        with self.server.making:
            body, kind = self.server.page(self.headers.get("Accept", ""))
            more = {"Content-Type": kind, "Vary": "Accept, Accept-Encoding"}
            if "gzip" in self.headers.get("Accept-Encoding", ""):
                body = gzip.compress(body, compresslevel=1)
                more["Content-Encoding"] = "gzip"
        self._answer(HTTPStatus.OK, body, more)

    def _answer(self, status: HTTPStatus, body: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        fields = {"Content-Type": TEXT, "Content-Length": str(len(body)), "X-Content-Type-Options": "nosniff"}
        for name, value in (fields | dict(self.server.config().headers) | (more or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a scrape every few seconds would bury the log."""


@contextmanager
def listening(
    host: str,
    port: int,
    page: Page,
    ready: Claim = lambda: True,
    healthy: Claim = lambda: True,
    config: Callable[[], WebConfig] = lambda: OPEN,
) -> Iterator[int]:
    """Serves from threads of its own; port 0 takes any free one, and the port it is comes back.

    `config` is asked for each connection anew.

    Raises ConfigError when the address cannot be listened on.
    """
    try:
        server = Server((host, port), page, ready, healthy, config)
    except OSError as fault:
        reason = fault.strerror or str(fault)
        raise ConfigError(
            f"cannot listen on {host}:{port}: {reason}; stop what uses it or name another address with --listen"
        ) from fault
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="web", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
