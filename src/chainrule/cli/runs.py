"""The folder of a run: its checkpoints, and the record by which it can be resumed and repeated."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import NoneType
from typing import Any

from .._support.checks import Array, sentence
from .._support.files import digest, read_facts, refusal, remove_partials, write_text
from ..layers.kernels import NUMBERS
from ..model import Sequential
from ..runtime.config import show_config
from ..training.checkpoint import Checkpoint, checkpoints
from ..training.trainer import Trainer
from .recipe import Recipe
from .sources import Problem, resolve

FORMAT = 1
RECORD, CHECKPOINTS = "run.json", "checkpoints"
SECONDS = 30.0  # from checkpoint to checkpoint: what a crash costs at most; shorter trainings write none
OF_RECIPE = {tuple: (list,), str: (str,), float: (float, int), int: (int,)}
FOR_TABLES = ("target", "task", "columns", "text", "header", "test_fraction")
#: Of each setting the types that it has in a record, where a tuple is a list.
SETTINGS: dict[str, tuple[type, ...]] = {
    "source": (str,),
    "target": (str, NoneType),
    "task": (str, NoneType),
    "columns": (list, NoneType),
    "text": (list, NoneType),
    "header": (bool, NoneType),
    "test_fraction": (float, int, NoneType),
    "validation": (float, int),
    "seed": (int,),
    **{name: OF_RECIPE[type(value)] for name, value in asdict(Recipe()).items()},
}
RESULT: dict[str, tuple[type, ...]] = {"epochs": (int,), "interrupted": (bool,), "scores": (dict,)}
DATA: dict[str, tuple[type, ...]] = {"rows": (dict,), "sha256": (str,), "file_sha256": (str, NoneType)}


def _blas(machine: Mapping[str, Any]) -> Mapping[str, Any]:
    """NumPy's own, of all that are loaded: SciPy may have another."""
    libraries: list[Mapping[str, Any]] = machine["blas"]
    return next((library for library in libraries if "numpy" in library.get("of", "")), libraries[0])


#: What of a machine the last bit of a result may depend on.
DECISIVE: dict[str, Callable[[Mapping[str, Any]], object]] = {
    "chainrule": lambda machine: machine["chainrule"],
    "system": lambda machine: machine["python"].partition(" on ")[2],
    "NumPy": lambda machine: machine["packages"]["numpy"],
    "kernels": lambda machine: " ".join(
        machine["kernels"][name] for name in ("in_use", "instructions") if name in machine["kernels"]
    ),
    "processor": lambda machine: machine["processor"]["instructions"],
    "BLAS": lambda machine: f"{_blas(machine)['library']} {_blas(machine)['version']}",
    "BLAS kernels": lambda machine: _blas(machine).get("architecture"),
    "threads": lambda machine: machine["threads"]["available"],
}


