"""For a release: write down the known answers, and the INT8 model that they are of. Read the diff before committing."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from leadwire.pipeline.watcher import Quiet

from .check import FOLDER, Context
from .checks import oq_1_quantize
from .run import checks

if __name__ == "__main__":
    seen: dict[str, str | int | None] = {}
    with TemporaryDirectory(prefix="leadwire-") as folder:
        made = oq_1_quantize.quantized(Context(folder=Path(folder), watcher=Quiet()))
        (FOLDER / "arrhythmia.tflite").write_bytes(made.path.read_bytes())
        for check in checks():
            own = Path(folder) / check.id
            own.mkdir()
            list(check.module.look(Context(folder=own, watcher=Quiet(), seen=seen)))
    # JSON's strings and integers are TOML's
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in sorted(seen.items())]
    (FOLDER / "known.toml").write_text("".join(lines), encoding="utf-8")
