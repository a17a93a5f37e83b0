"""A project of its own that has installed the wheel: pytest's fixture, and labgrid with coordinator and exporter.

The environment is made anew: the built wheel is installed into it with pip, labgrid from PyPI; leadwire's other
dependencies, gigabytes of them, are looked up in the environment that runs this test. labgrid's fork of pyserial is
installed and comes first there, as it would in a user's.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rig_example import INPUT_BYTES, write_model

LONG = os.environ.get("LEADWIRE_LABGRID") == "1"
IDS = {"left": "00000000000000000000001e", "right": "0000000000000000000000e5"}
SER2NET = shutil.which("ser2net", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
NO_INI = ("-c", "/dev/null", "--rootdir", ".")
long_only = pytest.mark.skipif(not LONG, reason="takes a minute: run 'make labgrid'")


class Project:
    """A copy of examples/rig-project with a model, beside an environment that has the wheel."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder, self.python = folder, python
        self.model = write_model(folder / "model.tflite")

    def run(self, *arguments: str, timeout: float = 400, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env={**clean_environment(), "LEADWIRE_LOCKS": str(self.folder / "locks"), **environment},
        )

    def pytest(self, *arguments: str, **environment: str) -> tuple[int, str]:
        done = self.run("-m", "pytest", "-v", "-p", "no:cacheprovider", *arguments, **environment)
        return done.returncode, done.stdout + done.stderr

    def program(self, name: str) -> str:
        return str(self.python.parent / name)


def clean_environment() -> dict[str, str]:
    """Without what would lead to the checkout or to recordings."""
    hidden = ("PYTHONPATH", "LEADWIRE_DATA", "PYTEST_ADDOPTS")
    kept = {key: value for key, value in os.environ.items() if key not in hidden and not key.startswith("PYTEST_XDIST")}
    return {**kept, "TF_CPP_MIN_LOG_LEVEL": "3"}


@pytest.fixture(scope="module")
def project(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("separate")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=root, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    environment = folder / "environment"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, capture_output=True, timeout=120
    )
    python = environment / "bin" / "python"
    install(python, "--no-deps", "--no-index", str(next(folder.glob("*.whl"))))
    shutil.copytree(root / "examples" / "rig-project", folder / "project")
    made = Project(folder / "project", python)
    found = made.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    dependencies = Path(found.stdout.strip()) / "dependencies.pth"
    dependencies.write_text(sysconfig.get_path("purelib") + "\n")
    return made


def install(python: Path, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", *arguments],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def with_labgrid(project: Project) -> Project:
    if SER2NET is None:
        pytest.skip("needs ser2net, which is not installed")
    try:
        install(project.python, "labgrid>=26,<27")
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"labgrid cannot be installed from PyPI here: {str(error.stderr)[-200:]}")
    return project


def test_it_is_the_wheel_that_is_used(project: Project) -> None:
    done = project.run("-c", "import leadwire.resources as r; print(r.__file__, r.ROOT)")
    assert all(str(project.python.parent.parent) in path for path in done.stdout.split()), done


def test_the_fixture_on_each_board_of_a_rig(project: Project) -> None:
    code, said = project.pytest("--leadwire-model", "model.tflite", "--leadwire-rig", "rig.toml", "test_model.py")
    assert code == 0, said
    assert "6 passed" in said
    for board in IDS:
        assert f"test_it_is_quick_enough[{board}] PASSED" in said


def test_a_demand_that_is_not_met_is_red(project: Project) -> None:
    (project.folder / "test_demands.py").write_text(
        "def test_quick(leadwire):\n    assert leadwire.benchmark.latency_us.p99 < 0.001\n"
        f"def test_size(leadwire):\n    assert leadwire.device.info.input_bytes == {INPUT_BYTES}\n"
        "def test_validated(leadwire):\n    leadwire.validated\n"
    )
    (project.folder / "pytest.ini").write_text("[pytest]\nleadwire_model = model.tflite\n")
    code, said = project.pytest("test_demands.py")
    assert code == 1, said
    assert "test_quick FAILED" in said
    assert "test_size PASSED" in said
    assert "validation needs a project" in said


