"""Data sets by name (scikit-learn's digits, MNIST and Fashion-MNIST), and IDX files, the format of the last two."""

from __future__ import annotations

import hashlib
import math
import os
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .._support.checks import Array, check_name, check_shape, require, sentence
from .._support.files import as_path, in_our_words, opened, read_up_to, replacing
from .batches import split

IDX_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_READ = "read_idx"
_MAX_DIMENSIONS = 32  # the limit of older NumPy versions


def read_idx(path: str | os.PathLike[str]) -> Array:
    """Read the array in an IDX file, plain or gzipped (by content, not by name).

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    array
        Writable, of the shape and type in the header (uint8, int8, int16, int32, float32 or float64), in native byte
        order.

    Raises
    ------
    ValueError
        If it is not an IDX file, is truncated or too long, or its gzip stream is damaged.
    OSError
        If the file cannot be opened.

    Notes
    -----
    The file is not trusted. The reader reads no more than the header promises, allocates no more than the file fills,
    and refuses to unpack a file to more than 50 times its size (beyond 16 MB): neither a false header nor a gzip bomb
    can exhaust the machine.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import chainrule as cr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "labels-idx1-ubyte"
    ...     _ = path.write_bytes(bytes([0, 0, 0x08, 1]) + (3).to_bytes(4, "big") + bytes([7, 2, 1]))
    ...     cr.data.read_idx(path)
    array([7, 2, 1], dtype=uint8)

    References
    ----------
    Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", section "File formats".
    """
    path = as_path(_READ, path)
    with opened(_READ, path, "file") as (stream, most):
        return _read_array(stream, most, path)


def _read_array(stream: BinaryIO, most: int, path: Path) -> Array:
    dtype, shape = _read_header(stream, path)
    length = math.prod(shape) * dtype.itemsize
    if length > most:
        got = f"shape {shape} of {dtype.name}, {length:,} bytes"
        raise ValueError(_refusal(path, f"an array of at most {most:,} bytes, as a file of its size may", got))
    body = read_up_to(stream, length + 1)
    if len(body) != length:
        got = "more" if len(body) > length else f"{len(body)}"
        raise ValueError(_refusal(path, f"{length} bytes after the header, for shape {shape} of {dtype.name}", got))
    return np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _read_header(stream: BinaryIO, path: Path) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in IDX_DTYPES:
        raise ValueError(_refusal(path, "an IDX header (two zero bytes, a type code, a rank)", f"bytes {magic!r}"))
    dtype, rank = np.dtype(IDX_DTYPES[magic[2]]), magic[3]
    if not 1 <= rank <= _MAX_DIMENSIONS:
        raise ValueError(_refusal(path, f"1 to {_MAX_DIMENSIONS} dimensions in the header", f"{rank}"))
    sizes = stream.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise ValueError(_refusal(path, f"{rank} sizes in the header", f"{len(sizes)} bytes of them"))
    shape = struct.unpack(f">{rank}I", sizes)
    if math.prod(max(size, 1) for size in shape) * dtype.itemsize > sys.maxsize:
        raise ValueError(_refusal(path, "a size that memory can address", f"shape {shape}"))
    return dtype, shape


def _refusal(path: Path, expected: str, got: str) -> str:
    return sentence(_READ, f"{path} to hold {expected}", got, "download or copy the file again")


# --- data sets ----------------------------------------------------------------------------------------------------


_WHO = "load_named"
_CHUNK = 1 << 16
_TIMEOUT_SECONDS = 30
_AGAIN = "delete this file and download it again"


@dataclass(frozen=True, eq=False)
class NamedData:
    """A data set with its test part, and the facts that a report needs.

    ``x`` and ``x_test`` are float32 in 0..1 of shape (N, I), a row for each flattened image; ``y`` and ``y_test`` are
    int64 labels (N,), each an index into ``class_names``; ``image_shape`` is (height, width), height · width = I.
    """

    x: Array
    y: Array
    x_test: Array
    y_test: Array
    class_names: tuple[str, ...]
    image_shape: tuple[int, int]
    description: str


@dataclass(frozen=True)
class IdxFile:
    """One published IDX .gz file: its name, length in bytes, SHA-256 and the shape of the array inside."""

    name: str
    length: int
    sha256: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class ImageSet:
    """Four IDX files (training images and labels, test images and labels) and where to download them."""

    description: str
    class_names: tuple[str, ...]
    mirrors: tuple[str, ...]
    files: tuple[IdxFile, IdxFile, IdxFile, IdxFile]


