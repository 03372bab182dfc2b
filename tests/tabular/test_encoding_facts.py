"""Descriptions of encoders: the same bits after a round trip, and a sentence for whatever was changed."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.tabular.encoding import TableEncoder, _digest
from chainrule.tabular.kinds import understand
from chainrule.tabular.reading import read_table
from json_mutations import mutated

from .test_kinds_real import TABLES

TABLE: dict[str, Any] = {
    "n": [1.5, None, 2.5, 4.0, 0.1, 7.5] * 5,
    "sum": ["1,5", "2,25", "?", "7", "3,5", "1.234,5"] * 5,
    "word": ["a", None, "b", "a", "c", "b"] * 5,
    "many": [f"w{at % 12}" for at in range(30)],
    "flag": ["yes", None, "no", "yes", "yes", "no"] * 5,
    "when": [f"2024-{at % 12 + 1:02d}-{at % 28 + 1:02d}" for at in range(30)],
    "text": [f"a text of words, number {at}" for at in range(30)],
}
NEW: dict[str, Any] = {
    "n": [None, 1e300], "sum": ["1.000", "?"], "word": ["new", None], "many": ["w1", "?"], "flag": ["x", "NO"],
    "when": ["1.1.1900", None], "text": ["日本", ""],
}  # fmt: skip
ENCODER = TableEncoder(text_buckets=4).fit(TABLE, missing=["gone"])
DESCRIPTION = ENCODER.to_dict()
EXPECTED = [ENCODER.transform(rows) for rows in (TABLE, NEW)]


def test_a_round_trip_through_json_gives_the_same_bits() -> None:
    again = TableEncoder.from_dict(json.loads(json.dumps(DESCRIPTION)))
    assert again.to_dict() == DESCRIPTION
    for rows, (numbers, codes) in zip((TABLE, NEW), EXPECTED, strict=True):
        found = again.transform(rows)
        assert np.array_equal(found.numbers, numbers)
        assert np.array_equal(found.codes, codes)
    names = ("columns", "feature_names", "feature_roles", "code_names", "code_sizes", "dtype", "scaling")
    assert all(getattr(again, name) == getattr(ENCODER, name) for name in names)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_real_tables_are_encoded_and_come_back_to_the_bit(data_dir: Path, name: str) -> None:
    if not (data_dir / name).is_file():
        pytest.skip(f"the folder named by CHAINRULE_DATA holds no {name}")
    table = read_table(data_dir / name)
    encoder = TableEncoder().fit(table, understand(table, target=TABLES[name][0]))
    numbers, codes = encoder.transform(table)
    assert np.isfinite(numbers).all()
    assert np.abs(numbers).max() <= 3
    assert numbers.std(axis=0).min() > 0
    assert all(0 < codes[:, at].max() < size for at, size in enumerate(encoder.code_sizes))
    assert encoder.unseen(table).keys() <= {kind.name for kind in understand(table) if kind.kind == "category"}
    again = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict()))).transform(table.frame.to_pandas())
    assert np.array_equal(again.numbers, numbers)
    assert np.array_equal(again.codes, codes)


# --- hostile descriptions -----------------------------------------------------------------------------------------


def read(description: Any) -> TableEncoder | None:
    """The encoder that is described; None if it is refused in one sentence."""
    try:
        return TableEncoder.from_dict(description)
    except ValueError as error:
        said = str(error)
    assert said.startswith("TableEncoder.from_dict expects the result of to_dict, got ")
    assert said.endswith("; save it again.")
    assert "\n" not in said
    return None


@pytest.mark.parametrize("part", range(4))
def test_two_thousand_changed_descriptions_are_refused_or_give_the_same(part: int, fuzz_seed: int) -> None:
    rng = np.random.default_rng([fuzz_seed, part])
    taken = 0
    for _ in range(500):
        changed = mutated(DESCRIPTION, rng)
        encoder = read(changed)
        if encoder is not None:
            taken += 1
            for rows, expected in zip((TABLE, NEW), EXPECTED, strict=True):
                assert all(np.array_equal(a, b) for a, b in zip(encoder.transform(rows), expected, strict=True))
    assert taken < 50


@pytest.mark.parametrize("part", range(4))
def test_two_thousand_changed_descriptions_with_a_right_digest_do_no_harm(part: int, fuzz_seed: int) -> None:
    rng = np.random.default_rng([fuzz_seed, 100 + part])
    taken = 0
    for _ in range(500):
        changed = mutated(DESCRIPTION, rng)
        if isinstance(changed, dict):
            changed.pop("digest", None)
            try:
                changed["digest"] = _digest(changed)
            except (ValueError, TypeError):
                continue
        encoder = read(changed)
        if encoder is None:
            continue
        taken += 1
        try:
            numbers, codes = encoder.transform(TABLE)
        except ValueError as error:
            said = str(error)
        else:
            said = "TableEncoder expects"
            assert numbers.shape == (30, len(encoder.feature_names))
            assert np.isfinite(numbers).all()
            assert (codes >= 0).all()
            assert (codes < encoder.code_sizes).all()
        assert said.startswith("TableEncoder expects")
    assert taken > 20


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.update(format=1), "format 1"),
        (lambda d: d.update(columns=[]), "no columns"),
        (lambda d: d.update(columns=d["columns"] * 2), "one twice"),
        (lambda d: d.update(more=1), "the unknown 'more'"),
        (lambda d: d["columns"][0].update(kind="numbers"), "'numbers' for 'kind'"),
        (lambda d: d["columns"][0].update(median=math.nan), "a number that is not finite"),
        (lambda d: d["columns"][2]["words"].append("a"), "a word twice"),
        (lambda d: d["columns"][-1].update(buckets=10**9), "1000000000 for 'buckets'"),
    ],
)
def test_what_is_wrong_is_said(change: Callable[[dict[str, Any]], Any], said: str) -> None:
    changed = copy.deepcopy(DESCRIPTION)
    change(changed)
    changed.pop("digest")
    changed["digest"] = "" if said.endswith("not finite") else _digest(changed)
    with pytest.raises(ValueError, match=said):
        TableEncoder.from_dict(changed)


def test_a_changed_description_is_known_by_its_digest() -> None:
    changed = copy.deepcopy(DESCRIPTION)
    changed["columns"][0]["median"] += 1e-9
    with pytest.raises(ValueError, match="a description that was changed"):
        TableEncoder.from_dict(changed)
