"""Damaged model files, each read in a process whose memory is bounded: ``python model_mutations.py FIRST LAST``.

Each must be refused in one sentence, fast and in little memory, or give a whole model; nothing in it is run. Half of
them get a digest that is right again: without it every lie would end there, and nothing behind it would be tested.
"""

from __future__ import annotations

import copy
import io
import json
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

import chainrule as cr
import effort
import mutations
from chainrule._support import files
from chainrule.cli.inspect import describe
from mutations import HUGE, Rng, joined, parts

CORPUS = Path(__file__).parent / "persistence" / "corpus"
SOURCES = ("format-2", "format-2", "format-1", "format-2-checkpoint")
KEYS = ("chainrule", "chainrule_checkpoint")
SPARE = 50 << 20  # bytes of memory beyond those of the file
CALLS = 20_000, 5  # of functions, for each file and for each of its bytes
FORBIDDEN = ("os.", "subprocess.", "pickle.", "socket.", "ctypes.", "shutil.", "compile", "exec", "import")


def deep(levels: int) -> Any:
    value: Any = 1
    for index in range(levels):
        value = [value] if index % 2 else {"a": value}
    return value


def odd(rng: Rng) -> Any:
    """What nobody writes where something else was."""
    huge = HUGE[rng.integers(len(HUGE))]
    choices: list[Callable[[], Any]] = [
        lambda: None,
        lambda: bool(rng.integers(2)),
        lambda: huge,
        lambda: float(huge),
        lambda: -(10**400),
        lambda: float(rng.normal()),
        lambda: 5e-324,
        lambda: float("nan"),
        lambda: float("-inf"),
        lambda: "",
        lambda: "x" * int(rng.choice([1, 300, 100_000])),
        lambda: "\ud800",
        lambda: "line\nline\0\x1b[31m",
        lambda: str(rng.choice(["relu", "os.system", "__import__", "a,(", "f4,", "object", "float16", "M8[s]"])),
        lambda: str(rng.choice(["Linear", "PReLU", "Softmax", "float64", "linear", "__class__", "Layer"])),
        list,
        dict,
        lambda: [0] * int(rng.choice([1, 1000, 100_000])),
        lambda: deep(int(rng.choice([3, 90, 150, 250]))),
        lambda: {"type": str(rng.choice(["ReLU", "Linear", "BatchNorm", "PReLU", "Residual", "Dropout", "Nothing"]))},
        lambda: {"type": "Linear", "in_features": huge, "out_features": huge},
        lambda: {"type": str(rng.choice(["BatchNorm", "LayerNorm", "PReLU", "Scale"])), "features": huge},
        lambda: {"type": "BatchNorm", "features": int(rng.integers(1, 4000)), "epsilon": float(rng.normal())},
        lambda: {"type": "Embedding", "codes": huge, "size": int(rng.choice([1, 2**62]))},
        lambda: {"type": "PBLD", "features": huge, "frequencies": 2**40, "outputs": int(rng.choice([2, 2**62]))},
        lambda: {"type": "PiecewiseLinear", "edges": [[0, 1]] * 9999 + [[*range(9999)]], "outputs": huge},
        lambda: {"type": "Columns", "parts": [[huge, []], [1, {"type": "Embedding", "codes": huge, "size": 1}]]},
        lambda: {"type": "TabM", "features": 9, "layers": [{"type": "ReLU"}], "outputs": huge, "members": huge},
        lambda: {"type": "Members", "networks": [[{"type": "Embedding", "codes": huge, "size": 1}]] * 2},
        lambda: {"type": "Residual", "layers": [{"type": "ReLU"}] * int(rng.choice([1, 100, 2000]))},
    ]
    return choices[rng.integers(len(choices))]()


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value, the outermost 10,000."""
    found: list[tuple[Any, Any]] = []
    left = [value]
    while left and len(found) < 10_000:
        here = left.pop(0)
        keys = list(here) if isinstance(here, dict) else range(len(here)) if isinstance(here, list) else []
        found += [(here, key) for key in keys]
        left += [here[key] for key in keys if isinstance(here[key], (dict, list))]
    return found


def facts_of(data: bytes) -> tuple[dict[str, Any], bytes, str, dict[str, Any]]:
    header, body = parts(data)
    key = next(key for key in KEYS if key in header["__metadata__"])
    return header, body, key, json.loads(header["__metadata__"][key])


def edit_description(data: bytes, rng: Rng) -> bytes:
    """Another value, type or name at any place of the JSON that describes the model."""
    header, body, key, facts = facts_of(data)
    for _ in range(rng.integers(1, 4)):
        found = places(facts["model"] if rng.random() < 0.7 and isinstance(facts.get("model"), dict) else facts)
        if not found:
            break
        place, name = found[rng.integers(len(found))]
        value = place[name]
        edits: list[Callable[[], Any]] = [
            lambda place=place, name=name: place.__setitem__(name, odd(rng)),
            lambda place=place, name=name: place.__setitem__(name, odd(rng)),
            lambda place=place, name=name: place.__setitem__(name, [place[name]]),
            lambda place=place, name=name, value=value: place.__setitem__(
                name, float(value) if isinstance(value, int) else value * 2 if isinstance(value, list) else str(value)
            ),
            lambda place=place, name=name: place.__delitem__(name),
            lambda place=place, name=name: (
                place.update({odd_name(rng): place[name]})
                if isinstance(place, dict)
                else place.insert(name, copy.deepcopy(place[name]))
            ),
            lambda place=place: (
                place.update({odd_name(rng): odd(rng)}) if isinstance(place, dict) else place.append(odd(rng))
            ),
        ]
        edits[rng.integers(len(edits))]()
    header["__metadata__"][key] = json.dumps(facts)
    return joined(header, body)


def edit_sizes(data: bytes, rng: Rng) -> bytes:
    """Layers as wide as no file is long."""
    header, body, key, facts = facts_of(data)
    found = [(place, name) for place, name in places(facts["model"]) if type(place[name]) is int]
    for index in rng.integers(0, len(found), rng.integers(1, 4)):
        place, name = found[index]
        place[name] = int(10 ** rng.uniform(0, 12))
    if rng.random() < 0.3:
        facts["model"]["layers"] *= int(rng.integers(2, 1000))
    header["__metadata__"][key] = json.dumps(facts)
    return joined(header, body)


def odd_name(rng: Rng) -> str:
    names = ["type", "layers", "features", "in_features", "dtype", "x", "", "self", "\ud800", "__class__", "activation"]
    return names[rng.integers(len(names))]


def edit_description_as_text(data: bytes, rng: Rng) -> bytes:
    """In ways that no dict has."""
    header, body, key, facts = facts_of(data)
    text = header["__metadata__"][key]
    levels = int(rng.choice([150, 250, 1000, 100_000]))
    place = int(rng.integers(len(text)))
    number = str(rng.choice(["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1.0", "0" * 5, "1" * 5000, "1E400"]))
    texts = [
        text[:-1] + ', "format": 2}',
        text[:-1] + ', "model": ' + json.dumps(facts["model"]) + "}",
        text.replace('"type": "Linear"', '"type": "Linear", "type": "Linear"', 1),
        text.replace('"bias": true', f'"bias": {number}', 1),
        text.replace("3", number, int(rng.integers(1, 5))),
        text.replace('"metadata": {', '"metadata": {"deep": ' + "[" * levels + "]" * levels + ", ", 1),
        text.replace('"layers": [', '"layers": [' + '{"type": "Residual", "layers": [' * levels, 1) + "]}" * levels,
        text.replace('"ja"', '"\\ud83d"', 1),
        text.replace('"layers"', '"\\udc00"', 1),
        text + str(rng.choice([" ", "}", "\0", "null", "{}"])),
        text[:place] + rng.bytes(8).decode("latin-1") + text[place:],
        text[:place] + text[place + 1 + int(rng.integers(8)) :],
        text.replace('"', "'"),
    ]
    header["__metadata__"][key] = texts[rng.integers(len(texts))]
    return joined(header, body)


def edit_entries(data: bytes, rng: Rng) -> bytes:
    """What stands in the header beside the description."""
    header, body = parts(data)
    entries = header["__metadata__"]
    key = next(key for key in KEYS if key in entries)
    edits: list[Callable[[], Any]] = [
        lambda: entries.update(digest="0" * 64),
        lambda: entries.update(digest=""),
        lambda: entries.pop("digest", None),
        lambda: entries.update(format="pt"),
        lambda: entries.update({key + " ": entries.pop(key)}),
        lambda: entries.update(dict.fromkeys(KEYS, entries[key])),
        lambda: entries.update({other: entries.pop(key) for other in KEYS if other != key}),
        lambda: entries.update({f"more {index}": "x" for index in range(int(rng.choice([1, 10_000])))}),
    ]
    edits[rng.integers(len(edits))]()
    return joined(header, body)


MUTATIONS = (
    *[edit_description] * 8, *[edit_description_as_text] * 4, *[edit_sizes] * 2, *[edit_entries] * 2,
    *mutations.MUTATIONS,
)  # fmt: skip


def with_its_digest(data: bytes) -> bytes:
    """The file with the digest of its present contents, if these can be read."""
    try:
        arrays = safetensors.numpy.load(data)
        header, body = parts(data)
        entries = header["__metadata__"]
        if files.DIGEST in entries:
            entries.pop(files.DIGEST)
            entries[files.DIGEST] = files.digest(arrays, entries)
        return joined(header, body)
    except BaseException:  # a PanicException is none
        return data


# --- what happens then ---


def judge(path: Path, changed: bool) -> tuple[str, str]:
    """What came of the file (refused, right or other), and what is wrong with that."""
    model: list[cr.Sequential] = []
    shown: list[str] = []
    said = mutations.attempt(lambda: model.append(cr.load(path)))
    told = mutations.attempt(lambda: shown.extend(describe(path)))
    if "NO SENTENCE" in said + told or not all(map(str.isprintable, shown)):
        return "wrong", f"{said} inspect: {told or shown}"
    if model and told:
        return "wrong", f"loaded, but not described: {told}"
    if said:
        return "refused", "" if len(said) < 800 and said.isprintable() else f"wrong: {said}"
    found = model[0]
    if found.parameters.vector.size != sum(array.size for array in found.parameters.values()):
        return "wrong", "arrays are missing"
    try:
        found.summary()
        cr.save(found, path.with_name("again"))
    except (ValueError, TypeError) as error:  # what was read must be as good as what was made
        return "wrong", repr(error)
    if changed and not np.array_equal(
        found.parameters.vector, cr.load(path.with_name("again")).parameters.vector, True
    ):
        return "wrong", "other numbers when it is saved again"
    return "loaded", ""


def watched(found: dict[str, Any], state: dict[str, bool]) -> Callable[[str, Any], None]:
    def hook(event: str, args: Any) -> None:
        signature = event == "compile" and args[0] == b"def foo(): pass"  # how Python reads that of a class: for repr
        if state["reading"] and event.startswith(FORBIDDEN) and not signature and len(found["executed"]) < 20:
            found["executed"].append(f"{event} {args!r:.200}")

    return hook


def main(first: int, last: int) -> dict[str, Any]:
    found: dict[str, Any] = {"refused": 0, "loaded": 0, "wrong": [], "executed": [], "peak": 0}
    sources = [(CORPUS / f"{name}.safetensors").read_bytes() for name in SOURCES]
    state = {"reading": False}
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        path = Path(folder) / "mutated.safetensors"
        warm_up(path, sources)
        mutations.bound_memory(max(map(len, sources)) + (12 << 20))
        sys.addaudithook(watched(found, state))
        for seed in range(first, last):
            rng = np.random.default_rng(seed)
            mutation = MUTATIONS[seed % len(MUTATIONS)]
            data = mutation(sources[rng.integers(len(sources))], rng)
            whole = rng.random() < 0.5
            path.write_bytes(with_its_digest(data) if whole else data)
            state["reading"] = True
            tracemalloc.start()
            read_only_or_tell(path, found, f"{seed} {mutation.__name__}")
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            calls = effort.calls(lambda: mutations.attempt(lambda: cr.load(path)))
            state["reading"] = False
            verdict, details = judge(path, whole)
            found["peak"] = max(found["peak"], peak - len(data))
            most = CALLS[0] + CALLS[1] * len(data)
            if details or calls > most or peak > len(data) + SPARE:
                found["wrong"].append(f"{seed} {mutation.__name__}: {details} {calls:,} calls, {peak:,} bytes")
            else:
                found[verdict] += 1
    return found


def read_only_or_tell(path: Path, found: dict[str, Any], which: str) -> None:
    said = mutations.attempt(lambda: cr.load(path))
    if "NO SENTENCE" in said:
        found["wrong"].append(f"{which}: {said}")


def warm_up(path: Path, sources: list[bytes]) -> None:
    """Import all that reading and refusing will want."""
    for data in (*sources, sources[0].replace(b"Linear", b"Linaer", 1), b"nothing"):
        path.write_bytes(data)
        judge(path, False)


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
