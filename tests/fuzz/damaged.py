"""Damaged files of every kind that is read, in bounded memory: ``python damaged.py KIND FIRST LAST SEED LOG``.

Each is refused in one printable sentence, or read: to what was written, where a digest or a checksum tells.
"""

from __future__ import annotations

import csv
import functools
import gzip
import io
import json
import shutil
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

sys.path.insert(0, str(Path(__file__).parents[1]))

import chainrule as cr
import model_mutations
import mutations
from chainrule.cli import main, models, reading, report, runs
from chainrule.cli.inspect import describe
from mutations import HUGE, Rng

SPARE = 256 << 20  # bytes that reading may take beside the file: what unpacks to more is a bomb
BYTES = (
    mutations.flip, mutations.overwrite, mutations.cut, mutations.grow, mutations.insert, mutations.remove,
    mutations.repeat,
)  # fmt: skip
Mutation = Callable[[bytes, Rng], bytes]
Y = np.arange(40) % 3 + 2**40
X = np.random.default_rng(0).normal(size=(40, 3))


@dataclass(frozen=True)
class Kind:
    """How a file of this kind is made and read, what is done to it, and whether what is read must be the original."""

    name: str
    make: Callable[[Path], Any]
    read: Callable[[Path], Any]
    mutations: tuple[Mutation, ...] = BYTES
    guarded: bool = False  # by a digest or a checksum: damage of its bytes alone is noticed


# --- what is done to a file ---


def edit_json(data: bytes, rng: Rng) -> bytes:
    """Other values, types and names at any place of a JSON file."""
    value = json.loads(data)
    for _ in range(rng.integers(1, 4)):
        places = model_mutations.places(value)
        if not places:
            break
        place, name = places[rng.integers(len(places))]
        edits: list[Callable[[], Any]] = [
            lambda place=place, name=name: place.__setitem__(name, model_mutations.odd(rng)),
            lambda place=place, name=name: place.__setitem__(name, [place[name]]),
            lambda place=place, name=name: place.__setitem__(name, str(place[name])),
            lambda place=place, name=name: place.__delitem__(name),
            lambda place=place: isinstance(place, dict) and place.update({model_mutations.odd_name(rng): 1}),
        ]
        edits[rng.integers(len(edits))]()
    return json.dumps(value).encode()


def edit_text(data: bytes, rng: Rng) -> bytes:
    """What no JSON holds, or no table, in the middle of the text."""
    place = int(rng.integers(len(data)))
    odd = (b"\0", b"\xff\xfe", b"\xed\xa0\x80", b'"', b"\r", b"\x1b[2J", b"1e999", b"NaN", b"[" * 2000, b"9" * 5000)
    return data[:place] + odd[rng.integers(len(odd))] + data[place:]


def edit_facts(data: bytes, rng: Rng) -> bytes:
    """Other facts in a file of ours, whose digest is right."""
    mutate = (model_mutations.edit_description, edit_all_facts, model_mutations.edit_sizes)[rng.integers(3)]
    return model_mutations.with_its_digest(mutate(data, rng))


def edit_all_facts(data: bytes, rng: Rng) -> bytes:
    header, body, key, held = model_mutations.facts_of(data)
    header["__metadata__"][key] = edit_json(json.dumps(held).encode(), rng).decode()
    return mutations.joined(header, body)


def edit_checkpoint(data: bytes, rng: Rng) -> bytes:
    """Other facts in a checkpoint, which are one of its arrays; the digest is right."""
    arrays, header = safetensors.numpy.load(data), mutations.parts(data)[0]["__metadata__"]
    arrays["facts"] = np.frombuffer(edit_json(arrays["facts"].tobytes(), rng), np.uint8)
    return model_mutations.with_its_digest(safetensors.numpy.save(arrays, metadata=header))


def edit_shape(data: bytes, rng: Rng) -> bytes:
    """The sizes that an IDX file declares."""
    place = 4 + 4 * int(rng.integers(data[3]))
    size = HUGE[rng.integers(len(HUGE))] % 2**32
    return data[:place] + size.to_bytes(4, "big") + data[place + 4 :]


def zipped(mutate: Mutation) -> Mutation:
    """The same to what is inside a gzip file."""
    return lambda data, rng: gzip.compress(mutate(gzip.decompress(data), rng), 1)


def bomb(data: bytes, rng: Rng) -> bytes:
    """What becomes 1.2 GB."""
    return data + zeros() * 20


def idx_bomb(data: bytes, rng: Rng) -> bytes:
    """The same, declared as it is."""
    size = 20 * (60 << 20)
    return gzip.compress(bytes([0, 0, 8, 1]) + size.to_bytes(4, "big"), 1) + zeros() * 20


@functools.cache
def zeros() -> bytes:
    return gzip.compress(bytes(60 << 20), 1)


