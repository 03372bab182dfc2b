"""Which numbers are codes: the compiled scan says what the plain one says, of any array."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.ops import embedding
from chainrule.ops.embedding import all_codes, check_codes
from chainrule.ops.fused import twin

scan = twin(all_codes)
COLUMNS, CODES = np.array([2, 0], np.intp), np.array([4, 2], np.intp)
GOOD = [[1, -5, 3], [0, np.nan, 0], [1, 1.5, 2]]
NO_CODES = [4, -1, 0.5, 3.0000002, -1e-30, 1e30, -1e30, np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", ">f4", "int64", "uint8", "bool"])
def test_codes_of_any_dtype_are_codes(dtype: str) -> None:
    x = np.array([[1, 0, 1], [0, 1, 0]]).astype(dtype)
    for layout in (x, np.asfortranarray(x), x[::-1], np.repeat(x, 2, axis=1)[:, ::2], x[:0]):
        assert scan(layout, COLUMNS, CODES)
        assert all_codes(layout, COLUMNS, CODES)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("value", NO_CODES)
@pytest.mark.parametrize("column", [0, 1, 2])
def test_what_is_no_code_is_found_where_one_must_be(value: float, column: int, dtype: str) -> None:
    for row in range(3):
        x = np.array(GOOD, dtype)
        assert scan(x, COLUMNS, CODES)
        x[row, column] = value
        assert scan(x, COLUMNS, CODES) == all_codes(x, COLUMNS, CODES) == (column == 1)
        if column != 1:
            with pytest.raises(
                ValueError, match=rf"whole numbers from 0 to {3 if column else 1}, got .* at row {row}, c"
            ):
                check_codes("a test", x, COLUMNS, CODES)


@pytest.mark.parametrize(
    ("columns", "codes"),
    [([3], [1]), ([0, 1], [2]), ([-4], [1])],
    ids=["a column beyond", "fewer codes than columns", "a column before"],
)
def test_arguments_that_do_not_fit_are_left_to_the_plain_one(columns: Any, codes: Any) -> None:
    x = np.zeros((2, 3))
    if len(columns) != len(codes):
        assert scan(x, np.array(columns), np.array(codes)) == all_codes(x, np.array(columns), np.array(codes))
        return
    for function in (scan, all_codes):
        with pytest.raises(IndexError):
            function(x, np.array(columns), np.array(codes))


def test_a_code_of_the_op_itself_is_checked() -> None:
    with pytest.raises(ValueError, match="embedding expects codes that are whole numbers from 0 to 1, got 2 at row 1"):
        embedding(np.array([[0.0], [2.0]]), np.ones((2, 3)))
