"""What the files of deploy/ say holds: compose, image, gateway, against the code that they start."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from c2m.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
OURS = ("machine", "team")
GIVEN = {"GATEWAY_HOST": "floor.example", "DATABASE_PASSWORD": "a-word", "C2M_TIMEZONE": "Asia/Shanghai"}


def filled(text: str) -> str:
    """As compose reads it: ${NAME}, ${NAME:-default}, ${NAME:?fault}."""

    def value(found: re.Match[str]) -> str:
        name, kind, rest = found.group(1), found.group(2), found.group(3)
        if name in GIVEN:
            return GIVEN[name]
        assert kind != ":?", f"{name}: {rest}"
        return rest or ""

    return re.sub(r"\$\{([A-Z0-9_]+)(?:(:[-?])([^}]*))?\}", value, text)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(filled((DEPLOY / "compose.yaml").read_text())))


def test_the_compose_file_is_one_by_the_specification(compose: dict[str, Any]) -> None:
    spec = pytest.importorskip("compose_spec")
    spec.PyCompose.from_yaml(yaml.safe_dump(compose)).validate()
    broken = json.loads(json.dumps(compose))
    broken["services"]["team"]["restart"] = "sometimes"
    with pytest.raises(Exception, match="restart"):
        spec.PyCompose.from_yaml(yaml.safe_dump(broken)).validate()


def test_docker_reads_it() -> None:
    docker = shutil.which("docker")
    command = [docker or "docker", "compose", "--profile", "*", "-f", str(DEPLOY / "compose.yaml"), "config", "-q"]
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("no docker compose on this machine")
    done = subprocess.run(command, env=GIVEN, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_command_and_every_setting_exists(compose: dict[str, Any]) -> None:
    from typer.main import get_command

    from c2m.cli import app

    known = get_command(app).commands  # type: ignore[attr-defined]
    for name in OURS:
        service = compose["services"][name]
        verb, *options = service["command"]
        asked = {option for parameter in known[verb].params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert set(options) <= asked, name
        settings_ = [key for key in service["environment"] if key.startswith("C2M_")]
        fields = {f"C2M_{field.upper()}" for field in Settings.model_fields}
        assert set(settings_) <= fields, name


def test_each_unit_starts_a_command_that_there_is_with_settings_that_there_are() -> None:
    from distributed.cli import dask_scheduler, dask_worker
    from typer.main import get_command

    from c2m.cli import app

    verbs = get_command(app).commands  # type: ignore[attr-defined]
    known = {f"c2m {verb}": command for verb, command in verbs.items()}
    known |= {"dask scheduler": dask_scheduler.main, "dask worker": dask_worker.main}
    fields = {f"C2M_{field.upper()}" for field in Settings.model_fields}
    for unit in (DEPLOY / "systemd").glob("*.service"):
        text = unit.read_text()
        starts = re.search(r"^ExecStart=.*/\.venv/bin/(\w+ \w+)(.*)$", text, re.MULTILINE)
        assert starts, unit.name
        parameters = known[starts[1]].params
        asked = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
        assert set(re.findall(r"--[\w-]+", starts[2])) <= asked, unit.name
        assert set(re.findall(r"\b(C2M_\w+)=", text)) <= fields, unit.name


def test_the_settings_of_each_service_are_accepted(compose: dict[str, Any], tmp_path: Path) -> None:
    for name in OURS:
        told = {key: str(value) for key, value in compose["services"][name]["environment"].items()}
        program = "from c2m.settings import settings; print(settings().mlflow, settings().allowed_hosts)"
        env = {"PATH": "/usr/bin", "PYTHONPATH": str(ROOT), **told, "C2M_HOME": str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "floor.example" in done.stdout


def test_no_door_is_open_without_a_key(compose: dict[str, Any]) -> None:
    """What is published beyond the loopback is the gateway's alone, and it speaks TLS."""
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            assert str(port).startswith("127.0.0.1:"), (name, port)
        assert name in {*OURS, "gateway"} or "network_mode" not in service, name
    gateway = (DEPLOY / "gateway.conf.template").read_text()
    listening = re.findall(r"listen ([^;]+);", gateway)
    assert listening == ["443 ssl", "8883 ssl"]
    targets = re.findall(r"proxy_pass (?:http://)?127\.0\.0\.1:(\d+)", gateway)
    assert [int(port) for port in targets] == [
        Settings.model_fields[name].default for name in ("http_port", "mqtt_port")
    ]
    assert "gateway" in compose["services"]["gateway"]["profiles"]  # after the first key, see the how-to


