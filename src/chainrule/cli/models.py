"""Open a model file for the shell: raw rows in; labels and probabilities, or numbers, out.

A file contains the network of a named data set, a :class:`~chainrule.TabularClassifier` or
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

DIGITS = 7  # significant digits of float32
_MOST_DIGITS = 17


@dataclass(frozen=True)
class Trained:
    """A model with scikit-learn's methods, and its facts."""

    model: Any
    facts: Facts

    @property
    def has_quantiles(self) -> bool:
        """Whether the model predicts quantiles."""
        return getattr(self.model, "quantiles", None) is not None

    def numbers(self, rows: Any) -> Array:
        """Predict numbers in the units of the target (N,)."""
        found = np.asarray(self.model.predict(rows), np.float64)
        check_finite("the model", "its predictions", found)
        return found

    def probabilities(self, rows: Any) -> Array:
        """Predict the probabilities of the classes (N, K)."""
        p = np.asarray(self.model.predict_proba(rows), np.float64)
        check_finite("the model", "its predictions", p)
        return p

    def labels(self, p: Array) -> Array:
        """Return the most probable classes (N,)."""
        found: Array = np.asarray(self.model.classes_)[p.argmax(axis=1)]
        return found

    def quantiles(self, rows: Any) -> tuple[list[float], Array]:
        """Return the levels and the predicted quantiles (N, Q)."""
        return sorted(map(float, self.model.quantiles)), np.asarray(self.model.predict_quantiles(rows))

    def unseen(self, rows: Any) -> dict[str, tuple[int, list[str]]]:
        """For each column with unseen values, count the rows that have one, and list some of the values."""
        encoder = getattr(self.model, "encoder_", None)
        return {} if encoder is None else dict(encoder.unseen(rows))

    @property
    def digits(self) -> int:
        """Number of digits that distinguish predictions, even far from 0."""
        low, high, scale = (np.ravel(getattr(self.model, name, 1.0)) for name in ("low_", "high_", "scale_"))
        far = max(np.abs(low).max(), np.abs(high).max()) / max(float(scale.min()), 1e-300)
        return min(DIGITS + max(0, math.ceil(math.log10(max(far, 1.0))) - 1), _MOST_DIGITS)


class NetworkModel:
    """A network with its encoding and decoding, and scikit-learn's methods."""

    def __init__(
        self,
        network: Sequential,
        classes: tuple[Any, ...],
        encode: Callable[[Any], Array],
        decode: Callable[[Array], Array],
        encoder: Any = None,
    ) -> None:
        self.network, self.encode, self._decode = network, encode, decode
        if encoder is not None:
            self.encoder_ = encoder
        if classes:
            self.classes_ = np.array([text_of(label) for label in classes], object)

    def predict(self, rows: Any) -> Array:
        """Predict numbers in the units of the target (N,)."""
        return self._decode(self.network.predict(self.encode(rows)))

    def predict_proba(self, rows: Any) -> Array:
        """Predict the probabilities of the classes (N, K)."""
        p: Array = softmax(self.network.predict(self.encode(rows)).astype(np.float64))
        return p


def open_model(who: str, path: str) -> Trained:
    """Open a model that ``chainrule train`` saved, with its facts."""
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
    """Wrap a loaded model; raise a ValueError if the shell did not write it."""
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
    """Return the metadata that the shell wrote."""
    network = found if isinstance(found, Sequential) else found.model_
    metadata: dict[str, Any] = network.metadata
    return metadata


def network_of(model: Trained) -> Sequential:
    """Return the network inside a model."""
    found: Sequential = model.model.network if isinstance(model.model, NetworkModel) else model.model.model_
    return found
