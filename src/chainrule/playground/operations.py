"""The next step, one operation at a time, each with its equation and its numbers; and one number seen closely.

Of a weight or bias its gradient is shown term by term, and the finite difference beside it:

dW[i, j] = Σₙ x[n, i] · dz[n, j] + λ₁ sign W[i, j] + 2 λ₂ W[i, j]        db[j] = Σₙ dz[n, j]

∂L/∂w ≈ (L(w + h) − L(w − h)) / 2h,   n over the batch that comes next
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._support.checks import Array
from ..explanation.trace import difference, equations_of, trace
from .choices import at_most
from .run import Run

SHOWN_ROWS, SHOWN_LINES, SHOWN_TERMS = 16, 12, 4

Operation = dict[str, Any]


def operations(run: Run, sample: int) -> list[Operation]:
    """All operations in order; the numbers that are written out are those of one sample of the batch."""
    optimizer = run.trainer.optimizer
    steps, loss = trace(run.model, run.xb, run.yb, run.trainer.loss, optimizer, training=True)
    layers = np.cumsum([bool(step.parameters) for step in steps]).tolist()
    placed = list(zip(steps, layers, strict=True))
    found = [_forward(step, layer, sample) for step, layer in placed]
    found.append(_loss(loss, layers[-1], sample))
    found += [operation for step, layer in reversed(placed) for operation in _backward(step, layer, sample)]
    rule = equations_of(optimizer)[0]
    return found + [_update(parameter, layer, rule) for step, layer in placed for parameter in step.parameters]


def _operation(
    place: tuple[str, int, str], title: str, equations: Sequence[str], lines: list[str], **arrays: Array
) -> Operation:
    phase, layer, part = place
    more = len(lines) - SHOWN_LINES
    return {
        "phase": phase,
        "layer": layer,
        "part": part,
        "title": title,
        "equations": list(equations),
        "numbers": lines[:SHOWN_LINES] + ([f"… and {more} more"] if more > 0 else []),
        "values": [
            {"name": name, "shape": list(array.shape), "data": array[:SHOWN_ROWS].tolist()}
            for name, array in arrays.items()
        ],
    }


# Steps are traced with a loss and an optimizer: none of their gradients and updates is None.


def _forward(step: Any, layer: int, n: int) -> Operation:
    x, y = step.inputs, step.outputs
    if not step.parameters:
        lines = [
            f"y[{j}] = {step.op}({number(a)}) = {number(b)}" for j, (a, b) in enumerate(zip(x[n], y[n], strict=True))
        ]
        return _operation(("forward", layer, "units"), step.op, step.equation, lines, x=x, y=y)
    W, b = (parameter.value for parameter in step.parameters)
    lines = [f"y[{j}] = {products(x[n], W[:, j])} + {factor(b[j])} = {number(y[n, j])}" for j in range(len(b))]
    return _operation(("forward", layer, "edges"), step.op, step.equation, lines, x=x, W=W, b=b, y=y)


def _loss(loss: Any, layer: int, n: int) -> Operation:
    penalty = f", and a penalty of {number(loss.penalty)}" if loss.penalty else ""
    lines = [f"L = {number(loss.value, 10)}, the mean over the batch{penalty}"]
    lines += [f"dz[{j}] = {number(value)}" for j, value in enumerate(loss.gradient[n])]
    equations = (*loss.equation, *loss.gradient_equation)
    arrays = {"z": loss.outputs, "y": loss.target, "dz": loss.gradient}
    return _operation(("loss", layer, "output"), loss.name.removesuffix("()"), equations, lines, **arrays)


def _backward(step: Any, layer: int, n: int) -> list[Operation]:
    x, dy, dx = step.inputs, step.output_gradient, step.input_gradient
    edges, units = ("backward", layer, "edges"), ("backward", layer, "units")
    if not step.parameters:
        lines = [
            f"dx[{j}] = {number(a)}, dy[{j}] being {number(b)}"
            for j, (a, b) in enumerate(zip(dx[n], dy[n], strict=True))
        ]
        return [_operation(units, step.op, step.gradient_equation, lines, dy=dy, y=step.outputs, dx=dx)]
    W, b = step.parameters
    penalty = W.gradient - x.T @ dy if any("λ" in line for line in step.gradient_equation) else None
    lines = [
        f"dW[{i}, {j}] = {products(x[:, i], dy[:, j])}{'' if penalty is None else f' + {factor(penalty[i, j])}'}"
        f" = {number(W.gradient[i, j])}"
        for i, j in np.ndindex(W.value.shape)
    ]
    found = [_operation(edges, "gradient of W", _of("dW", step), lines, x=x, dy=dy, dW=W.gradient)]
    lines = [f"db[{j}] = {terms(dy[:, j])} = {number(value)}" for j, value in enumerate(b.gradient)]
    found.append(_operation(units, "gradient of b", _of("db", step), lines, dy=dy, db=b.gradient))
    if layer > 1:
        lines = [f"dx[{i}] = {products(dy[n], W.value[i])} = {number(value)}" for i, value in enumerate(dx[n])]
        found.append(_operation(edges, "gradient of x", _of("dx", step), lines, dy=dy, W=W.value, dx=dx))
    return found


def _of(name: str, step: Any) -> list[str]:
    return [line for line in step.gradient_equation if line.startswith(name)]


def _update(parameter: Any, layer: int, rule: Sequence[str]) -> Operation:
    name, w, change = parameter.name, parameter.value, parameter.update
    after = w + change
    places = list(np.ndindex(w.shape))
    lines = [f"{name}{list(at)} = {number(w[at])} + {factor(change[at])} = {number(after[at])}" for at in places]
    place = "update", layer, "edges" if name == "W" else "units"
    return _operation(place, f"update of {name}", rule, lines, **{name: w, "change": change})


def products(x: Array, w: Array) -> str:
    """The first products of Σ x w, with their numbers."""
    return _sum([f"{factor(a)}·{factor(b)}" for a, b in zip(x[:SHOWN_TERMS], w, strict=False)], len(x))


def terms(x: Array) -> str:
    """The first terms of Σ x."""
    return _sum([factor(a) for a in x[:SHOWN_TERMS]], len(x))


def _sum(shown: list[str], count: int) -> str:
    return " + ".join(shown) + (f" + {count - len(shown)} more" if count > len(shown) else "")


def factor(value: float) -> str:
    """A number as part of a sum or product: in brackets if it is negative."""
    return f"({number(value, 4)})" if value < 0 else number(value, 4)


def number(value: float, digits: int = 6) -> str:
    """A number as a person writes it."""
    return f"{value + 0.0:.{digits}g}".replace("-", "−")  # −0 would look odd


def edge(run: Run, layer: int, i: int | None, j: int) -> dict[str, Any]:
    """The weight from input i to unit j of a dense layer, or without i the unit's bias."""
    dense = run.linear[at_most("layer", layer, len(run.linear) - 1)]
    j = at_most("j", j, dense.out_features - 1)
    batch = run.model, run.xb, run.yb, run.trainer.loss
    step: Any = [step for step in trace(*batch, training=True)[0] if step.parameters][layer]
    x, dz, penalty = None, step.output_gradient[:, j], 0.0
    place: tuple[int, ...] = (j,)
    right = f"Σₙ dz{layer + 1}[n, {j}]"
    if i is not None:
        place = at_most("i", i, dense.in_features - 1), j
        x, weight = step.inputs[:, i], float(dense.W[place])
        penalty = dense.l1 * float(np.sign(weight)) + 2 * dense.l2 * weight
        right = f"Σₙ {f'h{layer}' if layer else 'x'}[n, {i}] · dz{layer + 1}[n, {j}]"
    parameter = step.parameters[0 if i is not None else 1]
    gradient = float(parameter.gradient[place])
    found = difference(*batch, f"{step.layer}.{parameter.name}", place, training=True)
    name = f"{parameter.name}{layer + 1}[{', '.join(map(str, place))}]"
    quotient = f"({number(found.above, 12)} − {number(found.below, 12)}) / (2 · {found.span:.5f})"
    written = (terms(dz) if x is None else products(x, dz)) + (f" + {factor(penalty)}" if penalty else "")
    return {
        "name": name,
        "value": float(parameter.value[place]),
        "gradient": gradient,
        "equation": f"∂L/∂{name} = {right}{' + λ₁ sign W + 2 λ₂ W' if penalty else ''}",
        "numbers": f"{written} = {number(gradient, 10)}",
        "rows": run.rows.tolist(),
        "x": None if x is None else x.tolist(),
        "dz": dz.tolist(),
        "penalty": penalty,
        "finite_difference": {
            "value": found.slope,
            "step": found.span,
            "above": found.above,
            "below": found.below,
            "equation": "(L(w + h) − L(w − h)) / 2h",
            "numbers": f"{quotient} = {number(found.slope, 10)}",
            "relative_difference": abs(found.slope - gradient) / max(abs(found.slope), abs(gradient), 1e-12),
        },
    }
