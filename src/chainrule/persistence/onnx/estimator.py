"""A fitted estimator or pipeline as an ONNX graph, by skl2onnx and the converters of ours that it knows."""

from __future__ import annotations

import json
from typing import Any

from ... import __version__
from ..._support.checks import require
from ..._support.files import digest
from ...model import Sequential
from .network import WHO
from .runtime import add_facts


def from_estimator(estimator: Any, opset: int | None) -> Any:
    """Label and probabilities, or the numbers, of rows as the estimator takes them; the metadata with them."""
    to_onnx = require("skl2onnx", "onnx", WHO).to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    from ...estimators import onnx as _converters  # noqa: F401  (they are registered)

    proto = to_onnx(
        estimator,
        initial_types=[("x", FloatTensorType([None, estimator.n_features_in_]))],
        options={id(_last(estimator)): {"zipmap": False}} if hasattr(estimator, "classes_") else None,
        target_opset=opset,
    )
    facts = {"chainrule": __version__}
    for name, attribute in (("class_names", "classes_"), ("feature_names", "feature_names_in_")):
        if hasattr(estimator, attribute):
            facts[name] = json.dumps([str(one) for one in getattr(estimator, attribute)])
    network = getattr(_last(estimator), "model_", None)
    if isinstance(network, Sequential):
        facts["parameters_sha256"] = digest({**network.parameters, **network.buffers}, {})
    add_facts(proto, facts)
    return proto


def _last(estimator: Any) -> Any:
    """The last step of a pipeline, or the estimator itself."""
    return estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