def test_secrets_come_from_environment_or_files() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    for line in re.findall(r"^.*(?:PASSWORD|postgresql://|key|secret).*$", text, re.MULTILINE | re.IGNORECASE):
        for value in re.findall(r"://c2m:([^@]+)@|PASSWORD: (\S+)", line):
            assert "".join(value).startswith("${"), line
    for line in (DEPLOY / "env.example").read_text().splitlines():
        name, _, value = line.partition("=")
        assert not (value and name.endswith(("PASSWORD", "HOST"))), line
    assert "deploy/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_each_database_that_is_named_is_made(compose: dict[str, Any]) -> None:
    made = set(re.findall(r"CREATE DATABASE (\w+);", (DEPLOY / "databases.sql").read_text()))
    told = compose["services"]["team"]["environment"].values()
    assert {str(value).rpartition("/")[2] for value in told if str(value).startswith("postgresql://")} == made


def test_what_is_mounted_lies_here(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in compose["volumes"] or (DEPLOY / source).exists(), volume
        for secret in service.get("secrets", []):
            assert secret in compose["secrets"]
        assert not service.get("build") or (ROOT / service["build"]["dockerfile"]).exists()


def test_the_image_file_passes_its_linter_and_names_what_there_is() -> None:
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([linter, str(DEPLOY / "Containerfile")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    text = (DEPLOY / "Containerfile").read_text()
    for line in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE):
        for source in line.split():
            assert source == "dist/*.whl" or (ROOT / source).exists(), source
    versions = dict(re.findall(r"(\w+)==([\d.]+)", text))
    assert versions == {"uv": re.findall(r"UV_VERSION := (\S+)", (ROOT / "Makefile").read_text())[0]}
    assert yaml.safe_load((DEPLOY / "compose.yaml").read_text())["x-platform"]["image"] == f"c2m:{version()}"


def version() -> str:
    return re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[0]


@pytest.mark.long
def test_nginx_takes_the_gateways_file(tmp_path: Path) -> None:
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    text = (DEPLOY / "gateway.conf.template").read_text().replace("${GATEWAY_HOST}", "floor.example")
    subject = ["-subj", "/CN=floor.example", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
    subprocess.run(made, check=True, capture_output=True)
    for name, file in (("certificate_key", "key.pem"), ("certificate", "cert.pem")):
        text = text.replace(f"/run/secrets/{name};", f"{tmp_path / file};")
    (tmp_path / "nginx.conf").write_text(text)
    command = [nginx, "-t", "-p", tmp_path, "-e", tmp_path / "error.log", "-c", tmp_path / "nginx.conf"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_image_is_built_and_starts() -> None:
    runtime = shutil.which("podman") or shutil.which("docker")
    if runtime is None or subprocess.run([runtime, "info"], capture_output=True, timeout=60).returncode:
        pytest.skip("no container runtime on this machine")
    uv = ROOT / ".venv" / "bin" / "uv"
    subprocess.run([uv, "build", "--quiet", "--wheel", ROOT], check=True, cwd=ROOT)
    build = [runtime, "build", "-q", "-f", DEPLOY / "Containerfile", "-t", "c2m:test", ROOT]
    subprocess.run(build, check=True, capture_output=True)
    done = subprocess.run([runtime, "run", "--rm", "c2m:test", "--version"], capture_output=True, text=True)
    assert done.stdout.strip() == f"c2m {version()}", done.stderr
