"""Prometheus' web configuration: what it opens, what it closes, and what is said of one that cannot be used."""

from __future__ import annotations

import base64
import http.client
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.report import web_config
from monitor.report.web import listening
from monitor.report.web_config import WebConfig
from tests.certificates import Authority

HOST = "127.0.0.1"
TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
MUTUAL = f"{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")


def page(_accept: str) -> tuple[bytes, str]:
    return b"all of it\n", "text/plain"


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signed")
    authority = Authority(folder)
    authority.sign("server")
    authority.sign("prometheus", "DNS:prometheus.example")
    authority.sign("stranger", "DNS:stranger.example")
    Authority(folder, "other").sign("foreign")
    return folder


@pytest.fixture
def folder(signed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(signed, tmp_path / "web"))


def written(folder: Path, text: str) -> WebConfig:
    (folder / "web.yml").write_text(text)
    return WebConfig(folder / "web.yml")


def get(
    config: WebConfig, *, ca: Path | None = None, client: Path | None = None, user: str = "", path: str = "/metrics"
) -> tuple[int, http.client.HTTPMessage]:
    with listening(HOST, 0, page, config=lambda: config) as port:
        return ask(port, ca=ca, client=client, user=user, path=path)


def ask(
    port: int, *, ca: Path | None = None, client: Path | None = None, user: str = "", path: str = "/metrics"
) -> tuple[int, http.client.HTTPMessage]:
    if ca:
        context = ssl.create_default_context(cafile=ca)
        if client:
            context.load_cert_chain(client, client.with_suffix(".key"))
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(HOST, port, timeout=5, context=context)
    else:
        connection = http.client.HTTPConnection(HOST, port, timeout=5)
    fields = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if user else {}
    try:
        connection.request("GET", path, headers=fields)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers
    finally:
        connection.close()


def test_without_a_file_everybody_may_ask_in_the_clear() -> None:
    assert get(WebConfig())[0] == 200
    assert not WebConfig().encrypted


def test_tls_is_spoken_and_nothing_else(folder: Path) -> None:
    config = written(folder, TLS)
    assert config.encrypted
    assert get(config, ca=folder / "ca.pem")[0] == 200
    with pytest.raises((OSError, http.client.HTTPException)):
        get(config)


def test_a_version_that_is_too_old_is_refused(folder: Path) -> None:
    config = written(folder, f"{TLS}  min_version: TLS13\n")
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with listening(HOST, 0, page, config=lambda: config) as port, pytest.raises((ssl.SSLError, ConnectionError)):
        http.client.HTTPSConnection(HOST, port, timeout=5, context=context).request("GET", "/metrics")


def test_a_client_must_show_a_certificate_that_is_signed(folder: Path) -> None:
    config = written(folder, MUTUAL)
    assert get(config, ca=folder / "ca.pem", client=folder / "prometheus.pem")[0] == 200
    for client in (None, folder / "foreign.pem"):
        with pytest.raises((OSError, http.client.HTTPException)):
            get(config, ca=folder / "ca.pem", client=client)


def test_a_client_must_be_one_of_those_named(folder: Path) -> None:
    config = written(folder, f"{MUTUAL}  client_allowed_sans: [prometheus.example]\n")
    assert get(config, ca=folder / "ca.pem", client=folder / "prometheus.pem")[0] == 200
    with pytest.raises((OSError, http.client.HTTPException)):
        get(config, ca=folder / "ca.pem", client=folder / "stranger.pem")


def test_a_new_certificate_is_in_force_without_a_word_to_us(folder: Path) -> None:
    said: list[str] = []
    (folder / "web.yml").write_text(TLS)
    config = WebConfig(folder / "web.yml", lambda level, text: said.append(f"{level} {text}"))
    with listening(HOST, 0, page, config=lambda: config) as port:
        assert ask(port, ca=folder / "ca.pem")[0] == 200
        (folder / "server.pem").write_text("half")
        assert ask(port, ca=folder / "ca.pem")[0] == 200
        assert "ERROR the older certificates stay in force: " in said[0]
        for suffix in (".pem", ".key"):
            (folder / f"foreign{suffix}").replace(folder / f"server{suffix}")
        assert ask(port, ca=folder / "other.pem")[0] == 200
        with pytest.raises(ssl.SSLError):
            ask(port, ca=folder / "ca.pem")
    assert said[1:] == ["INFO new certificates are in force"]