def _four_files(*facts: tuple[int, str]) -> tuple[IdxFile, IdxFile, IdxFile, IdxFile]:
    """The four files of MNIST and its drop-in twins, which differ only in length and SHA-256."""
    train_images, train_labels, test_images, test_labels = facts
    return (
        IdxFile("train-images-idx3-ubyte.gz", *train_images, shape=(60000, 28, 28)),
        IdxFile("train-labels-idx1-ubyte.gz", *train_labels, shape=(60000,)),
        IdxFile("t10k-images-idx3-ubyte.gz", *test_images, shape=(10000, 28, 28)),
        IdxFile("t10k-labels-idx1-ubyte.gz", *test_labels, shape=(10000,)),
    )


IMAGE_SETS = {
    "mnist": ImageSet(
        "MNIST: 70,000 handwritten digits, 28 x 28 grey values (LeCun, Cortes, Burges)",
        tuple("0123456789"),
        ("https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"),
        _four_files(
            (9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            (28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            (1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            (4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ),
    ),
    "fashion-mnist": ImageSet(
        "Fashion-MNIST: 70,000 pictures of clothes, 28 x 28 grey values (Xiao, Rasul, Vollgraf 2017)",
        ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        _four_files(
            (26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            (29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            (4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            (5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ),
    ),
}
NAMES = ("digits", *IMAGE_SETS)
DIVISORS = {"digits": 16} | dict.fromkeys(IMAGE_SETS, 255)  # scale grey values to 0..1


def load_named(name: str, cache_dir: str | os.PathLike[str] | None = None, progress: bool = True) -> NamedData:
    """Load the data set ``"digits"``, ``"mnist"`` or ``"fashion-mnist"``.

    Parameters
    ----------
    name : {"digits", "mnist", "fashion-mnist"}
        The data set.
    cache_dir : path, optional
        Folder for downloads; by default the user's cache (``$XDG_CACHE_HOME/chainrule`` or ``~/.cache/chainrule``, on
        macOS ``~/Library/Caches/chainrule``, on Windows ``%LOCALAPPDATA%\\chainrule``).
    progress : bool
        Whether to show a bar while downloading, if standard error is a terminal.

    Returns
    -------
    NamedData
        Images as rows of float32 in 0..1, labels as int64, and the names of the classes.

    Raises
    ------
    ValueError
        If the name is unknown, or a file on disk is damaged.
    ConnectionError
        If no mirror has an intact file; the error says what to download by hand, and where to put it.
    ModuleNotFoundError
        If scikit-learn is missing, for ``"digits"``.

    Notes
    -----
    ``digits`` are the 1,797 scans of 8 x 8 grey values in scikit-learn; a fixed 20 % of each class is the test part.
    The other two are four IDX files each, gzipped or not. They are looked up in ``$CHAINRULE_DATA/<name>``, then in
    ``<cache_dir>/<name>``, and otherwise downloaded there. Every .gz file must have the published length and SHA-256.

    Examples
    --------
    >>> import chainrule as cr
    >>> digits = cr.data.load_named("digits")
    >>> digits.x.shape, digits.x_test.shape, digits.image_shape
    ((1438, 64), (359, 64), (8, 8))
    """
    check_name(_WHO, "a data set", name, NAMES)
    if name == "digits":
        return _load_digits()
    cache = (user_cache() if cache_dir is None else as_path(_WHO, cache_dir)) / name
    own = os.environ.get("CHAINRULE_DATA")
    folders = [cache] if not own else [Path(own) / name, cache]
    image_set = IMAGE_SETS[name]
    paths = _collect(name, image_set, folders, progress)
    x, y, x_test, y_test = (_read_part(path, file) for path, file in zip(paths, image_set.files, strict=True))
    for path, labels in ((paths[1], y), (paths[3], y_test)):
        if labels.max() >= len(image_set.class_names):
            raise ValueError(
                sentence(_WHO, f"labels below {len(image_set.class_names)} in {path}", f"{labels.max()}", _AGAIN)
            )
    height, width = image_set.files[0].shape[1:]
    return NamedData(x, y, x_test, y_test, image_set.class_names, (height, width), image_set.description)


def user_cache() -> Path:
    """Return the user's folder, on this platform, for files that can be downloaded again."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "chainrule"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "chainrule"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chainrule"


def _load_digits() -> NamedData:
    x, y = require("sklearn.datasets", "sklearn", _WHO + "('digits')").load_digits(return_X_y=True)
    x = (x / DIVISORS["digits"]).astype(np.float32)  # the grey values are 0, 1, ..., 16: exact in float32
    description = "Digits: 1,797 handwritten digits, 8 x 8 grey values (Alpaydin, Kaynak 1998; from scikit-learn)"
    parts = split(x, y.astype(np.int64), 0.2, rng=0, stratify=True)
    return NamedData(*parts, tuple("0123456789"), (8, 8), description)


def _read_part(path: Path, file: IdxFile) -> Array:
    """Read images (N, 28, 28) as float32 rows in 0..1, and labels (N,) as int64."""
    array = read_idx(path)
    check_shape(_WHO, f"{path} to hold an array", array, file.shape, _AGAIN)
    if array.dtype != np.uint8:
        raise ValueError(sentence(_WHO, f"{path} to hold uint8", array.dtype.name, _AGAIN))
    if array.ndim == 1:
        return array.astype(np.int64)
    x = array.reshape(len(array), -1).astype(np.float32)
    x /= 255
    return x


def _collect(name: str, image_set: ImageSet, folders: Sequence[Path], progress: bool) -> list[Path]:
    found = {file: _find(file, folders) for file in image_set.files}
    for file, path in found.items():
        if path is None or path.suffix != ".gz":
            continue
        with in_our_words(_WHO, f"to read {path}"), path.open("rb") as stream:
            flaw = _flaw(read_up_to(stream, file.length + 1), file)
        if flaw:
            raise ValueError(sentence(_WHO, f"{path} to be the published file", flaw, _AGAIN))
    absent = [file for file, path in found.items() if path is None]
    cache = folders[-1]
    if absent:
        _make_folder(cache)
    for position, file in enumerate(absent):
        reasons: list[str] = []
        if not any(_download(mirror, file, cache, progress, reasons) for mirror in image_set.mirrors):
            names = ", ".join(other.name for other in absent[position:])
            remedy = f"download {names} from {image_set.mirrors[0]} and put them into {cache}"
            expected = f"to find {file.name} in {' or '.join(map(str, folders))}, or to download it"
            raise ConnectionError(sentence(f"{_WHO}({name!r})", expected, "; ".join(reasons), remedy))
        found[file] = cache / file.name
    return [path for path in found.values() if path is not None]


def _find(file: IdxFile, folders: Sequence[Path]) -> Path | None:
    names = (file.name, file.name.removesuffix(".gz"))
    return next((folder / name for folder in folders for name in names if (folder / name).is_file()), None)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        expected = f"a folder for downloads at {folder}"
        remedy = "pass cache_dir=, a folder that you may write to"
        raise type(error)(sentence(_WHO, expected, error.strerror or str(error), remedy)) from None


def _download(mirror: str, file: IdxFile, folder: Path, progress: bool, reasons: list[str]) -> bool:
    """Whether ``mirror`` gave the published file, now in ``folder``; if not, ``reasons`` grows and nothing is left."""
    import http.client
    import urllib.request  # brings in half of the standard library: not for everyone who imports chainrule

    from tqdm import tqdm

    hidden = None if progress else True  # None: hidden unless standard error is a terminal
    content = bytearray()
    try:
        with (
            urllib.request.urlopen(mirror + file.name, timeout=_TIMEOUT_SECONDS) as reply,
            tqdm(desc=file.name, total=file.length, unit="B", unit_scale=True, disable=hidden) as bar,
        ):
            while len(content) <= file.length and (chunk := reply.read(_CHUNK)):
                content += chunk
                bar.update(len(chunk))
        flaw = _flaw(content, file)
    except (OSError, http.client.HTTPException) as error:
        flaw = str(error) or type(error).__name__
    if flaw:
        reasons.append(f"{flaw} from {mirror}")
        return False
    with replacing(_WHO, folder / file.name) as stream:
        stream.write(content)
    return True


def _flaw(content: bytes | bytearray, file: IdxFile) -> str:
    """Describe how this content differs from the published file; empty if it does not."""
    if len(content) != file.length:
        return f"{len(content)} bytes in place of {file.length}"
    digest = hashlib.sha256(content).hexdigest()
    return "" if digest == file.sha256 else f"SHA-256 {digest} in place of {file.sha256}"
