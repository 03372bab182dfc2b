"""The rows of the benchmark, and the data and first parameters that every contestant is given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from chainrule._support.checks import Array, check_name
from chainrule.layers import GELU, BatchNorm, Dropout, Layer, Linear, ReLU
from chainrule.losses import LossFunction, get_loss
from chainrule.model import Sequential
from chainrule.optimizers import SGD, Adam, Optimizer

MOMENTUM = 0.9
RATES = {"adam": 1e-3, "momentum": 1e-2}
ACTIVATIONS = {"relu": ReLU, "gelu": GELU}


class NotOffered(Exception):  # noqa: N818 - no error: a library need not offer everything
    """The library cannot do this row, with the reason."""


@dataclass(frozen=True)
class Row:
    """A network, the size of its batch, and how it is trained."""

    sizes: tuple[int, ...]
    batch: int
    steps: int = 100  # in one pass: an epoch, or so many epochs where the batch is the whole data set
    optimizer: str = "adam"
    activation: str = "relu"
    dropout: float = 0.0
    batch_norm: bool = False
    dtype: str = "float32"
    loss: str = "cross_entropy"
    full_batch: bool = False

    @property
    def name(self) -> str:
        """``784-512-256-10x128``, and behind it what is unusual."""
        plain = {"adam": "", "relu": "", "float32": "", "cross_entropy": "", "squared_error": "regression"}
        options = [plain.get(word, word) for word in (self.optimizer, self.activation, self.dtype, self.loss)]
        options += ["dropout"] * bool(self.dropout) + ["batch-norm"] * self.batch_norm
        return "+".join(["-".join(map(str, self.sizes)) + f"x{self.batch}", *filter(None, options)])

    @property
    def rows(self) -> int:
        """N, the size of the data set."""
        return self.batch if self.full_batch else self.batch * self.steps

    @property
    def epochs(self) -> int:
        """How many epochs a pass is."""
        return self.steps if self.full_batch else 1

    @property
    def learning_rate(self) -> float:
        """The rate, constant."""
        return RATES[self.optimizer]

    @property
    def regression(self) -> bool:
        """Whether the targets are numbers."""
        return self.loss == "squared_error"


_MIDDLE = Row((784, 512, 256, 10), 128, steps=50)

GRID = (
    Row((784, 32, 10), 32),
    Row((784, 128, 10), 32),
    Row((784, 512, 256, 10), 32),
    _MIDDLE,
    Row((784, 1024, 1024, 10), 256, steps=10),
    Row((784, 1024, 1024, 10), 1024, steps=5),
    Row((4, 32, 16, 4), 150, full_batch=True),
    Row((20, 64, 64, 1), 64, loss="squared_error"),
)
VARIANTS = (
    replace(_MIDDLE, optimizer="momentum"),
    replace(_MIDDLE, dropout=0.2),
    replace(_MIDDLE, batch_norm=True),
    replace(_MIDDLE, activation="gelu"),
    replace(_MIDDLE, dtype="float64"),
)
WIDTHS = (  # beside the powers of two of the grid, whose rows share the same sets of a cache
    Row((784, 1040, 1040, 10), 256, steps=10),
    Row((784, 1040, 1040, 10), 1024, steps=5),
    Row((784, 511, 257, 10), 128, steps=50),
)
ROWS = {row.name: row for row in (*GRID, *WIDTHS, *VARIANTS)}
SETS = {"grid": GRID, "widths": WIDTHS, "variants": VARIANTS, "all": tuple(ROWS.values())}


def choose(names: Iterable[str]) -> list[Row]:
    """The rows of these names, each once; ``grid``, ``widths``, ``variants`` and ``all`` name several."""
    chosen: dict[str, Row] = {}
    for name in names:
        plain = name.strip().replace("×", "x")
        check_name("bench", "a row", plain, (*SETS, *ROWS))
        chosen |= {row.name: row for row in SETS.get(plain) or [ROWS[plain]]}
    return list(chosen.values())


@dataclass(frozen=True, eq=False)
class Problem:
    """What every contestant of a row is given."""

    row: Row
    x: Array
    y: Array
    weights: list[tuple[Array, Array | None]]

    @property
    def batches(self) -> list[slice]:
        """The batches of one pass in the order of the rows."""
        row = self.row
        starts = [0] * row.steps if row.full_batch else range(0, row.rows, row.batch)
        return [slice(start, start + row.batch) for start in starts]

    def loss(self, outputs: Array) -> float:
        """The loss of these outputs on all the data, by our own loss, for every library."""
        return float(make_loss(self.row)(outputs, self.y, None)[0])


def make_problem(row: Row) -> Problem:
    """Data in which there is something to learn, and first parameters."""
    rng = np.random.default_rng(0)
    inputs, outputs = row.sizes[0], row.sizes[-1]
    x = rng.random((row.rows, inputs), np.float32) - np.float32(0.5)
    if row.regression:
        y = np.sin(x @ rng.normal(size=(inputs, outputs)).astype(np.float32)).astype(row.dtype)
    else:
        y = rng.integers(0, outputs, row.rows)
        clouds = 1.5 / np.sqrt(inputs) * rng.normal(size=(outputs, inputs))  # one for each class
        x += clouds.astype(np.float32)[y]
    x = x.astype(row.dtype)
    layers = [layer for layer in make_model(row).layers if isinstance(layer, Linear)]
    return Problem(row, x, y, [(layer.W.copy(), layer.b.copy() if layer.bias else None) for layer in layers])


def make_model(row: Row) -> Sequential:
    """Our network; with the same seed, so always with the same first parameters."""
    layers: list[Layer] = []
    last = len(row.sizes) - 2
    for index, (inputs, outputs) in enumerate(pairwise(row.sizes)):
        hidden = index < last
        normalized = hidden and row.batch_norm
        activation = row.activation if hidden and not normalized else None
        layers.append(Linear(inputs, outputs, activation=activation, bias=not normalized))
        if normalized:
            layers += [BatchNorm(outputs), ACTIVATIONS[row.activation]()]
        if hidden and row.dropout:
            layers.append(Dropout(row.dropout))
    return Sequential(layers, rng=0, dtype=row.dtype)


def make_optimizer(row: Row) -> Optimizer:
    """Our optimizer."""
    if row.optimizer == "momentum":
        return SGD(row.learning_rate, momentum=MOMENTUM)
    return Adam(row.learning_rate)


def make_loss(row: Row) -> LossFunction:
    """Our loss."""
    return get_loss(row.loss)
