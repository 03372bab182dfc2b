"""Train a multilayer perceptron on a named data set of images; every part of the recipe is an option."""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from .. import __version__
from .._support.checks import Array, check_integer, check_name, check_number, sentence
from .._support.files import digest
from ..data.batches import split
from ..data.named import DIVISORS, load_named
from ..distributed.serial import Serial
from ..layers.kernels import NUMBERS
from ..model import MLP, Sequential
from ..ops import softmax
from ..optimizers import OPTIMIZERS, Optimizer
from ..persistence import save
from ..schedules import WarmupCosine
from ..training.callbacks import History
from ..training.checkpoint import Checkpoint
from ..training.trainer import Trainer
from . import runs
from .models import MODEL_FILE, Facts
from .outputs import draw_figures
from .reading import Source
from .scores import scores_of_classes, written
from .screen import HISTORY_FILE, say, say_command, trained_in, write_history

# The peak learning rate for each optimizer; others use their own default.
RATES = {"adam": 2e-3, "adamw": 2e-3, "nadam": 2e-3, "lion": 4e-4, "sgd": 0.1}
WARMUP = 0.1
LEAST_EPOCHS, MOST_EPOCHS = 20, 200
LEAST_STEPS = 1000  # so that a small table gets more epochs
IMAGE_DROPOUT = (
    0.3  # neighbouring pixels are redundant; on six tables of 5,000 to 20,000 rows dropout reduced the accuracy
)


@dataclass(frozen=True)
class Recipe:
    """The network and its training settings."""

    hidden: tuple[int, ...] = (512, 256)
    activation: str = "relu"
    dropout: float = 0.0
    optimizer: str = "adamw"
    learning_rate: float = RATES["adamw"]
    batch_size: int = 128
    epochs: int = LEAST_EPOCHS

    def make_model(self, inputs: int, outputs: int, seed: int) -> Sequential:
        return MLP([inputs, *self.hidden, outputs], self.activation, dropout=self.dropout, rng=seed)

    def make_optimizer(self) -> Optimizer:
        """Build the optimizer, with a linear warm-up and cosine decay of its learning rate."""
        return OPTIMIZERS[self.optimizer](WarmupCosine(self.learning_rate, warmup=WARMUP))


def default_rate(optimizer: str) -> float:
    """Return the peak learning rate for the optimizer of this name."""
    cls = OPTIMIZERS[check_name("train", "an optimizer", optimizer, OPTIMIZERS)]
    return RATES.get(optimizer) or cls().current_learning_rate