@dataclass
class Run:
    """A run and its record."""

    folder: Path
    settings: dict[str, Any]
    data: dict[str, Any]
    machine: dict[str, Any]
    changes: list[str] = field(default_factory=list)  # of the machine, since the run began
    result: dict[str, Any] | None = None

    @property
    def ended(self) -> bool:
        """Whether all epochs were trained and the model is written."""
        return self.result is not None and not self.result["interrupted"]

    def write(self) -> None:
        """The record, whole or not at all."""
        held = {name: value for name, value in asdict(self).items() if name != "folder"}
        write_text("train", self.folder / RECORD, json.dumps({"format": FORMAT} | held, indent=1) + "\n")

    @property
    def digest(self) -> str:
        """SHA-256 of what was learned."""
        return str((self.result or {}).get("parameters_sha256"))

    def checkpoint(self) -> Checkpoint:
        """The callback that writes the checkpoints from which the run can be resumed."""
        return _Quiet(self.folder / CHECKPOINTS, every=None, seconds=SECONDS)

    def restore(self, trainer: Trainer) -> None:
        """Give the trainer the state of the newest checkpoint; without any, the run begins again."""
        if not checkpoints(self.folder / CHECKPOINTS):
            return
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            trainer.resume(self.folder / CHECKPOINTS)
        for warning in caught:
            print(f"note: {warning.message}", file=sys.stderr)

    def finish(self, model: Sequential, **result: Any) -> None:
        """Record what came out; checkpoints are of no more use if all was trained."""
        self.result = result | {"parameters_sha256": digest({**model.parameters, **model.buffers}, {})}
        self.write()
        self.remove_checkpoints([] if result["interrupted"] else None)

    def remove_checkpoints(self, those: list[Path] | None = None) -> None:
        """All, unless they are named; and the folder if nothing is left in it."""
        folder = self.folder / CHECKPOINTS
        for path in checkpoints(folder) if those is None else those:
            path.unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

    def check_data(self, earlier: Run, *, closely: bool) -> None:
        """Raise unless the data are those of the earlier run: the same arrays or, for a repetition, the same file."""
        same = self.data["sha256"] == earlier.data["sha256"]
        file = self.data["file_sha256"]
        if not same and (closely or file is None or file != earlier.data["file_sha256"]):
            expected = f"the data of the run in {earlier.folder}, SHA-256 {earlier.data['sha256'][:12]}…"
            got = f"others from {self.settings['source']}, {self.data['sha256'][:12]}…"
            raise ValueError(sentence("train", expected, got, "bring them back, or begin another run"))


class _Quiet(Checkpoint):
    """The command itself says how to resume."""

    def print_resume_hint(self) -> None:
        pass


def earlier_run(args: argparse.Namespace) -> Run | None:
    """The run that ``--resume`` or ``--repeat`` names."""
    if args.resume is None and args.repeat is None:
        if args.source is None:
            raise ValueError(
                sentence("train", "a SOURCE, --resume DIR or --repeat RUN", "none", "see chainrule train --help")
            )
        return None
    run = read_run(Path(args.repeat if args.resume is None else args.resume))
    if args.repeat is not None and not run.ended:
        remedy = "resume it first: chainrule train --resume DIR"
        raise ValueError(sentence("train", f"--repeat of a run that ended, {run.folder}", "one that did not", remedy))
    return run


def read_run(path: Path, who: str = "train") -> Run:
    """The record in a folder, or in a file of it."""
    file = path / RECORD if path.is_dir() else path
    remedy = "pass the --out of a run"
    held = read_facts(who, file, "record of a run", remedy)
    format_ = held.pop("format", None)
    if format_ != FORMAT:
        got = f"format {format_!r}"
        raise refusal(who, file, f"to be a record of format {FORMAT}", got, "install the version that wrote it")
    try:
        run = Run(file.parent, **held)
        list(differences(run.machine, run.machine))  # all is there
        if _is_sound(run):
            return run
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        pass
    remedy += ", or install the version that wrote it"
    raise refusal(who, file, "to be the record of a run", "other facts or settings", remedy)


def _is_sound(run: Run) -> bool:
    """Whether all facts of a record are of the types that they were written with."""
    return (
        run.settings.keys() == SETTINGS.keys()
        and are_settings(run.settings, SETTINGS)
        and _has(run.data, DATA)
        and (run.result is None or _has(run.result, RESULT))
        and isinstance(run.changes, list)
        and all(isinstance(change, str) for change in run.changes)
    )


def are_settings(found: Any, names: Collection[str]) -> bool:
    """Whether the settings of these names are there, each of a type that it may have."""
    lists = [("columns", str), ("text", str), ("hidden", int)]
    return _has(found, {name: SETTINGS[name] for name in names}) and all(
        type(item) is kind for name, kind in lists if name in names for item in found[name] or ()
    )


def _has(facts: Any, kinds: Mapping[str, tuple[type, ...]]) -> bool:
    return isinstance(facts, dict) and all(type(facts.get(name, ...)) in known for name, known in kinds.items())


