"""Rows like a model's data: their shape, and samples to compare an exported file with the model.

A fitted estimator knows its data: a scaler has the mean and standard deviation of each column, an encoder the
categories. The samples are drawn from these, in float64 and in the units of the data: a column of seconds since 1970
keeps all its digits.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._support.checks import Array, as_numeric, sentence
from ..layers import BatchNorm, Dropout, Flatten, GaussianNoise, Layer, Linear
from ..layers.base import Shape
from ..layers.chain import input_width
from ..layers.columns import codes_of
from ..model import Sequential

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


ROWS = 100  # that a file and its model are compared on
FAR = 100.0  # deviations from 0, of which float32 hardly notices anything
DISTINCT = 0.1  # of the largest singular value: a direction that weights less does not tell where rows lie
NORMAL, CENTRED = "standard normal rows", "rows around which the first layer is centred"


def row_shape(layers: Sequence[Layer]) -> Shape | None:
    """Return the shape of an input row; None if no layer determines it. An image before Flatten counts as flat."""
    width = input_width(layers)
    return None if width is None else (width,)


def sample_rows(model: Any, count: int = ROWS, shape: Shape | None = None) -> Any:
    """Return ``count`` rows like the training data, float64 or a pandas frame, the same at each call.

    None if the shape, or the contents of a column, are unknown. ``shape`` is that of a row, if no layer determines it.
    """
    return drawn_rows(model, count, shape)[0]


def drawn_rows(model: Any, count: int = ROWS, shape: Shape | None = None) -> tuple[Any, str]:
    """Return the same rows, and their description if the model does not determine them, or ""."""
    rng = np.random.default_rng(0)
    if isinstance(model, Sequential):
        shape = row_shape(model.layers) if shape is None else shape
        if shape is None:
            return None, ""
        rows, kind = _network_rows(model, rng.standard_normal((count, *shape)), rng)
        for column, codes in zip(*codes_of(model.layers), strict=True):
            rows[:, column] = rng.integers(0, codes, count)
        return rows, kind
    by_name = needs_frame(model)
    columns = typical_columns(model, count, rng, typed=by_name)
    told = [column for column in columns if column is not None]
    if by_name:
        return (_frame(model, told) if len(told) == len(columns) else None), ""
    known = [rng.standard_normal(count) if column is None else column for column in columns]
    rows = np.stack([np.asarray(column, np.float64) for column in known], axis=1)
    rows = rows.astype(np.float32).astype(np.float64) if _trained_in_float32(model) else rows
    return rows, NORMAL if len(told) < len(columns) else ""


def _network_rows(model: Sequential, normal: Array, rng: np.random.Generator) -> tuple[Array, str]:
    """Return rows by a batch normalization before or after the first weights, or else by the weights themselves.

    A normalization after z = xW + b determines z: x is then the shortest one with that z.
    """
    flat = normal.reshape(len(normal), -1)
    active = [layer for layer in model.layers if not isinstance(layer, Dropout | GaussianNoise | Flatten)]
    first, second = (*active, None, None)[:2]
    if isinstance(first, BatchNorm) and first.features == flat.shape[1]:
        return _seen(first, flat).reshape(normal.shape), ""
    if not isinstance(first, Linear) or first.in_features != flat.shape[1]:
        return normal, NORMAL
    if first.activation is None and isinstance(second, BatchNorm):
        z = _seen(second, rng.standard_normal((len(normal), first.out_features)))
        return _shortest(first.W, z - (first.b if first.bias else 0.0)).reshape(normal.shape), ""
    center, scale = _where_centred(first)
    is_told = any(isinstance(model.metadata.get(name), dict) for name in ("encoder", "scaling"))
    if np.abs(center).max(initial=0.0) <= FAR:
        return normal, "" if is_told else NORMAL
    return ((flat + center) * scale).reshape(normal.shape), CENTRED


def _seen(layer: BatchNorm, normal: Array) -> Array:
    rows: Array = normal * np.sqrt(layer.running_variance) + layer.running_mean
    return rows


def _where_centred(layer: Linear) -> tuple[Array, Array]:
    """Return the x for which z = xW + b is nearest to 0, and the unit of each number, which changes z by about 1.

    Weights that centre the columns, such as b = −μW, reveal the location of the rows.
    """
    W = layer.W.astype(np.float64)
    size = np.sqrt((W**2).mean(axis=1) * len(W))
    scale = 1 / np.where(size > 0, size, 1.0)
    if not layer.bias or np.linalg.norm(layer.b) <= FAR * DISTINCT:  # the singular values are at least 1
        return np.zeros(len(W)), scale
    return _shortest(W * scale[:, None], -layer.b[None].astype(np.float64), DISTINCT)[0], scale


def _shortest(W: Array, z: Array, distinct: float | None = None) -> Array:
    """Return the shortest x (N, I) whose xW (N, O) is nearest to z."""
    x: Array = np.linalg.lstsq(W.T.astype(np.float64), z.T, rcond=distinct)[0].T
    return x


def _trained_in_float32(estimator: Any) -> bool:
    network = getattr(last_step(estimator), "model_", None)
    return isinstance(network, Sequential) and network.dtype == np.float32


def _frame(estimator: Any, columns: Sequence[Array]) -> Any:
    import pandas as pd

    names = getattr(first_step(estimator), "feature_names_in_", range(len(columns)))
    return pd.DataFrame(dict(zip(names, columns, strict=True)))


# --- rows that the user gives ----------------------------------------------------------------------------------------


def given_rows(model: Any, rows: Any, shape: Shape | None = None) -> Any:
    """Return the first of the user's rows: a pandas frame with its columns, or an array."""
    who = "export(X=)"
    if hasattr(rows, "columns") and not isinstance(model, Sequential):
        rows = rows if hasattr(rows, "iloc") else _as_pandas(rows)
    elif needs_frame(model):
        raise TypeError(sentence(who, "a frame with the columns by name", type(rows).__name__))
    else:
        rows = as_numeric(who, "rows", rows)
    if isinstance(model, Sequential):
        shape = row_shape(model.layers) if shape is None else shape
        fits = rows.ndim > 1 and (shape is None or math.prod(rows.shape[1:]) == math.prod(shape))
    else:
        shape = (int(model.n_features_in_),)
        fits = tuple(rows.shape[1:]) == shape
    if not fits or len(rows) == 0:
        wanted = ", ".join(map(str, ("N", *(shape or ("I",)))))
        raise ValueError(sentence(who, f"some rows of your data, of shape ({wanted})", str(tuple(rows.shape))))
    return rows[:ROWS]


def _as_pandas(frame: Any) -> Any:
    import pandas as pd

    return pd.DataFrame({name: np.asarray(frame[name]) for name in frame.columns})
