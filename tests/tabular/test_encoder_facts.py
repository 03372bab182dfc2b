"""A fitted TableEncoder as JSON and back, to the last bit, trusting nothing that it reads."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data.tables import Table
from chainrule.tabular import TableEncoder

from .conftest import trees


@given(
    numbers=st.lists(st.floats(-1e150, 1e150), min_size=6, max_size=6),
    text=st.lists(st.text(min_size=1, max_size=4), min_size=6, max_size=6),
    target=st.sampled_from([["a", "b", "a"] * 2, [1, 2, 3] * 2, [0.25, 1.1, 7.3] * 2, [1.5, 2.5] * 3]),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_through_json_and_back_to_the_last_bit(
    numbers: list[float], text: list[str], target: list[Any], dtype: str
) -> None:
    table = Table({"n": numbers, "t": text, "y": target})
    encoder = TableEncoder(dtype=dtype).fit(table, "y")
    again = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict(), allow_nan=False)))
    assert again.to_dict() == encoder.to_dict()
    assert (again.task, again.classes, again.columns) == (encoder.task, encoder.classes, encoder.columns)
    assert again.transform(table).tobytes() == encoder.transform(table).tobytes()
    assert again.encode_target(table).tobytes() == encoder.encode_target(table).tobytes()
    outputs = np.linspace(-1, 1, 3 * max(1, len(encoder.classes))).reshape(3, -1)
    assert again.decode(outputs).tolist() == encoder.decode(outputs).tolist()


def facts() -> dict[str, Any]:
    return TableEncoder().fit(trees(), "cut").to_dict()


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
    TableEncoder.from_dict(facts())
    with pytest.raises(ValueError, match=r"^TableEncoder\.from_dict expects the result of to_dict, got ") as caught:
        TableEncoder.from_dict(changed(path, value))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", [None, [], "facts", 3, {}])
def test_from_dict_wants_a_dict(value: Any) -> None:
    with pytest.raises(ValueError, match="the result of to_dict"):
        TableEncoder.from_dict(value)
