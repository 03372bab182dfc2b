"""Show the contents of a file: a model or checkpoint, of this or another library, or the folder of a run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .._support.checks import sentence
from .._support.files import DIGEST, check_readable, read_json
from .._support.text import printable
from ..model import Sequential
from ..persistence import load, native
from ..training import checkpoint
from ..training.checkpoint import checkpoints
from . import anatomy, runs
from .facts import MODEL_FILE, Facts
from .models import trained

EXAMPLE = "chainrule inspect flowers-model/model.safetensors"
MAX_NAMES, MAX_TEXT = 10, 2000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``chainrule inspect``."""
    kinds = "a model, checkpoint or run folder; or a .safetensors, .onnx, .keras, .h5 file or exported C header"
    parser.add_argument("model", metavar="FILE", help=kinds)


def run(args: argparse.Namespace) -> int:
    """Print the contents of the file."""
    for line in describe(Path(args.model)):
        print(line)
    return 0


def describe(path: Path) -> Iterator[str]:
    """Return lines that describe a file of any known kind, without executing it or printing control characters."""
    for line in _of_folder(path) if path.is_dir() else _of_file(path):
        for one in line.split("\n"):
            yield printable(one, MAX_TEXT)


def _of_folder(folder: Path) -> Iterator[str]:
    """Describe a run: its model, or otherwise the newest checkpoint, and its record."""
    record, held = folder / runs.RECORD, [folder / MODEL_FILE, *checkpoints(folder / runs.CHECKPOINTS)]
    newest = next((path for path in [*held, *checkpoints(folder)] if path.is_file()), None)
    if newest is None and not record.is_file():
        raise FileNotFoundError(sentence("inspect", f"a model, a checkpoint or a run in {folder}", "none"))
    if newest is not None:
        yield from _of_file(newest)
    if record.is_file():
        run = runs.read_run(folder, "inspect")
        shown = {name: value for name, value in run.settings.items() if value not in (None, [], ())}
        remedy = f"not complete: chainrule train --resume {folder}"
        yield _line("run", f"{folder}, {'complete' if run.ended else remedy}")
        yield _line("settings", shown)
        yield _line("data", run.data)
        yield _line("trained on", {name: of(run.machine) for name, of in runs.DECISIVE.items()})
        if run.result is not None:
            yield _line("result", run.result)


def _of_file(path: Path) -> Iterator[str]:
    check_readable("inspect", path)
    with path.open("rb") as stream:
        start = stream.read(512)
    kind = anatomy.kind_of(path, start)
    if kind is None:
        header, forms = anatomy.tensors(path)
        if native.KEY in header:
            yield from _of_model(path, header, forms)
        elif checkpoint.KEY in header:
            yield from _of_checkpoint(path, header)
        else:
            yield f"{path}: {path.stat().st_size:,} bytes, tensors in safetensors"
            yield from anatomy.table([(name, *form) for name, form in forms.items()])
            yield from (_line(name, value) for name, value in header.items())
            yield _line("SHA-256", anatomy.sha256(path))
    else:
        title, lines = anatomy.KINDS[kind]
        yield f"{path}: {path.stat().st_size:,} bytes, {title}"
        try:
            yield from lines(path)
        except ModuleNotFoundError as error:
            yield _line("note", error)
        yield _line("SHA-256", anatomy.sha256(path))


def _of_model(path: Path, header: Mapping[str, str], forms: Mapping[str, Any]) -> Iterator[str]:
    """Describe layers and metadata; only the tensors if some layers are the user's own."""
    found = None
    try:
        found = load(path)
        network = found if isinstance(found, Sequential) else found.model_
        dtype, metadata, lines = network.dtype.name, network.metadata, _summary(found, network)
    except ValueError as error:
        if "custom_layers" not in str(error):
            raise
        metadata, dtype = read_json(header[native.KEY])["metadata"], "layers that are not chainrule's own"
        lines = list(anatomy.table([(name, *form) for name, form in forms.items()]))
    yield f"{path}: {path.stat().st_size:,} bytes, {dtype}"
    yield from lines
    try:
        shown = described(trained(found).facts if found is not None else Facts.from_metadata(metadata), metadata)
    except ValueError:  # a model that the user saved: its metadata unchanged
        shown = metadata
    yield from (_line(name, value) for name, value in shown.items())
    facts = json.loads(header[native.KEY])
    yield _line("format", f"{facts['format']}, written by chainrule {facts.get('version')}")
    yield _line("digest", header.get(DIGEST, "none: older than the first chainrule that wrote one"))


def _summary(found: Any, network: Sequential) -> list[str]:
    """Describe the layers; for a table model, first the kinds of columns."""
    kinds = getattr(found, "column_kinds_", None)
    return [network.summary()] if kinds is None else [type(found).__name__, *kinds.lines(), network.summary()]


def _of_checkpoint(path: Path, header: Mapping[str, str]) -> Iterator[str]:
    model, (arrays, facts) = load(path), checkpoint.read_checkpoint("load", path)
    yield f"{path}: {path.stat().st_size:,} bytes, {model.dtype.name}, a checkpoint of a training"
    yield model.summary()
    yield _line("optimizer", facts.get("optimizer"))
    yield _line("epochs", facts.get("epoch"))
    if (row := checkpoint.last_row(arrays, facts)) is not None:
        yield _line("the last", row)
    yield _line("format", f"{facts['format']}, written by chainrule {facts.get('version')}")
    yield _line("digest", header[DIGEST])


def described(facts: Facts, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts as readable text, and all other metadata unchanged."""
    lines: dict[str, Any] = {"source": facts.source, "task": facts.task}
    lines["target"] = facts.target + (f": {_some(facts.class_names)}" if facts.class_names else "")
    if facts.image_shape is not None:
        lines["inputs"] = f"{facts.inputs} pixels ({' × '.join(map(str, facts.image_shape))})"
    elif facts.columns:
        lines["columns"] = _some(facts.columns)
    hidden = {*facts.to_metadata(), "encoder"} if facts.columns else set(facts.to_metadata())
    return lines | {name: value for name, value in metadata.items() if name not in hidden}


def _line(name: str, value: Any) -> str:
    return f"{name:<10}  {_plain(value)}"


def _plain(value: Any) -> str:
    """Format a JSON value as plain text: ``seed 0, epochs 20``."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items())
    if isinstance(value, list):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _some(names: Any) -> str:
    return ", ".join(names[:MAX_NAMES]) + (f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else "")
