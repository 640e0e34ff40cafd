"""The wheel in an empty environment outside the repository, and the files that start it."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

import c2m
from c2m.settings import Settings

ROOT = Path(__file__).parents[2]
UV = ROOT / ".venv" / "bin" / "uv"
UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())


def interpreter_of(python: str) -> Path:
    """A Python of this version that runs; a shim of pyenv may stand for one that is not chosen here."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    there = [path / "bin" / "python" for path in sorted(pyenv.glob(f"{python}.*"))]
    there += [Path(found)] if (found := shutil.which(f"python{python}")) else []
    for path in there:
        if subprocess.run([path, "--version"], capture_output=True).returncode == 0:
            return path
    pytest.skip(f"no Python {python} on this machine")


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_the_wheel_works_in_an_empty_environment(python: str, tmp_path: Path) -> None:
    if not UV.exists():
        pytest.skip("uv is not in .venv: make setup")
    interpreter = interpreter_of(python)
    made = subprocess.run([UV, "build", "--quiet", "--out-dir", tmp_path, ROOT], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {"c2m", f"{wheel.name.rpartition('-py3')[0]}.dist-info"}
    for path in ("prefect.yaml", "dbt_project/dbt_project.yml", "mappings/olist/sales_lines.yaml"):
        assert f"c2m/_project/{path}" in names
    empty, outside = tmp_path / "empty", tmp_path / "outside"
    outside.mkdir()
    ours = ("C2M_", "PREFECT_", "PYTHON", "VIRTUAL_ENV", "COV_")  # what a stranger's shell does not have
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    for arguments in (
        ("venv", "--quiet", "--no-python-downloads", "--python", interpreter, empty),
        ("pip", "install", "--quiet", "--python", empty, "--constraint", ROOT / "requirements.lock", wheel),
    ):
        done = subprocess.run([UV, *arguments], env=env, cwd=outside, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    own = env | {"C2M_HOME": str(outside / "home"), **free_ports()}

    def run(*arguments: str, home: str = "home") -> subprocess.CompletedProcess[str]:
        there, program = own | {"C2M_HOME": str(outside / home)}, empty / "bin" / "c2m"
        return subprocess.run([program, *arguments], env=there, cwd=outside, capture_output=True, text=True)

    if python == "3.11":  # a day and its services once: they take minutes
        done = run("run", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["plan"]["gap"] < 0.05
        stays_up(empty / "bin" / "c2m", own, outside)
        status = json.loads(run("status", "--json").stdout)
        assert status["plan"] == json.loads(done.stdout)["plan"]
    shop = outside / "shop"
    assert run("demo-world", str(shop)).returncode == 0
    mapped_world(shop)
    done = run("ingest", "--world", str(shop), "--json", home="mapped")
    assert done.returncode == 0, done.stderr
    (stock,) = [one for one in json.loads(done.stdout) if one["feed"] == "stock"]
    assert stock["rows_in"] == stock["accepted"] + stock["quarantined"] > 0, stock
    assert run("--version").stdout.startswith("c2m ")
    for mapping in sorted((c2m.PROJECT / "mappings").glob("*/*.yaml")):
        assert f"c2m/_project/{mapping.relative_to(c2m.PROJECT)}" in names


def free_ports() -> dict[str, str]:
    from c2m.floor.child import free_port

    names = ("PREFECT", "MLFLOW", "DOCS", "MQTT", "HTTP", "RELAY", "ROOMS")
    return {f"C2M_{name}_PORT": str(free_port()) for name in names if f"{name.lower()}_port" in Settings.model_fields}


def stays_up(program: Path, env: dict[str, str], folder: Path) -> None:
    """`c2m up` starts, `c2m doctor` finds it well, and it ends cleanly when asked."""

    def doctor() -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([program, "doctor", "--json"], env=env, cwd=folder, capture_output=True)

    log, deadline = folder / "up.log", time.monotonic() + 400
    with log.open("wb") as said:
        up = subprocess.Popen([program, "up"], env=env, cwd=folder, stdout=said, stderr=said)
    try:
        while b"Ctrl-C stops everything" not in log.read_bytes():
            assert up.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(1)
        while (found := doctor()).returncode:
            assert time.monotonic() < deadline, found.stdout
            time.sleep(2)
        up.send_signal(signal.SIGINT)
        assert up.wait(120) == 0, log.read_text()
    finally:
        up.kill()


def mapped_world(folder: Path) -> None:
    """The stock comes as the shop's own export, by a mapping beside it."""
    rows = (folder / "stock.csv").read_text().splitlines()
    (folder / "stock.csv").unlink()
    (folder / "export").mkdir()
    (folder / "export" / "on_hand.csv").write_text("\n".join([rows[0].upper(), *rows[1:]]) + "\n")
    columns = "".join(f"  {name}: '{name.upper()}'\n" for name in rows[0].split(","))
    (folder / "stock.yaml").write_text(f"feed: stock\nfiles: on_hand.csv\ncolumns:\n{columns}")
    world = (folder / "world.yaml").read_text()
    (folder / "world.yaml").write_text(world + "sources:\n  - {mapping: stock.yaml, root: export}\n")


def test_units_are_what_systemd_understands(tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    for unit in UNITS:
        text = re.sub(r"/opt/c2m/\.venv/bin/\w+", "/bin/true", unit.read_text())  # which must be there
        (tmp_path / unit.name).write_text(text)
    services = [str(tmp_path / unit.name) for unit in UNITS]
    done = subprocess.run([tool, "verify", "--man=no", *services], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "c2m.service").write_text("[Service]\nExecStart=nowhere\nRestart=sometimes\n")
    done = subprocess.run([tool, "verify", "--man=no", services[-1]], capture_output=True, text=True)
    assert done.stderr  # a unit that is wrong is found
