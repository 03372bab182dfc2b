"""Show the contents of a file: a model or checkpoint, of this or another library, or the folder of a run."""

from __future__ import annotations

import argparse
import json
import math
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .._support.checks import require, sentence
from .._support.files import DIGEST, check_readable, open_tensors, read_json, refusal
from .._support.text import printable
from ..model import Sequential
from ..persistence import load, native
from ..persistence.keras import child, is_hdf5, layers_of, opened
from ..persistence.pytorch import check_no_pickle
from ..training import checkpoint
from ..training.checkpoint import checkpoints
from . import runs
from .models import MODEL_FILE, Facts, trained

EXAMPLE = "chainrule inspect flowers-model/model.safetensors"
WHO = "inspect"
MAX_NAMES, MAX_TEXT = 10, 2000
COMMENT = 1 << 16  # characters of a C header that contain its opening comment
MAX_ROWS = 100  # rows of a table
MAX_DEPTH = 20  # levels of groups in an HDF5 file
Row = tuple[str, tuple[int, ...], str]


def kind_of(path: Path, start: bytes) -> str | None:
    """Return one of KINDS, by the first bytes of the file, or for ONNX by its suffix; None for safetensors."""
    if is_hdf5(start) or (zipfile.is_zipfile(path) and path.suffix == ".keras"):
        return "keras"
    if start.lstrip().startswith(b"/*") and b"chainrule" in b"".join(start.lstrip().split(b"\n", 2)[:2]):
        return "c"
    if path.suffix == ".onnx":
        return "onnx"
    check_no_pickle(WHO, path)
    return None


def table(rows: Iterable[Row]) -> Iterator[str]:
    """Return lines that list tensors with name, shape, dtype and size."""
    found = list(rows)
    cells = [("tensor", "shape", "dtype", "numbers")]
    cells += [(name, str(shape), dtype, f"{math.prod(shape):,}") for name, shape, dtype in found[:MAX_ROWS]]
    if len(found) > MAX_ROWS:
        cells.append((f"… and {len(found) - MAX_ROWS} more", "", "", ""))
    cells.append(("total", "", "", f"{sum(math.prod(shape) for _, shape, _ in found):,}"))
    a, b, c, d = (max(len(row[column]) for row in cells) for column in range(4))
    yield from (f"{name:<{a}}  {shape:<{b}}  {dtype:<{c}}  {size:>{d}}" for name, shape, dtype, size in cells)


def tensors(path: Path) -> tuple[dict[str, str], dict[str, tuple[tuple[int, ...], str]]]:
    """Read the header of a safetensors file: its entries, and the shape and dtype of each tensor."""
    with open_tensors(WHO, path, kind="a whole safetensors file, or of a kind that it knows") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  (it is no mapping)
        forms = {name: (tuple(one.get_shape()), one.get_dtype()) for name, one in slices.items()}
        return dict(file.metadata() or {}), forms


def _onnx(path: Path) -> Iterator[str]:
    onnx = require("onnx", "onnx", "inspect of an ONNX file")
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path), load_external_data=False)
    except DecodeError as error:
        raise refusal(WHO, path, "to be a whole ONNX file", f"a damaged or different one ({error})") from None
    graph = model.graph
    if not model.ir_version or not graph.node:
        raise refusal(WHO, path, "to be a whole ONNX file", "one without a graph")
    names = {number: name for name, number in onnx.TensorProto.DataType.items()}
    stored = {tensor.name for tensor in graph.initializer}
    for title, values in (("input", graph.input), ("output", graph.output)):
        for value in values:
            if value.name not in stored:
                kind = value.type.tensor_type
                shape = [size.dim_param or str(size.dim_value or "?") for size in kind.shape.dim]
                yield f"{title:<10}  {value.name} ({', '.join(shape)}) {names.get(kind.elem_type, '?')}"
    counts = Counter(node.op_type for node in graph.node)
    yield f"{'operators':<10}  {', '.join(f'{name} {count}' for name, count in counts.items())}"
    yield from table(
        (tensor.name, tuple(tensor.dims), names.get(tensor.data_type, "?")) for tensor in graph.initializer
    )
    opsets = ", ".join(f"{one.domain or 'ai.onnx'} {one.version}" for one in model.opset_import)
    yield f"{'opset':<10}  {opsets}, IR {model.ir_version}"
    yield f"{'made by':<10}  {model.producer_name} {model.producer_version}"
    yield from (f"{entry.key:<10}  {entry.value}" for entry in model.metadata_props)


