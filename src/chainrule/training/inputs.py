"""The inputs of training, checked and converted to arrays."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from .._support.checks import (
    Array,
    as_numeric,
    as_rng,
    as_samples,
    check_finite,
    check_integer,
    check_shape,
    sentence,
)
from .._support.overrides import is_of_package
from ..data.batches import check_sample, complement, split_rows
from ..data.scale import check_resolution
from ..distributed.serial import SERIAL, Serial
from ..layers import LAYERS, Flatten, Layer, Linear
from ..layers.base import shape_remedy, walk
from ..layers.columns import check_all_codes
from ..layers.program import PROBABILITIES, SIGMOID, SOFTMAX, last_op
from ..losses import BinaryCrossEntropy, CrossEntropy, Loss, LossFunction, get_loss
from ..losses.base import check_output
from ..metrics import Metric, named_metrics
from ..model import Sequential
from ..optimizers import get_optimizer
from .callbacks import Callback

if TYPE_CHECKING:
    from ..data.streams import Source

Targets: TypeAlias = "tuple[Array, Array | None]"  # y and the weights, as the loss takes them
Data: TypeAlias = tuple[Array, Array, Array | None]
COLUMNS = ("loss", "learning_rate", "seconds")  # of every History; a metric needs another name
Validation: TypeAlias = "tuple[Any, ...] | float | Array | Source | None"


def as_data(who: str, model: Sequential, x: Any, y: Any, sample_weight: Any) -> Data:
    """Convert x to the model's dtype, and check that x, y and the weights, if any, are finite and of one length."""
    numbers, targets = as_samples(who, x), as_numeric(who, "y", y)
    data = as_rows(who, model, numbers, targets, sample_weight, of=(x, y))
    check_resolved(who, model, numbers, targets, of=(x, y))
    if data[2] is not None and not data[2].any():
        raise ValueError(sentence(who, "a sample_weight above 0", "zeros only"))
    return data


def as_rows(
    who: str,
    model: Sequential,
    x: Any,
    y: Any,
    sample_weight: Any,
    first_row: int = 0,
    of: tuple[Any, Any] = (None,) * 2,
) -> Data:
    """Convert and check each row on its own; ``of`` are the x and y of the user's call, whose row ``first_row`` is."""
    x = as_samples(who, x, model.dtype, of[0], first_row)
    y = as_numeric(who, "y", y, first_row=first_row)
    weight = None
    if sample_weight is not None:
        weight = as_numeric(who, "sample_weight", sample_weight, model.dtype, first_row=first_row)
    lengths = {array.shape[0] if array.ndim else 0 for array in (x, y, weight) if array is not None}
    if lengths == {0}:
        raise ValueError(sentence(who, "at least one row", "empty data"))
    if len(lengths) > 1:
        got = f"x {x.shape}, y {y.shape}" + ("" if weight is None else f", weights {weight.shape}")
        raise ValueError(sentence(who, "x, y and weights of equal length", got))
    check_input(model, x, y)
    check_finite(who, "x", x, first_row, of[0])
    check_finite(who, "y", y, first_row, of[1])
    check_all_codes(who, model.layers, x, first_row, of[0])
    return x, y, weight


def check_resolved(who: str, model: Sequential, x: Array, y: Array, of: tuple[Any, Any] = (None, None)) -> None:
    """Raise unless the model's dtype can hold the differences between these rows."""
    check_resolution(who, "x", x, model.dtype, of[0])
    if y.ndim > 1 or y.dtype.kind == "f":  # labels never enter the arithmetic
        check_resolution(who, "y", y, model.dtype, of[1])


def check_input(model: Sequential, x: Array, y: Array) -> None:
    """Raise if the first layer with a known width does not accept the rows of x.

    The layer itself would raise too, but about the first batch only. A user's layer may accept anything.
    """
    before: list[Layer] = []
    for layer in model.layers:
        if type(layer) not in LAYERS.values():
            return
        if (width := layer.input_width) is not None:
            flat = any(isinstance(one, Flatten) for one in before)
            if not _fits(x, width, flat):
                check_shape(layer, "input", x, ("N", width), _input_remedy(x, y, width, flat))
            return
        before.append(layer)


