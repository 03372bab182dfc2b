"""Input checks and the one sentence every error speaks: who, expected what, got what, and what to do."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from .forks import unforked
from .text import MOST, printable

Array: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[Any]]  # NDArray[Any], without importing numpy.typing
RandomState: TypeAlias = "int | np.random.Generator | None"

#: What other libraries call ours, in lower case: for suggestions alone, they are no second names.
_ELSEWHERE: dict[str, list[str]] = {}


def sentence(who: str, expected: str, got: str, remedy: str = "") -> str:
    """``who expects expected, got got; remedy.`` In one line, whatever the names and the texts in it are."""
    who, expected, got, remedy = (printable(part, MOST) for part in (who, expected, got, remedy))
    return f"{who} expects {expected}, got {got}" + (f"; {remedy}." if remedy else ".")


def as_rng(rng: RandomState, who: str = "rng") -> np.random.Generator:
    """The generator itself, a new one from an int seed, or a fresh unpredictable one from None."""
    with unforked:  # NumPy imports np.random when it is first touched
        if isinstance(rng, np.random.Generator):
            return rng
    if rng is None or (isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0):
        return np.random.default_rng(rng)
    raise TypeError(
        sentence(who, "rng to be a non-negative int, a numpy.random.Generator or None", repr(rng), "pass rng=0")
    )


def check_number(
    who: str,
    name: str,
    value: float,
    *,
    minimum: float = -np.inf,
    above: float = -np.inf,
    maximum: float = np.inf,
    below: float = np.inf,
) -> float:
    """``value`` as a float inside its bounds; ``minimum``/``maximum`` are allowed, ``above``/``below`` are not."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(sentence(who, f"{name} to be a number", repr(value)))
    inside = minimum <= value <= maximum and (value > above or above == -np.inf) and (value < below or below == np.inf)
    try:
        number = float(value)
    except OverflowError:  # of an integer
        number = np.inf
    if not inside or not np.isfinite(number):
        bounds = [
            f"{sign} {bound:g}"
            for sign, bound in ((">=", minimum), (">", above), ("<=", maximum), ("<", below))
            if np.isfinite(bound)
        ]
        got = f"{value!r}" if np.isfinite(number) or isinstance(value, float) else "an integer too large for a float"
        raise ValueError(sentence(who, f"{name} {' and '.join(bounds) or 'to be finite'}", got))
    return number


def check_integer(who: str, name: str, value: int, minimum: int = 1) -> int:
    """``value`` as an int of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(sentence(who, f"{name} to be an integer", repr(value)))
    if value < minimum:
        raise ValueError(sentence(who, f"{name} >= {minimum}", repr(value)))
    return int(value)


def check_name(who: str, what: str, name: str, known: Iterable[str]) -> str:
    """``name`` if it is among ``known``; otherwise an error that suggests the nearest."""
    choices = sorted(known)
    if name in choices:
        return name
    got = repr(name) + nearest(str(name), choices)
    raise ValueError(sentence(who, f"the name of {what}", got, "known are " + ", ".join(choices)))


def called_elsewhere(names: Mapping[str, str]) -> None:
    """From now on :func:`nearest` answers each of these names of other libraries with ours."""
    for theirs, ours in names.items():
        _ELSEWHERE.setdefault(theirs, []).append(ours)


def nearest(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'relu'?)``, or nothing where no known name is near."""
    import difflib  # only needed for typos

    by_lower = {choice.lower(): choice for choice in known}
    ours = [choice for choice in _ELSEWHERE.get(name.lower(), ()) if choice.lower() in by_lower]
    near = ours or difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return f" (did you mean {by_lower[near[0].lower()]!r}?)" if near else ""


