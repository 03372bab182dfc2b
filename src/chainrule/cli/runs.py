"""The folder of a run: its checkpoints, and the record for resuming and repeating it."""

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
from typing import Any, Protocol

from .._support.checks import Array, sentence
from .._support.files import digest, read_facts, refusal, remove_partials, write_text
from ..runtime.config import show_config
from ..training.checkpoint import Checkpoint, checkpoints
from ..training.trainer import Trainer

FORMAT = 2
RECORD, CHECKPOINTS = "run.json", "checkpoints"
SECONDS = 30.0  # between checkpoints: the most that a crash costs; shorter trainings write none
_TEXT, _LIST, _NUMBER, _WHOLE = (str, NoneType), (list, NoneType), (float, int, NoneType), (int, NoneType)
FOR_IMAGES = ("hidden", "activation", "dropout", "optimizer", "learning_rate", "batch_size")
#: The types of each setting in a record, where a tuple is a list.
SETTINGS: dict[str, tuple[type, ...]] = {
    "source": (str,),
    "seed": (int,),
    "validation": (float, int, str, NoneType),
    "epochs": _WHOLE,
    **dict.fromkeys(("target", "task", "preset", "group", "time", "sample_weight", "metric"), _TEXT),
    **dict.fromkeys(("columns", "number", "category", "date", "text", "drop", "quantiles"), _LIST),
    **dict.fromkeys(("test_fraction", "time_limit"), _NUMBER),
    "class_weight": (str, dict, NoneType),
    "header": (bool, NoneType),
    **dict.fromkeys(("delimiter", "decimal", "encoding", "sheet", "query"), _TEXT),
    "missing": _LIST,
    **dict.fromkeys(("activation", "optimizer"), _TEXT),
    **dict.fromkeys(("dropout", "learning_rate"), _NUMBER),
    "hidden": _LIST,
    "batch_size": _WHOLE,
}
FOR_TABLES = tuple(name for name in SETTINGS if name not in ("source", "seed", "validation", "epochs", *FOR_IMAGES))
RESULT: dict[str, tuple[type, ...]] = {"epochs": (int,), "interrupted": (bool,), "scores": (dict,)}
DATA: dict[str, tuple[type, ...]] = {"rows": (dict,), "sha256": (str,), "file_sha256": (str, NoneType)}
#: Files in the folder of an earlier model that would not belong to a new one.
RESULTS = ("curves.png", "confusion.png", "predictions.png", "report.html")


