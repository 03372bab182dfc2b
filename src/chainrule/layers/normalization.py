"""Batch and layer normalisation: standardise, then apply a learned gain and bias."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np

from .. import ops
from .._support.checks import Array, check_number, sentence
from .._support.settings import ABOVE_ZERO, Checks
from .base import FeatureLayer, Layer, Shape, fill
from .program import Call, Program, folded
from .workspace import Workspace

__all__ = ["BatchNorm", "LayerNorm"]


class _Normalization(FeatureLayer):
    """What both share: a learned gain and bias after a standardisation along ``axis``."""

    gain: Array
    dgain: Array
    bias: Array
    dbias: Array
    axis: int

    _checks: ClassVar[Checks] = {**FeatureLayer._checks, "epsilon": ABOVE_ZERO}

    def __init__(self, features: int, epsilon: float) -> None:
        super().__init__(features)
        self.epsilon = epsilon

    def parameter_shapes(self) -> dict[str, Shape]:
        return {"gain": (self.features,), "bias": (self.features,)}

    def initialize(self, rng: np.random.Generator) -> None:
        self.gain[:] = 1
        self.bias[:] = 0

    def backward(self, dy: Array, work: Workspace, input_gradient: bool = True) -> Array | None:
        standard = work["standard"]
        out = (work.array("dstandard", dy), self.dgain, self.dbias)
        dstandard, _, _ = ops.scale_backward(dy, standard, self.gain, out=out)
        if not input_gradient:
            return None
        return self._pull_back(dstandard, work)

    def _pull_back(self, dstandard: Array, work: Workspace) -> Array:
        """The gradient by x from that by ŷ."""
        out = work.array("dx", dstandard)
        return ops.standardize_backward(dstandard, work["standard"], work["inverse_deviation"], self.axis, out=out)


class _Statistic:
    """One float64 number for each feature; an assigned array is copied into the one that kernels write to."""

    def __set_name__(self, owner: type[Layer], name: str) -> None:
        self._name = name

    def __get__(self, layer: FeatureLayer | None, owner: type[Layer]) -> Any:
        return self if layer is None else vars(layer)[self._name]

    def __set__(self, layer: FeatureLayer, values: Any) -> None:
        array = vars(layer).setdefault(self._name, np.zeros(layer.features))
        if values is not array:
            fill(layer, self._name, array, values)


class BatchNorm(_Normalization):
    """Standardise each feature: over the batch in training, with running statistics in prediction.

        y = gain · ŷ + bias,    ŷ = (x − μ) / √(σ² + ε)

        dŷ = gain · dy      dx = (dŷ − mean(dŷ) − ŷ · mean(dŷ · ŷ)) / √(σ² + ε), means over the batch
        dgain = Σₙ dyₙ ŷₙ      dbias = Σₙ dyₙ

    In training, μ and σ² are those of the batch, and the running ones follow them:
    running ← (1 − m) · running + m · batch, with the unbiased variance. Prediction uses the running ones.

    Parameters
    ----------
    features : int
        Number of input features I.
    momentum : float in (0, 1]
        Weight m of the batch in the running statistics.
    epsilon : float, > 0
        Number ε that keeps a constant feature finite.

    Attributes
    ----------
    gain, bias : arrays (I,)
        Learned, views into the model's parameters.
    running_mean, running_variance : arrays (I,)
        Running statistics, saved with the model.

    Raises
    ------
    ValueError
        If a training batch has a single row, which has no variance.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> model = cr.Sequential([cr.BatchNorm(1)])
    >>> model.forward(np.array([[0.0], [10.0]]), training=True).round(3)
    array([[-1.],
           [ 1.]], dtype=float32)

    References
    ----------
    Ioffe and Szegedy, Batch Normalization (2015), algorithms 1 and 2.
    """

    axis = 0
    running_mean = _Statistic()
    running_variance = _Statistic()

    _checks: ClassVar[Checks] = {
        **_Normalization._checks,
        "momentum": partial(check_number, above=0, maximum=1),
    }

    def __init__(self, features: int, momentum: float = 0.1, epsilon: float = 1e-5) -> None:
        super().__init__(features, epsilon)
        self.momentum = momentum
        self.running_mean = np.zeros(self.features)
        self.running_variance = np.ones(self.features)

    def initialize(self, rng: np.random.Generator) -> None:
        super().initialize(rng)
        self.running_mean[:] = 0
        self.running_variance[:] = 1

    def buffers(self) -> dict[str, Array]:
        return {"running_mean": self.running_mean, "running_variance": self.running_variance}

    def forward(self, x: Array, work: Workspace) -> Array:
        self._check_input(x)
        out = work.array("y", x)
        if not work.training:
            gain, bias = folded(self._standardize())
            return ops.scale(x, gain.astype(x.dtype), bias.astype(x.dtype), out=out)
        if len(x) < 2 and work.shard.communicator.size == 1:  # ranks have a row each, at least
            remedy = "drop the last short batch (drop_last=True) or choose another batch_size"
            raise ValueError(sentence(repr(self), "at least two rows in training", str(len(x)), remedy))
        standard, inverse_deviation, mean, variance, rows = self._standardized(x, work)
        work["standard"], work["inverse_deviation"] = standard, inverse_deviation
        running_mean, running_variance = self.running_mean, self.running_variance  # in place: no setter checks
        running_mean += self.momentum * (mean[0] - running_mean)
        running_variance += self.momentum * (variance[0] * (rows / (rows - 1)) - running_variance)
        return ops.scale(standard, self.gain, self.bias, out=out)

    def _standardized(self, x: Array, work: Workspace) -> tuple[Array, Array, Array, Array, int]:
        """Return ŷ, 1/√(σ² + ε), μ, σ² and the number of rows, of the batch that all ranks have together."""
        out, communicator = work.array("standard", x), work.shard.communicator
        if communicator.size == 1:
            return *ops.standardize(x, axis=0, epsilon=self.epsilon, out=out), len(x)
        sums = np.append(np.sum(x, axis=0, dtype=np.float64), len(x))
        communicator.allreduce(sums)
        mean, rows = sums[None, :-1] / sums[-1], int(sums[-1])
        np.subtract(x, mean, out=out, casting="same_kind")
        squares = np.einsum("ni,ni->i", out, out, dtype=np.float64)
        communicator.allreduce(squares)
        variance = squares[None] / rows
        inverse_deviation = 1 / np.sqrt(variance + self.epsilon)
        out *= inverse_deviation
        return out, inverse_deviation.astype(x.dtype), mean, variance, rows

    def _pull_back(self, dstandard: Array, work: Workspace) -> Array:
        communicator, standard = work.shard.communicator, work["standard"]
        if communicator.size == 1:
            return super()._pull_back(dstandard, work)
        sums = np.empty((3, self.features))
        sums[0] = np.sum(dstandard, axis=0, dtype=np.float64)
        sums[1] = np.einsum("ni,ni->i", dstandard, standard, dtype=np.float64)
        sums[2] = len(standard)
        communicator.allreduce(sums)
        mean, along = (sums[:2] / sums[2]).astype(standard.dtype)
        dx: Array = (dstandard - mean - standard * along) * work["inverse_deviation"]
        return dx

    def _standardize(self) -> Call:
        """The op of a prediction, in float64."""
        factor = self.gain / np.sqrt(self.running_variance + self.epsilon)
        return Call("standardize", {"mean": self.running_mean, "factor": factor, "bias": self.bias})

    def program(self, training: bool = False) -> Program | None:
        if not training:
            return (self._standardize(),)
        arrays = {"gain": self.gain, "bias": self.bias} | self.buffers()
        return (Call("batch_norm", arrays, {"epsilon": self.epsilon, "momentum": self.momentum}),)


class LayerNorm(_Normalization):
    """Standardise each row over its features, both in training and in prediction.

        y = gain · ŷ + bias,    ŷ = (x − μ) / √(σ² + ε),    μ and σ² of the row

        dŷ = gain · dy      dx = (dŷ − mean(dŷ) − ŷ · mean(dŷ · ŷ)) / √(σ² + ε), means over the row
        dgain = Σₙ dyₙ ŷₙ      dbias = Σₙ dyₙ

    Parameters
    ----------
    features : int
        Number of input features I.
    epsilon : float, > 0
        Number ε that keeps a constant row finite.

    Attributes
    ----------
    gain, bias : arrays (I,)
        Learned, views into the model's parameters.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.LayerNorm(2)]).predict([[0.0, 10.0]]).round(3)
    array([[-1.,  1.]], dtype=float32)

    References
    ----------
    Ba, Kiros and Hinton, Layer Normalization (2016), arXiv:1607.06450, section 3.
    """

    axis = 1

    def __init__(self, features: int, epsilon: float = 1e-5) -> None:
        super().__init__(features, epsilon)

    def forward(self, x: Array, work: Workspace) -> Array:
        self._check_input(x)
        standard, inverse_deviation, _, _ = ops.standardize(
            x, axis=1, epsilon=self.epsilon, out=work.array("standard", x)
        )
        work["standard"], work["inverse_deviation"] = standard, inverse_deviation
        return ops.scale(standard, self.gain, self.bias, out=work.array("y", x))

    def program(self, training: bool = False) -> Program | None:
        return (Call("layer_norm", {"gain": self.gain, "bias": self.bias}, {"epsilon": self.epsilon}),)
