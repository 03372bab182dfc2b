"""Named sets: found, fetched or refused; the network is a folder, reached through file:// mirrors."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import re
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from chainrule.data import named
from chainrule.data.named import IMAGE_SETS, IdxFile, ImageSet, load_named, user_cache

NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def idx_bytes(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 0x08 if array.dtype == np.uint8 else 0x0B, array.ndim]) + sizes + array.tobytes()


def tiny_arrays() -> dict[str, np.ndarray]:
    """Six training and three test images of 2 x 3 pixels, in three classes."""
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (9, 2, 3)).astype(np.uint8)
    labels = np.array([0, 1, 2, 0, 1, 2, 2, 1, 0], np.uint8)
    return dict(zip(NAMES, (images[:6], labels[:6], images[6:], labels[6:]), strict=True))


class Shelf:
    """A made-up "mnist" in the registry, a good mirror, a mirror that is not there, and an empty cache."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mirror, self.cache, self.own = folder / "mirror", folder / "cache", folder / "own"
        self.mirror.mkdir()
        self.monkeypatch = monkeypatch
        self.arrays = tiny_arrays()
        for name, array in self.arrays.items():
            (self.mirror / name).write_bytes(gzip.compress(idx_bytes(array), mtime=0))
        self.register()
        monkeypatch.delenv("CHAINRULE_DATA", raising=False)

    def register(self, *mirrors: str) -> None:
        files = []
        for name, array in self.arrays.items():
            content = gzip.compress(idx_bytes(array), mtime=0)
            files.append(IdxFile(name, len(content), hashlib.sha256(content).hexdigest(), array.shape))
        image_set = ImageSet("tiny", ("a", "b", "c"), mirrors or (self.url,), tuple(files))
        self.monkeypatch.setitem(IMAGE_SETS, "mnist", image_set)

    @property
    def url(self) -> str:
        return self.mirror.as_uri() + "/"

    def load(self) -> named.NamedData:
        return load_named("mnist", cache_dir=self.cache, progress=False)

    def cached(self) -> list[str]:
        return sorted(path.name for path in (self.cache / "mnist").iterdir())


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return Shelf(tmp_path, monkeypatch)


def check_tiny(data: named.NamedData) -> None:
    arrays = list(tiny_arrays().values())
    assert data.x.dtype == data.x_test.dtype == np.float32
    assert data.y.dtype == data.y_test.dtype == np.int64
    assert data.image_shape == (2, 3)
    assert data.class_names == ("a", "b", "c")
    np.testing.assert_allclose(data.x.reshape(6, 2, 3) * 255, arrays[0], rtol=1e-6)
    np.testing.assert_array_equal(data.y, arrays[1])
    np.testing.assert_allclose(data.x_test.reshape(3, 2, 3) * 255, arrays[2], rtol=1e-6)
    np.testing.assert_array_equal(data.y_test, arrays[3])


def test_downloads_once_and_then_reads_the_cache(shelf: Shelf) -> None:
    check_tiny(shelf.load())
    assert shelf.cached() == sorted(NAMES)
    shelf.register("file:///nowhere/")
    check_tiny(shelf.load())


def test_a_dead_mirror_is_passed_over(shelf: Shelf) -> None:
    shelf.register("file:///nowhere/", shelf.url)
    check_tiny(shelf.load())


def test_only_what_is_absent_is_downloaded(shelf: Shelf) -> None:
    shelf.load()
    (shelf.mirror / NAMES[0]).unlink()
    (shelf.cache / "mnist" / NAMES[3]).unlink()
    check_tiny(shelf.load())


def test_the_users_own_folder_comes_first_and_may_hold_unzipped_files(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shelf.own / "mnist"
    folder.mkdir(parents=True)
    for name, array in shelf.arrays.items():
        (folder / name.removesuffix(".gz")).write_bytes(idx_bytes(array))
    shelf.register("file:///nowhere/")
    monkeypatch.setenv("CHAINRULE_DATA", str(shelf.own))
    check_tiny(shelf.load())
    assert not shelf.cache.exists()


def test_no_network_says_what_to_download_and_where_to_put_it(shelf: Shelf) -> None:
    shelf.register("file:///nowhere/", "file:///elsewhere/")
    with pytest.raises(ConnectionError, match="No such file") as caught:
        shelf.load()
    message = str(caught.value)
    assert "\n" not in message
    for part in (*NAMES, "file:///nowhere/", "file:///elsewhere/", f"put them into {shelf.cache / 'mnist'}"):
        assert part in message
    assert shelf.cached() == []


@pytest.mark.parametrize(
    "spoil, flaw",
    [
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "SHA-256 [0-9a-f]{64} in place of"),
        (lambda content: content[:-7], "bytes in place of"),
        (lambda content: content + b"more" * 100_000, "bytes in place of"),
    ],
    ids=["changed", "truncated", "too long"],
)
def test_a_bad_download_is_said_and_leaves_nothing(shelf: Shelf, spoil, flaw: str) -> None:
    for path in shelf.mirror.iterdir():
        path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ConnectionError, match=flaw):
        shelf.load()
    assert shelf.cached() == []