@long_only
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "needs --leadwire-model or --leadwire-project"),
        (("--leadwire-model", "model.tflite", "--leadwire-board", "nothing"), "board 'nothing' is not known"),
        (("--leadwire-rig", "rig.toml", "--leadwire-port", "/dev/null"), "a rig file says the ports itself"),
        (("--leadwire-model", "model.tflite", "--leadwire-port", "/dev/ttyNONE"), "is not plugged in"),
    ],
)
def test_options_that_cannot_be(project: Project, arguments: tuple[str, ...], told: str) -> None:
    code, said = project.pytest(*NO_INI, *arguments, "test_model.py")
    assert code != 0
    assert told in said
    if "is not plugged in" in told:
        assert said.count("PortError") >= 3, "each test says why, and none waits for what the first one left"
        assert "BusyBoardError" not in said


def test_without_a_test_that_asks_for_a_board_nothing_is_loaded(project: Project) -> None:
    (project.folder / "test_nothing.py").write_text(
        "import sys\n\ndef test_nothing():\n"
        "    heavy = {'numpy', 'pydantic', 'serial', 'smpclient', 'typer'} & set(sys.modules)\n"
        "    assert not heavy\n    assert 'leadwire.rig' not in sys.modules\n"
    )
    disabled = [part for name in ("hypothesispytest", "anyio", "labgrid") for part in ("-p", f"no:{name}")]
    code, said = project.pytest(*disabled, "test_nothing.py")
    assert code == 0, said
    assert "leadwire-" in said, "the plugin is there"


@long_only
def test_validated_with_a_project(project: Project, root: Path) -> None:
    (project.folder / "test_verdict.py").write_text(
        "def test_verdict(leadwire):\n    assert leadwire.validated.verdict == 'pass'\n"
        "    assert leadwire.compared.identical == leadwire.compared.samples == 30\n"
    )
    example = root / "examples" / "arrhythmia" / "leadwire.toml"
    code, said = project.pytest(*NO_INI, "test_verdict.py", "--leadwire-project", str(example))
    assert code == 0, said


# ------------------------------------------------------------------------------------------ labgrid


