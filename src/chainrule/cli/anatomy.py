"""List the contents of files in other formats (names, shapes, origin) without running them."""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from .._support.checks import require
from .._support.files import open_tensors, refusal
from ..persistence.keras import child, is_hdf5, layers_of, opened
from ..persistence.pytorch import check_no_pickle

WHO = "inspect"
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


def sha256(path: Path) -> str:
    """Return the SHA-256 of the whole file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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
    """Yield the datasets in the file itself."""
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