def default_epochs(rows: int, batch_size: int) -> int:
    """Return the number of epochs for ``LEAST_STEPS`` steps, within bounds."""
    steps_per_epoch = -(-rows // batch_size)
    return min(max(LEAST_EPOCHS, -(-LEAST_STEPS // steps_per_epoch)), MOST_EPOCHS)


VALIDATION = 0.1  # fraction of the training rows
LINES = 10  # lines of progress; the progress bar shows the rest
SIGNALLED = 128  # the exit code of a signal is this plus its number
Rows = tuple[Array, Array]


@dataclass(frozen=True)
class Images:
    """A divided named data set, and how to train a network on it."""

    facts: Facts
    recipe: Recipe
    train_rows: Rows
    validation: Rows | None
    test: Rows
    settings: Mapping[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        parts = {"training": self.train_rows, "validation": self.validation, "test": self.test}
        arrays: dict[str, Array] = {}
        for name, part in parts.items():
            if part is not None:
                arrays |= {f"{name}/x": part[0], f"{name}/y": part[1]}
        rows = {name: 0 if part is None else len(part[0]) for name, part in parts.items()}
        return {"rows": rows, "columns": self.facts.inputs, "sha256": digest(arrays, {}), "file_sha256": None}

    @property
    def counts_threads(self) -> bool:
        """Whether the last bit depends on the number of threads; not with the compiled engine."""
        return self.recipe.make_optimizer().kernel is None or self.recipe.activation not in NUMBERS

    @property
    def varies(self) -> list[str]:
        return []

    def train(self, args: argparse.Namespace, record: runs.Run) -> int:
        """Train, write and report; return the exit code: 0, or that of the signal that ended the training."""
        recipe, checkpoint = self.recipe, record.checkpoint()
        model = recipe.make_model(self.facts.inputs, self.facts.outputs, args.seed)
        say("data", self._data_line())
        say("model", self._model_line(model))
        start = time.perf_counter()
        history = self._fit(model, record, checkpoint, args.communicator, quiet=args.quiet)
        seconds = time.perf_counter() - start
        status = SIGNALLED + (checkpoint.asked or signal.SIGINT) if history.interrupted else 0
        if args.communicator.rank > 0:
            return status
        outputs, true = model.predict(self.test[0]), self.test[1]
        scores = scores_of_classes(softmax(outputs.astype(np.float64)), true)
        training = {"seed": args.seed} | asdict(recipe) | {"epochs": len(history)}
        model.metadata = self.facts.to_metadata() | {"scores": scores, "training": training, "chainrule": __version__}
        model.metadata["pixels_divided_by"] = DIVISORS[self.facts.source]
        runs.remove_results(record.folder)
        save(model, record.folder / MODEL_FILE)
        write_history(record.folder, history)
        drawn = draw_figures(record.folder, self.facts, history, outputs.argmax(axis=1), true)
        record.finish(
            {**model.parameters, **model.buffers}, epochs=len(history), interrupted=history.interrupted, scores=scores
        )
        told = trained_in(seconds, len(history), recipe.epochs, interrupted=history.interrupted)
        say("result", f"test {written(scores, len(true))}, {told}")
        say("files", f"{', '.join([MODEL_FILE, HISTORY_FILE, runs.RECORD, *drawn])} in {record.folder}")
        say_command("next", "report", record.folder)
        return status

    def _fit(
        self, model: Sequential, record: runs.Run, checkpoint: Checkpoint, communicator: Serial, *, quiet: bool
    ) -> History:
        recipe = self.recipe
        trainer = Trainer(
            model,
            "cross_entropy",
            recipe.make_optimizer(),
            recipe.batch_size,
            metrics=["accuracy"],
            callbacks=[checkpoint],
            communicator=communicator,
        )
        record.restore(trainer)
        return trainer.fit(
            *self.train_rows,
            validation=self.validation,
            epochs=recipe.epochs,
            verbose=0 if quiet else 1,
            every=max(recipe.epochs // LINES, 1),
        )

    def _data_line(self) -> str:
        parts = {"training": self.train_rows, "validation": self.validation, "test": self.test}
        counts = {name: len(part[0]) for name, part in parts.items() if part is not None}
        divided = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        what = f"{self.facts.inputs} inputs, {len(self.facts.class_names)} classes"
        return f"{self.facts.source}: {what}; {sum(counts.values()):,} rows: {divided}"

    def _model_line(self, model: Sequential) -> str:
        recipe = self.recipe
        sizes = " → ".join(map(str, [self.facts.inputs, *recipe.hidden, self.facts.outputs]))
        dropout = f", dropout {recipe.dropout:g}" if recipe.dropout else ""
        between = f", {recipe.activation}{dropout}" if recipe.hidden else ""
        return f"{sizes}{between}: {model.parameters.vector.size:,} parameters"


def prepare(args: argparse.Namespace, source: Source) -> Images:
    """Load the data, and complete the recipe with defaults that depend on them."""
    for option in runs.FOR_TABLES:
        if getattr(args, option) not in (None, []):
            got = f"--{option.replace('_', '-')} with {source.text}"
            raise ValueError(sentence("train", "options for tables with a table only", got, "omit it"))
    recipe = _recipe(args)
    data = load_named(source.text)
    facts = Facts(source.text, "class", data.class_names, image_shape=data.image_shape)
    train: Rows = (data.x, data.y)
    held_out: Rows | None = None
    if args.validation:
        x, y, xv, yv = split(data.x, data.y, args.validation, rng=args.seed, stratify=True)
        train, held_out = (x, y), (xv, yv)
    if args.epochs is None:
        recipe = replace(recipe, epochs=default_epochs(len(train[0]), recipe.batch_size))
    if args.dropout is None:
        recipe = replace(recipe, dropout=IMAGE_DROPOUT)
    settings = runs.settings_of(args) | asdict(recipe)
    return Images(facts, recipe, train, held_out, (data.x_test, data.y_test), settings)


def _recipe(args: argparse.Namespace) -> Recipe:
    """Return the default recipe with the given options."""
    who = "train"
    args.validation = VALIDATION if args.validation is None else args.validation
    if isinstance(args.validation, str):
        got = f"--validation {args.validation}"
        raise ValueError(sentence(who, "a fraction of a named data set for --validation", got, "pass 0.1"))
    check_number(who, "--validation", args.validation, minimum=0, below=1)
    if args.learning_rate is not None:
        check_number(who, "--learning-rate", args.learning_rate, minimum=0)
    if args.dropout is not None:
        check_number(who, "--dropout", args.dropout, minimum=0, below=1)
    for option in ("epochs", "batch_size"):
        if getattr(args, option) is not None:
            check_integer(who, "--" + option.replace("_", "-"), getattr(args, option))
    for width in args.hidden or ():
        check_integer(who, "--hidden", width)
    given = {name: getattr(args, name) for name in asdict(Recipe()) if getattr(args, name) is not None}
    recipe = Recipe(**given)
    recipe = replace(recipe, learning_rate=given.get("learning_rate", default_rate(recipe.optimizer)))
    recipe.make_model(1, 1, args.seed)  # report invalid options before any data are read
    recipe.make_optimizer()
    return recipe
