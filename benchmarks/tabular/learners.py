"""The learners of tables, each with its library's defaults, and how each is given a frame.

A learner is written as its name and what differs from its defaults: ``catboost+iterations=200``. What is for
classifiers alone begins with ``classes.``, what is for regressors with ``numbers.``. Ours can also be without a part of
its recipe, ``chainrule+without=waves``, or with an idea: see ``ablations.py``. A frame is prepared inside the time that
is measured, because its users have to do so too.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import chainrule
from chainrule._support.checks import Array, check_name

from ..grid import NotOffered
from . import ablations
from .sets import Part

OURS = "chainrule"


# --- what each takes in place of a frame: raw, or with categories, strings, indicators, one-hot columns -------------


class Raw:
    """The frame as it is."""

    def fit(self, x: Any) -> None:
        """Look at the training rows."""
        self.words = [name for name in x.columns if x[name].dtype.kind not in "iufb"]

    def __call__(self, x: Any) -> Any:
        """The rows as the library takes them."""
        return x

    def options(self) -> dict[str, Any]:
        """The other arguments of ``fit``."""
        return {}


class Categories(Raw):
    """Text as pandas categories, those of the training rows; columns named by place, as LightGBM asks."""

    def fit(self, x: Any) -> None:
        super().fit(x)
        self.known = {name: sorted(x[name].dropna().unique()) for name in self.words}

    def __call__(self, x: Any) -> Any:
        import pandas as pd

        x = x.assign(**{name: pd.Categorical(x[name], categories=known) for name, known in self.known.items()})
        return x.set_axis([f"f{place}" for place in range(x.shape[1])], axis=1)


class Strings(Raw):
    """Text as strings, a missing one too, as CatBoost asks."""

    def __call__(self, x: Any) -> Any:
        return x.assign(**{name: x[name].astype(object).where(x[name].notna(), "missing") for name in self.words})

    def options(self) -> dict[str, Any]:
        return {"cat_features": self.words}


class Indicated(Categories):
    """Categories, and for a number that is missing the mean, with one more category that says so: as TabArena does."""

    def fit(self, x: Any) -> None:
        super().fit(x)
        numbers = x.drop(columns=self.words)
        self.means = {name: numbers[name].mean() for name in numbers.columns if numbers[name].isna().any()}
        self.usual = {name: numbers[name].mean() for name in numbers.columns}

    def __call__(self, x: Any) -> Any:
        gaps = {f"{name} missing": x[name].isna().astype(str).astype("category") for name in self.means}
        x = super().__call__(x.fillna(self.usual))
        return x.assign(**gaps)


class OneHot(Raw):
    """Text as one-hot columns; numbers standardised, missing ones as the median with an indicator."""

    def fit(self, x: Any) -> None:
        from sklearn.compose import make_column_transformer
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        super().fit(x)
        numbers = [name for name in x.columns if name not in self.words]
        self.table = make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), self.words),
        ).fit(x)

    def __call__(self, x: Any) -> Any:
        return self.table.transform(x)


# --- the libraries ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Library:
    """Where its classifier and its regressor are, and what both are given."""

    package: str
    module: str
    classifier: str
    regressor: str
    prepare: Callable[[], Raw] = Raw
    seed: str = "random_state"
    given: dict[str, Any] = field(default_factory=dict)
    standardised: bool = False  # whether a number to predict is

    @property
    def installed(self) -> bool:
        """Whether it can be imported."""
        return find_spec(self.module.split(".")[0]) is not None


_TABKIT = ("pytabkit", "pytabkit")
LIBRARIES = {
    "scikit-learn-mlp": Library(
        "scikit-learn", "sklearn.neural_network", "MLPClassifier", "MLPRegressor", OneHot, standardised=True
    ),
    "hist-gradient-boosting": Library(
        *("scikit-learn", "sklearn.ensemble"),
        *("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
        Categories,
    ),
    "lightgbm": Library(
        *("lightgbm", "lightgbm", "LGBMClassifier", "LGBMRegressor"), Categories, given={"verbose": -1}
    ),
    "xgboost": Library(
        *("xgboost", "xgboost", "XGBClassifier", "XGBRegressor"), Categories, given={"enable_categorical": True}
    ),
    "catboost": Library(
        *("catboost", "catboost", "CatBoostClassifier", "CatBoostRegressor"),
        Strings,
        given={"verbose": 0, "allow_writing_files": False},
    ),
    "realmlp-td": Library(*_TABKIT, "RealMLP_TD_Classifier", "RealMLP_TD_Regressor", Indicated),
    "realmlp-td-s": Library(*_TABKIT, "RealMLP_TD_S_Classifier", "RealMLP_TD_S_Regressor", Indicated),
    "tabm": Library(*_TABKIT, "TabM_D_Classifier", "TabM_D_Regressor", Indicated),
    OURS: Library("chainrule", "chainrule", "TabularClassifier", "TabularRegressor"),
}
CHANGES = {"without": ablations.take_out, "with": ablations.put_in}
DEFAULT = [*(name for name in LIBRARIES if name != OURS), *(f"{OURS}+preset={p}" for p in ("fast", "default", "best"))]


class Learner:
    """One of them, with what differs from its defaults."""

    def __init__(self, name: str) -> None:
        self.key, *changes = name.split("+")
        check_name("bench", "a learner", self.key, LIBRARIES)
        self.name, self.library = name, LIBRARIES[self.key]
        self.given = dict(self.library.given)
        for change in changes:
            parameter, _, value = change.partition("=")
            self.given[parameter] = _value(value)
        ours = self.key == OURS
        self.changes = {word: self.given.pop(word) for word in CHANGES if ours and word in self.given}

    @cached_property
    def version(self) -> str:
        """Its package's; ours with a digest of the sources, so that a fit of other sources is not taken for one."""
        if self.key == OURS:
            return f"{chainrule.__version__}-{digest()}"
        try:
            return version(self.library.package)
        except PackageNotFoundError:
            return "unknown"

    def change(self) -> None:
        """Make the changes of our recipe in this process."""
        for word, name in self.changes.items():
            CHANGES[word](name)

    def fit(self, part: Part, classes: int, seed: int) -> Fitted:
        """A new estimator, trained on these rows."""
        cls = getattr(importlib.import_module(self.library.module), self._class(classes))
        try:
            estimator = cls(**{self.library.seed: seed} | self._parameters(classes))
        except TypeError as error:
            raise NotOffered(str(error)) from None
        prepare = self.library.prepare()
        prepare.fit(part.x)
        y, mean, scale = part.y, 0.0, 1.0
        if self.library.standardised and not classes:
            mean, scale = float(y.mean()), float(y.std())
            y = (y - mean) / scale
        estimator.fit(prepare(part.x), y, **prepare.options())
        return Fitted(estimator, prepare, classes, mean, scale)

    def _parameters(self, classes: int) -> dict[str, Any]:
        """What the classifier or the regressor is given: ``classes.metric`` is for the first alone."""
        own, other = ("classes.", "numbers.") if classes else ("numbers.", "classes.")
        return {name.removeprefix(own): value for name, value in self.given.items() if not name.startswith(other)}

    def _class(self, classes: int) -> str:
        return self.library.classifier if classes else self.library.regressor


@dataclass(frozen=True)
class Fitted:
    """What answers rows of a frame."""

    estimator: Any
    prepare: Raw
    classes: int
    mean: float
    scale: float

    def answer(self, x: Any) -> Array:
        """Probabilities of all classes (N, K), or numbers (N,)."""
        given = self.prepare(x)
        if not self.classes:
            return np.asarray(self.estimator.predict(given), np.float64).reshape(-1) * self.scale + self.mean
        p = np.zeros((len(x), self.classes))
        p[:, np.asarray(self.estimator.classes_, int)] = self.estimator.predict_proba(given)
        return p


def digest() -> str:
    """Eight digits of a hash of our sources."""
    made, place = hashlib.sha256(), Path(chainrule.__file__).parent
    for path in sorted(place.rglob("*")):
        if path.suffix in {".py", ".pyx", ".pxi", ".h", ".def"}:
            made.update(path.read_bytes())
    return made.hexdigest()[:8]


def _value(text: str) -> Any:
    """A number, true, false, null or a list as JSON; otherwise a word."""
    try:
        return json.loads(text)
    except ValueError:
        return text
