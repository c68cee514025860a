"""What is shipped in deploy/ fits together, and fits the program."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from monitor.cli import cli

DEPLOY = Path(__file__).parents[1] / "deploy"
UNIT = DEPLOY / "systemd/msisdn-monitor.service"
COMPOSE = DEPLOY / "container/docker-compose.yaml"
MOST_EXPOSED = 16  # tenths, by systemd-analyze security


def settings(unit: str) -> dict[str, list[str]]:
    """Every setting of a unit file and its values."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def manifests(name: str) -> dict[str, Any]:
    """The documents of a manifest by kind."""
    documents = yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text())
    return {document["kind"]: document for document in documents}


def understood(words: list[str]) -> None:
    """Fails when the program does not know this command or one of its options."""
    shown = CliRunner().invoke(cli, [words[0], "--help"]).output
    for option in (word for word in words if word.startswith("--")):
        assert re.search(rf"{option}\b", shown), option


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_unit_is_hardened() -> None:
    words = ("systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(UNIT))
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_unit_has_no_mistake() -> None:
    done = subprocess.run(("systemd-analyze", "verify", str(UNIT)), capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line and "is not executable" not in line]
    assert complaints == []


def test_the_unit_starts_what_is_installed() -> None:
    unit = settings(UNIT.read_text())
    install = (DEPLOY / "install").read_text()
    program, *words = shlex.split(unit["ExecStart"][0])
    assert program == "/opt/msisdn-monitor/current/bin/msisdn-monitor"
    understood(words)
    assert "program=/opt/msisdn-monitor\n" in install
    assert 'ln -sfn "$version" "$program/current"' in install
    assert f"account={unit['User'][0]}\n" in install
    assert "state=/var/lib/" + unit["StateDirectory"][0] in install
    assert unit["LoadCredential"] == ["token-key:/etc/msisdn-monitor/token.key"]
    assert unit["Environment"] == ["MSISDN_MONITOR_TOKEN_KEY=%d/token-key"]
    assert unit["AmbientCapabilities"] == unit["CapabilityBoundingSet"] == ["CAP_NET_RAW"]


def test_the_script_that_installs_is_sound() -> None:
    subprocess.run(("bash", "-n", DEPLOY / "install"), check=True)
    done = subprocess.run((DEPLOY / "install", "--what"), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("unknown option --what")


def test_compose_mounts_what_is_there_and_opens_nothing_to_the_network() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    assert set(services) == {"sensor", "prometheus", "alertmanager", "grafana"}
    for name, service in services.items():
        assert "ports" not in service
        assert service["cap_drop"] == ["ALL"]
        for volume in service["volumes"]:
            source = volume.split(":", 1)[0]
            if source.startswith("."):
                assert (COMPOSE.parent / source).resolve().exists(), f"{name} mounts {source}"
        if name != "sensor":
            assert re.fullmatch(r"[\w-]+/[\w-]+:v?\d+(\.\d+){2}", service["image"])  # a version, and no registry
    assert services["sensor"]["cap_add"] == ["NET_RAW"]
    for name in ("prometheus", "alertmanager"):
        assert any(word.startswith("--web.listen-address=127.0.0.1:") for word in services[name]["command"])
    assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="needs docker-compose")
def test_compose_is_valid() -> None:
    done = subprocess.run(
        ("docker-compose", "-f", COMPOSE, "config", "-q"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_image_runs_as_nobody_special() -> None:
    recipe = (DEPLOY / "container/Containerfile").read_text()
    assert re.findall(r"^USER (.*)$", recipe, re.MULTILINE) == ["10001:10001"]
    assert "setcap cap_net_raw=ep" in recipe
    assert all("/" not in image for image in re.findall(r"^FROM (\S+)", recipe, re.MULTILINE))
    (command,) = re.findall(r"^CMD (\[.*\])$", recipe, re.MULTILINE)
    understood(yaml.safe_load(command))


def test_the_manifest_hangs_together() -> None:
    found = manifests("msisdn-monitor.yaml")
    pod = found["DaemonSet"]["spec"]["template"]
    (sensor,) = pod["spec"]["containers"]
    understood(sensor["args"])
    labels = pod["metadata"]["labels"]
    for selector in (
        found["DaemonSet"]["spec"]["selector"]["matchLabels"],
        found["Service"]["spec"]["selector"],
        manifests("service-monitor.yaml")["ServiceMonitor"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert found["Service"]["metadata"]["labels"].items() >= labels.items()  # what the ServiceMonitor looks for
    ports = {port["name"] for port in sensor["ports"]}
    assert {port["targetPort"] for port in found["Service"]["spec"]["ports"]} <= ports
    assert {sensor[probe]["httpGet"]["port"] for probe in ("readinessProbe", "livenessProbe")} <= ports
    volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
    for container in (sensor, *pod["spec"]["initContainers"]):
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
    assert sensor["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    image_user = re.findall(r"^USER (\d+)", (DEPLOY / "container/Containerfile").read_text(), re.MULTILINE)
    assert [str(pod["spec"]["securityContext"]["runAsUser"])] == image_user
