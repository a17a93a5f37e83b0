"""Freezing a protocol: the lock beside it, amendments with a reason, and what a run finds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leadwire import resources
from leadwire.cli.app import app
from leadwire.errors import BadInputError, ConfigError
from leadwire.pipeline.freeze import freeze_protocol, show_protocol, state_before_run
from leadwire.protocols import builtin_protocols

pytestmark = pytest.mark.requirement("LW-VAL-005")
PROTOCOL = (resources.VALIDATION / "protocols" / "arrhythmia-mitdb.toml").read_bytes()


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_bytes(PROTOCOL)
    return path


@pytest.mark.parametrize("name", builtin_protocols())
def test_builtin_protocols_are_frozen(name: str) -> None:
    """A change of a built-in protocol is deliberate: leadwire protocol freeze ID --reason '...'."""
    assert show_protocol(name).state == "frozen"


def test_freeze_change_amend(protocol: Path) -> None:
    assert show_protocol(str(protocol)).state == "unfrozen"
    frozen = freeze_protocol(str(protocol))
    first = hashlib.sha256(PROTOCOL).hexdigest()
    assert (frozen.state, frozen.digest, frozen.amendments) == ("frozen", first, ())
    before = frozen.lock.read_bytes()
    assert freeze_protocol(str(protocol)).lock.read_bytes() == before
    protocol.write_bytes(PROTOCOL.replace(b"margin = 0.02", b"margin = 0.04"))
    assert show_protocol(str(protocol)).state == "changed"
    with pytest.raises(BadInputError, match=f"was frozen with digest {first[:16]}"):
        freeze_protocol(str(protocol), reason="  ")
    assert frozen.lock.read_bytes() == before
    again = freeze_protocol(str(protocol), reason='margin of VEB widened: "see minutes"\nof May')
    assert again.state == "frozen"
    assert [(one.digest, one.reason) for one in again.amendments] == [
        (first, 'margin of VEB widened: "see minutes" of May')
    ]


def test_a_run_knows_a_changed_protocol(protocol: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert state_before_run(protocol, out).state == "unfrozen"
    assert state_before_run(protocol, out).state == "unfrozen"
    protocol.write_bytes(PROTOCOL + b"# one more line\n")
    moved = state_before_run(protocol, out)
    assert (moved.state, moved.frozen_digest) == ("changed", hashlib.sha256(PROTOCOL).hexdigest())
    freeze_protocol(str(protocol))
    assert state_before_run(protocol, out).state == "frozen"
    protocol.write_bytes(PROTOCOL)
    assert state_before_run(protocol, tmp_path / "another").state == "changed"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "name: missing"),
        ('name = "a"\ndigest = "00"', "digest: "),
        (f'name = "a"\ndigest = "{"0" * 64}"\nmore = 1', "more: unknown key"),
        (f'name = "a"\ndigest = "{"0" * 64}"\n[[amendments]]\ndigest = 5\nreason = "r"', "amendments[0].digest: "),
        ("\x00", "not valid TOML"),
    ],
)
def test_a_lock_with_mistakes_is_told(protocol: Path, text: str, mistake: str) -> None:
    protocol.with_suffix(".lock").write_text(text)
    with pytest.raises(ConfigError) as caught:
        show_protocol(str(protocol))
    assert any(mistake in one for one in caught.value.mistakes)


def test_the_verbs(protocol: Path) -> None:
    done = CliRunner().invoke(app, ["protocol", "freeze", str(protocol), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["state"] == "frozen"
    protocol.write_bytes(PROTOCOL + b"\n")
    refused = CliRunner().invoke(app, ["protocol", "freeze", str(protocol)])
    assert isinstance(refused.exception, BadInputError)
    assert "--reason" in refused.exception.hint
    assert (
        json.loads(CliRunner().invoke(app, ["protocol", "show", str(protocol), "--json"]).stdout)["state"] == "changed"
    )
