"""Describe the network to write: a model or a fitted estimator, with scaling of inputs and outputs."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..._support.checks import Array, check_shape, sentence
from ...layers.program import Call, Program, run, standardization
from ...model import Sequential
from ..agreement import gives_probabilities
from ..estimators import is_ours, where_network_is
from ..programs import layer_programs
from .calls import OPS
from .steps import Labelled, Step, steps_of, width_of_input

WHO = "export to C"
OUTPUTS = "what model.predict gives"


@dataclass
class Network:
    """A function of one row, and the meaning of its inputs and outputs.

    Attributes
    ----------
    model : the network itself
    inputs : int, how many numbers x has
    answer : rows x (N, inputs) → what the library answers, (N, outputs)
    steps : what x goes through
    columns : a line of text for each number of x, or none
    classes : a name for each number of y, or none
    meaning : str, of y
    unit : of differences of y; None for the spread of each number
    scaling : how the model's rows are made of x, where it takes them standardised and x as they are
    notes : list of str, what to know of x and y
    """

    model: Sequential
    inputs: int
    answer: Callable[[Array], Array]
    steps: list[Step] = field(default_factory=list)
    columns: Sequence[str] = ()
    classes: Sequence[str] = ()
    meaning: str = OUTPUTS
    unit: float | None = None
    scaling: Program = ()
    notes: list[str] = field(default_factory=list)

    @property
    def outputs(self) -> int:
        return self.steps[-1].width

    def rows_for(self, rows: Any) -> Array:
        """Convert rows for ``model.predict`` to x in float64."""
        given = np.asarray(rows, np.float64)
        flat = given.reshape(len(given), math.prod(given.shape[1:]))
        for call in self.scaling:
            mean, factor, _ = standardization(call)
            flat = flat / factor + mean
        return flat

    def follow(self, scaling: Program, layers: list[Labelled], decoding: Program) -> None:
        first = (("scaling of the columns", call) for call in scaling)
        last = (("back to the target's units", call) for call in decoding)
        self.steps = steps_of([*first, *layers, *last], self.inputs)

    def classify(self, labels: Any, of: str = "class") -> None:
        """Its outputs are the probability of each class, or of each label."""
        self.classes, self.unit = [str(label) for label in labels], 1.0
        self.meaning = f"the probability of each {of}"
        if len(self.classes) < 2:
            raise ValueError(sentence(WHO, "at least two classes", repr(self.classes)))

    def regress(self, levels: int) -> None:
        """Its outputs are numbers, or so many quantiles of each."""
        self.meaning = "the prediction, in the units of the target"
        if levels > 1:
            self.meaning += f"; of each target its {levels} quantiles"


def as_network(model: Any) -> Network:
    """Return the network of a model or a fitted estimator."""
    if isinstance(model, Sequential):
        return _of_model(model)
    if is_ours(model):
        return _of_estimator(model)
    remedy = f"pass {place}" if (place := where_network_is(model)) else ""
    if hasattr(model, "get_params"):
        prepared = f"export {place} and prepare its rows in C, or " if place else ""
        remedy = f"{prepared}write a file for ONNX, with the suffix .onnx"
    expected = "a Sequential model, or a fitted MLPClassifier or MLPRegressor"
    raise TypeError(sentence(WHO, expected, type(model).__name__, remedy))


# --- models ---------------------------------------------------------------------------------------------------------


def labelled(model: Sequential) -> list[Labelled]:
    """Return the calls of a network, each with its layer."""
    return [(repr(layer), call) for layer, program in layer_programs(WHO, model.layers, OPS) for call in program]


def _of_model(model: Sequential) -> Network:
    layers = labelled(model)
    width = width_of_input(call for _, call in layers)
    network = Network(model, width, lambda x: model.predict(x), unit=1.0 if gives_probabilities(model) else None)
    encoder = model.metadata.get("encoder")
    decoding = _decode(network, encoder) if isinstance(encoder, dict) else ()
    network.follow(network.scaling, layers, decoding)
    if isinstance(model.metadata.get("scaling"), dict):
        network.notes.append(f"x holds standardised columns: (x - mean) / scale, {model.metadata['scaling']}")
    if isinstance(model.metadata.get("target_scaling"), dict):
        network.notes.append(f"y is standardised: times scale, plus mean, {model.metadata['target_scaling']}")
    names = model.metadata.get("class_names")
    if isinstance(names, list) and len(names) == network.outputs and all(isinstance(name, str) for name in names):
        network.classes = names
    return network


def _decode(network: Network, facts: dict[str, Any]) -> Program:
    """Read the columns that ``chainrule train`` described; return the program from y to the target's units."""
    from ...tabular.earlier import EarlierEncoder

    encoder, model = EarlierEncoder.from_dict(facts), network.model
    written = encoder.to_dict()
    if len(encoder.feature_names) != network.inputs:
        got = f"an encoder that gives {len(encoder.feature_names)}"
        raise ValueError(sentence(WHO, f"metadata for the {network.inputs} inputs of the model", got))
    network.classes = [str(label) for label in encoder.classes]
    if encoder.categories:
        network.columns = [line for entry in written["inputs"] for line in _encoded(entry)]
        network.notes.append(
            f"x holds {network.inputs} numbers per row as the model's TableEncoder gives them: see the file"
        )
    else:
        network.columns = [entry["name"] for entry in written["inputs"]]
        mean, scale = (np.array([entry[key] for entry in written["inputs"]]) for key in ("mean", "scale"))
        network.scaling = (Call("standardize", {"mean": mean, "factor": 1 / scale}),)
        network.notes.append(
            f"x holds the {network.inputs} columns as they are in the table; scaling is in the function"
        )

    def answer(x: Array) -> Array:
        z = model.predict(run(network.scaling, x).astype(model.dtype))
        return z if encoder.classes else encoder.decode(z)[:, None]

    network.answer = answer
    if encoder.classes:
        return ()
    network.meaning = f"the prediction of {encoder.target!r}, in its own units"
    center, spread = (np.array([written["target"][key]]) for key in ("mean", "scale"))
    return (Call("scale", {"gain": spread, "bias": center}),)


