"""Samples of each column, from what fitted estimators know about it.

A scaler has means and standard deviations, an encoder categories, and our estimators statistics of the training data.
For a pipeline step that has none, samples of the next step go through its inverse.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._support.checks import Array

QUARTILES = 1.349  # by how much those of a normal distribution are apart, in deviations
#: Where estimators that hold others keep a fitted one that takes the same rows.
INNER = ("best_estimator_", "regressor_", "estimators_", "calibrated_classifiers_", "estimator_", "estimator")
Columns = list[Array | None]  # None for one that nothing is known of


# --- which estimator is it -------------------------------------------------------------------------------------------


def first_step(estimator: Any) -> Any:
    """The step that gets the rows first, inside pipelines, searches and other wrappers."""
    while (steps := steps_of(estimator)) or (inner := inner_estimator(estimator)) is not None:
        estimator = steps[0] if steps else inner
    return estimator


def last_step(estimator: Any) -> Any:
    """The last step of a pipeline, the best estimator of a search, or the estimator itself."""
    while hasattr(estimator, "steps") or hasattr(estimator, "best_estimator_"):
        estimator = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator.best_estimator_
    return estimator


def steps_of(estimator: Any) -> list[Any]:
    """The steps of a pipeline, without those that pass rows through."""
    return [step for _, step in getattr(estimator, "steps", None) or () if not does_nothing(step)]


def without_idle_steps(estimator: Any) -> Any:
    """The same pipeline, or search for one, without the steps that its user has disabled."""
    if hasattr(estimator, "best_estimator_"):
        held = {"best_estimator_": without_idle_steps(estimator.best_estimator_)}
    elif isinstance(steps := getattr(estimator, "steps", None), list):
        held = {"steps": [(name, step) for name, step in steps if step is not None and not isinstance(step, str)]}
    else:
        return estimator
    other = copy.copy(estimator)
    vars(other).update(held)
    return other


def inner_estimator(estimator: Any) -> Any | None:
    """A fitted estimator inside another that gets the same rows."""
    for name in INNER:
        inner = getattr(estimator, name, None)
        inner = inner[0] if isinstance(inner, list) and inner else inner
        inner = inner if hasattr(inner, "n_features_in_") else getattr(inner, "estimator", None)
        if getattr(inner, "n_features_in_", None) == getattr(estimator, "n_features_in_", -1):
            return inner
    return None


def does_nothing(step: Any) -> bool:
    """Whether a step passes rows through unchanged."""
    is_function = type(step).__name__ == "FunctionTransformer"
    return step is None or step == "passthrough" or (is_function and step.func is None)


def needs_frame(estimator: Any) -> bool:
    """Whether it selects columns by name, or needs text, which an array of numbers lacks."""
    first = first_step(estimator)
    chosen = [name for _, _, names in getattr(first, "transformers_", ()) for name in _listed(names)]
    return any(isinstance(name, str) for name in chosen) or _takes_text(first)


def _takes_text(estimator: Any) -> bool:
    """Whether its first step, or one of several parallel first steps, knows text of a column."""
    first = first_step(estimator)
    facts = [*getattr(first, "categories_", ()), getattr(first, "statistics_", ())]
    known = any(np.asarray(one).dtype.kind in "OUST" for one in facts)
    return known or any(_takes_text(one) for _, one, _ in getattr(first, "transformers_", ()))


# --- what it knows ---------------------------------------------------------------------------------------------------


def typical_columns(estimator: Any, count: int, rng: np.random.Generator, typed: bool = False) -> Columns:
    """Return ``count`` numbers, or texts, for each input column of an estimator.

    ``typed`` leaves out columns whose dtype, integer or float, is unknown.
    """
    return _Sampler(count, rng, typed).columns(estimator, int(estimator.n_features_in_), [])


@dataclass(frozen=True)
class _Sampler:
    """Samples of a step's input columns, from what it knows and from samples of its outputs, ``after``."""

    count: int
    rng: np.random.Generator
    typed: bool

    def columns(self, step: Any, width: int, after: Columns) -> Columns:
        """Samples from the step's own knowledge, or else from its inverse."""
        if steps := steps_of(step):
            for one in reversed(steps):
                after = self.columns(one, getattr(one, "n_features_in_", width), after)
            return _first_known(width, [after])
        if hasattr(step, "transformers_"):
            return self._side_by_side(step, width, after)
        inside = [one for _, one in getattr(step, "transformer_list", ())]
        inside += [inner] if (inner := inner_estimator(step)) is not None else []
        known = [self.columns(one, width, []) for one in inside]
        known += [self._drawn(step, EXACT, width), self._back(step, after), self._drawn(step, ROUGH, width)]
        return _first_known(width, known)

    def _side_by_side(self, chooser: Any, width: int, after: Columns) -> Columns:
        """Samples for a ColumnTransformer, whose steps have separate columns."""
        found: Columns = [None] * width
        names = list(getattr(chooser, "feature_names_in_", range(width)))
        for name, step, chosen in chooser.transformers_:
            places = [names.index(one) if isinstance(one, str) else int(one) for one in chosen_places(chosen, width)]
            given = after[chooser.output_indices_.get(name, slice(0))]
            dropped = isinstance(step, str) and step == "drop"
            samples = self._normal(len(places)) if dropped else self.columns(step, len(places), given)
            for place, sample in zip(places, samples, strict=True):
                found[place] = sample if found[place] is None else found[place]
        return found

    def _normal(self, width: int) -> Columns:
        return list(self.rng.standard_normal((width, self.count)))

    def _back(self, step: Any, after: Columns) -> Columns:
        """Samples through the inverse of the step."""
        if does_nothing(step):
            return [] if self.typed else after
        if hasattr(step, "statistics_"):  # it fills gaps alone
            return after
        known = [column for column in after if column is not None]
        if not known or len(known) < len(after):
            return []
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                rows = np.asarray(step.inverse_transform(np.stack(known, axis=1)), np.float64)
        except Exception:  # it has no inverse, or not of these: others' errors have no class in common
            return []
        return [column if np.isfinite(column).all() else None for column in rows.T]

    def _drawn(self, step: Any, draws: dict[tuple[str, ...], Any], width: int) -> Columns:
        """Samples from the statistics of the step."""
        facts = vars(step) if hasattr(step, "__dict__") else {}
        if hasattr(step, "_typical"):  # an estimator of ours
            facts = dict(zip(("mean_", "scale_"), step._typical, strict=True))
        for names, draw in draws.items():
            given: list[Any] = [facts.get(name) for name in names]
            if all(hasattr(one, "__len__") and len(one) == width for one in given):
                each = zip(self._normal(width), *given, strict=True)
                return [draw(self.rng, *one) for one in each]
        return []