def test_a_reply_without_end_is_cut_off(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "_CHUNK", 16)
    path = shelf.mirror / NAMES[0]
    length = path.stat().st_size
    path.write_bytes(path.read_bytes() + b"\0" * 100_000)
    with pytest.raises(ConnectionError) as caught:
        shelf.load()
    got = re.search(rf"(\d+) bytes in place of {length}", str(caught.value))
    assert got is not None
    assert length < int(got[1]) <= length + 16


def test_a_broken_connection_is_a_dead_mirror(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise http.client.RemoteDisconnected("the server hung up")

    monkeypatch.setattr(urllib.request, "urlopen", broken)
    with pytest.raises(ConnectionError, match="the server hung up"):
        shelf.load()


def test_an_interrupted_download_leaves_nothing(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(urllib.request, "urlopen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shelf.load()
    assert shelf.cached() == []


def test_a_truncated_file_on_disk_is_refused_and_kept(shelf: Shelf) -> None:
    shelf.load()
    path = shelf.cache / "mnist" / NAMES[0]
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz to be the published file, got \d+ bytes in"):
        shelf.load()
    assert path.exists()


@pytest.mark.parametrize(
    "position, array, message",
    [
        (0, np.zeros((6, 3, 3), np.uint8), r"of shape \(6, 2, 3\), got \(6, 3, 3\)"),
        (1, np.zeros(6, ">i2"), "uint8.*int16"),
        (3, np.full(3, 3, np.uint8), "labels below 3 .* got 3"),
    ],
)
def test_an_unzipped_file_of_something_else_is_refused(
    shelf: Shelf, position: int, array: np.ndarray, message: str
) -> None:
    shelf.load()
    path = shelf.cache / "mnist" / NAMES[position]
    path.unlink()
    path.with_suffix("").write_bytes(idx_bytes(array))
    with pytest.raises(ValueError, match=message):
        shelf.load()


def test_a_cache_that_cannot_be_made_names_the_remedy(shelf: Shelf) -> None:
    shelf.cache.write_text("a file in the way")
    with pytest.raises(OSError, match=r"a folder for downloads at .* pass cache_dir="):
        shelf.load()


@pytest.mark.parametrize(
    "platform, variable, relative",
    [
        ("linux", "XDG_CACHE_HOME", "chainrule"),
        ("linux", None, "home/.cache/chainrule"),
        ("win32", "LOCALAPPDATA", "chainrule"),
        ("win32", None, "home/AppData/Local/chainrule"),
        ("darwin", None, "home/Library/Caches/chainrule"),
    ],
)
def test_user_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, variable: str | None, relative: str
) -> None:
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setattr(sys, "platform", platform)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path))
    assert user_cache() == tmp_path / relative


def test_the_user_cache_is_the_default(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "user_cache", lambda: shelf.cache)
    check_tiny(load_named("mnist"))
    assert shelf.cached() == sorted(NAMES)


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'fashion-mnist'"):
        load_named("fashion")


def test_digits_are_split_by_class_and_for_good() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = datasets.load_digits(return_X_y=True)
    data = load_named("digits")
    assert data.x.dtype == np.float32
    assert data.x.max() == 1
    assert data.image_shape == (8, 8)
    assert len(data.x) == 1438
    assert len(data.x_test) == 359
    share = np.bincount(data.y_test) / np.bincount(y)
    np.testing.assert_allclose(share, 0.2, atol=0.005)
    rows = np.column_stack([np.r_[data.x, data.x_test] * 16, np.r_[data.y, data.y_test]])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, np.column_stack([x, y])))
    again = load_named("digits")
    np.testing.assert_array_equal(again.x_test, data.x_test)


def test_the_real_mnist(data_dir: Path, tmp_path: Path) -> None:
    data = load_named("mnist", cache_dir=tmp_path)
    assert data.x.shape == (60000, 784)
    assert data.x_test.shape == (10000, 784)
    assert data.x.min() == 0
    assert data.x.max() == 1
    np.testing.assert_array_equal(data.y[:10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_registry_is_well_formed(name: str) -> None:
    image_set = IMAGE_SETS[name]
    assert [file.name for file in image_set.files] == list(NAMES)
    assert all(int(file.sha256, 16).bit_length() <= 256 and len(file.sha256) == 64 for file in image_set.files)
    assert all(mirror.endswith("/") for mirror in image_set.mirrors)
    assert len(set(image_set.class_names)) == 10