def _encoded(entry: dict[str, Any]) -> list[str]:
    if "values" in entry:
        return [f"1 where {entry['name']!r} is {value!r}, else 0" for value in entry["values"]]
    return [f"({entry['name']!r} - {entry['mean']!r}) / {entry['scale']!r}"]


# --- estimators -----------------------------------------------------------------------------------------------------


def _of_estimator(estimator: Any) -> Network:
    from sklearn.utils.validation import check_is_fitted

    from ...estimators.bridges import decoding, scaling

    check_is_fitted(estimator)
    nameless = copy.copy(estimator)  # it takes arrays without column names
    names = nameless.__dict__.pop("feature_names_in_", ())
    model, columns = estimator.model_, [str(name) for name in names]
    network = Network(model, estimator.n_features_in_, model.predict, columns=columns)
    network.follow(scaling(estimator), labelled(model), decoding(estimator))
    if hasattr(estimator, "classes_"):
        network.classify(estimator.classes_)
        network.answer = nameless.predict_proba
        return network
    network.regress(estimator._levels)
    network.answer = lambda x: np.reshape(nameless.predict(x), (len(x), -1))
    if network.steps[-1].call.op == "deviations":
        network.meaning += ", then its standard deviation"
        network.answer = lambda x: np.hstack([np.reshape(one, (len(x), -1)) for one in nameless.predict(x, True)])
    return network


def check_rows(network: Network, rows: Any) -> Array:
    """Check rows for ``model.predict``, and return x."""
    x = network.rows_for(np.asarray(rows))
    check_shape("check", "rows", x, ("N", network.inputs))
    return x
