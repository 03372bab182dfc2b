"""Load Keras weights from ``.keras``, ``.weights.h5`` and ``.h5`` files into a model of the same layers.

h5py reads only data inside the file, and nothing larger than expected.
"""

from __future__ import annotations

import io
import itertools
import math
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._support.checks import require, sentence
from .._support.files import MAX_RATIO, SPARE, as_path, check_readable, read_json, refusal
from ..layers.activations import ACTIVATIONS
from ..layers.program import program_of
from ..model import Sequential
from .exchange import NAMES, Part, Slot, check_shapes, fill, parts, slots

WEIGHTS, CONFIG = "model.weights.h5", "config.json"  # in a .keras archive
DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3  # filters of HDF5
NUMERIC = "fiu"
#: What zipfile and h5py raise for a damaged file.
DAMAGED = (
    *(OSError, EOFError, LookupError, MemoryError, OverflowError, RuntimeError, TypeError, ValueError),
    *(zipfile.BadZipFile, zlib.error),
)
MOST_SPARE = 1 << 16  # numbers that HDF5 may unpack beyond those that were asked for


@contextmanager
def opened(who: str, path: Path) -> Iterator[tuple[Any, Any]]:
    """Open the root of an HDF5 file, possibly in a ``.keras`` archive, and the model's configuration, or None."""
    check_readable(who, path, "Keras file")
    h5py = require("h5py", "keras", who)
    config, source = None, path.open("rb")
    with source:
        stream: Any = source
        try:
            if zipfile.is_zipfile(source):
                with zipfile.ZipFile(source) as archive:
                    config = _parsed(who, path, _member(who, path, archive, CONFIG))
                    stream = io.BytesIO(_member(who, path, archive, WEIGHTS))
            with h5py.File(stream, "r") as root:
                if config is None and isinstance(text := root.attrs.get("model_config"), (str, bytes)):
                    config = _parsed(who, path, text)
                yield root, config
        except DAMAGED as error:
            if str(error).startswith(f"{who} expects "):
                raise
            got = f"a damaged or different one ({type(error).__name__}: {error})"
            raise refusal(who, path, "to be a whole .keras or HDF5 file", got) from None


