"""Labels as they were given: all of one kind, none missing, integers to the last digit, whatever holds them."""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np

from .checks import Array, is_masked, is_sparse, sentence
from .strangers import as_array, first, is_gap, no_number, numbers_among, place, time_among


def check_no_times(who: str, what: str, values: Any) -> None:
    """Raise for dates and differences of time, which become counts elsewhere, and for values that are masked."""
    if is_masked(values) and np.ma.is_masked(values):
        where = place(values, first(np.ma.getmaskarray(values)))
        raise ValueError(sentence(who, f"{what} without gaps", f"a masked value{where}", "remove or fill these rows"))
    if (found := time_among(values)) is not None:
        raise TypeError(sentence(who, f"{what} to be an array of numbers", *found))


def as_labels(who: str, what: str, values: Any) -> Any:
    """An array of labels, of text, truth values or numbers; sparse values, and what is no array, as they are."""
    if is_sparse(values) or values is None:
        return values
    check_no_times(who, what, values)
    labels = as_array(values)
    if labels.ndim == 0 and isinstance(values, (list, tuple)):
        remedy = "of labels that hold together pass zeros and ones (N, K)"
        raise ValueError(sentence(who, f"a label for each row of {what}", "lists of different lengths", remedy))
    if labels.ndim == 0:
        return values
    if labels.dtype.kind in "ST" or (labels.dtype.kind in "Ufiu" and isinstance(values, (list, tuple))):
        labels = np.array(values, object)  # a list may mix what an array does not
    if labels.dtype.kind == "O":
        labels = _of_one_kind(who, what, values, labels)
    return _to_the_last_digit(who, what, labels) if labels.dtype.kind == "f" and labels.size else labels


def _to_the_last_digit(who: str, what: str, labels: Array) -> Array:
    """Floats in at most 64 bits, if these tell all whole numbers of their size apart."""
    held = labels.astype(np.float64) if labels.dtype.itemsize > 8 else labels
    if (largest := np.abs(labels).max()) >= 2 / np.finfo(held.dtype).eps:
        got = f"{float(largest):.15g} as {held.dtype}, which merges such numbers"
        remedy = "pass text, or integers of 64 bits"
        raise ValueError(sentence(who, f"labels in {what} to the last digit", got, remedy))
    return held


def _of_one_kind(who: str, what: str, values: Any, labels: Array) -> Array:
    """Objects as an array of truth values, integers or floats, or of text."""
    kind = _kind_of(who, what, values, labels)
    if kind == "truth":
        return labels.astype(bool)
    if not kind:
        return labels
    if kind == "text":
        return _plain_text(who, what, values, labels)
    expected = f"labels in {what} that are numbers, or text"
    if kind != "number":
        raise TypeError(sentence(who, expected, f"labels of type {kind}", "pass their names or their values"))
    try:
        numbers: Array = numbers_among(labels)
    except (TypeError, ValueError, OverflowError):
        where, remedy = no_number(values, labels)
        raise TypeError(sentence(who, expected, where, remedy)) from None
    return numbers


def _plain_text(who: str, what: str, values: Any, labels: Array) -> Array:
    """Text of whatever class as that of Python, if NumPy's arrays of text hold it: they cut NUL off the end."""
    plain = np.array([str.__str__(label) for label in labels.flat], object).reshape(labels.shape)
    cut = np.array([label.endswith("\0") for label in plain.flat], bool).reshape(labels.shape)
    if cut.any():
        got = f"{plain[first(cut)]!r}{place(values, first(cut))}, which ends in NUL"
        raise ValueError(sentence(who, f"labels in {what} that NumPy can hold", got, "rename such classes first"))
    return plain


def _kind_of(who: str, what: str, values: Any, labels: Array) -> str:
    """What the labels are, if they are all of one kind and none is missing."""
    examples = {type(label): label for label in labels.flat}
    if any(is_gap(label) or isinstance(label, float) for label in examples.values()):
        gaps = np.array([is_gap(label) or label != label for label in labels.flat]).reshape(labels.shape)
        if gaps.any():
            got = f"{labels[first(gaps)]!r}{place(values, first(gaps))} ({gaps.sum()} in total)"
            remedy = "remove or fill the missing labels first"
            raise ValueError(sentence(who, f"a label for each row of {what}", got, remedy))
    kinds = {_kind(label): label for label in examples.values()}
    if len(kinds) > 1:
        got = " and ".join(sorted(map(repr, kinds.values())))
        raise TypeError(sentence(who, f"labels of one kind in {what}", got, "turn all into text, or all into numbers"))
    return next(iter(kinds), "")


def _kind(label: Any) -> str:
    if isinstance(label, (bool, np.bool_)):
        return "truth"
    if isinstance(label, (str, bytes)):
        return "text" if isinstance(label, str) else "bytes"
    return "number" if isinstance(label, Number) else type(label).__name__
