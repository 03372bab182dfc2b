"""Damaged checkpoints, each read in a process whose memory is bounded: ``python mutations.py FOLDER FIRST LAST``.

Each must be refused in one sentence, and leave the trainer as it was, or give the very numbers that were written.
"""

from __future__ import annotations

import copy
import json
import struct
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import chainrule as cr

Rng = np.random.Generator
HUGE = (0, 1, -1, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30)
DTYPES = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "F6_E2M3", "C64", "I64", "I32", "U32")
WITH_TABLE = ("load_keras_weights expects ", "load_state_dict expects ")  # of shapes, under the sentence
SPEAKERS = ("resume expects ", "load expects ", "inspect expects ", *WITH_TABLE)
SPARE = 8 << 20  # bytes that reading may take beside the file


def trainer() -> cr.Trainer:
    layers = [cr.Linear(6, 40, "relu"), cr.BatchNorm(40), cr.Dropout(0.3), cr.Linear(40, 3)]
    callbacks = [cr.callbacks.WeightAverage(0.9), cr.callbacks.EarlyStopping("loss")]
    return cr.Trainer(cr.Sequential(layers, rng=0), "cross_entropy", cr.Adam(), 16, callbacks=callbacks, rng=1)


def fitted(folder: Path) -> Path:
    """A checkpoint after two epochs."""
    rng = np.random.default_rng(0)
    one = trainer()
    one.callbacks.append(cr.callbacks.Checkpoint(folder, every=None, monitor="loss"))
    one.fit(rng.normal(size=(100, 6)), rng.integers(0, 3, 100), epochs=2, verbose=0)
    return folder / "best.safetensors"


def held_by(one: cr.Trainer) -> list[np.ndarray]:
    """All numbers of a trainer that a checkpoint gives it."""
    rows = [list(row.values()) for row in one.history.rows]
    states = [callback.state() for callback in one.callbacks]
    found = [value for state in states for _, value in sorted(state.items()) if value is not None]
    arrays = [array for value in found for array in (value if isinstance(value, list) else [value])]
    return [
        one.model.parameters.vector,
        *one.model.buffers.values(),
        *(array for _, array in sorted(one.optimizer.state.items())),
        *map(np.asarray, [*rows, *arrays]),
    ]


def same(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return len(some) == len(others) and all(map(np.array_equal, some, others))


# --- what is done to a file ---


def parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined(header: dict[str, Any] | str, body: bytes) -> bytes:
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text)) + text + body


def flip(data: bytes, rng: Rng) -> bytes:
    changed = np.frombuffer(data, np.uint8).copy()
    for place in rng.integers(0, len(data) if rng.random() < 0.5 else min(len(data), 4096), rng.integers(1, 9)):
        changed[place] ^= 1 << rng.integers(8)
    return changed.tobytes()


def overwrite(data: bytes, rng: Rng) -> bytes:
    start, size = rng.integers(len(data)), rng.integers(1, 64)
    return data[:start] + rng.bytes(size) + data[start + size :]


def cut(data: bytes, rng: Rng) -> bytes:
    return data[: rng.integers(len(data))]


def grow(data: bytes, rng: Rng) -> bytes:
    return data + rng.bytes(rng.integers(1, 5000))


def insert(data: bytes, rng: Rng) -> bytes:
    start = rng.integers(len(data))
    return data[:start] + rng.bytes(rng.integers(1, 64)) + data[start:]


def remove(data: bytes, rng: Rng) -> bytes:
    start = rng.integers(len(data))
    return data[:start] + data[start + rng.integers(1, 64) :]


def repeat(data: bytes, rng: Rng) -> bytes:
    start, size = rng.integers(len(data)), rng.integers(1, 4096)
    return data[: start + size] + data[start:]


def lie_about_the_header(data: bytes, rng: Rng) -> bytes:
    length = struct.unpack("<Q", data[:8])[0]
    lies = [0, 1, length - 1, length + 1, len(data), 2**20, 2**27, 2**40, 2**63, 2**64 - 1]
    return struct.pack("<Q", lies[rng.integers(len(lies))]) + data[8:]


def edit_tensor(data: bytes, rng: Rng) -> bytes:
    header, body = parts(data)
    names = [name for name in header if name != "__metadata__"]
    name, other = rng.choice(names), rng.choice(names)
    tensor = header[name]
    huge = [HUGE[i] for i in rng.integers(0, len(HUGE), rng.integers(1, 4))]
    edits: list[Callable[[], Any]] = [
        lambda: tensor.update(shape=huge),
        lambda: tensor.update(shape=[*tensor["shape"], *huge]),
        lambda: tensor.update(shape=tensor["shape"][::-1] + [1] * int(rng.integers(1, 100))),
        lambda: tensor.update(data_offsets=[huge[0], huge[-1]]),
        lambda: tensor.update(data_offsets=header[other]["data_offsets"]),
        lambda: tensor.update(dtype=str(rng.choice(DTYPES))),
        lambda: halve(tensor, str(rng.choice(("BF16", "F16", "I16")))),
        lambda: tensor.pop(rng.choice(list(tensor))),
        lambda: tensor.update(shape="all", more=huge),
        lambda: header.update({name: header[other], other: tensor}),
        lambda: header.update({f"{name}x": header.pop(name)}),
        lambda: header.update(extra={"dtype": "F32", "shape": [0, *huge], "data_offsets": [0, 0]}),
        lambda: header.update(extra={"dtype": "F32", "shape": [0] + [1] * 99, "data_offsets": [0, 0]}),
        lambda: header.update(extra=None),
        lambda: header.pop(name),
    ]
    edits[rng.integers(len(edits))]()
    return joined(header, body)


