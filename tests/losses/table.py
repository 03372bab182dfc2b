"""Every loss with targets for it; and the losses as rows of the contracts, with gradient and value as two results."""

from __future__ import annotations

import copy
from functools import partial

import numpy as np

from chainrule import losses
from ops.table import Case
from parity import kernels


def labels(draw, z):
    return draw.rng.integers(z.shape[1], size=len(z))


def shares(draw, z):
    return draw.put(draw.rng.dirichlet(np.ones(z.shape[1]), size=len(z)))


def fractions(draw, z):
    return draw.put(draw.rng.uniform(size=z.shape))


def bits(draw, z):
    return draw.rng.integers(2, size=z.shape)


def counts(draw, z):
    return draw.put(draw.rng.poisson(2, size=z.shape))


def numbers(draw, z, outputs=1):
    return draw.put(draw.rng.standard_normal((len(z), z.shape[1] // outputs)))


#: The loss, what draws its targets, and the number of outputs for each target.
LOSSES = {
    "cross_entropy_labels": (losses.CrossEntropy(), labels, 1),
    "cross_entropy_labels, smoothed": (losses.CrossEntropy(label_smoothing=0.1), labels, 1),
    "cross_entropy_labels, class weights": (losses.CrossEntropy(class_weight={0: 0.0, 1: 4.0}), labels, 1),
    "cross_entropy_soft": (losses.CrossEntropy(), shares, 1),
    "cross_entropy_soft, smoothed": (losses.CrossEntropy(label_smoothing=0.1), shares, 1),
    "cross_entropy_soft, both": (losses.CrossEntropy(label_smoothing=0.2, class_weight={1: 4.0}), shares, 1),
    "labels_from_probabilities": (losses.CrossEntropy(from_logits=False), labels, 1),
    "labels_from_probabilities, both": (losses.CrossEntropy(False, 0.2, class_weight={1: 4.0}), labels, 1),
    "shares_from_probabilities": (losses.CrossEntropy(False, class_weight={0: 0.0, 1: 3.0}), shares, 1),
    "binary_cross_entropy": (losses.BinaryCrossEntropy(), fractions, 1),
    "binary_cross_entropy, bits": (losses.BinaryCrossEntropy(), bits, 1),
    "bits_from_probabilities": (losses.BinaryCrossEntropy(from_logits=False), fractions, 1),
    "squared_error": (losses.SquaredError(), numbers, 1),
    "half_squared_error": (losses.HalfSquaredError(), numbers, 1),
    "absolute_error": (losses.AbsoluteError(), numbers, 1),
    "huber": (losses.Huber(), numbers, 1),
    "huber, narrow": (losses.Huber(0.3), numbers, 1),
    "log_cosh": (losses.LogCosh(), numbers, 1),
    "poisson_nll": (losses.PoissonNLL(), counts, 1),
    "quantile": (losses.Quantile((0.1, 0.5, 0.8)), partial(numbers, outputs=3), 3),
    "quantile, one": (losses.Quantile((0.3,)), numbers, 1),
    "gaussian_nll": (losses.GaussianNLL(), partial(numbers, outputs=2), 2),
    "gaussian_nll, floor": (losses.GaussianNLL(0.5), partial(numbers, outputs=2), 2),
}
SHAPES = (
    *((n, 10) for n in (1, 2, 16, 17, 33, 700)),
    *((5, k) for k in (1, 2, 3, 10, 32, 33, 64, 1030, 2100)),
    (1100, 4),
)


def problem(name, draw, rows, width):
    """z and y of about this width: what the loss takes."""
    loss, target, each = LOSSES[name]
    classes = isinstance(loss, losses.CrossEntropy)
    width = max(2 if classes else 1, width // each) * each
    if "probabilities" in name:
        z = draw.rng.dirichlet(3 * np.ones(width), rows) if classes else draw.rng.uniform(0.05, 0.95, (rows, width))
        z = draw.put(z)
    else:
        z = draw(rows, width)
    return z, target(draw, z)


def without_kernel(loss):
    """The same loss, computed by its equations: a method replaced on the object has no kernel."""
    plain = copy.copy(loss)
    object.__setattr__(plain, "terms", loss.terms)
    return plain


def gradient_and_value(function, *arrays, **out):
    return function(*arrays, **out)[::-1]


def by_kernel(loss, z, y, weight=None, out=None):
    """By the kernel itself, without a check before it; what it leaves to the equations, by the loss."""
    direct = isinstance(y, np.ndarray) and getattr(loss, "class_weight", None) is None
    kernel = loss.kernel(y) if direct else None
    found = kernel and kernels.compiled_loss(*kernel, z, y, weight, out)
    return found or loss(z, y, weight, out)


def errors(name, results, z, y, weight=None):
    loss, _, _ = LOSSES[name]
    epsilon = np.finfo(np.float32 if z.dtype == np.float64 else np.float64).eps
    weight = loss.sample_weight(z, y, weight)
    share = np.full(len(z), 1 / len(z)) if weight is None else weight / (weight.sum() or 1)
    total = np.abs(loss.terms(z, y)[0]).reshape(len(z), -1).sum(axis=1) @ share
    grows = name in ("squared_error", "half_squared_error", "absolute_error", "poisson_nll")
    largest = share.max() * max(1.0, np.abs(z).max() if grows else 1.0)
    roundings = 8 if z.dtype == np.float64 else 40  # of a sum over the rows in double too
    # what is subtracted from what is 1 at most, or as large as the rate of a Poisson
    return 100 * epsilon * np.abs(results[0]) + 4 * epsilon * largest, roundings * epsilon * max(total, share.max())


def case(name, weighted):
    def make(draw, rows, width):
        return *problem(name, draw, rows, width), *[draw.rng.uniform(0.5, 2, rows)][:weighted]

    loss = LOSSES[name][0]
    compiled = partial(gradient_and_value, partial(by_kernel, loss))
    return Case(
        plain=partial(gradient_and_value, without_kernel(loss)),
        compiled=kernels and compiled,
        make=make,
        errors=partial(errors, name),
        shapes=SHAPES,
        sizes=(1e-3, 2, 300, 1e4),
    )


LOSS_CASES = {name + title: case(name, weighted) for name in LOSSES for title, weighted in (("", 0), (", weighted", 1))}
