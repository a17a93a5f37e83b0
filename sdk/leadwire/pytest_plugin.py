"""pytest plugin: the fixtures `leadwire` (one board with the model) and `leadwire_rig` (all that are to be tested).

    def test_latency(leadwire):
        assert leadwire.compared.identical == leadwire.compared.samples
        assert leadwire.benchmark.latency_us.p99 < 10_000
        assert leadwire.validated.verdict == "pass"

Loaded by pytest in every environment that has leadwire, so nothing is imported before a test asks for a board. Options
can stand in the ini file as `leadwire_model`, `leadwire_rig` and so on. docs/manual/rigs.md is the reference.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from leadwire.rig.desk import Desk
    from leadwire.rig.file import Rig, RigBoard
    from leadwire.rig.workload import Workload

_OPTIONS = {
    "model": "a full-INT8 .tflite file to be tested",
    "project": "a leadwire.toml to be tested instead; 'validated' needs one",
    "board": "board id or board file; with a rig the names of its boards, with commas between (default: all)",
    "port": "serial port of a board that is plugged in, or of an emulated one that runs already",
    "rig": "a rig.toml: each test runs once for each board",
    "requirements": "a requirements.toml: what tests marked requirement(id) verify; see 'leadwire trace'",
}
_DEFAULT_BOARD = "virtual-stm32f405"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("leadwire", "boards under test")
    for name, text in _OPTIONS.items():
        group.addoption(f"--leadwire-{name}", dest=f"leadwire_{name}", default=None, metavar=name.upper(), help=text)
        parser.addini(f"leadwire_{name}", text, default="")


class BoardsUnderTest:
    """What the options say: `boards` by name, and the model's `workload`, built when first asked for."""

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        self._config = config
        self._folder = folder

    @cached_property
    def rig(self) -> Rig:
        from leadwire.rig.file import load_rig, rig_of_one

        rig, port = _path(self._config, "rig"), _option(self._config, "port")
        if rig is None:
            return rig_of_one(_board_option(self._config) or _DEFAULT_BOARD, port, self._folder)
        if port:
            raise pytest.UsageError("--leadwire-port and --leadwire-rig: a rig file says the ports itself")
        return load_rig(rig, output=self._folder)

    @cached_property
    def boards(self) -> dict[str, RigBoard]:
        names = _option(self._config, "board") if _option(self._config, "rig") else ""
        return {board.name: board for board in self.rig.only(tuple(filter(None, names.split(","))))}

    @property
    def source(self) -> Path:
        """The model or the project."""
        given = [path for name in ("model", "project") if (path := _path(self._config, name)) is not None]
        if len(given) != 1:
            raise pytest.UsageError("the leadwire fixture needs --leadwire-model or --leadwire-project (one of them)")
        return given[0]

    @cached_property
    def workload(self) -> Workload:
        from leadwire.rig.desk import Quiet
        from leadwire.rig.workload import prepare

        return prepare(self.source, self.rig, tuple(self.boards.values()), Quiet())

    def desk(self, name: str) -> Desk:
        """The board of this name with the model; a context manager."""
        from leadwire.rig.desk import Desk, Quiet

        return Desk(self.boards[name], self.workload, self.source, self._folder / "validated" / name, Quiet())


def _option(config: pytest.Config, name: str) -> str:
    return str(config.getoption(f"leadwire_{name}") or config.getini(f"leadwire_{name}") or "")


def _path(config: pytest.Config, name: str) -> Path | None:
    """A file of the command line is taken from where pytest was called, one of the ini file from its folder."""
    given = config.getoption(f"leadwire_{name}")
    if given:
        return (config.invocation_params.dir / str(given)).resolve()
    said = str(config.getini(f"leadwire_{name}") or "")
    base = config.inipath.parent if config.inipath is not None else config.rootpath
    return (base / said).resolve() if said else None


def _board_option(config: pytest.Config) -> str:
    """An id, or a board file's path."""
    board = _option(config, "board")
    return str(_path(config, "board")) if board.endswith(".toml") else board


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(id): the requirement that this test verifies; see 'leadwire trace'")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each test tells the JUnit file which requirements it verifies, and in which text (its fingerprint)."""
    path = _path(config, "requirements")
    fingerprints: dict[str, str] | None = None
    if path is not None:
        from leadwire.errors import LeadwireError
        from leadwire.trace.requirements import load_requirements

        try:
            fingerprints = {one.id: one.fingerprint for one in load_requirements(path).requirement}
        except LeadwireError as error:
            raise pytest.UsageError(error.message) from error
    for item in items:
        for name in (str(name) for marker in item.iter_markers("requirement") for name in marker.args):
            if fingerprints is not None and name not in fingerprints:
                raise pytest.UsageError(f"{item.nodeid}: '{path}' has no requirement '{name}'")
            value = name if fingerprints is None else f"{name}#{fingerprints[name]}"
            item.user_properties.append(("requirement", value))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Once for each board of the rig."""
    if "leadwire" in metafunc.fixturenames and _path(metafunc.config, "rig") is not None:
        names = list(BoardsUnderTest(metafunc.config, Path()).boards)
        metafunc.parametrize("leadwire", names, indirect=True, scope="session", ids=names)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """An error of leadwire's brings what to try."""
    report = yield
    errors = sys.modules.get("leadwire.errors")
    error = call.excinfo.value if call.excinfo is not None else None
    if errors is not None and isinstance(error, errors.LeadwireError) and error.hint:
        report.sections.append(("leadwire: what to try", error.hint))
    return report


@pytest.fixture(scope="session")
def leadwire_rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> BoardsUnderTest:
    """The boards that the options name."""
    return BoardsUnderTest(request.config, tmp_path_factory.mktemp("leadwire"))


@pytest.fixture(scope="session")
def leadwire(request: pytest.FixtureRequest, leadwire_rig: BoardsUnderTest) -> Iterator[Desk]:
    """One board with the model: `device`, `benchmark`, `compared`, `validated`, each made when first asked for."""
    name = getattr(request, "param", None) or next(iter(leadwire_rig.boards))
    with leadwire_rig.desk(name) as desk:
        yield desk