def fill(args: argparse.Namespace, run: Run) -> None:
    """Give the arguments the settings of a run; SOURCE may have moved, all else must be as it was."""
    for name in SETTINGS:
        value, given = run.settings[name], getattr(args, name)
        value = tuple(value) if name == "hidden" else value
        if name == "source" and given is not None:
            continue
        if given not in (None, value):
            option = "--" + name.replace("_", "-")
            expected = f"the settings of the run in {run.folder}, {option} {_typed(value)}"
            raise ValueError(sentence("train", expected, _typed(given), f"omit {option}, or begin another run"))
        setattr(args, name, value)
    args.out = str(run.folder if args.repeat is None else _beside(run.folder, args.out))


def begin(
    args: argparse.Namespace, problem: Problem, recipe: Recipe, out: Path, earlier: Run | None
) -> tuple[Run, list[str]]:
    """The record of a run, in its folder, and what keeps it from agreeing to the bit with the earlier one."""
    settings = {name: getattr(args, name) for name in SETTINGS if hasattr(args, name)} | asdict(recipe)
    facts = problem.facts
    if facts.encoder is not None:
        settings |= {"target": facts.target, "task": facts.task}
    run = Run(out, settings, fingerprint(problem, resolve("train", args.source)), this_machine())
    differing: list[str] = []
    if earlier is not None:
        run.check_data(earlier, closely=args.resume is not None)
        differing = [*earlier.changes, *differences(earlier.machine, run.machine, recipe)]
    if args.resume is not None:
        run.changes = differing
    elif checkpoints(out / CHECKPOINTS):
        print(f"note: {out} holds the checkpoints of an interrupted run, which are removed now", file=sys.stderr)
        run.remove_checkpoints()
    remove_partials(out, "*.json", "*.safetensors", "*.png")
    run.write()
    return run, differing


def _beside(folder: Path, out: str | None) -> Path:
    """The folder of the repetition."""
    named = folder if folder.name not in ("", "..") else folder.resolve()
    chosen = named.with_name(named.name + "-repeat") if out is None else Path(out)
    if chosen.resolve() == folder.resolve():
        raise ValueError(sentence("train", "a folder other than that of the run", f"--out {out}", "choose another"))
    return chosen


def _typed(value: Any) -> str:
    """As it is typed in the shell."""
    return ",".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else str(value)


def fingerprint(problem: Problem, source: Path | str) -> dict[str, Any]:
    """Of the arrays that are trained, validated and tested on, and of the file that they come from."""
    parts = {"training": problem.train, "validation": problem.validation, "test": problem.test}
    arrays: dict[str, Array] = {}
    for name, part in parts.items():
        if part is not None:
            arrays |= {f"{name}/x": part[0], f"{name}/y": part[1]}
    file = None
    if isinstance(source, Path) and source.is_file():  # a pipe can be read only once
        with source.open("rb") as stream:
            file = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "rows": {name: 0 if part is None else len(part[0]) for name, part in parts.items()},
        "columns": problem.facts.inputs,
        "sha256": digest(arrays, {}),
        "file_sha256": file,
    }


def this_machine() -> dict[str, Any]:
    """What computes here."""
    machine = show_config(mode="dicts") or {}
    del machine["notes"]  # they are advice
    return machine


def differences(then: Mapping[str, Any], now: Mapping[str, Any], recipe: Recipe | None = None) -> Iterator[str]:
    """What is not as it was, of all that the last bit may depend on."""
    for name, of in DECISIVE.items():
        was, is_ = of(then), of(now)
        if was != is_ and not (name == "threads" and recipe is not None and _is_compiled(recipe)):
            yield f"{name} {was} → {is_}"


def _is_compiled(recipe: Recipe) -> bool:
    """Whether a plan takes the steps: its bits depend on no number of threads, those of the BLAS may."""
    return recipe.make_optimizer().kernel is not None and recipe.activation in NUMBERS