def _fits(x: Array, width: int, flat: bool) -> bool:
    return x.shape[1:] == (width,) or (flat and x.ndim > 1 and math.prod(x.shape[1:]) == width)


def _input_remedy(x: Array, y: Array, width: int, flat: bool) -> str:
    if _fits(y, width, flat) and not (x.ndim == 1 and width == 1):
        return "x comes first, then y: they seem to be swapped"
    return shape_remedy(x.shape, width, flat)


def own_targets(data: Data) -> Data:
    """Copy y and the weights: changes to the caller's arrays during training would be unchecked.

    Like x, memory maps are not copied: they may be larger than the memory.
    """
    x, y, weight = data
    return x, _copied(y), None if weight is None else _copied(weight)


def _copied(array: Array) -> Array:
    base: Any = array
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            return array
        base = base.base
    return array.copy()


def as_validation(
    data: Any, validation: Validation, model: Sequential, loss: LossFunction, rng: np.random.Generator
) -> tuple[Data | None, Array | None]:
    """Return the validation data, and the row numbers left for training if it is part of the data."""
    if validation is None or (isinstance(validation, (int, float)) and validation == 0):
        return None, None
    if isinstance(validation, (tuple, list)) and len(validation) in (2, 3):
        xv, yv, *rest = validation
        return own_targets(as_data("validation", model, xv, yv, rest[0] if rest else None)), None
    if not isinstance(data, tuple):
        remedy = "pass another source or arrays (x, y)"
        raise TypeError(sentence("fit", "validation data beside a source", repr(validation), remedy))
    x, y, weight = data
    if isinstance(validation, np.ndarray):
        kept, aside = complement(validation, len(y))
    elif isinstance(validation, (float, np.floating)):
        labels = y.ndim == 1 and (isinstance(loss, CrossEntropy) or y.dtype.kind in "iub")
        kept, aside = split_rows(y, validation, rng, stratify=labels)
    else:
        got = f"a value of type {type(validation).__name__}"
        expected = "validation to be (x, y), a fraction like 0.1, or an array of row numbers"
        raise TypeError(sentence("fit", expected, got))
    return (x[aside], y[aside], None if weight is None else weight[aside]), kept


def check_targets(model: Sequential, loss: LossFunction, data: Data | None) -> Targets | None:
    """Check all of y and the weights with the loss, for outputs of zeros that take no memory.

    Returns None if the loss is not a Loss, or a user has overridden ``target`` or ``sample_weight``: these may read the
    batch and the outputs or draw numbers, so they are called only with batches.
    """
    if data is None or not isinstance(loss, Loss) or not is_of_package(loss, "target", "sample_weight"):
        return None
    x, y, weight = data
    outputs = np.broadcast_to(model.dtype.type(0), (x.shape[0], *_shape_of_outputs(model, x)))
    target = loss.target(check_output(repr(loss), outputs), y)
    return target, loss.sample_weight(outputs, target, weight)


def _shape_of_outputs(model: Sequential, x: Array) -> tuple[int, ...]:
    """Return the shape of an output row: that of a Linear layer at the end, or of a prediction."""
    last = model.layers[-1]
    if type(last) is Linear and is_of_package(last) and is_of_package(model):
        return (last.out_features,)
    with np.errstate(over="ignore", invalid="ignore"):
        return model.predict(x[:8]).shape[1:]


def check_layers(model: Sequential) -> None:
    """Raise if the arrays of a layer are not the model's, because the layer or its arrays were replaced."""
    vectors = {"": model.parameters.vector, "d": model.gradients.vector}
    for _, layer in walk(model.layers):
        for name, prefix in itertools.product(layer.parameter_shapes(), vectors):
            array = vars(layer).get(prefix + name)
            if not isinstance(array, np.ndarray) or array.base is not vectors[prefix].base:
                got = f"{layer!r}, which was added later, or whose arrays were replaced"
                raise ValueError(
                    sentence("fit", "the layers that the model was made with to learn", got, "make a new Sequential")
                )