def archived(data: bytes, rng: Rng) -> bytes:
    """A byte of what is inside a zip archive, or a claim of its directory."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = str(rng.choice(sorted(members)))
    members[name] = (*BYTES, bomb_member)[rng.integers(len(BYTES) + 1)](members[name], rng)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return stream.getvalue()


def bomb_member(data: bytes, rng: Rng) -> bytes:
    return data + bytes(40 << 20)


# --- the kinds ---


def make_model(path: Path) -> None:
    layers = [cr.Linear(3, 4, "relu"), cr.BatchNorm(4), cr.Dropout(0.1), cr.Linear(4, 2)]
    model = cr.Sequential(layers, rng=0)
    model.metadata = {"unit": "kg", "nested": {"a": [1, None, True, 0.5]}}
    cr.save(model, path)


def load(path: Path) -> Any:
    model = cr.load(path)
    list(describe(path))
    network = getattr(model, "model_", model)  # of an estimator
    arrays = {**network.parameters, **network.buffers}
    return network.config(), {name: array.tobytes() for name, array in arrays.items()}, network.metadata


def make_estimator(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged
        cr.save(cr.MLPClassifier((4,), max_iter=2, random_state=0).fit(X, Y), path)


def make_checkpoint(path: Path) -> None:
    path.write_bytes(mutations.fitted(path.parent / "checkpoints").read_bytes())


def resume(path: Path) -> Any:
    one = mutations.trainer().resume(path)
    load(path)
    return [array.tobytes() for array in mutations.held_by(one)]


def make_table(path: Path) -> None:
    with path.open("w", newline="") as stream:
        rows = [[f"{a:.2f}", "xy"[i % 2], ("red", "blue")[int(a > 0)]] for i, a in enumerate(X[:, 0])]
        csv.writer(stream).writerows([["size", "kind", "colour"], *rows])


def make_table_gz(path: Path) -> None:
    make_table(path)
    path.write_bytes(gzip.compress(path.read_bytes()))


def make_parquet(path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = {"size": X[:, 0], "kind": ["a", "b"] * 20, "count": np.arange(40)}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def read_table(path: Path) -> Any:
    table = cr.data.read_table(path)
    return {name: column.to_list() for name, column in table.items()}


@functools.cache
def trained() -> tempfile.TemporaryDirectory[str]:
    """A table, and the run that the command makes of it."""
    place = tempfile.TemporaryDirectory()
    table, folder = Path(place.name, "table.csv"), Path(place.name, "run")
    make_table(table)
    assert main(["train", str(table), "--out", str(folder), "--quiet", "--epochs", "1"]) == 0
    return place


def make_run(path: Path) -> None:
    """The folder of a run, beside the file, which is the part of it that is damaged."""
    folder = Path(shutil.copytree(trained().name, path.parent, dirs_exist_ok=True), "run")
    path.write_bytes((folder / ("model.safetensors" if path.suffix == ".safetensors" else path.name)).read_bytes())


def predict(path: Path) -> Any:
    model = models.open_model("predict", str(path))
    rows = reading.read_rows("predict", model.facts, str(path.parent / "table.csv"), {})
    return load(path), model.probabilities(rows.frame).tolist()


def read_run(path: Path) -> Any:
    """As train reads a record, and as report does, which divides the rows of the table again."""
    known = models.open_model("report", str(path.parent / "run")).facts
    report._set_aside(known, report._read(path))
    run = runs.read_run(path)
    list(describe(path.parent))
    return run.ended, run.settings, run.digest, runs._typed(run.settings["hidden"])


def read_history(path: Path) -> Any:
    from chainrule.plots.training import _history_columns

    found = report._read(path).get("rows")
    try:
        columns = _history_columns("report", found if isinstance(found, list) else [{}])
    except TypeError as error:  # which the page shows as well
        raise ValueError(*error.args) from None
    return {name: column.tolist() for name, column in columns.items()}


def make_idx(path: Path) -> None:
    path.write_bytes(bytes([0, 0, 8, 2, 0, 0, 0, 40, 0, 0, 0, 3]) + np.arange(120, dtype=np.uint8).tobytes())


def read_idx(path: Path) -> Any:
    array = cr.data.read_idx(path)
    return array.shape, array.tobytes()


def make_idx_gz(path: Path) -> None:
    make_idx(path)
    path.write_bytes(gzip.compress(path.read_bytes()))


def make_h5(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"], file["layers/dense/vars/1"] = X.T.astype("f4"), np.zeros(40, "f4")


def make_keras(path: Path) -> None:
    make_h5(path.with_suffix(".h5"))
    layer = {"class_name": "Dense", "config": {"units": 40, "activation": "linear", "name": "dense"}}
    config = {"class_name": "Sequential", "config": {"layers": [layer]}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", path.with_suffix(".h5").read_bytes())


def load_keras(path: Path) -> Any:
    model = cr.MLP([3, 40], rng=0)
    before = model.parameters.vector.tobytes()
    try:
        cr.convert.load_keras_weights(model, path)
    except (ValueError, OSError):
        assert model.parameters.vector.tobytes() == before
        raise
    finally:
        list(describe(path))
    return model.parameters.vector.tobytes()


def make_state(path: Path) -> None:
    from safetensors.numpy import save_file

    save_file(cr.convert.state_dict(cr.Sequential([cr.Linear(3, 4), cr.BatchNorm(4)], rng=0)), path)


def load_state(path: Path) -> Any:
    model = cr.Sequential([cr.Linear(3, 4), cr.BatchNorm(4)], rng=0)
    before = model.parameters.vector.tobytes()
    try:
        cr.convert.load_state_dict(model, path)
    except (ValueError, OSError):
        assert model.parameters.vector.tobytes() == before
        raise
    return model.parameters.vector.tobytes()


def make_onnx(path: Path) -> None:
    cr.export(cr.MLP([3, 4, 2], rng=0), path)


def inspect(path: Path) -> Any:
    return list(describe(path))


OF_TEXT = (*BYTES, edit_text, edit_text)
OF_JSON = (*OF_TEXT, edit_json, edit_json, edit_json, edit_json)
OURS = (*BYTES, edit_facts, edit_facts, edit_facts, edit_facts, model_mutations.edit_entries)
OF_CHECKPOINTS = (*BYTES, *[edit_checkpoint] * 6)
OF_ARRAYS = (*BYTES, mutations.lie_about_the_header, mutations.edit_tensor, mutations.edit_tensor)
KINDS = {
    kind.name: kind
    for kind in (
        Kind("model.safetensors", make_model, load, OURS, True),
        Kind("estimator.safetensors", make_estimator, load, OURS, True),
        Kind("checkpoint.safetensors", make_checkpoint, resume, OF_CHECKPOINTS, True),
        Kind("table-model.safetensors", make_run, predict, OURS, True),
        Kind("state.safetensors", make_state, load_state, OF_ARRAYS),
        Kind("images.idx", make_idx, read_idx, (*BYTES, edit_shape)),
        Kind("images.idx.gz", make_idx_gz, read_idx, (*BYTES, zipped(edit_shape), zipped(BYTES[0]), idx_bomb), True),
        Kind("table.csv", make_table, read_table, OF_TEXT),
        Kind("table.csv.gz", make_table_gz, read_table, (*BYTES, zipped(edit_text), zipped(BYTES[0]), bomb), True),
        Kind("table.parquet", make_parquet, read_table),
        Kind("run.json", make_run, read_run, OF_JSON),
        Kind("history.json", make_run, read_history, OF_JSON),
        Kind("net.onnx", make_onnx, inspect),
        Kind("net.h", make_onnx, inspect, OF_TEXT),
        Kind("net.weights.h5", make_h5, load_keras),
        Kind("net.keras", make_keras, load_keras, (*BYTES, archived, archived)),
    )
}


# --- what happens then ---


def judge(kind: Kind, path: Path, expected: Any = None) -> tuple[str, str]:
    """What came of the file (refused or read), and what is wrong with that."""
    try:
        found = kind.read(path)
    except (ValueError, OSError) as error:
        first, _, more = str(error).partition("\n")
        lines = [first, *more.split("\n")] if first.startswith(mutations.WITH_TABLE) else [str(error)]
        fine = " expects " in first and all(map(str.isprintable, lines)) and len(first) < 4000
        return "refused", "" if fine else f"no sentence: {error!r}"
    except BaseException as error:
        import traceback

        return "wrong", f"{error!r:.300} {traceback.format_exc().splitlines()[-3]}"
    return "read", "" if expected in (None, found) else f"other than what was written: {found!r:.200}"


def run(names: list[str], first: int, last: int, seed: int, progress: Path) -> dict[str, Any]:
    """What became of the cases ``first`` to ``last`` of each kind; the one that is tried is written into a file."""
    found: dict[str, Any] = {"refused": 0, "read": 0, "wrong": []}
    with tempfile.TemporaryDirectory() as place, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        made = [prepared(KINDS[name], Path(place, str(number))) for number, name in enumerate(names)]
        mutations.bound_memory(SPARE // 4)
        for kind, path, data, whole in made:
            for number in range(first, last):
                progress.write_text(f"{kind.name} {number}")
                mutation = kind.mutations[number % len(kind.mutations)]
                path.write_bytes(mutation(data, np.random.default_rng([seed, number])))
                expected = whole if kind.guarded and mutation in BYTES else None
                verdict, details = judge(kind, path, expected)
                if details:
                    found["wrong"].append(f"{kind.name} {number} {getattr(mutation, '__name__', '')}: {details}")
                else:
                    found[verdict] += 1
    return found


def prepared(kind: Kind, folder: Path) -> tuple[Kind, Path, bytes, Any]:
    """A whole file, and what is read from it; all that reading and refusing needs is imported then."""
    folder.mkdir()
    path = folder / kind.name
    kind.make(path)
    data, whole = path.read_bytes(), kind.read(path)
    for damaged in (data[: len(data) // 2], b"", b"nothing"):
        path.write_bytes(damaged)
        judge(kind, path)
    return kind, path, data, whole


if __name__ == "__main__":
    chosen = list(KINDS) if sys.argv[1] == "all" else [sys.argv[1]]
    print(json.dumps(run(chosen, *map(int, sys.argv[2:5]), Path(sys.argv[5]))))
