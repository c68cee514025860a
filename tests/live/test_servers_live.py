"""Rows 55 to 78: odd requests to servers of this machine, which answer with the Host and the number that they took.

Whatever one of them took, the sensor must have read: the number surely or as ambiguous, and its recipient must be that
Host where it is sure. What a server refuses says nothing: the bytes left the network all the same.

Those take part that are installed. `make test` installs Apache's bare program, which starts no service; nginx
(nginx-light) and haproxy would start theirs on this machine, so whoever wants them installs them.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from monitor.identify import Identify
from monitor.recipient import Recipient, host_name, recipient_of
from monitor.records import Certainty
from pcaps.talk import Talk, pcap
from tests.live.networks import needs_root, own_network
from tests.test_audit import PLAN
from tests.test_engine import agree

pytestmark = [pytest.mark.live, needs_root]

NUMBER = b"447700900123"
HOST = b"Host: shop.example\r\n"
FIELD = b"X-MSISDN: " + NUMBER + b"\r\n"


class Seen(NamedTuple):
    recipient: Recipient
    certainty: Certainty


def get(fields: bytes, line: bytes = b"GET / HTTP/1.1\r\n", end: bytes = b"\r\n") -> bytes:
    return line + fields + end


def post(framing: bytes, body: bytes) -> bytes:
    """A request with a body, and one behind it that leaks."""
    return get(HOST + framing, b"POST / HTTP/1.1\r\n") + body + get(HOST + FIELD)


CASES: dict[str, bytes] = {
    "plain": get(HOST + FIELD),
    "lower case": get(HOST + FIELD.lower()),
    "no space behind the colon": get(HOST + b"X-MSISDN:" + NUMBER + b"\r\n"),
    "tabs around the value": get(HOST + b"X-MSISDN:\t" + NUMBER + b"\t\r\n"),
    "space before the colon": get(HOST + b"X-MSISDN : " + NUMBER + b"\r\n"),
    "value on the next line": get(HOST + b"X-MSISDN:\r\n " + NUMBER + b"\r\n"),
    "value cut by a fold": get(HOST + b"X-MSISDN: " + NUMBER[:5] + b"\r\n " + NUMBER[5:] + b"\r\n"),
    "bare LF": get(HOST + FIELD).replace(b"\r", b""),
    "bare LF at the end": get(HOST + FIELD, end=b"\n"),
    "bare LF before the field": get(b"Host: shop.example\n" + FIELD),
    "lone CR before the field": get(b"Host: shop.example\r" + FIELD),
    "lone CR in another value": get(HOST + b"X-Odd: a\rb\r\n" + FIELD),
    "NUL in another value": get(HOST + b"X-Odd: a\0b\r\n" + FIELD),
    "NUL behind the value": get(HOST + FIELD.replace(b"\r", b"\0\r")),
    "a line without a colon": get(HOST + b"odd\r\n" + FIELD),
    "an empty name": get(HOST + b": odd\r\n" + FIELD),
    "a name with 8 bits": get(HOST + b"X-\xe9: odd\r\n" + FIELD),
    "a name with a space": get(HOST + b"X Odd: odd\r\n" + FIELD),
    "a line that begins with a space first": get(b" odd: odd\r\n" + HOST + FIELD),
    "UTF-8 in a value": get(HOST + "X-Odd: é\r\n".encode() + FIELD),
    "the field twice": get(HOST + b"X-MSISDN: none\r\n" + FIELD),
    "the field twice, the number first": get(HOST + FIELD + b"X-MSISDN: none\r\n"),
    "a long cookie": get(HOST + b"Cookie: " + b"a" * 6000 + b"\r\n" + FIELD),
    "eighty lines": get(HOST + b"X-Odd: odd\r\n" * 80 + FIELD),
    "unknown method": get(HOST + FIELD, b"FETCH / HTTP/1.1\r\n"),
    "method in lower case": get(HOST + FIELD, b"get / HTTP/1.1\r\n"),
    "CRLF before": b"\r\n" + get(HOST + FIELD),
    "CRLF before, three times": b"\r\n\r\n\r\n" + get(HOST + FIELD),
    "spaces in the request line": get(HOST + FIELD, b"GET  /  HTTP/1.1\r\n"),
    "a tab in the request line": get(HOST + FIELD, b"GET\t/\tHTTP/1.1\r\n"),
    "a space in the target": get(HOST + FIELD, b"GET /a b HTTP/1.1\r\n"),
    "a space behind the version": get(HOST + FIELD, b"GET / HTTP/1.1 \r\n"),
    "version 1.0": get(HOST + FIELD, b"GET / HTTP/1.0\r\n"),
    "version 1.2": get(HOST + FIELD, b"GET / HTTP/1.2\r\n"),
    "version in lower case": get(HOST + FIELD, b"GET / http/1.1\r\n"),
    "HTTP/0.9 with fields": get(HOST + FIELD, b"GET /\r\n"),
    "ten at once": get(HOST) * 9 + get(HOST + FIELD),
    "a body, then another one": post(b"Content-Length: 5\r\n", b"hello"),
    "a body of a GET": get(HOST + b"Content-Length: 5\r\n") + b"hello" + get(HOST + FIELD),
    "chunks": post(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
    "chunks with an extension": post(b"Transfer-Encoding: chunked\r\n", b"5;a=b\r\nhello\r\n0\r\n\r\n"),
    "chunks with a bare LF": post(b"Transfer-Encoding: chunked\r\n", b"5\nhello\r\n0\r\n\r\n"),
    "chunks, a zero more": post(b"Transfer-Encoding: chunked\r\n", b"005\r\nhello\r\n000\r\n\r\n"),
    "chunks in capitals": post(b"Transfer-Encoding: CHUNKED\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
    "chunks, then a trailer": post(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\nX-Odd: odd\r\n\r\n"),
    "chunks and a length": post(b"Transfer-Encoding: chunked\r\nContent-Length: 15\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
    "chunks and a length that lies": post(
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"5\r\nhello\r\n0\r\n\r\n"
    ),
    "space before the colon of chunks": post(b"Transfer-Encoding : chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
    "identity": post(b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n", b"hello"),
    "length twice": post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello"),
    "two lengths": post(b"Content-Length: 5\r\nContent-Length: 0\r\n", b"hello"),
    "a list of lengths": post(b"Content-Length: 5, 5\r\n", b"hello"),
    "length with a plus": post(b"Content-Length: +5\r\n", b"hello"),
    "length with zeros": post(b"Content-Length: 005\r\n", b"hello"),
    "length below 0": post(b"Content-Length: -1\r\n", b""),
    "absolute target": get(b"Host: other.example\r\n" + FIELD, b"GET http://shop.example/ HTTP/1.1\r\n"),
    "absolute target with a user": get(b"Host: other.example\r\n" + FIELD, b"GET http://a@shop.example/ HTTP/1.1\r\n"),
    "two Hosts": get(HOST + b"Host: other.example\r\n" + FIELD),
    "Host with a port": get(b"Host: shop.example:80\r\n" + FIELD),
    "Host with a dot": get(b"Host: shop.example.\r\n" + FIELD),
    "Host in capitals": get(b"Host: SHOP.EXAMPLE\r\n" + FIELD),
    "no Host": get(FIELD, b"GET / HTTP/1.0\r\n"),
    "a field folded before Host": get(b"X-Odd: a\r\n\tHost: other.example\r\n" + HOST + FIELD),
    "space before the colon of Host": get(b"Host : shop.example\r\n" + FIELD),
}


class Echo(BaseHTTPRequestHandler):
    """The server of Python's own library."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        length = self.headers.get("Content-Length", "0")
        self.rfile.read(int(length) if length.isdigit() else 0)
        told = f"<{self.headers.get('Host', '')}|{self.headers.get('X-MSISDN', '')}>".encode("latin-1", "replace")
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    do_GET = do_POST = answer

    def log_message(self, *_: object) -> None:
        pass


