"""Memory of a fit until its networks train: the encoded rows, and little beside them."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import chainrule as cr
from chainrule.tabular.estimators import members

ROWS, COLUMNS = 20_000, 40
RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=(ROWS, COLUMNS))
WORDS = pd.DataFrame({f"c{k}": RNG.choice(np.array(["oak", "fir", "elm"], object), ROWS) for k in range(COLUMNS)})
FORMS = {
    "matrix": NUMBERS,
    "frame": pd.DataFrame(NUMBERS),
    "columns": {f"x{k}": NUMBERS[:, k] for k in range(COLUMNS)},
    "single": NUMBERS.astype(np.float32),
    "integers": pd.DataFrame((NUMBERS * 1e6).astype(np.int64)),
    "words": WORDS.astype("category"),
}
BESIDE = 4e6  # bytes: the indices of rows, and a few columns at a time


@pytest.mark.parametrize("form", FORMS)
def test_a_fit_holds_the_encoded_rows_and_no_copy_of_the_table(monkeypatch: Any, form: str) -> None:
    rows: list[Any] = []

    def train(crew: Any) -> None:
        rows.extend([crew._task.rows.learned(0), crew._task.rows.held_out(0)])
        raise KeyboardInterrupt

    monkeypatch.setattr(members.Crew, "train", train)
    copies = {"single": 8 * NUMBERS.size, "words": 4 * NUMBERS.size}.get(form, 0)  # as float64, as codes
    tracemalloc.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            cr.TabularRegressor(random_state=0).fit(FORMS[form], NUMBERS[:, 0])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(len(part.x) for part in rows) == ROWS
    assert peak < sum(part.x.nbytes for part in rows) + copies + ROWS * COLUMNS + BESIDE