@contextmanager
def started(project: Project, log: Path, *command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program in the background, ended at the end; its output goes to `log`."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=project.folder,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**clean_environment(), **environment},
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(log: Path, text: str) -> str:
    deadline = time.monotonic() + 60
    while text not in (said := log.read_text(errors="replace")):
        assert time.monotonic() < deadline, f"no '{text}' in:\n{said}"
        time.sleep(0.1)
    return said


@pytest.fixture(scope="module")
def lab(with_labgrid: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Two boards that run the model already, an exporter that has them, and a coordinator: each a process of its own.
    Each board is reserved under its name. The environment by which clients find them."""
    project, logs = with_labgrid, tmp_path_factory.mktemp("lab")
    built = project.run("-m", "leadwire", "build", "model.tflite", "--work", "built", "--json")
    assert built.returncode == 0, built.stderr
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    coordinator, exporter = logs / "coordinator.log", logs / "exporter.log"
    emulate = (str(project.python), "-m", "leadwire", "emulate", "built/image/firmware.elf", "--json", "--unique-id")
    left, right = (logs / f"{name}.log" for name in IDS)
    with (
        started(project, left, *emulate, IDS["left"]),
        started(project, right, *emulate, IDS["right"]),
        started(project, coordinator, project.program("labgrid-coordinator"), "-l", address),
    ):
        wait_until(coordinator, "listening on")
        said = {log.stem.upper(): wait_until(log, "}").splitlines()[0] for log in (left, right)}
        ports = {f"{name}_PORT": json.loads(line)["port"] for name, line in said.items()}
        export = (project.program("labgrid-exporter"), "-c", address, "--hostname", "localhost", "-n", "lab-1")
        with started(project, exporter, *export, "labgrid/exporter.yaml", **ports):
            wait_until(exporter, "creating poll task")
            for place in IDS:
                reserve(project, place, address)
            yield {"LG_COORDINATOR": address}


def reserve(project: Project, place: str, address: str) -> None:
    for command in (("create",), ("add-match", f"lab-1/{place}/*"), ("acquire",)):
        done = project.run(project.program("labgrid-client"), "-p", place, *command, LG_COORDINATOR=address)
        assert done.returncode == 0, done.stdout + done.stderr


@long_only
def test_two_boards_through_coordinator_and_exporter(with_labgrid: Project, lab: dict[str, str]) -> None:
    project = with_labgrid
    code, said = project.pytest(
        "labgrid", "--lg-env", "labgrid/environment.yaml", LEADWIRE_MODEL=str(project.model), **lab
    )
    assert code == 0, said
    for place in IDS:
        assert f"[{place}] PASSED" in said


@long_only
@pytest.mark.requirement("LW-FLA-001")
def test_another_board_behind_the_exporter_is_refused(with_labgrid: Project, lab: dict[str, str]) -> None:
    """Somebody has swapped the cables: behind the port of one stands the other."""
    project = with_labgrid
    (project.folder / "swapped.py").write_text(
        "import leadwire.labgrid\n"
        "from labgrid import Environment\n"
        "from leadwire.errors import WrongBoardError\n"
        "driver = Environment('labgrid/environment.yaml').get_target('left').get_driver('LeadwireDriver')\n"
        "assert driver.identify().unique_id == driver.board.unique_id\n"
        f"driver.board.unique_id = {IDS['right']!r}\n"
        "try:\n    driver.identify()\nexcept WrongBoardError as error:\n    print(error)\n"
    )
    done = project.run("swapped.py", **lab)
    assert done.returncode == 0, done.stderr
    assert f"unique id: found {IDS['left']}, expected {IDS['right']}; nothing was written" in done.stdout


BOOTSTRAP = """
import hashlib, sys
import attr
import leadwire.labgrid
from labgrid import Environment, target_factory
from labgrid.driver import Driver
from labgrid.protocol import BootstrapProtocol, PowerProtocol

did = []

@target_factory.reg_driver
@attr.s(eq=False)
class Recorder(Driver, BootstrapProtocol, PowerProtocol):
    def load(self, filename):
        did.append(hashlib.sha256(open(filename, "rb").read()).hexdigest())
    def cycle(self):
        did.append("cycle")
    def on(self): ...
    def off(self): ...

driver = Environment("local.yaml").get_target("desk").get_driver("LeadwireDriver")
with driver.desk("model.tflite") as desk:
    assert desk.compared.identical == desk.compared.samples
    assert did == [desk.device.image.digest, "cycle"], did
"""
LOCAL = """
imports: [leadwire.labgrid]
targets:
  desk:
    resources:
      RawSerialPort: {{port: {port}}}
      LeadwireBoard: {{board: virtual-stm32f405, unique_id: "{unique_id}"}}
    drivers:
      Recorder: {{}}
      LeadwireDriver: {{}}
"""


@long_only
def test_another_driver_of_labgrid_brings_the_image(with_labgrid: Project, tmp_path: Path) -> None:
    """A board on this machine that a driver with BootstrapProtocol and PowerProtocol flashes and restarts."""
    project = with_labgrid
    project.run("-m", "leadwire", "build", "model.tflite", "--work", "built", "--json")
    emulate = (str(project.python), "-m", "leadwire", "emulate", "built/image/firmware.elf", "--json", "--unique-id")
    with started(project, tmp_path / "board.log", *emulate, IDS["left"]):
        port = json.loads(wait_until(tmp_path / "board.log", "}").splitlines()[0])["port"]
        (project.folder / "local.yaml").write_text(LOCAL.format(port=port, unique_id=IDS["left"]))
        (project.folder / "bootstrap.py").write_text(BOOTSTRAP)
        done = project.run("bootstrap.py")
    assert done.returncode == 0, done.stdout + done.stderr
