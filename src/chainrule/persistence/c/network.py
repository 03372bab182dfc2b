"""What is written: a model, or a fitted estimator, with the scaling in front of it and behind it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..._support.checks import Array, check_shape, sentence
from ...losses import GaussianNLL, Poisson
from ...model import Sequential
from ..agreement import gives_probabilities
from ..estimators import is_ours, where_network_is
from .steps import Step, affine, append, input_width, softmax, standardize, steps_of

OUTPUTS = "what model.predict gives"


@dataclass
class Network:
    """One row in, one row out, and what both mean.

    Attributes
    ----------
    model : the network itself
    inputs : int, how many numbers x has
    steps : what x goes through
    answer : rows x (N, inputs) → what the library answers, (N, outputs)
    columns : a line of text for each number of x, or none
    classes : a name for each number of y, or none
    meaning : str, of y
    unit : of differences of y; None for the spread of each number
    mean, scale : arrays (inputs,) of the columns, where the model takes them standardised and x as they are
    encoded : bool, whether it does
    notes : list of str, what to know of x and y
    """

    model: Sequential
    inputs: int
    steps: list[Step]
    answer: Callable[[Array], Array]
    columns: Sequence[str] = ()
    classes: Sequence[str] = ()
    meaning: str = OUTPUTS
    unit: float | None = None
    mean: Array | float = 0.0
    scale: Array | float = 1.0
    encoded: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def outputs(self) -> int:
        """How many numbers y has."""
        return self.steps[-1].width

    def rows_for(self, rows: Any) -> Array:
        """The x, in float64, that stands for rows given to ``model.predict``."""
        given = np.asarray(rows, np.float64)
        flat = given.reshape(len(given), math.prod(given.shape[1:]))
        return flat * self.scale + self.mean if self.encoded else flat


def as_network(model: Any) -> Network:
    """The network of a model or of a fitted estimator."""
    if isinstance(model, Sequential):
        return _of_model(model)
    if is_ours(model):
        return _of_estimator(model)
    remedy = f"pass {place}" if (place := where_network_is(model)) else ""
    if hasattr(model, "get_params"):
        prepared = f"export {place} and prepare its rows in C, or " if place else ""
        remedy = f"{prepared}write a file for ONNX, with the suffix .onnx"
    expected = "a Sequential model, or a fitted MLPClassifier or MLPRegressor"
    raise TypeError(sentence("export to C", expected, type(model).__name__, remedy))


# --- models ---------------------------------------------------------------------------------------------------------


def _of_model(model: Sequential) -> Network:
    width = input_width(model.layers)
    unit = 1.0 if gives_probabilities(model) else None
    network = Network(model, width, steps_of(model.layers, width), lambda x: model.predict(x), unit=unit)
    if isinstance(model.metadata.get("encoder"), dict):
        _decode(network, model.metadata["encoder"])
    if isinstance(model.metadata.get("scaling"), dict):
        network.notes.append(f"x holds standardised columns: (x - mean) / scale, {model.metadata['scaling']}")
    if isinstance(model.metadata.get("target_scaling"), dict):
        network.notes.append(f"y is standardised: times scale, plus mean, {model.metadata['target_scaling']}")
    names = model.metadata.get("class_names")
    if isinstance(names, list) and len(names) == network.outputs and all(isinstance(name, str) for name in names):
        network.classes = names
    return network


def _decode(network: Network, facts: dict[str, Any]) -> None:
    """What ``chainrule train`` knows of the columns and of the target."""
    from ...tabular import TableEncoder

    encoder, model = TableEncoder.from_dict(facts), network.model
    written = encoder.to_dict()
    if len(encoder.feature_names) != network.inputs:
        got = f"an encoder that gives {len(encoder.feature_names)}"
        raise ValueError(sentence("export to C", f"metadata for the {network.inputs} inputs of the model", got))
    network.classes = [str(label) for label in encoder.classes]
    if encoder.categories:
        network.columns = [line for entry in written["inputs"] for line in _encoded(entry)]
        network.notes.append(
            f"x holds {network.inputs} numbers a row as the model's TableEncoder gives them: see the file"
        )
    else:
        network.columns = [entry["name"] for entry in written["inputs"]]
        mean, scale = (np.array([entry[key] for entry in written["inputs"]]) for key in ("mean", "scale"))
        network.mean, network.scale, network.encoded = mean, scale, True
        network.notes.append(
            f"x holds the {network.inputs} columns as they are in the table; scaling is in the function"
        )
        network.steps.insert(0, standardize(mean, 1 / scale, "each column: (x - mean) / deviation"))
    center, spread = (written["target"][key] for key in ("mean", "scale"))
    if not encoder.classes:
        network.meaning = f"the prediction of {encoder.target!r}, in its own units"
        append(network.steps, affine(np.array([spread]), np.array([center]), "back to the target's units"))

    def answer(x: Array) -> Array:
        z = model.predict(((x - network.mean) / network.scale).astype(model.dtype) if network.encoded else x)
        return z if encoder.classes else encoder.decode(z)[:, None]

    network.answer = answer


def _encoded(entry: dict[str, Any]) -> list[str]:
    """How the numbers of x are made of one column."""
    if "values" in entry:
        return [f"1 where {entry['name']!r} is {value!r}, else 0" for value in entry["values"]]
    return [f"({entry['name']!r} - {entry['mean']!r}) / {entry['scale']!r}"]


# --- estimators -----------------------------------------------------------------------------------------------------


def _of_estimator(estimator: Any) -> Network:
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator)
    nameless = copy.copy(estimator)  # it takes arrays without the names of columns
    names = nameless.__dict__.pop("feature_names_in_", ())
    model, width, scaler = estimator.model_, estimator.n_features_in_, estimator.scaler_
    network = Network(model, width, steps_of(model.layers, width), model.predict, columns=[str(name) for name in names])
    if scaler is not None:
        about = "scale=True: "
        if scaler.with_mean:
            network.steps.insert(0, standardize(scaler.mean_, 1 / scaler.scale_, about + "(x - mean) / deviation"))
        else:
            network.steps.insert(0, affine(1 / scaler.scale_, None, about + "x / deviation"))
    if hasattr(estimator, "classes_"):
        _classify(network, nameless)
    else:
        _regress(network, nameless)
    return network


def _classify(network: Network, estimator: Any) -> None:
    """Behind the network: the probability of each class."""
    network.classes = [str(label) for label in estimator.classes_]
    network.meaning, network.unit = "the probability of each class", 1.0
    network.answer = estimator.predict_proba
    if len(network.classes) < 2:
        raise ValueError(sentence("export to C", "at least two classes", repr(network.classes)))
    if estimator.out_activation_ == "softmax":
        network.steps.append(softmax(network.outputs))
    elif estimator._multilabel:
        network.steps += _sigmoids(network.outputs)
    else:
        compute = _two_classes
        network.steps.append(Step("two_classes", compute, 2, about="p of the second class", in_place=False))


def _sigmoids(width: int) -> list[Step]:
    from ...layers import Sigmoid

    return steps_of([Sigmoid()], width)


def _two_classes(z: Array) -> Array:
    from ...ops import sigmoid

    return np.hstack([sigmoid(-z), sigmoid(z)])


def _regress(network: Network, estimator: Any) -> None:
    """Behind the network: numbers in the target's own units."""
    targets, levels, loss = estimator.n_outputs_, estimator._levels, estimator._loss
    network.meaning = "the prediction, in the units of the target"
    if levels > 1:
        network.meaning += f"; of each target its {levels} quantiles"
    network.answer = lambda x: np.reshape(estimator.predict(x), (len(x), -1))
    if isinstance(loss, Poisson):
        network.steps.append(Step("exp", _exp, network.outputs, about="a rate from its logarithm"))
        return
    spread, mean = np.ones(targets), np.zeros(targets)
    if estimator.target_scaler_ is not None:
        spread, mean = estimator.target_scaler_.scale_, estimator.target_scaler_.mean_
    about = "back to the target's units"
    if not isinstance(loss, GaussianNLL):
        if estimator.target_scaler_ is not None:
            append(network.steps, affine(np.repeat(spread, levels), np.repeat(mean, levels), about))
        return
    network.meaning += ", then its standard deviation"
    network.answer = lambda x: np.hstack([np.reshape(one, (len(x), -1)) for one in estimator.predict(x, True)])
    factor, shift = np.append(spread, np.ones(targets)), np.append(mean, np.zeros(targets))
    append(network.steps, affine(factor, shift, about))
    floor = float(loss.floor)

    def deviations(z: Array) -> Array:
        return np.hstack([z[:, :targets], np.sqrt(_exp(z[:, targets:]) + floor) * spread])

    arrays = {"spread": spread}
    network.steps.append(Step("deviations", deviations, 2 * targets, arrays, (floor,), "standard deviations"))


def _exp(z: Array) -> Array:
    return np.exp(np.minimum(z, 88.72283))


def check_rows(network: Network, rows: Any) -> Array:
    """Rows for ``model.predict`` as x."""
    x = network.rows_for(np.asarray(rows))
    check_shape("check", "rows", x, ("N", network.inputs))
    return x
