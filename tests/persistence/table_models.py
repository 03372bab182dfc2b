"""Frames with every kind of column, models that were fitted to them, and the same frames with odd values."""

from __future__ import annotations

import warnings
from functools import cache
from unittest.mock import patch

import numpy as np

import chainrule as cr
from chainrule.tabular import recipe

ROWS = 240
SPECIES = ["oak", "fir", "elm", "ash", "yew", "Größe", 'a "b" \\ ??/', "NA"]


def frame():
    """Training rows: numbers, small and large categories, flags, dates, text; most with gaps."""
    rng = np.random.default_rng(1)
    day = np.datetime64("1965-03-01T00:00:00", "us")
    moments = day + rng.integers(0, 3 * 10**15, ROWS).astype("m8[us]")
    words = ["Größe", "GOOD", "tree", "and", "so on", "élan", "日本"]
    return {
        "height": np.where(rng.random(ROWS) < 0.1, np.nan, rng.normal(30, 5, ROWS)),
        "seconds": 1_750_000_000 + rng.integers(0, 600, ROWS),
        "label": rng.choice(SPECIES, ROWS).astype(object),
        "class": rng.choice(["small", "large"], ROWS).astype(object),
        "town, Öst": rng.choice([f"t{at}" for at in range(40)], ROWS).astype(object),
        "felled": rng.choice(["yes", "no", "No", ""], ROWS).astype(object),
        "there": rng.choice(["x", ""], ROWS).astype(object),
        "planted": np.where(rng.random(ROWS) < 0.1, np.datetime64("NaT", "us"), moments),
        "note": np.array([" ".join(rng.choice(words, 5)) + f" {at}" for at in range(ROWS)], object),
    }


def odd_frame():
    """New rows with values that are missing, never seen, spelled otherwise, or out of all range."""
    rows = {name: values.copy() for name, values in frame().items()}
    rows["height"][:3] = [np.inf, -np.inf, np.nan]
    rows["seconds"] = rows["seconds"].astype(np.float64)
    rows["seconds"][:2] = [np.nan, -1e300]
    rows["label"][:5] = ["larch", "?", None, "OAK", "NA"]
    rows["class"][:2] = [None, "huge"]
    rows["town, Öst"][:3] = ["", "t400", None]
    rows["felled"][:5] = ["YeS", "False", "perhaps", None, "oui"]
    rows["there"][:3] = ["y", None, "null"]
    rows["planted"][:5] = np.array(
        ["0001-01-01", "9999-12-31", "NaT", "1969-12-31T23:59:59.999999", "2000-02-29"], "M8[us]"
    )
    rows["note"][:5] = ["", "NA", "x", "日本 Größe\nneu ABC" * 90, "\N{SNOWMAN}"]
    return rows


def target():
    """Three classes, as the columns tell them."""
    rows = frame()
    tall = np.nan_to_num(rows["height"], nan=30) > 30
    return np.where(rows["class"] == "small", "shrub", np.where(tall, "tree", "hedge"))


def numbers():
    """2·10⁹ and a few tens."""
    rows = frame()
    return 2e9 + 50 * (rows["class"] == "small") + np.nan_to_num(rows["height"], nan=30)


def quiet(model, x, y):
    """The model, fitted; a table's network is small, so that its header compiles in no time."""
    with warnings.catch_warnings(), patch.object(recipe, "WIDTHS", (16, 16)):
        warnings.simplefilter("ignore")
        return model.fit(x, y)


@cache
def fitted(kind):
    """A model of this kind, fitted for a few epochs."""
    own = {
        "columns": {"note": "text", "there": "flag", "seconds": "number"},
        "max_epochs": 3,
        "n_ensemble": 2,
        "random_state": 0,
    }
    rng = np.random.default_rng(2)
    models = {
        "classes": lambda: (cr.TabularClassifier(**own), target()),
        "whole numbers as classes": lambda: (cr.TabularClassifier(**own), np.where(target() == "tree", 7, -3)),
        "several labels": lambda: (cr.TabularClassifier(**own), rng.integers(0, 2, (ROWS, 3))),
        "a number": lambda: (cr.TabularRegressor(**own), numbers()),
        "several numbers": lambda: (cr.TabularRegressor(**own), np.stack([numbers(), -numbers() / 1e9], axis=1)),
        "quantiles": lambda: (cr.TabularRegressor(quantiles=[0.1, 0.5, 0.9], **own), numbers()),
        "quantiles of several": lambda: (
            cr.TabularRegressor(quantiles=[0.25, 0.75], **own),
            np.stack([numbers(), -numbers()], axis=1),
        ),
    }
    model, y = models[kind]()
    return quiet(model, frame(), y)


KINDS = (
    "classes",
    "whole numbers as classes",
    "several labels",
    "a number",
    "several numbers",
    "quantiles",
    "quantiles of several",
)


def answer(model, rows):
    """All numbers that it predicts (N, O)."""
    for name in ("predict_proba", "predict_quantiles", "predict"):
        if hasattr(model, name):
            return np.reshape(getattr(model, name)(rows), (len(next(iter(rows.values()))), -1))
    raise AssertionError(model)
