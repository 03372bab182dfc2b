"""Random changes to batches: distorted images, and mixtures of two samples."""

from __future__ import annotations

import math
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np

from .._support.checks import Array, check_integer, check_number, check_shape, require, sentence
from .._support.settings import frozen


@frozen
class MixUp:
    """Mixes pairs of samples and their targets, with a new share for each batch; for ``Trainer(augment=[...])``.

        λ ~ Beta(α, α)        x ← λ x + (1 − λ) x[p]        y ← λ y + (1 − λ) y[p],  p a permutation of the batch

    The trained network is less certain between its classes, and its probabilities are better calibrated.

    Parameters
    ----------
    alpha : float, > 0
        Parameter α; 0.1 to 0.4 are usual, larger values mix more evenly.
    classes : int or None
        Number of classes K if y is integer labels (N,), which become (N, K). None if y is numbers or probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x, y = cr.data.MixUp(0.4, classes=3)(np.eye(4), np.array([0, 1, 2, 0]), np.random.default_rng(0))
    >>> x.shape, y.shape, y.sum(axis=1).round(6).tolist()
    ((4, 4), (4, 3), [1.0, 1.0, 1.0, 1.0])

    References
    ----------
    Zhang, Cisse, Dauphin and Lopez-Paz, mixup: Beyond Empirical Risk Minimization (2018), section 2.
    """

    alpha: float = 0.2
    classes: int | None = None

    def __post_init__(self) -> None:
        check_number("MixUp", "alpha", self.alpha, above=0)
        if self.classes is not None:
            check_integer("MixUp", "classes", self.classes, minimum=2)

    def __call__(self, x: Array, y: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return the mixed batch, in new arrays."""
        y = as_numbers(self, y, x.dtype)
        share, others = draw_mixture(self, len(x), rng)
        return mixed(x, others, share), mixed(y, others, share)

    @staticmethod
    def _labels(y: Array, classes: int) -> Array:
        if y.ndim != 1 or y.dtype.kind not in "iub" or not 0 <= y.min() <= y.max() < classes:
            got = f"shape {y.shape}, dtype {y.dtype}, from {y.min()} to {y.max()}"
            raise ValueError(sentence("MixUp", f"labels (N,) from 0 to {classes - 1}", got))
        return y


def as_numbers(mix: MixUp, y: Array, dtype: np.dtype[Any]) -> Array:
    """Return targets that can be mixed."""
    if mix.classes is not None:
        rows: Array = np.eye(mix.classes, dtype=dtype)[mix._labels(y, mix.classes)]
        return rows
    if y.dtype.kind != "f":
        got = f"labels of dtype {y.dtype}"
        raise TypeError(sentence("MixUp", "targets that are numbers", got, "pass MixUp(classes=K)"))
    return y


def draw_mixture(mix: MixUp, n: int, rng: np.random.Generator) -> tuple[float, Array]:
    """Draw λ and p of a batch of n rows."""
    return rng.beta(mix.alpha, mix.alpha), rng.permutation(n)


def mixed(a: Array, others: Array, share: float) -> Array:
    """Return λ a + (1 − λ) a[p]."""
    rows: Array = a * a.dtype.type(share) + a[others] * a.dtype.type(1 - share)
    return rows


@frozen
class RandomDistortion:
    """Rotates, stretches, shears and bends each image at random; for ``Trainer(augment=[...])``.

    The pixel at q, measured from the centre of the image, gets the grey value at

        A q + t + u(q)        A = R(angle) · shear · diag(1 / stretch)        u = elasticity · (G ∗ noise)

    by bilinear interpolation; outside the image, its border values continue. The noise is uniform in (−1, 1) for each
    pixel and direction, and G is a Gaussian, so neighbours move together. Needs SciPy.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the images; a batch is (N, height · width) or (N, height, width).
    degrees : float in [0, 180]
        Angles are uniform in (−degrees, degrees).
    stretch : float in [0, 1)
        Height and width are each multiplied by a number in (1 − stretch, 1 + stretch).
    shear : float in [0, 90)
        Shear angles are uniform in (−shear, shear) degrees.
    shift : float, >= 0
        Shifts down and across are uniform in (−shift, shift) pixels.
    elasticity : float, >= 0
        Strength of the bends; 36 with a smoothness of 5 moves pixels by about one pixel.
    smoothness : float, > 0
        Standard deviation of G in pixels.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> x = np.zeros((2, 28 * 28), np.float32)
    >>> x[:, 400:420] = 1
    >>> distorted, y = cr.data.RandomDistortion((28, 28))(x, np.array([3, 7]), np.random.default_rng(0))
    >>> distorted.shape, bool((distorted[0] != distorted[1]).any()), y
    ((2, 784), True, array([3, 7]))

    References
    ----------
    Simard, Steinkraus and Platt, Best Practices for Convolutional Neural Networks Applied to Visual Document Analysis
    (2003), section 2; Cireşan, Meier, Gambardella and Schmidhuber, Deep, Big, Simple Neural Nets for Handwritten Digit
    Recognition (2010), section 3.
    """

    shape: tuple[int, int]
    degrees: float = 12.0
    stretch: float = 0.15
    shear: float = 10.0
    shift: float = 0.0
    elasticity: float = 36.0
    smoothness: float = 5.0

    def __post_init__(self) -> None:
        who = "RandomDistortion"
        if not (isinstance(self.shape, (tuple, list)) and len(self.shape) == 2):
            raise ValueError(sentence(who, "shape to be (height, width)", repr(self.shape)))
        for side in self.shape:
            check_integer(who, "each of height and width", side)
        check_number(who, "degrees", self.degrees, minimum=0, maximum=180)
        check_number(who, "stretch", self.stretch, minimum=0, below=1)
        check_number(who, "shear", self.shear, minimum=0, below=90)
        check_number(who, "shift", self.shift, minimum=0)
        check_number(who, "elasticity", self.elasticity, minimum=0)
        check_number(who, "smoothness", self.smoothness, above=0)

    def __call__(self, x: Array, y: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return the distorted batch, in new arrays."""
        height, width = self.shape
        n = len(x)
        if math.prod(x.shape[1:]) != height * width:
            check_shape("RandomDistortion", "a batch of images", x, ("N", height * width))
        row, column = self._places(n, rng)
        # All images as one tall one, each within its own part: one call, in two dimensions instead of three.
        row += np.arange(0, n * height, height, dtype=np.float32)[:, None, None]
        tall = x.reshape(n * height, width)
        places = [row.ravel(), column.ravel()]
        found: Array = _ndimage().map_coordinates(tall, places, order=1, mode="nearest", prefilter=False)
        return found.reshape(x.shape), y

    def _places(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return the row and column that each pixel of each image gets its grey value from, (n, height, width)."""
        height, width = self.shape

        def draw(limit: float) -> Array:
            return rng.uniform(-limit, limit, (n, 1, 1)).astype(np.float32)

        angle, shear = np.radians(draw(self.degrees)), np.tan(np.radians(draw(self.shear)))
        down, across = 1 / (1 + draw(self.stretch)), 1 / (1 + draw(self.stretch))
        up, aside = draw(self.shift), draw(self.shift)
        i = np.arange(height, dtype=np.float32)[:, None] - (height - 1) / 2
        j = np.arange(width, dtype=np.float32) - (width - 1) / 2
        i, j = down * i, across * (j + shear * i)
        u = self._bends(n, rng)
        row = np.cos(angle) * i - np.sin(angle) * j + (height - 1) / 2 + up + u[0]
        column = np.sin(angle) * i + np.cos(angle) * j + (width - 1) / 2 + aside + u[1]
        return np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)

    def _bends(self, n: int, rng: np.random.Generator) -> Array:
        noise = rng.random((2, n, *self.shape), dtype=np.float32)
        noise *= 2
        noise -= 1
        along_rows, along_columns = self._smoothing
        smooth: Array = along_rows @ noise @ along_columns.T  # ten times faster than filtering every image
        smooth *= np.float32(self.elasticity)
        return smooth

    @cached_property
    def _smoothing(self) -> list[Array]:
        """The convolution with G along rows and columns, as matrices."""
        eyes = (np.eye(side, dtype=np.float32) for side in self.shape)
        return [_ndimage().gaussian_filter1d(eye, self.smoothness, axis=0, mode="constant") for eye in eyes]


def _ndimage() -> ModuleType:
    return require("scipy.ndimage", "sklearn", "RandomDistortion")
