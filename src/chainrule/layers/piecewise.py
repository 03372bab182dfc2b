"""Numbers as piecewise-linear functions of themselves, which let a network treat each part of a column differently."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .. import ops
from .._support.checks import Array, as_numeric, check_integer, check_shape, sentence
from .._support.settings import Checks
from ..ops.piecewise import NO_BIN
from .base import FeatureLayer, Shape, check_width
from .program import Call, Program
from .workspace import Workspace

__all__ = ["PiecewiseLinear"]


def _as_edges(who: str, name: str, value: Any) -> list[list[float]]:
    """Check the edges of the bins of each column, which float32 must tell apart."""
    if not isinstance(value, (list, tuple, np.ndarray)) or len(value) == 0:
        raise TypeError(
            sentence(who, f"{name} as one list for each column", f"{value!r:.80}", "write [[0, 1], [0, 2]]")
        )
    found = []
    for column, given in enumerate(value):
        edges = as_numeric(who, f"{name} of column {column}", given, np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            gaps = np.diff(edges.astype(np.float32)) if edges.ndim == 1 else np.empty(0)
        if gaps.size == 0 or not ((gaps >= np.finfo(np.float32).tiny) & np.isfinite(gaps)).all():
            expected = f"{name} of column {column} as two or more numbers that ascend, in float32 too"
            raise ValueError(sentence(who, expected, f"{given!r:.80}", "use PiecewiseLinear.from_quantiles(x)"))
        found.append(edges.tolist())
    return found


def _quantiles(column: Array, bins: int) -> list[float]:
    """Return the edges of bins that hold equally many numbers of a column; fewer bins if numbers recur."""
    x = column[np.isfinite(column)]
    edges = np.quantile(x, np.linspace(0, 1, min(bins, max(len(x) - 1, 1)) + 1)) if len(x) else np.zeros(1)
    edges = edges.astype(np.float32).astype(str).astype(np.float64)  # few digits, for the model's file
    apart = 1e-6 * np.median(np.abs(x)) if len(x) else 0.0  # beyond a bin of no width, a line would be a cliff
    kept = [edges[0]]
    for edge in edges[1:]:
        if edge > kept[-1] + apart:
            kept.append(edge)
    return kept if len(kept) > 1 else [edges[0], edges[0] + max(1.0, abs(edges[0]))]


class PiecewiseLinear(FeatureLayer):
    """Learned piecewise-linear functions of each number, with given bins.

        y_j = x_j slope_j + bias_j + Σₘ c_jm steps_jm,    c_jm = (x_j − t_m) / (t_{m+1} − t_m)

        dsteps_jm = Σₙ c_jm dy_j      dslope_j = Σₙ x_j dy_j      dbias_j = Σₙ dy_j
        dx_j = ⟨dy_j, slope_j + steps_jk / (t_{k+1} − t_k)⟩ in bin k

    with t the edges of column j, and c clipped to [0, 1], except that the first bin has no lower and the last no upper
    bound. It takes two rows of tables for each number, however many bins there are. Use it as the first layer, on
    standardised numbers. Initially steps are 0, slope and bias ~ U(−1/√K, 1/√K).

    Parameters
    ----------
    edges : list of I lists of numbers
        The edges of the bins of each feature, two or more, in ascending order; rounded to float32.
    outputs : int
        Number K of functions of each feature.

    Attributes
    ----------
    steps : array (I, M, K)
        Rises in each bin, learned; M is the largest number of bins, and a column with fewer does not use all.
    slope, bias : arrays (I, K)
        The line that is added, learned.

    Raises
    ------
    ValueError
        If edges do not ascend, or float32 cannot tell two of them apart.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = np.random.default_rng(0).normal(size=(500, 2))
    >>> front = cr.PiecewiseLinear.from_quantiles(x, outputs=4, bins=16)
    >>> front
    PiecewiseLinear(2 × 16 bins → 8)
    >>> model = cr.Sequential([front, cr.Linear(8, 1)], rng=0)
    >>> model.predict(x).shape
    (500, 1)

    References
    ----------
    Gorishniy, Rubachev and Babenko, On Embeddings for Numerical Features in Tabular Deep Learning (2022), section 3.2.
    """

    steps: Array
    dsteps: Array
    slope: Array
    dslope: Array
    bias: Array
    dbias: Array

    _checks: ClassVar[Checks] = {**FeatureLayer._checks, "edges": _as_edges, "outputs": check_integer}
    _made_with = frozenset({"features", "edges", "outputs"})

    def __init__(self, edges: Any, outputs: int = 16) -> None:
        self.edges: list[list[float]] = edges
        self.outputs = outputs
        self._made: dict[str, Array] = {}
        super().__init__(len(self.edges))

    @classmethod
    def from_quantiles(cls, x: Any, outputs: int = 16, bins: int = 48) -> PiecewiseLinear:
        """Make a layer whose bins hold equally many numbers of the training data.

        Parameters
        ----------
        x : array (N, I)
            Training data; NaN and infinity are left out.
        outputs : int
            Number of functions of each feature.
        bins : int
            The largest number of bins of each feature; less than N. Bins are joined where numbers recur.

        Returns
        -------
        PiecewiseLinear
            A new layer.
        """
        x = as_numeric("from_quantiles", "x", x, np.float64)
        check_shape("from_quantiles", "rows of numbers", x, ("N", "I"))
        bins = check_integer("from_quantiles", "bins", bins)
        return cls([_quantiles(column, bins) for column in x.T], outputs)

    @property
    def _bins(self) -> dict[str, Array]:
        """Where bins begin and how wide they are; made when used: a file may claim a million columns and bins."""
        if not self._made:
            shape = self.parameter_shapes()["steps"][:2]
            left, width = np.full(shape, NO_BIN), np.ones(shape)
            for column, edges in enumerate(self.edges):
                rounded = np.array(edges, np.float32).astype(np.float64)
                left[column, : len(edges) - 1], width[column, : len(edges) - 1] = rounded[:-1], np.diff(rounded)
            self._made.update(left=left, width=width)
        return self._made

    def _bins_for(self, x: Array) -> tuple[Array, Array]:
        left, width = (array.astype(x.dtype, copy=False) for array in self._bins.values())
        return left, width

    def parameter_shapes(self) -> dict[str, Shape]:
        line = self.features, self.outputs
        most = max(map(len, self.edges)) - 1
        return {"steps": (self.features, most, self.outputs), "slope": line, "bias": line}

    def initialize(self, rng: np.random.Generator) -> None:
        bound = 1 / np.sqrt(self.outputs)
        self.steps[:] = 0
        self.slope[:] = rng.uniform(-bound, bound, self.slope.shape)
        self.bias[:] = rng.uniform(-bound, bound, self.bias.shape)

    def output_shape(self, input_shape: Shape | None) -> Shape | None:
        check_width(self, self.features, input_shape)
        return (self.features * self.outputs,)

    def forward(self, x: Array, work: Workspace) -> Array:
        self._check_input(x)
        work["x"] = x
        out = work.array("y", x, self.features * self.outputs)
        return ops.piecewise_linear(x, self.steps, self.slope, self.bias, *self._bins_for(x), out=out)

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        x = work["x"]
        out = (work.array("dx", x) if input_gradient else None, self.dsteps, self.dslope, self.dbias)
        left, width = self._bins_for(x)
        given = dy, x, self.steps, self.slope, left, width
        return ops.piecewise_linear_backward(*given, out=out, input_gradient=input_gradient)[0]

    def program(self, training: bool = False) -> Program | None:
        left, width = self._bins_for(self.steps)
        arrays = {"steps": self.steps, "slope": self.slope, "bias": self.bias, "left": left, "width": width}
        return (Call("piecewise_linear", arrays),)

    def __repr__(self) -> str:
        """``PiecewiseLinear(2 × 16 bins → 8)``."""
        bins = max(map(len, self.edges)) - 1
        return f"PiecewiseLinear({self.features} × {bins} bins → {self.features * self.outputs})"
