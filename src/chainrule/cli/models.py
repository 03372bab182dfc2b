"""What a model file holds, as the shell uses it: raw rows in, labels and probabilities or numbers out.

A file holds the network of a named data set, a :class:`~chainrule.TabularClassifier` or
:class:`~chainrule.TabularRegressor`, or the network of a table that version 0.1.0 trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._support.checks import Array, check_finite, sentence
from ..model import Sequential
from ..ops import softmax
from ..persistence import load
from ..tabular.columns import text_of
from ..tabular.earlier import EarlierEncoder
from .facts import Facts, model_path

DIGITS = 7  # as many as float32 has
_MOST_DIGITS = 17


@dataclass(frozen=True)
class Trained:
    """A model and its facts; ``model`` is used as scikit-learn's are."""

    model: Any
    facts: Facts

    @property
    def has_quantiles(self) -> bool:
        """Whether it was trained to predict quantiles."""
        return getattr(self.model, "quantiles", None) is not None

    def numbers(self, rows: Any) -> Array:
        """What is predicted for rows, in the units of the target (N,)."""
        found = np.asarray(self.model.predict(rows), np.float64)
        check_finite("the model", "its predictions", found)
        return found

    def probabilities(self, rows: Any) -> Array:
        """Those of the classes (N, K)."""
        p = np.asarray(self.model.predict_proba(rows), np.float64)
        check_finite("the model", "its predictions", p)
        return p

    def labels(self, p: Array) -> Array:
        """The most probable ones (N,)."""
        found: Array = np.asarray(self.model.classes_)[p.argmax(axis=1)]
        return found

    def quantiles(self, rows: Any) -> tuple[list[float], Array]:
        """The levels, and the predicted quantiles (N, Q)."""
        return sorted(map(float, self.model.quantiles)), np.asarray(self.model.predict_quantiles(rows))

    def unseen(self, rows: Any) -> dict[str, tuple[int, list[str]]]:
        """Of each column with values that training never saw: how many rows have one, and some of these values."""
        encoder = getattr(self.model, "encoder_", None)
        return {} if encoder is None else dict(encoder.unseen(rows))

    @property
    def digits(self) -> int:
        """Those that tell predictions apart, of numbers that lie far from 0 as well."""
        low, high, scale = (np.ravel(getattr(self.model, name, 1.0)) for name in ("low_", "high_", "scale_"))
        far = max(np.abs(low).max(), np.abs(high).max()) / max(float(scale.min()), 1e-300)
        return min(DIGITS + max(0, math.ceil(math.log10(max(far, 1.0))) - 1), _MOST_DIGITS)


class NetworkModel:
    """A network with what stands before and after it, used as scikit-learn's models are."""

    def __init__(
        self,
        network: Sequential,
        classes: tuple[Any, ...],
        encode: Callable[[Any], Array],
        decode: Callable[[Array], Array],
        encoder: Any = None,
    ) -> None:
        self.network, self._encode, self._decode = network, encode, decode
        if encoder is not None:
            self.encoder_ = encoder
        if classes:
            self.classes_ = np.array([text_of(label) for label in classes], object)

    def predict(self, rows: Any) -> Array:
        """Numbers in the units of the target (N,)."""
        return self._decode(self.network.predict(self._encode(rows)))

    def predict_proba(self, rows: Any) -> Array:
        """Probabilities of the classes (N, K)."""
        p: Array = softmax(self.network.predict(self._encode(rows)).astype(np.float64))
        return p


def open_model(who: str, path: str) -> Trained:
    """A model that ``chainrule train`` saved, and its facts."""
    file = model_path(path)
    found = load(file)
    try:
        return trained(found)
    except ValueError as error:
        remedy = "in Python use chainrule.load(path).predict(x)"
        expected = f"{file} to be a model saved by `chainrule train`"
        raise ValueError(
            sentence(who, expected, f"a different model file ({str(error).rstrip('.')})", remedy)
        ) from None


def trained(found: Any) -> Trained:
    """What a file gave, as the shell uses it; ValueError if the shell did not write it."""
    metadata = metadata_of(found)
    facts = Facts.from_metadata(metadata)
    if not isinstance(found, Sequential):
        classes = tuple(map(text_of, np.ravel(getattr(found, "classes_", ())).tolist()))
        if facts.class_names != classes or set(found.encoder_.columns) != set(facts.columns):
            raise ValueError(sentence("a model file", "the classes and columns of its model", "others"))
        return Trained(found, facts)
    if facts.image_shape is not None and metadata.get("encoder") is None:
        return Trained(NetworkModel(found, facts.class_names, np.asarray, np.ravel), facts)
    encoder = EarlierEncoder.from_dict(metadata.get("encoder"))
    texts = tuple(encoder.categories)
    if len(encoder.classes) != len(facts.class_names):
        raise ValueError(sentence("a model file", f"{len(facts.class_names)} classes", repr(encoder.classes)))
    facts = Facts(facts.source, facts.target, facts.class_names, columns=tuple(encoder.columns), texts=texts)
    return Trained(NetworkModel(found, encoder.classes, encoder.transform, encoder.decode, encoder), facts)


def metadata_of(found: Any) -> dict[str, Any]:
    """What the shell wrote beside the model."""
    network = found if isinstance(found, Sequential) else found.model_
    metadata: dict[str, Any] = network.metadata
    return metadata


def network_of(model: Trained) -> Sequential:
    """The network inside."""
    found: Sequential = model.model.network if isinstance(model.model, NetworkModel) else model.model.model_
    return found
