"""Batches that are never the same twice: distorted images, and mixtures of two samples."""

from __future__ import annotations

import math
from functools import cached_property
from types import ModuleType

import numpy as np

from .._support.checks import Array, check_integer, check_number, check_shape, require, sentence
from .._support.frozen import frozen


@frozen
class MixUp:
    """Mixtures of two samples and of their targets, a new share for each batch.

        λ ~ Beta(α, α)        x ← λ x + (1 − λ) x[p]        y ← λ y + (1 − λ) y[p],  p a permutation of the batch

    A network trained so is less sure between its classes, and its probabilities are better calibrated. For
    ``Trainer(augment=[...])``.

    Parameters
    ----------
    alpha : float > 0; 0.1 to 0.4 are usual, larger ones mix more evenly
    classes : int or None; where the labels are integers (N,), how many classes there are: y is then (N, classes). None
        for targets that are numbers or rows of probabilities

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
        """The mixed batch, in new arrays."""
        if self.classes is not None:
            y = np.eye(self.classes, dtype=x.dtype)[self._labels(y, self.classes)]
        elif y.dtype.kind != "f":
            got = f"labels of dtype {y.dtype}"
            raise TypeError(sentence("MixUp", "targets that are numbers", got, "pass MixUp(classes=K)"))
        share, others = rng.beta(self.alpha, self.alpha), rng.permutation(len(x))
        return _mixed(x, x[others], share), _mixed(y, y[others], share)

    @staticmethod
    def _labels(y: Array, classes: int) -> Array:
        if y.ndim != 1 or y.dtype.kind not in "iub" or not 0 <= y.min() <= y.max() < classes:
            got = f"shape {y.shape}, dtype {y.dtype}, from {y.min()} to {y.max()}"
            raise ValueError(sentence("MixUp", f"labels (N,) from 0 to {classes - 1}", got))
        return y


def _mixed(a: Array, b: Array, share: float) -> Array:
    """In the dtype of a."""
    mixed: Array = a * a.dtype.type(share) + b * a.dtype.type(1 - share)
    return mixed


@frozen
class RandomDistortion:
    """Images turned, stretched, sheared and bent, each in a way of its own.

    The pixel at q, counted from the middle of the image, takes the grey value that was at

        A q + t + u(q)        A = R(angle) · shear · diag(1 / stretch)        u = elasticity · (G ∗ noise)

    by bilinear interpolation; outside, images go on as at their margin. The noise is uniform in (−1, 1) for each pixel
    and direction, G a Gaussian: neighbours move together. What a digit means does not change with all this, and a
    network that never sees the same image twice learns so. Needs SciPy. For ``Trainer(augment=[...])``.

    Parameters
    ----------
    shape : (height, width) of the images, which come as rows of a batch (N, height · width), or (N, height, width)
    degrees : float, angles are uniform in (−degrees, degrees)
    stretch : float in [0, 1), height and width are each multiplied by a number in (1 − stretch, 1 + stretch)
    shear : float, in degrees, likewise
    shift : float, in pixels, likewise
    elasticity : float >= 0; with 36 and a smoothness of 5 pixels move by about one pixel
    smoothness : float > 0, standard deviation of G in pixels

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
        """The distorted batch, in new arrays."""
        height, width = self.shape
        n = len(x)
        if math.prod(x.shape[1:]) != height * width:
            check_shape("RandomDistortion", "a batch of images", x, ("N", height * width))
        row, column = self._places(n, rng)
        # One tall image, of which each keeps to its own part: one call for all, and two dimensions, not three.
        row += np.arange(0, n * height, height, dtype=np.float32)[:, None, None]
        tall = x.reshape(n * height, width)
        places = [row.ravel(), column.ravel()]
        found: Array = _ndimage().map_coordinates(tall, places, order=1, mode="nearest", prefilter=False)
        return found.reshape(x.shape), y

    def _places(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Where each pixel of each image takes its grey value from: row and column, (n, height, width)."""
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
        """u, (2, n, height, width)."""
        noise = rng.random((2, n, *self.shape), dtype=np.float32)
        noise *= 2
        noise -= 1
        along_rows, along_columns = self._smoothing
        smooth: Array = along_rows @ noise @ along_columns.T  # ten times as fast as filtering every image
        smooth *= np.float32(self.elasticity)
        return smooth

    @cached_property
    def _smoothing(self) -> list[Array]:
        """The convolution with G along rows and columns, as matrices."""
        eyes = (np.eye(side, dtype=np.float32) for side in self.shape)
        return [_ndimage().gaussian_filter1d(eye, self.smoothness, axis=0, mode="constant") for eye in eyes]


def _ndimage() -> ModuleType:
    return require("scipy.ndimage", "sklearn", "RandomDistortion")