def halve(tensor: dict[str, Any], dtype: str) -> None:
    """Twice as many numbers of half the size."""
    tensor.update(dtype=dtype, shape=[*tensor["shape"][:-1], 2 * (tensor["shape"] or [1])[-1]])


def edit_facts(data: bytes, rng: Rng) -> bytes:
    header, body = parts(data)
    facts = header["__metadata__"]
    name = rng.choice(list(facts))
    text = facts[name]
    place = rng.integers(len(text))
    edits: list[Callable[[], Any]] = [
        lambda: facts.update({name: text[:place] + str(rng.integers(10)) + text[place + 1 :]}),
        lambda: facts.update({name: "[" * 100_000}),
        lambda: facts.update({name: 7}),
        lambda: facts.update({name: ""}),
        lambda: facts.update(more="x"),
        lambda: facts.pop(name),
        lambda: header.pop("__metadata__"),
    ]
    edits[rng.integers(len(edits))]()
    return joined(header, body)


def edit_text(data: bytes, rng: Rng) -> bytes:
    """The header as text, in ways that no dict has."""
    header, body = parts(data)
    text = json.dumps(header)
    name = rng.choice([name for name in header if name != "__metadata__"])
    again = copy.deepcopy(header[name])
    again["shape"] = again["shape"][::-1]
    nested = '{"a":' * 5000 + "1" + "}" * 5000
    texts = [
        "{" + f'"{name}": {json.dumps(again)}, ' + text[1:],
        text[:-1] + f', "{name}": {json.dumps(again)}' + "}",
        text[:-1] + f', "deep": {nested}' + "}",
        text[:-1] + f', "__metadata__": {json.dumps(header["__metadata__"])}' + "}",
        text + " " * int(rng.integers(1, 9)),
        json.dumps(header, indent=2),
        text.replace("0", "1e999", 1),
        text[: rng.integers(len(text))],
        "null",
    ]
    return joined(texts[rng.integers(len(texts))], body)


MUTATIONS = (
    flip, overwrite, cut, grow, insert, remove, repeat,
    lie_about_the_header, edit_tensor, edit_tensor, edit_facts, edit_text,
)  # fmt: skip


# --- what happens then ---


def attempt(read: Callable[[], object]) -> str:
    """Return "" if it was read, else the sentence; anything but a sentence comes with its type."""
    try:
        read()
    except (ValueError, OSError) as error:
        text = str(error)
        first, table = text.split("\n", 1) if text.startswith(WITH_TABLE) and "\n" in text else (text, "")
        ours = first.startswith(SPEAKERS) and first.endswith(".") and "\n" not in first and "\n\n" not in table
        return text if ours else f"NO SENTENCE: {error!r}"
    except BaseException as error:
        return f"NO SENTENCE: {error!r}"
    return ""


def judge(path: Path, expected: list[np.ndarray], untouched: list[np.ndarray]) -> tuple[str, str]:
    """What came of the file (refused, right or wrong), and the details of what is wrong."""
    one = trainer()
    said = attempt(lambda: one.resume(path))
    if "NO SENTENCE" in said:
        return "wrong", said
    if not same(held_by(one), untouched if said else expected):
        return "wrong", f"other numbers after {said!r}"
    model: list[cr.Sequential] = []
    loaded = attempt(lambda: model.append(cr.load(path)))
    if "NO SENTENCE" in loaded or bool(loaded) != bool(said):
        return "wrong", f"load: {loaded}, resume: {said}"
    if model and not np.array_equal(model[0].parameters.vector, expected[0]):
        return "wrong", "load: other numbers"
    return ("refused" if said else "right"), ""


def main(folder: Path, first: int, last: int) -> dict[str, Any]:
    source = fitted(folder)
    data = source.read_bytes()
    one = trainer()
    untouched = [array.copy() for array in held_by(one)]
    one.resume(source)
    expected = [array.copy() for array in held_by(one)]
    assert not same(expected, untouched)
    bound_memory(len(data))
    tracemalloc.start()
    found: dict[str, Any] = {"size": len(data), "refused": 0, "right": 0, "wrong": [], "peak": 0}
    target = folder / "mutated.safetensors"
    for seed in range(first, last):
        rng = np.random.default_rng(seed)
        mutation = MUTATIONS[seed % len(MUTATIONS)]
        target.write_bytes(mutation(data, rng))
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        verdict, details = judge(target, expected, untouched)
        found["peak"] = max(found["peak"], tracemalloc.get_traced_memory()[1] - before)
        if verdict == "wrong":
            found["wrong"].append(f"{seed} {mutation.__name__}: {details}")
        else:
            found[verdict] += 1
    return found


def bound_memory(size: int) -> None:
    """Refuse requests for much more memory than the file has bytes from here on: then MemoryError is no sentence."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (ImportError, OSError):
        return  # tracemalloc still counts what NumPy takes
    limit = pages * resource.getpagesize() + 4 * size + 8 * SPARE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