def are_logits(model: Sequential, loss: LossFunction) -> bool:
    """Whether the outputs are logits: by the loss, or else by the last layer."""
    said: bool | None = getattr(loss, "from_logits", None)
    return last_op(model.layers) not in PROBABILITIES if said is None else said


def check_output_fits(model: Sequential, loss: LossFunction) -> None:
    """Raise if probabilities would go through a second softmax: that trains, but badly."""
    if not isinstance(loss, (CrossEntropy, BinaryCrossEntropy)):
        return
    last = model.layers[-1]
    gives_probabilities = last_op(model.layers) in (SOFTMAX if isinstance(loss, CrossEntropy) else SIGMOID)
    surely_logits = isinstance(last, Linear) and not gives_probabilities  # a user's layer may do anything
    if gives_probabilities if loss.from_logits else surely_logits:
        expected = f"the model's {'logits' if loss.from_logits else 'probabilities'}"
        got = f"a model that ends in {last!r}"
        remedy = f"pass loss=cr.{type(loss).__name__}(from_logits={not loss.from_logits})"
        raise ValueError(sentence(repr(loss), expected, got, remedy))


def as_list(what: str, values: Any) -> list[Any]:
    """Convert a list or tuple to a list."""
    if not isinstance(values, (list, tuple)):
        remedy = f"write {what}=[{'' if values is None else repr(values)}]"
        raise TypeError(sentence("Trainer", f"a list of {what}", repr(values), remedy))
    return list(values)


class _Checked(Protocol):
    """A trainer, as far as its checks are concerned."""

    model: Sequential
    loss: LossFunction


def _model(trainer: _Checked, model: Any) -> Sequential:
    if not isinstance(model, Sequential):
        raise TypeError(sentence("Trainer", "a Sequential model", repr(model), "write Trainer(model, loss, ...)"))
    if "loss" in vars(trainer):
        check_output_fits(model, trainer.loss)
    return model


def _loss(trainer: _Checked, loss: Any) -> LossFunction:
    found = get_loss(loss)
    check_output_fits(trainer.model, found)
    return found


def _metrics(trainer: _Checked, metrics: Any) -> dict[str, Metric]:
    return metrics if isinstance(metrics, dict) else named_metrics(as_list("metrics", metrics), COLUMNS)


def _callbacks(trainer: _Checked, callbacks: Any) -> list[Callback]:
    found = as_list("callbacks", callbacks)
    for callback in found:
        if not isinstance(callback, Callback):
            raise TypeError(sentence("Trainer", "Callback objects in callbacks", repr(callback), "make one first"))
    return found


def _products(products: Any) -> str | None:
    if products is not None and not (isinstance(products, str) and products == "bfloat16"):
        raise ValueError(sentence("Trainer", 'products="bfloat16" or None', repr(products)))
    return products


def _communicator(communicator: Any) -> Serial:
    if communicator is not None and not isinstance(communicator, Serial):
        got = f"a {type(communicator).__name__}"
        raise TypeError(sentence("Trainer", "a communicator", got, "pass chainrule.distributed.MPI()"))
    return communicator or SERIAL


#: Checks of a trainer's attributes, in the constructor and later: (trainer, value) -> the value to store.
CHECKS: dict[str, Callable[[Any, Any], Any]] = {
    "model": _model,
    "loss": _loss,
    "optimizer": lambda trainer, optimizer: get_optimizer(optimizer),
    "batch_size": lambda trainer, size: None if size is None else check_integer("Trainer", "batch_size", size),
    "metrics": _metrics,
    "callbacks": _callbacks,
    "rng": lambda trainer, rng: trainer.model.rng if rng is None else as_rng(rng, "Trainer"),
    "sample": lambda trainer, sample: check_sample("Trainer", sample),
    "augment": lambda trainer, functions: as_list("augment", functions),
    "communicator": lambda trainer, communicator: _communicator(communicator),
    "products": lambda trainer, products: _products(products),
    "epochs": lambda trainer, epochs: check_integer("Trainer", "epochs", epochs, minimum=0),
}