def _member(who: str, path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a file of the archive into memory: no name in it ever becomes a path."""
    if name not in archive.namelist():
        raise refusal(who, path, f"to be a .keras file with a {name}", "another archive")
    info = archive.getinfo(name)
    if info.file_size > MAX_RATIO * path.stat().st_size + SPARE:  # weights hardly shrink
        raise refusal(who, path, f"a {name} about as large as it is packed", f"{info.file_size:,} bytes of it")
    with archive.open(info) as stream:
        return stream.read(info.file_size)


def _parsed(who: str, path: Path, text: str | bytes) -> Any:
    try:
        return read_json(text if isinstance(text, str) else text.decode())
    except (ValueError, RecursionError) as error:
        raise refusal(who, path, "to describe its model as JSON", f"invalid JSON ({error})") from None


def child(who: str, path: Path, group: Any, name: str) -> Any:
    """Return a group or dataset in a group, if it is in this file and not a link; None if there is none."""
    import h5py

    here = group
    for part in name.split("/"):
        if not isinstance(here, h5py.Group) or part not in here:
            return None
        if not isinstance(here.get(part, getlink=True), h5py.HardLink):
            raise refusal(who, path, f"{name!r} in the file itself", "a link to another place")
        here = here[part]
    return here


def numbers(who: str, path: Path, dataset: Any) -> Any:
    """Return the dataset, unread; raise a ValueError unless it holds numbers in the file itself."""
    import h5py

    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in NUMERIC or dataset.shape is None:
        raise refusal(who, path, "numbers where its weights should be", repr(dataset))
    if dataset.is_virtual or dataset.external:
        raise refusal(who, path, f"the numbers of {dataset.name} in the file itself", "a link to another file")
    if dataset.chunks and math.prod(dataset.chunks) > max(dataset.size, MOST_SPARE):
        raise refusal(who, path, f"{dataset.name} in pieces no larger than itself", f"pieces of {dataset.chunks}")
    if dataset.attrs.get("dtype") == "bfloat16":
        raise refusal(who, path, "numbers that NumPy has", f"bfloat16 in {dataset.name}", "save the model in float32")
    return dataset


def check_unpacks(who: str, path: Path, dataset: Any) -> None:
    """Raise, before HDF5 unpacks it, if a chunk of a compressed dataset would become larger than it claims."""
    if getattr(dataset, "chunks", None) is None:
        return
    plan = dataset.id.get_create_plist()
    filters = [plan.get_filter(place)[0] for place in range(plan.get_nfilters())]
    if not filters:
        return
    if not set(filters) <= {DEFLATE, SHUFFLE, FLETCHER32} or len(set(filters)) < len(filters):
        got = f"filters {', '.join(map(str, filters))}"
        raise refusal(who, path, f"{dataset.name} packed by gzip, if at all", got, "save it without compression")
    size = math.prod(dataset.chunks) * dataset.dtype.itemsize
    for place in range(dataset.id.get_num_chunks()):
        skipped, packed = dataset.id.read_direct_chunk(dataset.id.get_chunk_info(place).chunk_offset)
        is_packed = DEFLATE in filters and not skipped >> filters.index(DEFLATE) & 1
        if is_packed and len(zlib.decompressobj().decompress(packed, size + 1)) > size:
            raise refusal(who, path, f"pieces of {dataset.name} of {size:,} bytes", "one that becomes larger")


def texts(group: Any, name: str) -> list[str] | None:
    """Read a list of names from the attributes, or None; a long list is split into ``name0``, ``name1``, ..."""
    pieces = itertools.takewhile(group.attrs.__contains__, (f"{name}{index}" for index in itertools.count()))
    names = [name] if name in group.attrs else list(pieces)
    if not names:
        return None
    values = [value for piece in names for value in np.asarray(group.attrs[piece]).reshape(-1).tolist()]
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values]


def is_hdf5(start: bytes) -> bool:
    """Whether a file begins as HDF5 does."""
    return start.startswith(b"\x89HDF\r\n\x1a\n")


# --- weights ------------------------------------------------------------------------------------------------------


WHO = "load_keras_weights"


class Kind(NamedTuple):
    """A Keras layer with variables."""

    cls: str
    file: str  # its name in files
    variables: dict[str, str]  # in Keras's order, each with our name of the array


#: op → Keras's layer.
KINDS = {
    "affine": Kind("Dense", "dense", {"kernel": "W", "bias": "b"}),
    "batch_norm": Kind(
        "BatchNormalization",
        "batch_normalization",
        {"gamma": "gain", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_variance"},
    ),
    "layer_norm": Kind("LayerNormalization", "layer_normalization", {"gamma": "gain", "beta": "bias"}),
    "prelu": Kind("PReLU", "p_re_lu", {"alpha": "slope"}),
}
OPS = {kind.cls: op for op, kind in KINDS.items()}
#: Keras's activation → our op and its numbers, where the names differ or there are numbers.
ACTIVATION: dict[str, tuple[str, tuple[float, ...]]] = {
    "elu": ("elu", (1.0,)),
    "leaky_relu": ("leaky_relu", (0.2,)),
    "swish": ("silu", ()),
}
SLOPES = {"ELU": 1.0, "LeakyReLU": 0.3}  # Keras's defaults
SILENT = ("InputLayer", "Dropout", "GaussianNoise", "Flatten")  # they change no row of numbers in prediction
SILENT_OPS = ("dropout", "flatten", "gaussian_noise", "identity")
EPSILON = 1e-3  # Keras's default


def load_keras_weights(model: Sequential, path: str | os.PathLike[str]) -> None:
    """Load the weights of a Keras network into a model of the same layers.

    Dense, BatchNormalization, LayerNormalization and PReLU are matched in order to Linear, BatchNorm, LayerNorm and
    PReLU, or to your own layers whose ``program(training=True)`` computes the same. After an error, the model is
    unchanged. Needs h5py: ``pip install 'chainrule[keras]'``.

    Parameters
    ----------
    model : Sequential
        The model, whose weights are replaced.
    path : path
        A file from ``model.save("net.keras")`` or ``model.save_weights("net.weights.h5")`` of Keras 3, or
        ``model.save("net.h5")`` of any Keras. Nothing in it is executed or unpacked to the disk.

    Raises
    ------
    ValueError
        If shapes differ (the error lists both sides), or activations or epsilon, which ``.weights.h5`` does not
        contain. Keras's default is ``BatchNorm(8, momentum=0.01, epsilon=1e-3)``. Or if the file is damaged, holds
        other layers with weights, or refers to other files.
    ModuleNotFoundError
        If h5py is not installed.
    OSError
        If the file does not exist or cannot be read.

    Notes
    -----
    h5py reads the file with the HDF5 library, which may hang on a maliciously damaged file: from strangers accept only
    safetensors files. The formats: https://keras.io/guides/serialization_and_saving/.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import h5py
    >>> import chainrule as cr
    >>> model = cr.MLP([2, 1], rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "line.weights.h5"
    ...     with h5py.File(path, "w") as file:  # as Keras 3 would
    ...         file["layers/dense/vars/0"], file["layers/dense/vars/1"] = [[1.0], [2.0]], [0.5]
    ...     cr.convert.load_keras_weights(model, path)
    >>> model.predict([[10.0, 100.0]])
    array([[210.5]], dtype=float32)
    """
    path = as_path(WHO, path)
    ours = slots(WHO, model, {op: kind.variables for op, kind in KINDS.items()})
    with opened(WHO, path) as (root, config):
        described = layers_of(config)
        settings = _settings(described)
        kinds = _numbered([slot.call.op for slot in ours])
        groups = _variables(path, root, kinds, ours, settings)
        check_shapes(WHO, ours, groups, "make the model of the same layers as the Keras one")
        for array in (array for group in groups.values() for array in group.values()):
            check_unpacks(WHO, path, array)
        _check_epsilon(path, zip(kinds, ours, strict=True), settings)
        _check_steps(path, model, config, described)
        fill(WHO, model, ours, groups)


def _numbered(ops: Sequence[str]) -> list[str]:
    """``dense, dense_1, p_re_lu``: the class with its index, as Keras 3 names layers in files."""
    counts: Counter[str] = Counter()
    names = []
    for name in (KINDS[op].file for op in ops):
        names.append(f"{name}_{counts[name]}" if counts[name] else name)
        counts[name] += 1
    return names


def _settings(described: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Mapping[str, Any]]:
    known = [(OPS[name], settings) for name, settings in described if name in OPS]
    return dict(zip(_numbered([op for op, _ in known]), [settings for _, settings in known], strict=True))


def _absent(settings: Mapping[str, Any]) -> set[str]:
    """The variables that a normalization lacks: its gain is then 1, or its bias 0."""
    return {leaf for leaf, key in (("gamma", "scale"), ("beta", "center")) if settings.get(key) is False}


# --- the two layouts ----------------------------------------------------------------------------------------------


def _variables(
    path: Path, root: Any, kinds: Sequence[str], ours: Sequence[Slot], settings: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The arrays of each layer that has some, in order; a gain that a layer leaves out is 1, a bias 0."""
    if child(WHO, path, root, "model_weights") is not None or texts(root, "layer_names") is not None:
        groups = _by_name(path, root)
    else:
        groups = _by_kind(path, root, kinds, settings)
    for kind, slot, group in zip(kinds, ours, groups.values(), strict=False):
        for leaf in _absent(settings.get(kind, {})) - group.keys() & slot.arrays.keys():
            group[leaf] = np.full(slot.arrays[leaf].shape, float(leaf == "gamma"))
    return groups


def _by_kind(
    path: Path, root: Any, kinds: Sequence[str], settings: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Read Keras 3's layout, ``layers/dense_1/vars/0``: the groups of these kinds in order, then all others."""
    for name in ("layers", "_layer_checkpoint_dependencies"):  # the second by TensorFlow 2.12
        layers = child(WHO, path, root, name)
        if hasattr(layers, "keys"):
            break
    else:
        raise refusal(WHO, path, "to hold the layers of a Keras model", ", ".join(root) or "nothing", "")
    found: dict[str, dict[str, Any]] = {}
    for name in layers:
        variables = child(WHO, path, layers, f"{name}/vars")
        if hasattr(variables, "keys") and len(variables):
            known = next((kind.variables for kind in KINDS.values() if name.rstrip("_0123456789") == kind.file), {})
            leaves = [leaf for leaf in known if leaf not in _absent(settings.get(name, {}))]
            keys = sorted(variables, key=lambda key: (len(key), key))
            found[name] = {
                leaves[i] if i < len(leaves) else f"vars/{key}": numbers(WHO, path, child(WHO, path, variables, key))
                for i, key in enumerate(keys)
            }
    ordered = {name: found.pop(name) for name in kinds if name in found}
    return ordered | found


def _by_name(path: Path, root: Any) -> dict[str, dict[str, Any]]:
    """Read the older layout, ``model_weights/dense_1/dense_1/kernel:0``: attributes list the names in order."""
    top = child(WHO, path, root, "model_weights")
    top = root if top is None else top
    groups: dict[str, dict[str, Any]] = {}
    for name in texts(top, "layer_names") or []:
        layer = child(WHO, path, top, name)
        found = {}
        for weight in (None if layer is None else texts(layer, "weight_names")) or []:
            dataset = numbers(WHO, path, child(WHO, path, layer, weight))
            found[weight.rpartition("/")[2].partition(":")[0]] = dataset
        found.pop("seed_generator_state", None)
        if found:
            groups[name] = found
    return groups


# --- the settings that the file states ----------------------------------------------------------------------------


def layers_of(config: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the class and settings of each layer in a configuration; none if it has another form."""
    inner = config.get("config") if isinstance(config, dict) else None
    layers = inner.get("layers") if isinstance(inner, dict) else inner  # a list in Keras 1
    found: list[tuple[str, Mapping[str, Any]]] = []
    for layer in layers if isinstance(layers, list) else []:
        name, settings = (layer.get("class_name"), layer.get("config")) if isinstance(layer, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(settings, dict):
            return []
        found.append((name, settings))
    return found


def _check_epsilon(path: Path, ours: Iterable[tuple[str, Slot]], settings: Mapping[str, Mapping[str, Any]]) -> None:
    for kind, slot in ours:
        own = slot.call.numbers.get("epsilon")
        if kind in settings and own is not None:
            epsilon = settings[kind].get("epsilon", EPSILON)
            if epsilon != own:
                expected = f"epsilon {epsilon!r} for {kind} of {path}, as Keras has it"
                got = f"{own!r} in {slot.part.layer!r}"
                raise ValueError(sentence(WHO, expected, got, "give the layer that epsilon"))


def _check_steps(
    path: Path, model: Sequential, config: Any, described: Sequence[tuple[str, Mapping[str, Any]]]
) -> None:
    if isinstance(config, dict) and config.get("class_name") == "Sequential" and described:
        theirs = [step for name, settings in described for step in _their_steps(name, settings)]
        ours = [step for part in parts(model.layers) for step in _our_steps(part)]
        if ours != theirs:
            expected = f"a model of the steps of {path}, {' → '.join(theirs)}"
            raise ValueError(sentence(WHO, expected, " → ".join(ours), "make it of the same layers and activations"))


def _their_steps(name: str, settings: Mapping[str, Any]) -> Iterator[str]:
    if name in OPS:
        yield NAMES[OPS[name]]
    elif name in SLOPES:
        yield f"{name}({settings.get('negative_slope', settings.get('alpha', SLOPES[name]))})"
    elif name not in (*SILENT, "Activation"):
        odd = [f"{key}={settings[key]}" for key in ("max_value", "negative_slope", "threshold") if settings.get(key)]
        yield f"{name}({', '.join(odd)})" if odd else name
    activation = settings.get("activation", "linear") if name in ("Dense", "Activation") else "linear"
    if activation not in ("linear", None):
        yield _activation(*ACTIVATION.get(str(activation), (str(activation), ())))


def _our_steps(part: Part) -> Iterator[str]:
    call = part.call
    if call is None or part.inner:
        if program_of(part.layer) != ():  # noise does nothing in prediction
            yield repr(part.layer)
    elif call.op not in SILENT_OPS:
        yield NAMES.get(call.op) or _activation(call.op, call.numbers.values())


def _activation(op: str, given: Iterable[Any]) -> str:
    name = repr(ACTIVATIONS[op]).removesuffix("()") if op in ACTIVATIONS else op
    text = ", ".join(map(str, given))
    return f"{name}({text})" if text else name