def check_shape(who: object, what: str, array: Array, shape: tuple[int | str, ...], remedy: str = "") -> None:
    """Raise unless ``array`` has this shape; a letter such as ``"N"`` stands for any length.

    ``who`` may be any object: it is written out only in the error.
    """
    fits = array.shape == shape or (
        array.ndim == len(shape)
        and all(isinstance(want, str) or want == have for want, have in zip(shape, array.shape, strict=True))
    )
    if not fits:
        written = ", ".join(str(n) for n in shape) + ("," if len(shape) == 1 else "")
        raise ValueError(sentence(str(who), f"{what} of shape ({written})", str(array.shape), remedy))


def check_finite(who: str, what: str, array: Any, first_row: int = 0, of: Any = None) -> None:
    """Raise at the first NaN or infinity, naming its row (the array's first is ``first_row``) and column.

    ``of`` are the values that the array was made of: a frame knows the names of its columns.
    """
    numbers: Array = array.data if is_sparse(array) else array
    if numbers.dtype.kind != "f" or all_finite(numbers):
        return
    from .strangers import first, place

    bad = ~np.isfinite(numbers)
    found = first(bad)
    where = _place(array, *found) if is_sparse(array) else found
    count = f" ({int(bad.sum())} in total)" if where else ""
    these = "the missing values" if np.isnan(numbers[found]) else "these rows"
    remedy = f"remove or fill {these if where else 'it'} first"
    got = f"{numbers[found]}{place(of, where, first_row)}{count}"
    raise ValueError(sentence(who, f"finite numbers in {what}", got, remedy))


def all_finite(array: Array) -> bool:
    """Whether no number is NaN or infinite. A finite sum says so; where it overflows, the extremes do.

    Neither needs an array as large as the data.

    Not the BLAS's dot product, though it is faster: its threads would go on spinning for some 25 ms after it, in the
    way of the training that comes next.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.sum(array)) or (np.isfinite(array.min()) and np.isfinite(array.max())))


def is_masked(values: Any) -> bool:
    """Whether this is a masked array; there are none before numpy.ma is imported, which NumPy itself does late."""
    known = getattr(sys.modules.get("numpy.ma"), "MaskedArray", None)
    return known is not None and isinstance(values, known)


def is_sparse(values: Any) -> bool:
    """Whether this is one of SciPy's sparse matrices or arrays; there are none before scipy.sparse is imported."""
    if isinstance(values, np.ndarray):
        return False
    known = getattr(sys.modules.get("scipy.sparse"), "issparse", None)
    return known is not None and bool(known(values))


def is_source(data: Any) -> bool:
    """Whether these are rows to be read in groups, a :class:`~chainrule.data.streams.Source`."""
    return hasattr(data, "lengths") and callable(getattr(data, "read", None))


def as_samples(
    who: str, x: Any, dtype: np.dtype[Any] | type | None = None, of: Any = None, first_row: int = 0
) -> Array:
    """x (N, ...) as numbers: dense, or in SciPy's CSR format if it is sparse, whose length is ``x.shape[0]`` alone."""
    if is_sparse(x):
        sparse: Array = as_csr(who, x, dtype, first_row)
        return sparse
    array = as_numeric(who, "x", x, dtype, of, first_row)
    if array.ndim == 0:
        raise ValueError(sentence(who, "a batch of samples", "a single number", "pass x of shape (N, ...)"))
    return array


def as_csr(who: str, x: Any, dtype: np.dtype[Any] | type | None = None, first_row: int = 0) -> Any:
    """Sparse x (N, I) of any format in the one whose rows lie together; x itself if it is so already."""
    if x.ndim != 2:
        raise ValueError(sentence(who, "sparse x of shape (N, I)", str(x.shape), "pass a matrix of one row a sample"))
    if x.dtype.kind not in "fiub":
        raise TypeError(sentence(who, "x to be sparse and of numbers", f"dtype {x.dtype}"))
    x = x.tocsr()
    try:
        with np.errstate(over="raise"):
            return x.astype(x.dtype if dtype is None else dtype, copy=False)
    except FloatingPointError:
        raise _beyond(who, "x", x, dtype, None, first_row) from None


