"""A network's program as the stages of a compiled plan: one for each op that has a kernel."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .._support.checks import Array
from .._support.overrides import is_of_package
from ..layers.base import all_within
from ..layers.kernels import COLUMNS, NUMBERS, Part, kernel_of, parts_of
from ..layers.program import Call, Program, every_call, keeps_input, number_of, output_width, program_of, programs
from ..model import Sequential

FLATTEN = Call("flatten")
IDENTITY, RELU = NUMBERS.get("identity", 0), NUMBERS.get("relu", 0)


@dataclass(eq=False, repr=False)  # each method that dataclasses compiles adds 0.1 ms to the import
class Stage:
    """What kernels/plan.h needs of an op; gradients have the offsets of the parameters in their own vector.

    ``kind`` is a name in kernels/stages.def; ``a`` is the parameter of an activation, the rate of a dropout, the
    deviation of a noise or the epsilon of a normalisation. The stages of a residual's layers stand between
    a fork and a join.
    """

    kind: str
    inputs: int
    outputs: int
    activation: int = IDENTITY  # the number of its kernel
    keeps_input: bool = False  # whether its pull-back needs the input
    a: float = 0.0
    momentum: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    W: Array | None = None  # or the gain of a scale or normalisation, the amount or slope of a parametric activation
    b: Array | None = None
    running_mean: Array | None = None
    running_variance: Array | None = None
    parts: Sequence[Part] = ()  # of columns


def stages_of(model: Sequential, x: Array) -> list[Stage] | None:
    """Return the stages, or None if an op has no kernel or there is nothing to learn."""
    program = _program(model)
    if program is None or x.ndim < 2 or (x.ndim > 2 and program[:1] != (FLATTEN,)):
        return None
    stages: list[Stage] = []
    translated = _translate(program, math.prod(x.shape[1:]), stages)
    learned = any(stage.W is not None or any(arrays for _, _, arrays in stage.parts) for stage in stages)
    return stages if translated and learned else None


def _program(model: Sequential) -> Program | None:
    """Return the program of the layers in training; None if there is none, or a user's layer has arrays of its own."""
    for layer in all_within(model.layers):
        for call in every_call(() if is_of_package(layer) else program_of(layer, training=True) or ()):
            if not all(np.may_share_memory(array, model.parameters.vector) for array in call.arrays.values()):
                return None
    return programs(model.layers, training=True)


def _translate(program: Program, width: int, stages: list[Stage]) -> int | None:
    """Append the stages of the program to those before; return how wide its output is, None if an op has no kernel."""
    for call in program:
        if call.op in NUMBERS:
            _activate(call, width, stages)
        elif call.op == "add":
            stages.append(Stage("fork", width, width))
            if _translate(call.branches[0], width, stages) != width:
                return None
            stages.append(Stage("join", width, width))
        elif call.op in STAGES:
            stage = STAGES[call.op](call, width)
            if stage is None or stage.inputs != width or (stage.kind == "columns" and stages):
                return None
            stages.append(stage)
            width = stage.outputs
        elif call != FLATTEN:  # rows are flat
            return None
    return width


def _activate(call: Call, width: int, stages: list[Stage]) -> None:
    if not stages or stages[-1].kind != "affine" or stages[-1].activation != IDENTITY:
        stages.append(Stage("activation", width, width))
    stage = stages[-1]
    stage.activation, stage.keeps_input = NUMBERS[call.op], keeps_input(call.op)
    stage.a = number_of(call)


def _columns(call: Call, width: int) -> Stage | None:
    parts = parts_of(call)
    return None if parts is None else Stage("columns", width, output_width(call, width), parts=parts)


def _affine(call: Call, width: int) -> Stage:
    W: Array = call.arrays["W"]
    stage = Stage("affine", W.shape[0], W.shape[1], W=W, b=call.arrays.get("b"))
    stage.l1, stage.l2 = call.numbers.get("l1", 0.0), call.numbers.get("l2", 0.0)
    return stage


def _parametric(call: Call, width: int) -> Stage | None:
    inner, amount = call.branches[0], call.arrays["amount"]
    kernel = kernel_of(inner)
    if kernel is None:
        return None
    stage = Stage("parametric", len(amount), len(amount), kernel[0], keeps_input(inner[0].op), kernel[1])
    stage.W = amount
    return stage


def _prelu(call: Call, width: int) -> Stage:
    slope = call.arrays["slope"]
    return Stage("prelu", len(slope), len(slope), RELU, W=slope)


def _of_its_op(call: Call, width: int) -> Stage:
    return Stage(call.op, width, width, a=number_of(call))


def _scale(call: Call, width: int) -> Stage:
    gain = call.arrays["gain"]
    return Stage("scale", len(gain), len(gain), W=gain, b=call.arrays.get("bias"))


def _layer_norm(call: Call, width: int) -> Stage:
    gain, bias = call.arrays["gain"], call.arrays["bias"]
    return Stage("layer_norm", len(gain), len(gain), W=gain, b=bias, a=call.numbers["epsilon"])


def _batch_norm(call: Call, width: int) -> Stage:
    stage = _layer_norm(call, width)
    stage.kind, stage.momentum = call.op, call.numbers["momentum"]
    stage.running_mean, stage.running_variance = call.arrays["running_mean"], call.arrays["running_variance"]
    return stage


STAGES: dict[str, Callable[[Call, int], Stage | None]] = {
    "affine": _affine,
    "batch_norm": _batch_norm,
    **dict.fromkeys(COLUMNS, _columns),
    **dict.fromkeys(("dropout", "gaussian_noise", "softmax", "log_softmax"), _of_its_op),
    "layer_norm": _layer_norm,
    "parametric": _parametric,
    "prelu": _prelu,
    "scale": _scale,
}
