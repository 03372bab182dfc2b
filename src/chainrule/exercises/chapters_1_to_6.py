"""Exercises of chapters 1 to 6: a neuron, the affine map, the chain rule, activations, losses, the cross-entropy."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._support.checks import Array
from .problem import Generator, Problem, Sizes, Terms


class Neuron(Problem):
    """One neuron sees one sample: a weighted sum of its inputs, and a bias.

    dy is the gradient of the loss with respect to y, a single number.
    """

    chapter = 1
    shapes = "x (I,), w (I,), b (), y ()"

    @staticmethod
    def forward(x: Array, w: Array, b: Array) -> Any:
        return np.sum(w * x) + b

    @staticmethod
    def terms(dy: Array, x: Array, w: Array) -> Terms:
        return {"dx": {"dy·w": dy * w}, "dw": {"dy·x": dy * x}, "db": {"dy": dy}}


class Affine(Problem):
    """The affine map of a batch: each row of x is a sample, each column of W a neuron."""

    chapter = 2
    shapes = "x (N, I), W (I, O), b (O,), y (N, O)"

    @staticmethod
    def forward(x: Array, W: Array, b: Array) -> Any:
        return x @ W + b

    @staticmethod
    def terms(dy: Array, x: Array, W: Array) -> Terms:
        return {"dx": {"dy Wᵀ": dy @ W.T}, "dW": {"xᵀ dy": x.T @ dy}, "db": {"Σₙ dy": dy.sum(axis=0)}}


class Fork(Problem):
    """x is used twice: by itself, and in the sum of its row, by which each entry is multiplied.

    The gradient of x is the sum of what comes back along both paths.
    """

    chapter = 3
    shapes = "x (N, I), y (N, I)"

    @staticmethod
    def forward(x: Array) -> Any:
        s = x.sum(axis=1, keepdims=True)
        return x * s

    @staticmethod
    def terms(dy: Array, x: Array) -> Terms:
        s = x.sum(axis=1, keepdims=True)
        ds = (dy * x).sum(axis=1, keepdims=True)
        return {"dx": {"dy·s": dy * s, "Σᵢ dyᵢ xᵢ": ds}}

    @staticmethod
    def mistakes(dy: Array, x: Array) -> Terms:
        s = x.sum(axis=1, keepdims=True)
        return {
            "dx": {
                "takes dy·x of its own place for the sum over the row, Σᵢ dyᵢ xᵢ": dy * (s + x),
                "sums dy·x over the whole batch; s is a sum within its row": dy * s + (dy * x).sum(),
                "sums dy along the row without the factor x": dy * s + dy.sum(axis=1, keepdims=True),
            }
        }


class Residual(Problem):
    """A residual block: the input goes through a layer with tanh, and also past it; the two are added."""

    chapter = 3
    shapes = "x (N, I), W (I, I), y (N, I)"

    @staticmethod
    def forward(x: Array, W: Array) -> Any:
        z = x @ W
        return x + np.tanh(z)

    @staticmethod
    def terms(dy: Array, x: Array, W: Array) -> Terms:
        z = x @ W
        dz = dy * (1 - np.tanh(z) ** 2)
        return {"dx": {"dy": dy, "dz Wᵀ": dz @ W.T}, "dW": {"xᵀ dz": x.T @ dz}}

    @staticmethod
    def mistakes(dy: Array, x: Array, W: Array) -> Terms:
        z = x @ W
        without, swapped = "the derivative of tanh is missing", "takes z for tanh(z) in 1 − tanh²(z)"
        slope, of_z = 1 - np.tanh(z) ** 2, 1 - z**2
        return {
            "dx": {
                without: dy + dy @ W.T,
                swapped: dy + (dy * of_z) @ W.T,
                "takes 1 for dy on the path past the layer": 1 + (dy * slope) @ W.T,
                "takes W for Wᵀ; as W is square here, the shapes do not show it": dy + (dy * slope) @ W,
            },
            "dW": {
                without: x.T @ dy,
                swapped: x.T @ (dy * of_z),
                "adds xᵀ dy; the path past the layer does not meet W": x.T @ (dy * slope + dy),
                "is the transpose; as W is square here, the shapes do not show it": (dy * slope).T @ x,
            },
        }


class Softplus(Problem):
    """A smooth version of max(0, x)."""

    chapter = 4
    shapes = "x (N, I), y (N, I)"

    @staticmethod
    def forward(x: Array) -> Any:
        return np.log(1 + np.exp(x))

    @staticmethod
    def terms(dy: Array, x: Array) -> Terms:
        return {"dx": {"dy·σ(x)": dy / (1 + np.exp(-x))}}

    @staticmethod
    def mistakes(dy: Array, x: Array) -> Terms:
        s = 1 / (1 + np.exp(-x))
        return {
            "dx": {
                "takes the derivative of σ(x) for σ(x)": dy * s * (1 - s),
                "takes σ(−x) for σ(x): mind the sign of the exponent": dy * (1 - s),
                "takes the slope of max(0, x), which this only resembles": dy * (x > 0),
            }
        }


class Swish(Problem):
    """x times its own sigmoid σ(x) = 1/(1 + exp(−x)): a product of two functions of x."""

    chapter = 4
    shapes = "x (N, I), y (N, I)"

    @staticmethod
    def forward(x: Array) -> Any:
        s = 1 / (1 + np.exp(-x))
        return x * s

    @staticmethod
    def terms(dy: Array, x: Array) -> Terms:
        s = 1 / (1 + np.exp(-x))
        return {"dx": {"dy·σ(x)": dy * s, "dy·x·σ(x)(1 − σ(x))": dy * x * s * (1 - s)}}

    @staticmethod
    def mistakes(dy: Array, x: Array) -> Terms:
        s = 1 / (1 + np.exp(-x))
        y = x * s
        return {
            "dx": {
                "takes y for σ(x) in σ(x)(1 − σ(x))": dy * (s + x * y * (1 - y)),
                "leaves out the factor x of the derivative of σ(x)": dy * (s + s * (1 - s)),
            }
        }


class SquaredError(Problem):
    """The squared error: summed over the outputs of a sample, averaged over the samples. y is the target.

    A loss starts the chain: no gradient comes in. Return dz, the gradient of the loss with respect to z.
    """

    chapter = 5
    shapes = "z (N, O), y (N, O), L ()"

    @staticmethod
    def forward(z: Array, y: Array) -> Any:
        return np.sum((z - y) ** 2) / len(z)

    @staticmethod
    def terms(z: Array, y: Array) -> Terms:
        return {"dz": {"2 (z − y)/N": 2 * (z - y) / len(z)}}


class Huber(Problem):
    """Huber's loss: half the square of a small residual, and linear beyond 1, so that outliers pull less.

    Averaged over the samples, summed over their outputs. Return dz; y is the target.
    """

    chapter = 5
    shapes = "z (N, O), y (N, O), L ()"

    @staticmethod
    def forward(z: Array, y: Array) -> Any:
        r = np.abs(z - y)
        return np.sum(np.where(r <= 1, r**2 / 2, r - 1 / 2)) / len(z)

    @staticmethod
    def terms(z: Array, y: Array) -> Terms:
        r = z - y
        small = np.abs(r) <= 1
        return {
            "dz": {
                "(z − y)/N where |z − y| ≤ 1": small * r / len(z),
                "sign(z − y)/N where |z − y| > 1": ~small * np.sign(r) / len(z),
            }
        }

    @staticmethod
    def mistakes(z: Array, y: Array) -> Terms:
        r = z - y
        return {
            "dz": {
                "is right for small residuals, and wrong where |z − y| > 1": r / len(z),
                "is wrong where z − y < −1: the slope there is −1": np.where(np.abs(r) <= 1, r, 1) / len(z),
                "is not limited where z − y < −1": np.minimum(r, 1) / len(z),
                "takes the sign of small residuals, too; their slope is z − y itself": np.sign(r) / len(z),
            }
        }


class Softmax(Problem):
    """The softmax of each row: positive numbers that sum to 1. The backward is given the output y."""

    chapter = 6
    shapes = "x (N, K), y (N, K)"

    @staticmethod
    def forward(x: Array) -> Any:
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    @staticmethod
    def terms(dy: Array, y: Array) -> Terms:
        return {"dx": {"y·dy": y * dy, "−y·Σₖ yₖ dyₖ": -y * (y * dy).sum(axis=1, keepdims=True)}}

    @staticmethod
    def mistakes(dy: Array, y: Array) -> Terms:
        return {
            "dx": {
                "leaves out that each y depends on all x of its row": y * (1 - y) * dy,
                "sums dy without the weights y": y * (dy - dy.sum(axis=1, keepdims=True)),
                "takes the plain mean of dy for the one weighted by y": y * (dy - dy.mean(axis=1, keepdims=True)),
                "leaves out the factor y in front": dy - (y * dy).sum(axis=1, keepdims=True),
                "sums over the whole batch; each row is a softmax of its own": y * (dy - (y * dy).sum()),
            }
        }


class CrossEntropy(Problem):
    """The cross-entropy of logits z with the classes 0 … K−1 of the samples, averaged over the samples.

    Softmax and logarithm are one function here, and their gradient is simpler than either's. Return dz.
    """

    chapter = 6
    shapes = "z (N, K), classes (N,), L ()"

    def draw(self, rng: Generator, sizes: Sizes) -> dict[str, Array]:
        return super().draw(rng, sizes) | {"classes": rng.integers(0, sizes["K"], sizes["N"])}

    @staticmethod
    def forward(z: Array, classes: Array) -> Any:
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return -np.mean(log_p[np.arange(len(z)), classes])

    @staticmethod
    def terms(z: Array, classes: Array) -> Terms:
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        t = np.eye(z.shape[1])[classes]
        return {"dz": {"softmax(z)/N": p / len(z), "−onehot(classes)/N": -t / len(z)}}

    @staticmethod
    def mistakes(z: Array, classes: Array) -> Terms:
        e = np.exp(z)
        p = e / e.sum(axis=1, keepdims=True)
        t = np.eye(z.shape[1])[classes]
        return {
            "dz": {
                "subtracts the number of the class, and not 1 at its place": (p - classes[:, None]) / len(z),
                "divides by the sum over the whole batch; each row is a softmax of its own": (e / e.sum() - t) / len(z),
            }
        }