def _place(x: Any, index: int) -> tuple[int, int]:
    """The row and column of a number that is stored in the sparse x."""
    entries = x.tocoo()
    return int(entries.row[index]), int(entries.col[index])


def as_numeric(
    who: str, what: str, values: Any, dtype: np.dtype[Any] | type | None = None, of: Any = None, first_row: int = 0
) -> Array:
    """``values`` as an array of numbers, gaps among them as NaN; whatever else is no number is refused in a sentence.

    So is a number that is finite and that ``dtype`` cannot hold. ``of`` are the values that these were made of: a frame
    knows the names of its columns.
    """
    try:
        array = np.asarray(values)
    except Exception as error:  # of the list, or of whatever library the values come from
        ragged = isinstance(values, (list, tuple)) and isinstance(error, ValueError)
        got = "rows of different lengths" if ragged else f"a {type(values).__name__} that NumPy cannot read: {error}"
        raise TypeError(sentence(who, f"{what} to be an array of numbers", got)) from None
    if type(values) is not np.ndarray:
        array = _without_loss(who, what, values, array)
    if array.dtype.kind not in "fiub":
        array = _objects_as_numbers(who, what, values, array)
    if dtype is None or array.dtype == dtype:
        return array
    try:
        with np.errstate(over="raise"):
            return array.astype(dtype)
    except FloatingPointError:
        raise _beyond(who, what, array, dtype, values if of is None else of, first_row) from None


def _beyond(who: str, what: str, array: Any, dtype: Any, of: Any, first_row: int) -> ValueError:
    """The error for a finite number that is infinite in ``dtype``."""
    from .strangers import first, place

    numbers: Array = array.data if is_sparse(array) else array
    with np.errstate(over="ignore"):
        beyond = np.isfinite(numbers) & ~np.isfinite(numbers.astype(dtype))
    found, name = first(beyond), np.dtype(dtype).name
    where = place(of, _place(array, *found) if is_sparse(array) else found, first_row)
    expected = f"numbers in {what} that {name} can hold, up to {np.finfo(dtype).max:.2g}"
    remedy = "scale it first" + (', or build the network with dtype="float64"' if name == "float32" else "")
    return ValueError(sentence(who, expected, f"{numbers[found]:g}{where} ({int(beyond.sum())} in total)", remedy))


def _without_loss(who: str, what: str, values: Any, array: Array) -> Array:
    """What is masked as NaN; a frame refused whose dates would be counts beside its numbers."""
    if hasattr(values, "columns"):
        from .strangers import time_among

        if array.dtype.kind in "fiub" and (found := time_among(values)):
            raise TypeError(sentence(who, f"{what} to be an array of numbers", *found))
    elif is_masked(values) and array.dtype.kind in "fiub" and np.ma.is_masked(values):
        array = np.ma.filled(values.astype(np.float64), np.nan)
    return array


def within(values: Array, low: float, high: float) -> bool:
    """Whether all values, of which there is at least one, lie from ``low`` to ``high``; NaN does not."""
    return bool(values.min() >= low and values.max() <= high)


def _objects_as_numbers(who: str, what: str, values: Any, array: Array) -> Array:
    from .strangers import no_number, numbers_among, stranger

    if array.ndim == 0 and array.dtype.kind == "O" and is_sparse(array.item()):
        found: tuple[str, str] | None = "a sparse one", f"pass {what}.toarray()"
    else:
        found = stranger(values, array)
    if found is None:
        try:
            numbers: Array = numbers_among(array)
            return numbers
        except (TypeError, ValueError, OverflowError):
            found = no_number(values, array)
    raise TypeError(sentence(who, f"{what} to be an array of numbers", *found))


def require(module: str, extra: str, who: str) -> ModuleType:
    """Import an optional module, or say in one sentence how to install it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise  # the module is there, but something that it needs is not: its own message is the better one
        package = module.split(".")[0]
        raise ModuleNotFoundError(
            f"{who} needs {package}, which is not installed: pip install 'chainrule[{extra}]'", name=package
        ) from None
