"""Prometheus' web configuration file in, who may ask for a page and how it is encrypted out.

The format is that of Prometheus' own exporters (exporter-toolkit, docs/web-configuration.md): one file for all of them.
What this server cannot keep is refused rather than ignored. Certificates are read again when their files change, for
who renews them does not know of us; new ones that cannot be used leave the old in force, and the log says so.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from monitor.errors import ConfigError
from monitor.written.file import read
from monitor.written.language import ByName, Entry, Model, Scalar, Some, key
from monitor.written.scalars import BOOLEAN, TEXT, one_of

MOST_REMEMBERED = 100  # passwords that were right: bcrypt is slow on purpose, and a scrape comes every few seconds
LONGEST_PASSWORD = 72  # octets that bcrypt looks at
NOBODY = b"$2b$10$Su1CPLl0lSvGG4n1eJmJ6.BfxbiHmVzMYJrbb0Vxba6IZFlmmtkQ2"  # checked where there is no such user
VERSIONS = {
    "TLS13": ssl.TLSVersion.TLSv1_3,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS10": ssl.TLSVersion.TLSv1,
}
CLIENTS = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
HEADERS = (
    "Content-Security-Policy",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "X-XSS-Protection",
    "Strict-Transport-Security",
)


def _hash(text: str) -> bytes:
    if not re.fullmatch(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}", text):
        raise ValueError("is no bcrypt hash; make one with `htpasswd -nBC 10 USER`")
    return text.encode()


def _header(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError("is no value of a header; write printable ASCII on one line")
    return text


FILE, HEADER = Scalar(Path), Scalar(_header)
VERSION = one_of(tuple(VERSIONS), "version of TLS")


class Tls(Model):
    """tls_server_config"""

    cert_file: Path = key(FILE, "certificate of this server and what leads to its root, PEM")
    key_file: Path = key(FILE, "key of `cert_file`, PEM")
    client_auth_type: str = key(
        one_of(tuple(CLIENTS), "way to treat certificates of clients that this server has"),
        "whether clients must show a certificate",
        default="NoClientCert",
    )
    client_ca_file: Path | None = key(FILE, "certificates that may have signed those of clients", default=None)
    client_allowed_sans: tuple[str, ...] = key(Some(TEXT), "names of clients that may come", default=())
    min_version: str = key(VERSION, "oldest version of TLS", default="TLS12")
    max_version: str = key(VERSION, "newest version of TLS", default="TLS13")
    prefer_server_cipher_suites: bool = key(BOOLEAN, "whether the order of this server counts", default=True)

    @classmethod
    def clash(cls, said: Mapping[str, Any]) -> tuple[str, str] | None:
        asks = said.get("client_auth_type", "NoClientCert") != "NoClientCert"
        if asks and not said.get("client_ca_file"):
            return "client_auth_type", "needs `client_ca_file`: who may have signed the certificates of clients"
        if not asks and (said.get("client_ca_file") or said.get("client_allowed_sans")):
            there = "client_ca_file" if said.get("client_ca_file") else "client_allowed_sans"
            return there, "is of no use unless `client_auth_type` asks for a certificate: RequireAndVerifyClientCert"
        return None


class Http(Model):
    """http_server_config"""

    http2: bool = key(BOOLEAN, "this server speaks HTTP/1.1 alone", default=False)
    headers: Mapping[str, str] = key(
        ByName(one_of(HEADERS, "header that may be set here"), HEADER), "fields of every answer", default={}
    )


class Web(Model):
    """The file."""

    tls_server_config: Tls | None = key(Entry(Tls), "encryption", default=None)
    http_server_config: Http | None = key(Entry(Http), "fields of answers", default=None)
    basic_auth_users: Mapping[str, bytes] = key(ByName(TEXT, Scalar(_hash)), "user: bcrypt hash", default={})


class WebConfig:
    """What the file says, ready for use; without a file everybody may ask, in the clear. Raises ConfigError."""

    def __init__(self, path: Path | None = None, say: Callable[[str, str], None] = lambda _level, _text: None) -> None:
        self._say = say
        web = Web() if path is None else read(Web, path)
        self.headers: Mapping[str, str] = web.http_server_config.headers if web.http_server_config else {}
        self._users = web.basic_auth_users
        self._tls = web.tls_server_config
        self._folder = Path() if path is None else path.parent
        self._key, self._right = secrets.token_bytes(16), set[bytes]()
        self._context: ssl.SSLContext | None = None
        self._state: tuple[object, ...] = ()
        if self._tls:
            self._state = self._files_now(self._tls)
            self._context = self._made(self._tls)

    @property
    def encrypted(self) -> bool:
        return self._tls is not None

    def tls(self) -> ssl.SSLContext | None:
        """By the certificates as they are now; None where nothing is encrypted."""
        if self._tls and (state := self._files_now(self._tls)) != self._state:
            self._state = state
            try:
                self._context = self._made(self._tls)
                self._say("INFO", "new certificates are in force")
            except ConfigError as mistake:
                self._say("ERROR", f"the older certificates stay in force: {mistake}")
        return self._context

    def check_peer(self, connection: ssl.SSLSocket) -> None:
        """Raises ConnectionError when the certificate is sound, but its owner may not come."""
        if self._tls and self._tls.client_allowed_sans:
            certificate: Any = connection.getpeercert() or {}
            names = {name for _, name in certificate.get("subjectAltName", ())}
            if names.isdisjoint(self._tls.client_allowed_sans):
                raise ConnectionError("a client that is not named")

    def knows(self, authorization: str) -> bool:
        """Whether this Authorization field (RFC 7617) is of a user; a wrong name costs as much as a wrong password."""
        if not self._users:
            return True
        scheme, _, word = authorization.partition(" ")
        try:
            user, _, password = base64.b64decode(word, validate=True).decode().partition(":")
        except ValueError:  # no base64, no UTF-8
            return False
        if scheme.lower() != "basic" or len(password.encode()) > LONGEST_PASSWORD or "\0" in password:
            return False
        kept = self._users.get(user)
        mark = hmac.digest(self._key, f"{user}\0{password}".encode(), "sha256")
        if mark in self._right:
            return True
        from bcrypt import checkpw  # late: only where there are passwords

        if not checkpw(password.encode(), kept or NOBODY) or kept is None:
            return False
        if len(self._right) < MOST_REMEMBERED:
            self._right.add(mark)
        return True

    def _made(self, tls: Tls) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        at = self._folder / tls.cert_file
        try:
            context.minimum_version, context.maximum_version = VERSIONS[tls.min_version], VERSIONS[tls.max_version]
            context.load_cert_chain(at, self._folder / tls.key_file, password=_no_password)
            if tls.client_ca_file:
                at = self._folder / tls.client_ca_file
                context.load_verify_locations(at)
        except (OSError, ValueError) as fault:
            raise ConfigError(f"{at}: {_why(fault)}") from None
        context.verify_mode = CLIENTS[tls.client_auth_type]
        if not tls.prefer_server_cipher_suites:
            context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        return context

    def _files_now(self, tls: Tls) -> tuple[object, ...]:
        return tuple(
            _state(self._folder / file)
            for file in (tls.cert_file, tls.key_file, tls.client_ca_file)
            if file is not None
        )


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _why(fault: OSError | ValueError) -> str:
    if isinstance(fault, FileNotFoundError | PermissionError | IsADirectoryError):
        return f"certificate or key cannot be read: {fault.strerror}"
    if getattr(fault, "reason", "") == "KEY_VALUES_MISMATCH":
        return "the key is not the one of this certificate"
    return str(fault) if isinstance(fault, ValueError) else "no sound certificate or key in PEM"


def _no_password() -> str:
    raise ValueError("the key is encrypted; take its password off")