def test_only_a_user_with_the_password_may_ask(folder: Path) -> None:
    bcrypt = pytest.importorskip("bcrypt")
    kept = bcrypt.hashpw(b"secret", bcrypt.gensalt(4))
    config = written(folder, f"basic_auth_users:\n  prometheus: {kept.decode()}\n")
    for path in ("/metrics", "/-/healthy", "/"):
        status, fields = get(config, path=path)
        assert (status, fields["www-authenticate"]) == (401, 'Basic realm="metrics"')
    for user in ("prometheus:secre", "prometheus:", "someone:secret", "prometheus:" + "x" * 100, "prometheus:secret\0"):
        assert get(config, user=user)[0] == 401
    assert get(config, user="prometheus:secret")[0] == 200
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bcrypt, "checkpw", lambda *_: pytest.fail("it was right before, and is not reckoned out again"))
        assert config.knows(f"basic {base64.b64encode(b'prometheus:secret').decode()}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web_config, "NOBODY", kept)
        assert get(config, user="someone:secret")[0] == 401
    assert not config.knows("Bearer x")
    assert not config.knows("Basic \xff")


def test_fields_of_answers_are_set(folder: Path) -> None:
    _, fields = get(written(folder, "http_server_config:\n  headers: {X-Frame-Options: deny}\n"))
    assert fields["x-frame-options"] == "deny"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tls_server_confg: {}", "web.yml:1:1: tls_server_confg: unknown key; did you mean `tls_server_config`?"),
        (
            "tls_server_config: {cert_file: server.pem}",
            "web.yml:1:20: tls_server_config.key_file: is missing: key of `cert_file`, PEM",
        ),
        (
            f"{TLS}  client_auth_type: RequireAnyClientCert",
            "web.yml:4:21: tls_server_config.client_auth_type: `RequireAnyClientCert` is no way to treat "
            "certificates of clients that this server has; did you mean `RequireAndVerifyClientCert`?",
        ),
        (
            f"{TLS}  client_auth_type: RequireAndVerifyClientCert",
            "web.yml:4:21: tls_server_config.client_auth_type: needs `client_ca_file`: who may have signed "
            "the certificates of clients",
        ),
        (
            f"{TLS}  client_ca_file: ca.pem",
            "web.yml:4:19: tls_server_config.client_ca_file: is of no use unless `client_auth_type` asks for "
            "a certificate: RequireAndVerifyClientCert",
        ),
        (
            f"{TLS}  min_version: SSL3",
            "web.yml:4:16: tls_server_config.min_version: `SSL3` is no version of TLS; write one of TLS13, "
            "TLS12, TLS11, TLS10",
        ),
        (
            f"{TLS}  cipher_suites: [X]",
            "web.yml:4:3: tls_server_config.cipher_suites: unknown key; known are cert_file, key_file, "
            "client_auth_type, client_ca_file, client_allowed_sans, min_version, max_version, "
            "prefer_server_cipher_suites",
        ),
        (
            "basic_auth_users: {me: secret}",
            "web.yml:1:24: basic_auth_users.me: is no bcrypt hash; make one with `htpasswd -nBC 10 USER`",
        ),
        (
            "http_server_config: {headers: {X-Frame: deny}}",
            "web.yml:1:32: http_server_config.headers.X-Frame: `X-Frame` is no header that may be set here; "
            "did you mean `X-Frame-Options`?",
        ),
        (
            'http_server_config: {headers: {X-Frame-Options: "a\\nb"}}',
            "web.yml:1:49: http_server_config.headers.X-Frame-Options: is no value of a header; write "
            "printable ASCII on one line",
        ),
        (
            TLS.replace("server.pem", "gone.pem"),
            "gone.pem: certificate or key cannot be read: No such file or directory",
        ),
        (TLS.replace("server.key", "foreign.key"), "server.pem: the key is not the one of this certificate"),
        (TLS.replace("server.pem", "web.yml"), "web.yml: no sound certificate or key in PEM"),
        (
            MUTUAL.replace("ca.pem", "web.yml"),
            "web.yml: no sound certificate or key in PEM",
        ),
    ],
)
def test_what_cannot_be_used_is_said(folder: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as mistake:
        written(folder, text)
    assert str(mistake.value).replace(f"{folder}/", "") == said


def test_a_key_with_a_password_is_no_prompt(folder: Path) -> None:

    command = (
        "openssl",
        "ec",
        "-in",
        folder / "server.key",
        "-aes256",
        "-passout",
        "pass:x",
        "-out",
        folder / "locked.key",
    )
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(ConfigError, match="the key is encrypted"):
        written(folder, TLS.replace("server.key", "locked.key"))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"web\.yml: cannot be read"):
        WebConfig(tmp_path / "web.yml")
