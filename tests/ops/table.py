"""The table behind the contracts: each op with its arrays, its plain and compiled functions, and its rounding."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.ops import activations
from chainrule.ops.noise import dropout, dropout_by_key
from parity import kernels, precise, ulps, unaligned

SHAPES = ((1, 1), (1, 7), (7, 1), (5, 3), (32, 10), (3, 17), (33, 64), (2, 513), (700, 5), (9, 1100))
ANY_SHAPE = (*SHAPES, (0, 5), (4, 0), (3,), (2, 3, 4))
LARGE = (300.0, 1e4, 1e30)
SPECIAL = (0.0, -0.0, 1.0, -1.0, 3.0, -3.0, 1e-30, -1e-30, *LARGE, *np.negative(LARGE), np.inf, -np.inf, np.nan)


class Draw:
    """Draws arrays of one dtype that begin anywhere in memory, with normal numbers of about one size."""

    def __init__(self, rng: np.random.Generator, dtype: str, size: float = 1.0) -> None:
        self.rng, self.dtype, self.size = rng, dtype, size

    def __call__(self, *shape: int, factor: Any = 1.0, mean: float = 0.0) -> np.ndarray:
        return self.put(factor * self.rng.normal(mean, self.size, shape))

    def put(self, values: Any) -> np.ndarray:
        return unaligned(values, self.dtype)

    def columns(self, rows: int, width: int) -> np.ndarray:
        """Columns of different means and scales."""
        return self(rows, width, mean=1.5, factor=2 * self.rng.uniform(0.1, 10, width))


@dataclass(frozen=True)
class Case:
    """A function at some options. Its results are a tuple; ``out=`` names the first of them, or several."""

    plain: Callable[..., Any]
    compiled: Callable[..., Any] | None
    #: Its arrays for a batch of a shape: (draw, *shape) -> arrays.
    make: Callable[..., tuple[np.ndarray, ...]]
    #: The largest error of each result: (results, *arrays), all of the next precision -> errors. None: the same bits.
    errors: Callable[..., tuple[Any, ...]] | None = None
    outs: int = 1
    #: The arrays whose place the first output of the compiled function may take; of the plain one, the first of these.
    in_place: tuple[int, ...] = (0,)
    shapes: tuple[tuple[int, ...], ...] = SHAPES
    sizes: tuple[float, ...] = (1.0,)
    by_element: bool = False
    #: Other arrays for which the results must be right: (draw) -> arrays.
    others: Callable[[Draw], tuple[np.ndarray, ...]] | None = None
    #: Arrays with a special number in them, (draw, number) -> many arrays, and what tolerances the results then have.
    special: Callable[[Draw, float], Iterator[tuple[np.ndarray, ...]]] | None = None
    close: tuple[float, float] = (1e-5, 1e-5)
    of_largest: bool = False  # whether the second is in units of the largest number of the first array
    #: Where NaN and infinities depend on the way of computing, they are those of the plain op in its own precision.
    own_precision: bool = False

    @property
    def functions(self) -> dict[str, Callable[..., Any]]:
        return {"plain": self.plain} | ({} if self.compiled is None else {"compiled": self.compiled})

    def all_outs(self, rooms):
        """What ``out`` takes: these arrays, and None for the others."""
        return *rooms, *[None] * (self.outs - len(rooms))


def plain(name: str) -> Callable[..., Any]:
    return inspect.unwrap(getattr(ops, name))


def pair(name: str, **options: Any) -> dict[str, Any]:
    """The plain function and the compiled one, None if there is none."""
    found = getattr(kernels, name, None)
    return {"plain": partial(plain(name), **options), "compiled": found and partial(found, **options)}


def run(function, arrays, out=None):
    """All results as a tuple; ``out`` is one too."""
    result = function(*arrays) if out is None else function(*arrays, out=out[0] if len(out) == 1 else out)
    return tuple(part for part in (result if isinstance(result, tuple) else (result,)) if part is not None)


def total(values, axis):
    return np.abs(values).sum(axis=axis, keepdims=axis != 0)


CASES: dict[str, Case] = {}

# Activations, and their pull-backs, which want the input, the output, or neither.

ACTIVATIONS = [name for name in activations.__all__ if not name.endswith("_backward") and name != "prelu"]
OPTIONS = {"leaky_relu": [{"slope": a} for a in (0.0, 0.2, 1.0, 1)], "elu": [{"alpha": a} for a in (0.3, 1.0, 2)]}
SCALE = dict.fromkeys(("gelu", "gelu_tanh", "silu", "mish"), np.abs)  # 1 + tanh has lost its tail
SCALE["hard_sigmoid"] = lambda x: 0.5


def magnitudes(draw):
    wide = [np.linspace(-120, 120, 20001), np.linspace(-800, 800, 4001), np.linspace(-1e4, 1e4, 999)]
    return draw.put(np.concatenate([*wide, draw.rng.choice([-1, 1], 20000) * 10.0 ** draw.rng.uniform(-38, 1, 20000)]))


def activation(name, options):
    op, which = plain(name), [*inspect.signature(plain(name + "_backward")).parameters][1]
    scale = SCALE.get(name, lambda x: 0.0)

    def kept(x):
        return {"x": (x,), "y": (op(x, **options),), "out": ()}[which]

    def special_backward(draw, number):
        x = draw.put(np.repeat(SPECIAL, 23))
        yield np.full_like(x, number), *kept(x)

    shared: dict[str, Any] = dict(shapes=ANY_SHAPE, sizes=(3,), by_element=True, own_precision=True, close=(1e-3, 0))
    yield Case(
        **pair(name, **options),
        **shared,
        make=lambda draw, *shape: (draw(*shape),),
        errors=lambda results, x: (ulps(4, results[0], scale(x)),),
        others=lambda draw: (magnitudes(draw),),
        special=lambda draw, number: iter([(np.full(23, number, draw.dtype),)]),  # for vectors and what is left over
    )
    yield Case(
        **pair(name + "_backward", **options),
        **shared,
        make=lambda draw, *shape: (draw(*shape), *kept(draw(*shape))),
        errors=lambda results, dy, *kept: (ulps(4, results[0], np.abs(dy)),),
        in_place=(0,) if which == "out" else (0, 1),
        others=lambda draw: (draw.put(draw.rng.uniform(0.5, 2, 45001)), *kept(magnitudes(draw))),
        special=special_backward,
    )


for name in ACTIVATIONS:
    for options in OPTIONS.get(name, [{}]):
        title = "".join(f", {key}={value!r}" for key, value in options.items())
        CASES[name + title], CASES[f"{name}_backward{title}"] = activation(name, options)


def special_slopes(draw, number):
    slope = draw.put(np.delete(SPECIAL, [6, 7]))  # not ±1e-30, where two products underflow and only one rounding shows
    return np.full((7, slope.size), number, draw.dtype), slope


def special_prelu_backward(draw, number):
    x, slope = special_slopes(draw, number)
    yield np.ones_like(x), x, slope
    if abs(number) != 1e-30:
        yield -x, x, slope


CASES["prelu"] = Case(
    **pair("prelu"),
    make=lambda draw, *shape: (draw(*shape), draw.put(draw.rng.uniform(-0.5, 1.5, shape[1]))),
    errors=lambda results, x, slope: (ulps(4, results[0]),),
    shapes=(*SHAPES, (0, 5), (4, 0)),
    sizes=(3,),
    special=lambda draw, number: iter([special_slopes(draw, number)]),
    own_precision=True,
    close=(1e-5, 0),
)
CASES["prelu_backward"] = replace(
    CASES["prelu"],
    **pair("prelu_backward"),
    make=lambda draw, *shape: (draw(*shape), *CASES["prelu"].make(draw, *shape)),
    errors=lambda results, dy, x, slope: (
        ulps(4, results[0]),
        ulps(2 + len(x) / 20, results[1], total(dy * x, 0)),
    ),
    outs=2,
    in_place=(0, 1),
    special=special_prelu_backward,
)

CASES["parametric"] = Case(
    **pair("parametric"),
    make=lambda draw, *shape: (draw(*shape), draw(*shape), draw(shape[1])),
    errors=lambda results, x, f, amount: (ulps(2, results[0], np.abs(x) * (1 + np.abs(amount)) + np.abs(f * amount)),),
    shapes=(*SHAPES, (0, 5), (4, 0)),
)
CASES["parametric_backward"] = replace(
    CASES["parametric"],
    **pair("parametric_backward"),
    make=lambda draw, *shape: (draw(*shape), *CASES["parametric"].make(draw, *shape)),
    errors=lambda results, dy, x, f, amount: (
        ulps(2, results[0], np.abs(dy) * (1 + np.abs(amount))),
        ulps(1, results[1]),
        ulps(2 + len(x) / 20, results[2], total(np.abs(dy) * (np.abs(f) + np.abs(x)), 0)),
    ),
    outs=3,
)

# Softmax and its logarithm, over the last axis.


def with_a_special(draw, number):
    """At the beginning, in the middle and at the end of a row, and all over one; in narrow rows and in wide ones."""
    for width in (1, 3, 10, 40, 1500):
        x = draw(20, width)
        x[[0, 1, 2], [0, width // 2, width - 1]] = number
        x[5] = number
        yield x


SOFTMAX = {
    "softmax": lambda y, x: ulps(8 + np.abs(plain("log_softmax")(x)), y),  # the exponent is rounded first
    "log_softmax": lambda y, x: ulps(2, y, np.abs(y).max(axis=-1, keepdims=True, initial=0)),
    "softmax_backward": lambda dx, dy, y: ulps(12, dx, np.abs(y) * (np.abs(dy) + total(dy * y, -1))),
    "log_softmax_backward": lambda dx, dy, y: ulps(12, dx, np.abs(dy) + np.exp(y) * total(dy, -1)),
}
for name, error in SOFTMAX.items():
    CASES[name] = Case(
        **pair(name),
        make=lambda draw, *shape: (draw(*shape),),
        errors=lambda results, *arrays, error=error: (error(results[0], *arrays),),
        shapes=(*SHAPES, (5,), (2, 3, 4), (20, 32), (20, 33), (3, 2049), (0, 5)),
        sizes=(0.01, 3, 300, 1e4),
        special=lambda draw, number: ((x,) for x in with_a_special(draw, number)),
        close=(1e-5, 1e-6),
    )
for name, op in (("softmax", plain("softmax")), ("log_softmax", plain("log_softmax"))):
    CASES[name + "_backward"] = replace(
        CASES[name + "_backward"],
        make=lambda draw, *shape, op=op: (draw(*shape), op(draw(*shape, factor=3))),
        sizes=(1.0,),
        in_place=(0, 1),
        special=lambda draw, number, op=op: (
            (x, op(precise(x)).astype(draw.dtype)) for x in with_a_special(draw, number)
        ),
        close=(1e-3, 1e-5),
        of_largest=True,
    )
CASES["logsumexp"] = Case(**pair("logsumexp"), make=lambda draw, *shape: (draw(*shape),), outs=0)
CASES["logsumexp_backward"] = Case(
    **pair("logsumexp_backward"), make=lambda draw, *shape: (draw(*shape[:-1]), draw(*shape)), outs=0
)

# The affine map: to as many columns, where the output may take the place of x, and to four.

FEW = tuple(shape for shape in SHAPES if shape[1] < 500)  # a product of long doubles takes its time
for title, bias, width in (("", True, None), (", no bias", False, 4), (", to four", True, 4)):
    CASES["affine" + title] = Case(
        **pair("affine"),
        make=lambda draw, n, i, o=width, bias=bias: (draw(n, i), draw(i, o or i), *[draw(o or i)][: bias or 0]),
        errors=lambda results, x, W, *b: (
            ulps(2 + len(W) / 4, results[0], np.abs(x) @ np.abs(W) + sum(map(np.abs, b))),
        ),
        shapes=FEW,
    )
    CASES["affine_backward" + title] = Case(
        **pair("affine_backward", bias=bias),
        make=lambda draw, n, i, o=width: (draw(n, o or i), draw(n, i), draw(i, o or i)),
        errors=lambda results, dy, x, W: (
            ulps(2 + W.shape[1] / 4, results[0], np.abs(dy) @ np.abs(W.T)),
            ulps(2 + len(x) / 4, results[1], np.abs(x.T) @ np.abs(dy)),
            *[ulps(2 + len(x) / 4, db, total(dy, 0)) for db in results[2:]],
        ),
        outs=3,
        shapes=FEW,
    )

# The input layers of networks on tables.


def codes(draw, n, i):
    return draw.put(draw.rng.integers(0, i, (n, 1)))


def waves(draw, n, i):
    return draw(n, i), draw(i, 3), draw(i, 3), draw(i, 3, 2)


CASES["embedding"] = Case(**pair("embedding"), make=lambda draw, n, i: (codes(draw, n, i), draw(i, 3)), in_place=())
CASES["embedding_backward"] = Case(
    **pair("embedding_backward"), make=lambda draw, n, i: (draw(n, 3), codes(draw, n, i), draw(i, 3)), in_place=()
)
CASES["pbld"] = Case(**pair("pbld"), make=lambda draw, n, i: (*waves(draw, n, i), draw(i, 2)), in_place=())
CASES["pbld_backward"] = Case(
    **pair("pbld_backward"), make=lambda draw, n, i: (draw(n, 3 * i), *waves(draw, n, i)), in_place=(), outs=5
)


def pieces(draw, n, i, *bias):
    left = draw.put(np.cumsum(draw.rng.random((i, 3)), axis=1) - 1)
    return draw(n, i), draw(i, 3, 2), draw(i, 2), *bias, left, draw.put(np.full((i, 3), 0.5))


make = lambda draw, n, i: pieces(draw, n, i, draw(i, 2))  # noqa: E731
CASES["piecewise_linear"] = Case(**pair("piecewise_linear"), make=make, in_place=())
make = lambda draw, n, i: (draw(n, 2 * i), *pieces(draw, n, i))  # noqa: E731
CASES["piecewise_linear_backward"] = Case(**pair("piecewise_linear_backward"), make=make, in_place=(), outs=4)

# Standardisation, and the scale after it. Sums are in double, whose roundings float32 does not see.


def sums(array):
    return 8 if array.dtype == np.longdouble else 1


def one_special(draw, number):
    x = draw(20, 30)
    x[3, 5] = number
    return x


for title, bias in (("", True), (", no bias", False)):
    CASES["scale" + title] = Case(
        **pair("scale"),
        make=lambda draw, n, i, bias=bias: (draw.columns(n, i), draw(i), *[draw(i)][: bias or 0]),
        errors=lambda results, x, gain, *bias: (ulps(1, results[0], np.abs(x * gain)),),
        shapes=(*SHAPES, (0, 5)),
        special=lambda draw, number, bias=bias: (
            (x, x[3].copy(), x[2].copy())[: 2 + bias] for x in [one_special(draw, number)]
        ),
        close=(1e-5, 0),
    )
    CASES["scale_backward" + title] = Case(
        **pair("scale_backward", bias=bias),
        make=lambda draw, n, i: (draw(n, i), draw.columns(n, i), draw(i)),
        errors=lambda results, dy, x, gain: (
            ulps(1, results[0]),
            ulps(sums(x), results[1], total(dy * x, 0)),
            *[ulps(sums(x), dbias, total(dy, 0)) for dbias in results[2:]],
        ),
        outs=3,
        in_place=(0, 1),
        shapes=(*SHAPES, (0, 5)),
        special=lambda draw, number: ((x, x.copy(), x[3].copy()) for x in [one_special(draw, number)]),
    )


def standardize_errors(axis, results, x):
    y, inverse, mean, variance = results
    largest = np.abs(x).max(axis=axis, keepdims=True, initial=0)
    variance_error = ulps(2 * sums(x), variance, largest * np.sqrt(variance))
    shifted = variance_error + np.square(ulps(1, largest))  # what rounding the mean does to a variance near 0
    inverse_error = ulps(2, inverse) + inverse * shifted / (variance + 1e-5) / 2
    return ulps(4 * sums(x), y, largest * inverse), inverse_error, ulps(sums(x), mean, largest), variance_error


def special_standardize_backward(axis, draw, number):
    x = one_special(draw, number)
    kept = plain("standardize")(precise(x[::-1].copy()), axis)[:2]
    yield x, *[array.astype(draw.dtype) for array in kept]


for axis, title in enumerate((" (batch)", " (row)")):
    shared = dict(shapes=SHAPES if axis == 0 else (*SHAPES, (0, 5)))
    CASES["standardize" + title] = Case(
        **pair("standardize", axis=axis),
        **shared,
        make=lambda draw, n, i: (draw.columns(n, i),),
        errors=partial(standardize_errors, axis),
        special=lambda draw, number: iter([(one_special(draw, number),)]),
    )
    CASES["standardize_backward" + title] = Case(
        **pair("standardize_backward", axis=axis),
        **shared,
        make=lambda draw, n, i, axis=axis: (draw(n, i), *plain("standardize")(draw.columns(n, i), axis)[:2]),
        errors=lambda results, dy, y, inverse: (
            ulps(2, results[0], np.abs(dy).max(initial=0) * (1 + np.abs(y) * np.abs(y).max(initial=0)) * inverse),
        ),
        in_place=(0, 1),
        special=partial(special_standardize_backward, axis),
        close=(1e-4, 1e-4),
    )

# Noise, whose numbers are the same to the bit.

drawn: dict[str, Any] = dict(shapes=(*ANY_SHAPE, ()), close=(0, 0), own_precision=True)
CASES["dropout"] = Case(
    **drawn,
    plain=lambda x, **out: dropout(x, 0.3, np.random.default_rng(0), **out),
    compiled=kernels and (lambda x, **out: kernels.dropout(x, 0.3, np.random.default_rng(0), **out)),
    make=lambda draw, *shape: (draw(*shape),),
    special=lambda draw, number: iter([(np.full(50, number, draw.dtype),)]),
)
CASES["dropout_backward"] = Case(
    **drawn,
    **pair("dropout_backward"),
    make=lambda draw, *shape: (draw(*shape), draw(*shape)),
    by_element=True,
    special=lambda draw, number: iter(
        [(np.full(50, number, draw.dtype), dropout_by_key(np.ones(50, draw.dtype), 0.5, 9)[1])]
    ),
)
CASES["gaussian_noise"] = Case(
    plain=lambda x, **out: ops.gaussian_noise(x, 0.3, np.random.default_rng(0), **out),
    compiled=None,
    make=lambda draw, *shape: (draw(*shape),),
)
