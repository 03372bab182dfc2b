"""The encoder of model files that version 0.1.0 wrote: its numbers, its words, and descriptions that are none."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from chainrule.tabular.earlier import EarlierEncoder

NEW = {"height": [5, 9], "age": [1.5, 2], "kind": ["oak", "elm"]}


def facts() -> dict[str, Any]:
    """Of a table of trees, as it was written."""
    inputs = [{"name": "height", "mean": 5.0, "scale": 2.0}, {"name": "age", "mean": 1.5, "scale": 1.0}]
    target = {"name": "cut", "classes": ["no", "yes"], "mean": 0.0, "scale": 1.0}
    words = {"name": "kind", "values": ["NA", "fir", "oak"]}
    return {"format": 1, "task": "classification", "dtype": "float32", "target": target, "inputs": [*inputs, words]}


def test_numbers_are_standardised_and_words_are_one_hot() -> None:
    encoder = EarlierEncoder.from_dict(facts())
    assert encoder.feature_names == ["height", "age", "kind=NA", "kind=fir", "kind=oak"]
    x = encoder.transform(NEW)
    assert x.dtype == np.float32
    assert x.tolist() == [[0, 0, 0, 0, 1], [2, 0.5, 0, 0, 0]]
    assert encoder.unseen(NEW) == {"kind": (1, ["elm"])}
    assert encoder.decode([[0.3, 0.7], [1, 0]]).tolist() == ["yes", "no"]
    assert encoder.to_dict() == facts()


def test_a_word_for_missing_that_is_a_category_stays_one() -> None:
    encoder = EarlierEncoder.from_dict(facts())
    assert encoder.transform(NEW | {"kind": ["NA", "fir"]})[:, 2:].tolist() == [[1, 0, 0], [0, 1, 0]]


def test_numbers_come_back_in_their_units() -> None:
    numbers = {"name": "price", "classes": [], "mean": 100.0, "scale": 4.0}
    encoder = EarlierEncoder.from_dict(facts() | {"task": "regression", "target": numbers})
    assert encoder.decode([[0.0], [-2.5]]).tolist() == [100, 90]


@pytest.mark.parametrize("column, cells", [("height", [5, None]), ("kind", ["oak", "?"]), ("kind", ["oak", None])])
def test_what_is_missing_is_refused_as_it_was_then(column: str, cells: list[Any]) -> None:
    encoder = EarlierEncoder.from_dict(facts())
    with pytest.raises(ValueError, match=f"a value in every cell of column '{column}', got a missing value at row 1"):
        encoder.transform(NEW | {column: cells})


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="a column 'kind'"):
        EarlierEncoder.from_dict(facts()).transform({"height": [1], "age": [2]})


def changed(path: list[Any], value: Any) -> dict[str, Any]:
    """The facts with one of them replaced, or deleted by an Ellipsis."""
    whole = copy.deepcopy(facts())
    inner: Any = whole
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return whole


@pytest.mark.parametrize(
    "path, value",
    [
        (["format"], 99),
        (["format"], ...),
        (["task"], "guess"),
        (["task"], "regression"),  # which has no classes
        (["task"], None),
        (["dtype"], "object"),
        (["target"], []),
        (["target", "name"], 3),
        (["target", "name"], "kind"),
        (["target", "classes"], ["yes", "no"]),
        (["target", "classes"], ["no", "no"]),
        (["target", "classes"], ["no"]),
        (["target", "classes"], []),
        (["target", "classes"], [1, "no"]),
        (["target", "classes"], [False, True]),
        (["target", "classes"], [0.0, float("nan")]),
        (["target", "classes"], "no"),
        (["target", "scale"], 0.0),
        (["inputs"], []),
        (["inputs"], {"name": "height"}),
        (["inputs", 0], 7),
        (["inputs", 0, "name"], ["height"]),
        (["inputs", 0, "name"], "kind"),
        (["inputs", 0, "mean"], float("nan")),
        (["inputs", 0, "mean"], "4"),
        (["inputs", 0, "mean"], True),
        (["inputs", 0, "mean"], 10**400),
        (["inputs", 0, "mean"], ...),
        (["inputs", 0, "scale"], -1.0),
        (["inputs", 0, "scale"], float("inf")),
        (["inputs", 2, "values"], []),
        (["inputs", 2, "values"], ["oak", "elm"]),
        (["inputs", 2, "values"], [1, 2]),
    ],
)
def test_from_dict_trusts_nothing(path: list[Any], value: Any) -> None:
    EarlierEncoder.from_dict(facts())
    with pytest.raises(ValueError, match=r"^EarlierEncoder expects the encoder that ") as caught:
        EarlierEncoder.from_dict(changed(path, value))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", [None, [], "facts", 3, {}])
def test_from_dict_wants_a_dict(value: Any) -> None:
    with pytest.raises(ValueError, match="the encoder that was written"):
        EarlierEncoder.from_dict(value)