def _keras(path: Path) -> Iterator[str]:
    with opened(WHO, path) as (root, config):
        for name, settings in layers_of(config):
            told = ("units", "activation", "rate", "epsilon", "name")
            yield f"{name:<20}  {', '.join(f'{key} {settings[key]}' for key in told if key in settings)}"
        yield from table(_datasets(path, root, ""))
        for name in ("keras_version", "backend"):
            for place in (root, child(WHO, path, root, "model_weights")):
                if place is not None and isinstance(place.attrs.get(name), (str, bytes)):
                    value = place.attrs[name]
                    yield f"{name:<10}  {value.decode('utf-8', 'replace') if isinstance(value, bytes) else value}"
                    break


def _datasets(path: Path, group: Any, prefix: str, depth: int = 0) -> Iterator[Row]:
    import h5py

    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.HardLink) and depth < MAX_DEPTH:
            inner = group[name]
            if isinstance(inner, h5py.Group):
                yield from _datasets(path, inner, f"{prefix}{name}/", depth + 1)
            elif isinstance(inner, h5py.Dataset):
                yield prefix + name, tuple(inner.shape or ()), str(inner.dtype)


def _c(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as stream:
        text = stream.read(COMMENT)
    comment, end, _ = text.lstrip().removeprefix("/*").partition("*/")
    if not end:
        raise refusal(WHO, path, "to end its first comment", f"{len(text):,} characters of it")
    for line in comment.strip().splitlines():
        yield line.strip().removeprefix("*").removeprefix(" ")


#: The name of each kind of file, and the function that describes it.
KINDS: dict[str, tuple[str, Callable[[Path], Iterator[str]]]] = {
    "keras": ("weights of Keras", _keras),
    "c": ("C by chainrule", _c),
    "onnx": ("ONNX", _onnx),
}


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
        raise FileNotFoundError(sentence(WHO, f"a model, a checkpoint or a run in {folder}", "none"))
    if newest is not None:
        yield from _of_file(newest)
    if record.is_file():
        run = runs.read_run(folder, WHO)
        shown = {name: value for name, value in run.settings.items() if value not in (None, [], ())}
        remedy = f"not complete: chainrule train --resume {folder}"
        yield _line("run", f"{folder}, {'complete' if run.ended else remedy}")
        yield _line("settings", shown)
        yield _line("data", run.data)
        yield _line("trained on", {name: of(run.machine) for name, of in runs.DECISIVE.items()})
        if run.result is not None:
            yield _line("result", run.result)


def _of_file(path: Path) -> Iterator[str]:
    check_readable(WHO, path)
    with path.open("rb") as stream:
        start = stream.read(512)
    kind = kind_of(path, start)
    if kind is None:
        header, forms = tensors(path)
        if native.KEY in header:
            yield from _of_model(path, header, forms)
        elif checkpoint.KEY in header:
            yield from _of_checkpoint(path, header)
        else:
            yield f"{path}: {path.stat().st_size:,} bytes, tensors in safetensors"
            yield from table([(name, *form) for name, form in forms.items()])
            yield from (_line(name, value) for name, value in header.items())
            yield _line("SHA-256", runs.file_sha256(path))
    else:
        title, lines = KINDS[kind]
        yield f"{path}: {path.stat().st_size:,} bytes, {title}"
        try:
            yield from lines(path)
        except ModuleNotFoundError as error:
            yield _line("note", error)
        yield _line("SHA-256", runs.file_sha256(path))


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
        lines = list(table([(name, *form) for name, form in forms.items()]))
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
