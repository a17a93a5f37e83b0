"""From a file of another framework to a Keras file, and how far apart the two are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import TypeAdapter

from leadwire.errors import BadInputError, FileMissingError, UnsupportedModelError
from leadwire.tensorflow_process.worker import ask_worker
from leadwire.workspace import file_digest, write_atomically

SOURCES = (".onnx", ".pt2")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRecord:
    """`largest` and `mean`: of the absolute differences between what the source's own runtime and the Keras model
    answer to `samples` random inputs (standard normal, PCG64 `seed`), before a softmax that was added, relative to the
    largest output where that is above 1; `same_class` the share of samples for which the largest output is the same
    one. `versions` are of what read, ran and wrote.
    """

    source: str
    source_digest: str
    model: str
    model_digest: str
    producer: str
    opset: int
    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    parameters: int
    softmax_added: bool
    samples: int
    seed: int
    tolerance: float
    largest: float
    mean: float
    same_class: float
    versions: tuple[tuple[str, str], ...]


def import_model(
    source: Path,
    out: Path,
    *,
    softmax: bool = False,
    samples: int = 64,
    seed: int = 1,
    tolerance: float = 1e-4,
    timeout_s: float = 900.0,
) -> ImportRecord:
    """Write the Keras form of `source` (.onnx, or a PyTorch program of torch.export as .pt2) to `out` (.keras), and the
    record beside it as .json. Nothing is written where the two answer further apart than `tolerance` (absolute, or
    relative to the largest output where that is above 1): UnsupportedModelError (3).

    Other errors: FileMissingError, ModelFileError, BadInputError (2), UnsupportedModelError (3) with the node's name,
    BuildError (5) where the process that imports ends or takes longer than `timeout_s`.
    """
    if not source.is_file():
        raise FileMissingError(source, role="model")
    if source.suffix in (".pt", ".pth", ".pkl"):
        raise BadInputError(
            f"'{source}' is a pickle, which runs code when it is loaded",
            hint="save it as a program: torch.export.save(torch.export.export(model, (example,)), 'model.pt2')",
        )
    if source.suffix not in SOURCES:
        raise BadInputError(f"'{source}' is of no kind that is imported", hint=f"give one of {', '.join(SOURCES)}")
    if out.suffix != ".keras" or out.is_dir():
        raise BadInputError(f"'{out}' is no .keras file", hint="name the .keras file to write")
    with TemporaryDirectory(prefix="leadwire-") as folder:
        made = Path(folder) / "model.keras"
        request = {
            "source": str(source.resolve()), "out": str(made), "softmax": softmax, "samples": samples, "seed": seed,
        }  # fmt: skip
        told = ask_worker("leadwire.imports", Path(folder), f"import of '{source.name}'", request, timeout_s=timeout_s)
        record = TypeAdapter(ImportRecord).validate_python(
            told
            | {
                "source": source.name, "source_digest": file_digest(source), "model": out.name,
                "model_digest": file_digest(made), "softmax_added": softmax, "samples": samples, "seed": seed,
                "tolerance": tolerance,
            }
        )  # fmt: skip
        if not record.largest <= tolerance:
            raise UnsupportedModelError(
                f"model '{source.name}'",
                f"its Keras form answers up to {record.largest:.3g} otherwise than its own runtime, of {tolerance:g}",
                hint="report the model; --tolerance allows more where that is meant",
            )
        write_atomically(out, made.read_bytes())
    write_atomically(out.with_suffix(".json"), json.dumps(asdict(record), indent=1, sort_keys=True).encode())
    return record
