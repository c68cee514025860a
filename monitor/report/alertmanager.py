"""Alerts to one Alertmanager, by its v2 API (`POST /api/v2/alerts`): accepted, or why not in one sentence."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from monitor.config import AlertmanagerAt
from monitor.errors import ConfigError

SLOWEST_S = 5.0
MOST_OF_AN_ANSWER = 300  # characters of a complaint that we repeat


class Alertmanager:
    """Raises ConfigError when its files cannot be used. `name` is its host and port, also as a label of the metrics."""

    def __init__(self, at: AlertmanagerAt) -> None:
        self._tls = _tls(at) if at.encrypted else None
        self._host, self._port = at.host, at.port
        self._path = f"{urlsplit(at.url).path.rstrip('/')}/api/v2/alerts"
        self._fields = {"Content-Type": "application/json"} | _password(at)
        self.name = f"{f'[{self._host}]' if ':' in self._host else self._host}:{self._port}"

    def post(self, alerts: Sequence[Mapping[str, Any]]) -> str | None:
        """None when it took them all. Blocks for a few seconds at the most."""
        connection = (
            http.client.HTTPSConnection(self._host, self._port, timeout=SLOWEST_S, context=self._tls)
            if self._tls
            else http.client.HTTPConnection(self._host, self._port, timeout=SLOWEST_S)
        )
        try:
            connection.request("POST", self._path, json.dumps(alerts), self._fields)
            answer = connection.getresponse()
            said = answer.read(MOST_OF_AN_ANSWER).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as fault:
            return f"{fault}" or type(fault).__name__
        finally:
            connection.close()
        return None if answer.status == HTTPStatus.OK else f"{answer.status} {answer.reason}: {said}"


def _tls(at: AlertmanagerAt) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=at.ca_file)
        if at.cert_file:
            context.load_cert_chain(at.cert_file, at.key_file)
    except (OSError, ssl.SSLError) as fault:
        files = ", ".join(str(file) for file in (at.ca_file, at.cert_file, at.key_file) if file)
        raise ConfigError(f"{at.url}: its TLS files cannot be used: {files}: {fault.strerror or fault}") from None
    return context


def _password(at: AlertmanagerAt) -> dict[str, str]:
    if at.username is None or at.password_file is None:
        return {}
    try:
        password = at.password_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigError(f"{at.password_file}: cannot read the password of {at.url}: {fault}") from None
    word = base64.b64encode(f"{at.username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {word}"}