NGINX = """
user root; daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 64; }}
http {{
  access_log off; underscores_in_headers on; large_client_header_buffers 4 32k;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "<$host|$http_x_msisdn>"; }} }}
}}
"""
APACHE = """
ServerRoot {folder}
PidFile {folder}/apache.pid
DefaultRuntimeDir {folder}
Mutex pthread
ErrorLog /dev/null
ServerName apache.example
Listen 127.0.0.1:{port}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
{options}
DocumentRoot {folder}
ErrorDocument 404 "<%{{HTTP_HOST}}|%{{HTTP:X-MSISDN}}>"
"""
HAPROXY = """
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
frontend echo
  bind 127.0.0.1:{port}
  {options}
  http-request return status 200 content-type text/plain lf-string "<%[req.hdr(host)]|%[req.hdr(x-msisdn)]>"
"""
SERVERS = {  # command, configuration, its options, the words before its name
    "nginx": ("nginx", NGINX, "", ("-c",)),
    "apache": ("apache2", APACHE, "HttpProtocolOptions Strict", ("-X", "-f")),
    "apache, lenient": ("apache2", APACHE, "HttpProtocolOptions Unsafe LenientMethods Allow0.9", ("-X", "-f")),
    "haproxy": ("haproxy", HAPROXY, "", ("-db", "-f")),
    "haproxy, lenient": ("haproxy", HAPROXY, "option accept-invalid-http-request", ("-db", "-f")),
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Those that are installed, and Python's: by name, the ports at which they listen in a network of their own."""
    ports: dict[str, int] = {"python": 8000}
    running = []
    with own_network(), HTTPServer(("127.0.0.1", 8000), Echo) as python:
        threading.Thread(target=python.serve_forever, daemon=True).start()
        for port, (name, (command, form, options, words)) in enumerate(SERVERS.items(), 8001):
            if found := shutil.which(command, path="/usr/sbin:/usr/bin"):
                folder = tmp_path_factory.mktemp("server")
                (folder / "conf").write_text(form.format(folder=folder, port=port, options=options))
                running.append(subprocess.Popen([found, *words, str(folder / "conf")], stderr=subprocess.DEVNULL))
                ports[name] = port
        try:
            for name, port in ports.items():
                until = time.monotonic() + 10
                while not answered(port, CASES["plain"]):
                    assert time.monotonic() < until, f"{name} does not answer"
            yield ports
        finally:
            for each in running:
                each.terminate()
                each.wait(5)
            python.shutdown()


def answered(port: int, octets: bytes) -> bytes:
    """All that a server says to these bytes, behind which the client says nothing more."""
    said = b""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as end:
            end.sendall(octets)
            end.shutdown(socket.SHUT_WR)
            while fresh := end.recv(65535):
                said += fresh
    except ConnectionError:
        pass
    return said


def took(said: bytes) -> set[bytes]:
    """The Hosts of the requests that were answered and in which the server saw the number."""
    return {host for host, value in re.findall(rb"<([^|<>]*)[|]([^>]*)>", said) if NUMBER in value}


def may_be(host: bytes, seen: Seen) -> bool:
    """Whether this was read so. Servers without a Host go by the address, as the sensor does; some go by the Host where
    the target is absolute (RFC 9112 section 3.2.2 has it the other way round), which is then a claim."""
    names = (*seen.recipient.names, seen.recipient.claim)
    return not host or host_name(host) in names or seen.certainty is Certainty.AMBIGUOUS


def test_what_a_server_took_was_read(servers: dict[str, int], tmp_path: Path) -> None:
    talks = {}
    for port, (name, octets) in enumerate(CASES.items(), 20_000):
        talks[port] = name, Talk(sport=port).open().client(octets).server(b"HTTP/1.1 204 No Content\r\n\r\n").close()
    (tmp_path / "servers.pcap").write_bytes(pcap(f for _, talk in talks.values() for f in talk.frames))
    identify = Identify(PLAN)
    seen: dict[str, list[Seen]] = {name: [] for name in CASES}
    for head in agree(tmp_path / "servers.pcap")[0]:
        for each in identify.feed(head):
            if each.number.digits.encode() == NUMBER:
                seen[talks[head.flow.sport][0]].append(Seen(recipient_of(head), each.certainty))
    wrong, taken = [], 0
    for server, port in servers.items():
        for name, octets in CASES.items():
            for host in took(answered(port, octets)):
                taken += 1
                if not any(may_be(host, each) for each in seen[name]):
                    wrong.append(f"{server}, {name}: took it as {host_name(host)!r}, and {seen[name]} was seen")
    assert wrong == []
    assert taken > 30 * len(servers)
