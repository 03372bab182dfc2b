"""Train on any table: understand it, divide its rows, fit an estimator, compare it with simpler models."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from .._support.checks import Array, check_integer, check_name, check_number, sentence
from .._support.files import digest
from ..persistence import save
from ..runtime.signals import asking
from ..tabular.columns import Frame, Moments, Numbers, Words, as_words, rows_of, text_of
from ..tabular.plans import PRESETS, validation_share
from . import runs
from .images import SIGNALLED
from .models import MODEL_FILE, Facts, Trained
from .outputs import draw_figures
from .reading import REMEMBERED, Labelled, Source, options_of, read_rows, resolve, with_answers
from .scores import (
    NEVER,
    better_than,
    epochs_line,
    limit_line,
    members_line,
    model_line,
    scores_beside,
    scores_of_classes,
    scores_of_numbers,
    written,
    written_beside,
)
from .screen import HISTORY_FILE, say, say_command, trained_in, write_history
from .targets import Parts, Target, check_learnable, class_weights, divide, metric_of, target_of, times_of, weights_of
from .understanding import Understood, tell, understand_table

TEST = 0.2  # share of all rows
MOST_TESTED = 2_000  # rows, unless --test-fraction says otherwise: they tell an accuracy of 90 % to 0.7 points


@dataclass(frozen=True)
class Validation:
    """Validation rows from their own file."""

    x: Mapping[str, Any]
    y: Array
    weight: Array | None


@dataclass(frozen=True)
class Tables:
    """A table with its kinds and parts, and the settings of the training."""

    source: Source
    found: Understood
    target: Target
    parts: Parts
    weight: Array | None
    held_out: Validation | None
    args: argparse.Namespace
    settings: Mapping[str, Any]

    counts_threads = True

    @property
    def varies(self) -> list[str]:
        return [] if self.args.time_limit is None else ["--time-limit ends it by the clock"]

    @cached_property
    def data(self) -> dict[str, Any]:
        named = zip(("training", "validation", "test"), self.parts, strict=True)
        rows = {name: self.target.rows[part] for name, part in named}
        arrays: dict[str, Array] = dict(rows)
        header: dict[str, str] = {}
        tables = {"": self.found.columns.names, "validation/": list(self.held_out.x) if self.held_out else []}
        for prefix, names in tables.items():
            for at, name in enumerate(names):
                column = self.found.columns.column(name) if not prefix else self.held_out.x[name]  # type: ignore[union-attr]
                _add(arrays, header, f"{prefix}{at}", name, column)
        counts = {name: len(part) for name, part in rows.items()}
        counts["training"] += self.found.stored.rows - len(self.found.table.frame)
        if self.held_out is not None:
            counts["validation"] = len(self.held_out.y)
        counts = {name: count for name, count in counts.items() if count}
        file = runs.file_sha256(self.source.file)
        facts = {"rows": counts, "columns": len(self.found.inputs)}
        return facts | {"sha256": digest(arrays, header), "file_sha256": file}

    # --- training -------------------------------------------------------------------------------------------------

    def train(self, args: argparse.Namespace, record: runs.Run) -> int:
        """Train, write and report; return the exit code: 0, or that of the signal that ended the training."""
        say("data", self._data_line())
        model, told, seconds = self._fitted()
        interrupted = model.history_.interrupted and not model.history_.reason  # a time limit gives a reason
        status = SIGNALLED + told if interrupted else 0
        if args.communicator.rank > 0:
            return status
        facts = self.facts(model)
        say("model", model_line(model))
        true, said, scores = self._tested(model, facts)
        epochs = {"epochs": model.n_epochs_, "best_epoch": model.best_epoch_}
        members = {"members": members_line(model)} if len(model.members_) > 1 else {}
        training = {"seed": args.seed, **epochs, "rows": self.data["rows"], **members}
        said_of_it = {"scores": scores, "training": training, "chainrule": __version__}
        model.model_.metadata = facts.to_metadata() | said_of_it
        runs.remove_results(record.folder)
        save(model, record.folder / MODEL_FILE)
        write_history(record.folder, model.history_)
        drawn = draw_figures(record.folder, facts, model.history_, said, true)
        arrays = {**model.model_.parameters, **model.model_.buffers}
        record.finish(arrays, epochs=model.n_epochs_, interrupted=interrupted, scores=scores)
        took = trained_in(seconds, model.n_epochs_, model.plan_["epochs"], interrupted=interrupted)
        say("result", f"test {written(scores, len(true))}, {epochs_line(model)}, {took}")
        if members:
            say("members", members["members"])
        if limit := limit_line(model):
            say("limit", limit)
        self._say_beside(model, scores, true)
        say("files", f"{', '.join([MODEL_FILE, HISTORY_FILE, runs.RECORD, *drawn])} in {record.folder}")
        say_command("next", "report", record.folder)
        return status

    def _fitted(self) -> tuple[Any, int, float]:
        """The estimator, the signal that ended it if one has (SIGTERM ends it as Ctrl-C does), and the seconds."""
        from ..tabular.estimators import TabularClassifier, TabularRegressor

        args, y = self.args, self.target.y
        chosen: dict[str, Any] = {"time_limit": args.time_limit, "random_state": args.seed, "verbose": not args.quiet}
        chosen |= metric_of(args.metric, self.target.is_class)
        chosen["preset"] = _preset_of(args)
        if args.validation is not None:
            chosen["validation_fraction"] = 0.0
        if args.epochs is not None:
            chosen["max_epochs"] = args.epochs
        stated = {name: kind for name, kind in self.found.stated.items() if name in self.names}
        if self.target.is_class:
            weights = class_weights(args.class_weight, np.unique(y).tolist())
            model = TabularClassifier(columns=stated, class_weight=weights, **chosen)
        else:
            model = TabularRegressor(columns=stated, quantiles=args.quantiles, **chosen)
        model._communicator = args.communicator
        held_out = self.held_out or self._validation()
        with_ = {} if held_out is None else {"X_val": held_out.x, "y_val": held_out.y}
        with_ |= {} if held_out is None or held_out.weight is None else {"sample_weight_val": held_out.weight}
        told, start = [int(signal.SIGINT)], time.perf_counter()

        def end(number: int) -> None:
            told.append(number)
            raise KeyboardInterrupt

        with warnings.catch_warnings(), asking([signal.SIGTERM], end):
            warnings.filterwarnings("ignore", "The number of unique classes")  # a small table may have many
            warnings.filterwarnings("ignore", "Training interrupted")  # the result says so
            model.fit(**self._learned(), **with_)
        del model._communicator
        model.column_kinds_ = type(self.found.kinds)(kind for kind in self.found.kinds if kind.name in self.names)
        return model, told[-1], time.perf_counter() - start

    def _learned(self) -> dict[str, Any]:
        """Return the training rows for ``fit``: as they are, or a stream of all that do not validate or test."""
        train, weight, stored = self.parts.train, self.args.sample_weight, self.found.stored
        if not stored.is_sample:
            weights = None if self.weight is None else self.weight[train]
            return {"X": self.rows(train), "y": self.target.y[train], "sample_weight": weights}
        chosen, *others = (self.target.rows[part] for part in self.parts)
        names = [*self.names, self.target.name, *([weight] if weight else [])]
        stream = stored.some(chosen, names, np.concatenate(others))
        return {"X": stream, "y": self.target.name, "sample_weight": weight}

    def _validation(self) -> Validation | None:
        part = self.parts.validation
        weight = None if self.weight is None else self.weight[part]
        return Validation(self.rows(part), self.target.y[part], weight) if len(part) else None

    @property
    def names(self) -> list[str]:
        """The columns that the estimator gets."""
        return [kind.name for kind in self.found.inputs]

    def rows(self, part: Array) -> dict[str, Any]:
        """Return some labelled rows of the input columns."""
        places = self.target.rows[part]
        return {name: rows_of(self.found.columns.column(name), places) for name in self.names}

    def facts(self, model: Any) -> Facts:
        classes = tuple(text_of(label) for label in model.classes_.tolist()) if self.target.is_class else ()
        return table_facts(self.found, self.source, self.args, classes, tuple(model.encoder_.columns))

    # --- results --------------------------------------------------------------------------------------------------

    def _tested(self, model: Any, facts: Facts) -> tuple[Array, Array, dict[str, float]]:
        """Return the true values of the test rows, the predictions, and the scores."""
        used, rows, y = Trained(model, facts), self.rows(self.parts.test), self.target.y[self.parts.test]
        if not self.target.is_class:
            predicted = used.numbers(rows)
            return y, predicted, scores_of_numbers(predicted, y)
        p = used.probabilities(rows)
        codes = _codes(y, model.classes_)
        return codes, p.argmax(axis=1), scores_of_classes(p, codes)

    def _say_beside(self, model: Any, scores: Mapping[str, float], true: Array) -> None:
        train, classes = self.parts.train, len(model.classes_) if self.target.is_class else 0
        y = _codes(self.target.y[train], model.classes_) if classes else self.target.y[train]
        found = scores_beside(model.encoder_, (self.rows(train), y), (self.rows(self.parts.test), true), classes)
        say("beside", written_beside(found))
        for line in better_than(scores, found):
            print(f"note: {line}", file=sys.stderr)

    def _data_line(self) -> str:
        counts = self.data["rows"]
        kinds = Counter(kind.kind for kind in self.found.inputs)
        named = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        names = len(self.found.inputs)
        chosen = "" if self.args.target is not None else " (the last column)"
        y, name = self.target.y, self.target.name
        what = f"{len(np.unique(y))} classes in {name!r}" if self.target.is_class else f"numeric target {name!r}"
        rows = ", ".join(f"{count:,} {part}" for part, count in counts.items())
        inputs = f"{names} column{'s' * (names != 1)} ({named})"
        said = f"{self.source.name}: {inputs}, {what}{chosen}; {sum(counts.values()):,} rows: {rows}"
        if self.args.validation is not None:
            return said
        folds = 1 if self.found.stored.is_sample else PRESETS[_preset_of(self.args)].folds
        own = f"its own {counts['training'] * validation_share(counts['training']):,.0f}"
        return f"{said}; each network validates on {'one fold' if folds > 1 else own} of the training rows"


def _codes(y: Array, classes: Array) -> Array:
    """Return the index of each label among the trained classes; NEVER for others."""
    places = {label: at for at, label in enumerate(classes.tolist())}
    return np.array([places.get(label, NEVER) for label in y.tolist()], np.intp)


def _add(arrays: dict[str, Array], header: dict[str, str], place: str, name: str, column: Any) -> None:
    if isinstance(column, Numbers):
        arrays |= {f"{place}/values": column.values, f"{place}/missing": column.missing}
    elif isinstance(column, Moments):
        arrays[f"{place}/moments"] = column.values
    words: Words = as_words(column) if isinstance(column, Words) else Words((), np.zeros(0, np.int32))
    arrays[f"{place}/codes"] = words.codes
    header[place] = json.dumps([name, words.words])


def table_facts(
    found: Understood, source: Source, args: argparse.Namespace, classes: tuple[str, ...], columns: tuple[str, ...]
) -> Facts:
    """Return the facts for reading other tables like this one."""
    reading = options_of({name: getattr(args, name) for name in REMEMBERED}) | {"header": not found.headless}
    texts = tuple(name for name in found.texts if name in columns)
    return Facts(
        source=source.name,
        target=found.target.name,
        class_names=classes,
        columns=columns,
        table=tuple(found.columns.names),
        texts=texts,
        reading=reading,
    )


# --- preparing ----------------------------------------------------------------------------------------------------


def set_aside(settings: Mapping[str, Any], facts: Facts) -> tuple[Labelled, dict[str, Any]]:
    """Return the test rows of a training, by dividing again with its settings, and the facts that identify all rows."""
    args = argparse.Namespace(**{name: settings[name] for name in runs.SETTINGS})
    source = resolve("report", args.source)
    if not source.is_table:
        remedy = f"name a table with the column {facts.target!r}"
        raise ValueError(sentence("report", "a table", f"the data set {source.text}", remedy))
    job = prepare(args, source, tells=False)
    y = job.target.y[job.parts.test]
    places = job.target.rows[job.parts.test]
    if facts.class_names:
        y = _codes(np.array([text_of(label) for label in y.tolist()], object), np.array(facts.class_names, object))
    return Labelled(job.found.table.frame[places.tolist()], y, job.found.stored.places[places] + 1), job.data


def prepare(args: argparse.Namespace, source: Source, *, tells: bool = True) -> Tables:
    """Read, understand and divide the table, and print the kinds of columns."""
    _check_options(args, source)
    found = understand_table(args, source.text)
    target = target_of(found.columns, found.target, args.missing or ())
    check_learnable(target, source.name)
    lost = len(found.table.frame) - len(target.rows)
    if tells:
        tell(found)
    if not found.inputs:
        remedy = "take one in, with --number or --category"
        raise ValueError(
            sentence("train", f"a column of {source.name} to learn from", "none: all are left out", remedy)
        )
    if lost and tells and not found.stored.is_sample:
        print(f"note: {lost:,} rows without a value in {target.name!r} are left out", file=sys.stderr)
    weight = weights_of(found.columns, args.sample_weight)
    parts = _parts(args, found, target)
    held_out = _validation_file(args, found, target, source) if isinstance(args.validation, str) else None
    if target.is_class:
        class_weights(args.class_weight, np.unique(target.y).tolist())
    metric_of(args.metric, target.is_class)
    task = "classification" if target.is_class else "regression"
    settings = runs.settings_of(args) | {"target": target.name, "task": task}
    weight = None if weight is None else weight[target.rows]
    return Tables(source, found, target, parts, weight, held_out, args, settings)


def _preset_of(args: argparse.Namespace) -> str:
    return "default" if args.preset is None else str(args.preset)


def _check_options(args: argparse.Namespace, source: Source) -> None:
    who = "train"
    for option in runs.FOR_IMAGES:
        if getattr(args, option) is not None:
            got = f"--{option.replace('_', '-')} with {source.text}"
            raise ValueError(sentence(who, "options for images with a named data set only", got, "omit it"))
    check_name(who, "--preset", _preset_of(args), PRESETS)
    if args.validation is not None and not isinstance(args.validation, str):
        check_number(who, "--validation", args.validation, minimum=0, below=1)
    if args.test_fraction is not None:
        check_number(who, "--test-fraction", args.test_fraction, above=0, below=1)
    if args.time_limit is not None:
        check_number(who, "--time-limit", args.time_limit, above=0)
    if args.epochs is not None:
        check_integer(who, "--epochs", args.epochs)
    for level in args.quantiles or ():
        check_number(who, "--quantiles", level, above=0, below=1)
    if args.group is not None and args.time is not None:
        raise ValueError(sentence(who, "one of --group and --time", "both"))


def _parts(args: argparse.Namespace, found: Understood, target: Target) -> Parts:
    """Return the rows of each part, as indices among the labelled rows."""
    groups = times = None
    if args.test_fraction is None:
        args.test_fraction = min(TEST, MOST_TESTED / max(len(target.rows), 1))
    if args.group is not None:
        words = as_words(found.columns.column(args.group))
        groups = np.unique(words.codes[target.rows], return_inverse=True)[1]
    if args.time is not None:
        times = times_of(found.columns, found.kinds.of(args.time))[target.rows]
    if args.validation is None and (args.group or args.time):  # which the estimator does not know
        args.validation = validation_share(round(len(target.rows) * (1 - args.test_fraction)))
    validation = 0.0 if args.validation is None or isinstance(args.validation, str) else args.validation
    fractions = {"test": args.test_fraction, "validation": validation}
    parts = divide(target.codes, len(target.rows), **fractions, seed=args.seed, groups=groups, times=times)
    if len(np.unique(target.y[parts.train])) < 2:
        option = "--validation" if validation > args.test_fraction else "--test-fraction"
        got = f"{len(parts.train)} of {len(target.rows)}, all alike in the target"
        raise ValueError(sentence("train", "enough rows for training", got, f"lower {option}"))
    if target.is_class and (args.group or args.time):
        known = np.isin(target.y[parts.validation], target.y[parts.train])  # of others there is no error
        parts = parts._replace(validation=parts.validation[known])
    return parts


def _validation_file(args: argparse.Namespace, found: Understood, target: Target, source: Source) -> Validation:
    """Read the rows of ``--validation FILE``, which has the same columns."""
    if source.file is not None and Path(args.validation).exists() and source.file.samefile(args.validation):
        got, remedy = f"{args.validation}, the training table itself", "pass a share, such as 0.1"
        raise ValueError(sentence("train", "other rows for --validation", got, remedy))
    names = tuple(kind.name for kind in found.inputs)
    labels = np.unique(target.y) if target.is_class else np.zeros(0)
    facts = table_facts(found, source, args, tuple(text_of(label) for label in labels.tolist()), names)
    more = [target.name, *([args.sample_weight] if args.sample_weight else [])]
    table = Frame("train", read_rows("train", facts, args.validation, vars(args), more))
    rows = with_answers("train", facts, table, args.validation, form=found.target.form)
    places, y = rows.lines - 1, rows.y
    weight = weights_of(table, args.sample_weight)
    if target.is_class:
        known = y != NEVER
        places, y = places[known], labels[y[known]]
    if not len(y):
        raise ValueError(sentence("train", f"rows of known classes in {args.validation}", "none"))
    x = {name: rows_of(table.column(name), places) for name in names}
    return Validation(x, y, None if weight is None else weight[places])