def _first_known(width: int, found: Sequence[Columns]) -> Columns:
    """The first available samples of each column."""
    fitting = [columns for columns in found if len(columns) == width]
    return [next((one[index] for one in fitting if one[index] is not None), None) for index in range(width)]


def chosen_places(chosen: Any, width: int) -> list[Any]:
    """The columns that an entry of a ColumnTransformer takes, by name or by place."""
    if isinstance(chosen, slice):
        return list(range(width))[chosen]
    listed = _listed(chosen)
    is_mask = len(listed) == width and all(isinstance(one, bool | np.bool_) for one in listed)
    return [place for place, one in enumerate(listed) if one] if is_mask else listed


def _listed(names: Any) -> list[Any]:
    return [names] if isinstance(names, str) or not np.iterable(names) else list(names)


def _categories(rng: np.random.Generator, z: Array, values: Any) -> Array:
    return np.asarray(values)[rng.integers(0, len(values), len(z))]


#: Attributes that describe each column, and how to draw a column from a standard normal z; the first present count.
EXACT: dict[tuple[str, ...], Any] = {
    ("categories_",): _categories,
    ("data_min_", "data_max_"): lambda rng, z, low, high: low + (high - low) * rng.random(len(z)),
    ("center_", "scale_"): lambda rng, z, center, scale: center + scale * z / QUARTILES,
    ("max_abs_",): lambda rng, z, largest: largest * rng.uniform(-1, 1, len(z)),
    ("mean_", "scale_"): lambda rng, z, mean, scale: mean + scale * z,
    ("bin_edges_",): lambda rng, z, edges: rng.uniform(edges[0], edges[-1], len(z)),
}
#: The same of those that do not say how far the numbers of a column are apart, or where they lie.
ROUGH: dict[tuple[str, ...], Any] = {
    ("scale_",): lambda rng, z, scale: scale * z,
    ("mean_",): lambda rng, z, mean: mean + z,
    ("statistics_",): lambda rng, z, value: np.full(len(z), value),
}