def _blas(machine: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return NumPy's BLAS among all that are loaded; SciPy may have another."""
    libraries: list[Mapping[str, Any]] = machine["blas"]
    return next((library for library in libraries if "numpy" in library.get("of", "")), libraries[0])


#: Properties of a machine that the last bit of a result may depend on.
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
    changes: list[str] = field(default_factory=list)  # of the machine, when the run began
    result: dict[str, Any] | None = None

    @property
    def ended(self) -> bool:
        """Whether all epochs are trained and the model is written."""
        return self.result is not None and not self.result["interrupted"]

    def write(self) -> None:
        held = {name: value for name, value in asdict(self).items() if name != "folder"}
        write_text("train", self.folder / RECORD, json.dumps({"format": FORMAT} | held, indent=1) + "\n")

    @property
    def digest(self) -> str:
        """SHA-256 of the parameters."""
        return str((self.result or {}).get("parameters_sha256"))

    def checkpoint(self) -> Checkpoint:
        """Return the callback that writes checkpoints for resuming the run."""
        return _Quiet(self.folder / CHECKPOINTS, every=None, seconds=SECONDS)

    def restore(self, trainer: Trainer) -> None:
        """Restore the newest checkpoint; without any, the run starts from the beginning."""
        if not checkpoints(self.folder / CHECKPOINTS):
            return
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            trainer.resume(self.folder / CHECKPOINTS)
        for warning in caught:
            print(f"note: {warning.message}", file=sys.stderr)

    def finish(self, arrays: Mapping[str, Array], **result: Any) -> None:
        """Record the results; delete the checkpoints if the training is complete."""
        self.result = result | {"parameters_sha256": digest(dict(arrays), {})}
        self.write()
        self.remove_checkpoints([] if result["interrupted"] else None)

    def remove_checkpoints(self, those: list[Path] | None = None) -> None:
        """Remove the given checkpoints or all, and their folder if it is empty."""
        folder = self.folder / CHECKPOINTS
        for path in checkpoints(folder) if those is None else those:
            path.unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

    def check_data(self, earlier: Run, *, closely: bool) -> None:
        """Raise a ValueError unless the data equal those of the earlier run: the arrays or, to repeat, the file."""
        same = self.data["sha256"] == earlier.data["sha256"]
        file = self.data["file_sha256"]
        if not same and (closely or file is None or file != earlier.data["file_sha256"]):
            expected = f"the data of the run in {earlier.folder}, SHA-256 {earlier.data['sha256'][:12]}…"
            got = f"others from {self.settings['source']}, {self.data['sha256'][:12]}…"
            raise ValueError(sentence("train", expected, got, "restore them, or start another run"))


class Job(Protocol):
    """The interface of a prepared training, for any kind of data."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings for repeating it."""

    @property
    def data(self) -> dict[str, Any]:
        """Facts that identify the rows."""

    @property
    def counts_threads(self) -> bool:
        """Whether the last bit depends on the number of threads."""

    @property
    def varies(self) -> list[str]:
        """Reasons why equal runs may differ."""

    def train(self, args: argparse.Namespace, record: Run) -> int:
        """Train, write and report; return the exit code."""


class _Quiet(Checkpoint):
    """Checkpoints without a hint how to resume, because the command prints it."""

    def print_resume_hint(self) -> None:
        pass


def earlier_run(args: argparse.Namespace) -> Run | None:
    """Return the run that ``--resume`` or ``--repeat`` names."""
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
    """Read the record in a folder, or in the folder of a file."""
    file = path / RECORD if path.is_dir() else path
    remedy = "pass the --out of a run"
    held = read_facts(who, file, "record of a run", remedy)
    format_ = held.pop("format", None)
    if format_ != FORMAT:
        got = f"format {format_!r}"
        raise refusal(who, file, f"to be a record of format {FORMAT}", got, "install the version that wrote it")
    try:
        run = Run(file.parent, **held)
        list(differences(run.machine, run.machine))  # the record is complete
        if _is_sound(run):
            return run
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        pass
    remedy += ", or install the version that wrote it"
    raise refusal(who, file, "to be the record of a run", "other facts or settings", remedy)


def _is_sound(run: Run) -> bool:
    """Whether all facts of a record have the types with which they were written."""
    return (
        run.settings.keys() == SETTINGS.keys()
        and are_settings(run.settings, SETTINGS)
        and _has(run.data, DATA)
        and (run.result is None or _has(run.result, RESULT))
        and isinstance(run.changes, list)
        and all(isinstance(change, str) for change in run.changes)
    )


def are_settings(found: Any, names: Collection[str]) -> bool:
    """Whether all settings of these names are present, each with an allowed type."""
    items = {"hidden": int, "quantiles": float}
    return _has(found, {name: SETTINGS[name] for name in names}) and all(
        type(item) is items.get(name, str) for name in names if SETTINGS[name] == _LIST for item in found[name] or ()
    )


def _has(facts: Any, kinds: Mapping[str, tuple[type, ...]]) -> bool:
    return isinstance(facts, dict) and all(type(facts.get(name, ...)) in known for name, known in kinds.items())


def fill(args: argparse.Namespace, run: Run) -> None:
    """Fill the arguments from the settings of a run; SOURCE may have moved, all others must be unchanged."""
    for name in SETTINGS:
        value, given = run.settings[name], getattr(args, name)
        value = tuple(value) if name == "hidden" and value is not None else value
        if name == "source" and given is not None:
            continue
        if given not in (None, value):
            option = "--" + name.replace("_", "-")
            expected = f"the settings of the run in {run.folder}, {option} {_typed(value)}"
            raise ValueError(sentence("train", expected, _typed(given), f"omit {option}, or start another run"))
        setattr(args, name, value)
    args.out = str(run.folder if args.repeat is None else _beside(run.folder, args.out))


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of a command, as given."""
    return {name: getattr(args, name) for name in SETTINGS}


def check_unfinished(args: argparse.Namespace, out: Path) -> None:
    """Raise a ValueError if a run would replace a finished one."""
    if args.force or args.resume is not None or not (out / RECORD).is_file():
        return
    try:
        ended = read_run(out).ended
    except (ValueError, OSError):
        ended = True  # of another version
    if ended:
        remedy = "choose another with --out DIR, or replace it with --force"
        raise ValueError(sentence("train", "a folder without a finished run", str(out), remedy))


def begin(args: argparse.Namespace, job: Job, out: Path, earlier: Run | None) -> tuple[Run, list[str]]:
    """Write the record of a run to its folder; return it, and what prevents bit-identical results."""
    run = Run(out, dict(job.settings), job.data, this_machine())
    differing: list[str] = []
    if earlier is not None:
        run.check_data(earlier, closely=args.resume is not None)
        changed = differences(earlier.machine, run.machine, counts_threads=job.counts_threads)
        differing = [*earlier.changes, *changed, *job.varies]
    if args.resume is not None:
        run.changes = differing
    elif checkpoints(out / CHECKPOINTS):
        print(f"note: {out} holds the checkpoints of an interrupted run, which are removed now", file=sys.stderr)
        run.remove_checkpoints()
    remove_partials(out, "*.json", "*.safetensors", "*.png")
    run.write()
    return run, differing


def remove_results(folder: Path) -> None:
    """Remove the figures and the report of an earlier run, which would not belong to this model."""
    for name in RESULTS:
        (folder / name).unlink(missing_ok=True)


def _beside(folder: Path, out: str | None) -> Path:
    named = folder if folder.name not in ("", "..") else folder.resolve()
    chosen = named.with_name(named.name + "-repeat") if out is None else Path(out)
    if chosen.resolve() == folder.resolve():
        raise ValueError(sentence("train", "a folder other than that of the run", f"--out {out}", "choose another"))
    return chosen


def _typed(value: Any) -> str:
    """Format a setting as typed in the shell."""
    return ",".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else str(value)


def file_sha256(path: Path | None) -> str | None:
    """Return the SHA-256 of a file that can be read repeatedly."""
    if path is None:
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def this_machine() -> dict[str, Any]:
    """Describe what computes on this machine."""
    machine = show_config(mode="dicts") or {}
    del machine["notes"]  # those are advice
    return machine


def differences(then: Mapping[str, Any], now: Mapping[str, Any], *, counts_threads: bool = True) -> Iterator[str]:
    """Return what has changed among the properties that the last bit may depend on."""
    for name, of in DECISIVE.items():
        was, is_ = of(then), of(now)
        if was != is_ and not (name == "threads" and not counts_threads):
            yield f"{name} {was} → {is_}"
