"""IDX files: what was written is read, and whatever is not a whole IDX file is refused in one sentence."""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule.data.named import read_idx
from effort import peak_of

CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def idx_bytes(array: np.ndarray, shape: tuple[int, ...] | None = None) -> bytes:
    """The array as the format's definition has it; ``shape`` may lie."""
    shape = array.shape if shape is None else shape
    header = bytes([0, 0, CODES[array.dtype.name], len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


arrays = st.sampled_from(sorted(CODES)).flatmap(
    lambda name: hnp.arrays(np.dtype(name), hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(array=arrays, zipped=st.booleans())
def test_what_was_written_is_read(tmp_path: Path, array: np.ndarray, zipped: bool) -> None:
    path = tmp_path / "numbers"  # no suffix: gzip is detected by content
    path.write_bytes(gzip.compress(idx_bytes(array)) if zipped else idx_bytes(array))
    read = read_idx(path)
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    assert read.flags.writeable
    np.testing.assert_array_equal(read, array)


SMALL = idx_bytes(np.arange(6, dtype=np.uint8).reshape(2, 3))


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", r"IDX header .* got bytes b''"),
        (SMALL[:3], "IDX header"),
        (b"\x89PNG\r\n\x1a\n", "IDX header"),
        (b"\0\0\x07\1\0\0\0\0", "IDX header"),
        (b"\0\0\x08\0", "1 to 32 dimensions in the header, got 0"),
        (b"\0\0\x08\xff" + b"\0" * 1020, "1 to 32 dimensions in the header, got 255"),
        (SMALL[:9], "2 sizes in the header, got 5 bytes"),
        (SMALL[:-1], r"6 bytes after the header, for shape \(2, 3\) of uint8, got 5"),
        (SMALL + b"\0", r"6 bytes after the header.*, got more"),
        (idx_bytes(np.zeros(1, np.uint8), (2**20, 2**20, 2**20)), "got (1|shape)"),
        (idx_bytes(np.zeros(1, np.uint8), (2**32 - 1,) * 3), "memory can address"),
        (idx_bytes(np.zeros(0, np.uint8), (0, 2**32 - 1, 2**32 - 1)), "memory can address"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_anything_but_a_whole_idx_file_is_refused(tmp_path: Path, content: bytes, message: str, zipped: bool) -> None:
    path = tmp_path / "broken-idx"
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def damaged_crc() -> bytes:
    content = bytearray(gzip.compress(SMALL))
    content[-8] ^= 1
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [gzip.compress(SMALL)[:-4], gzip.compress(SMALL)[:-12], damaged_crc(), b"\x1f\x8b\x08\0" + b"\xff" * 40],
    ids=["no length", "half a stream", "wrong checksum", "noise"],
)
def test_refuses_a_damaged_gzip_stream(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.gz to be a whole gzip file"):
        read_idx(path)


def peak_of_refusal(path: Path, says: str) -> int:
    def refused() -> None:
        with pytest.raises(ValueError, match=says):
            read_idx(path)

    return peak_of(refused)[1]


def test_a_gzip_bomb_is_unpacked_only_as_far_as_its_header_allows(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    size = 64 << 20
    path.write_bytes(gzip.compress(SMALL + b"\0" * size, compresslevel=1))
    peak = peak_of_refusal(path, "got more")
    assert peak < size / 16


def test_a_gzip_bomb_whose_header_is_true_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    content = idx_bytes(np.zeros(64 << 20, np.uint8), (64 << 20,))
    path.write_bytes(gzip.compress(content, compresslevel=1))
    peak = peak_of_refusal(path, r"at most [\d,]+ bytes, as a file of its size may, got shape \(67108864,\)")
    assert peak < 1 << 20
    path.write_bytes(content)
    assert read_idx(path).size == 64 << 20


def test_a_false_header_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "liar"
    path.write_bytes(idx_bytes(np.zeros(10, np.float64), (2**30,)))
    peak = peak_of_refusal(path, "got 80")
    assert peak < 8 << 20


def test_an_absent_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(tmp_path / "nowhere")


def test_the_real_mnist_test_part(data_dir: Path) -> None:
    images = read_idx(data_dir / "mnist" / "t10k-images-idx3-ubyte.gz")
    labels = read_idx(data_dir / "mnist" / "t10k-labels-idx1-ubyte.gz")
    assert images.shape == (10000, 28, 28)
    assert math.isclose(images.mean(), 33.791, abs_tol=1e-3)  # 0.1325 of 255, the figure often quoted
    np.testing.assert_array_equal(np.bincount(labels), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009])
