"""One number of the network under the magnifying glass: its gradient term by term, and the finite difference beside it.

dW[i, j] = Σₙ x[n, i] · dz[n, j] + λ₁ sign W[i, j] + 2 λ₂ W[i, j]        db[j] = Σₙ dz[n, j]

∂L/∂w ≈ (L(w + h) − L(w − h)) / 2h,   n over the batch that comes next
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._support.checks import check_integer, check_number
from ..explanation.trace import difference, trace
from .choices import PLAYGROUND
from .operations import factor, number, products, terms
from .run import Run


def edge(run: Run, layer: int, i: int | None, j: int) -> dict[str, Any]:
    """The weight from input i to unit j of a dense layer, or without i the unit's bias."""
    dense = run.linear[_index("layer", layer, len(run.linear))]
    j = _index("j", j, dense.out_features)
    batch = run.model, run.xb, run.yb, run.trainer.loss
    step: Any = [step for step in trace(*batch, training=True)[0] if step.parameters][layer]
    x, dz, penalty = None, step.output_gradient[:, j], 0.0
    place: tuple[int, ...] = (j,)
    right = f"Σₙ dz{layer + 1}[n, {j}]"
    if i is not None:
        place = _index("i", i, dense.in_features), j
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


def _index(name: str, value: int, count: int) -> int:
    return int(check_number(PLAYGROUND, name, check_integer(PLAYGROUND, name, value, minimum=0), maximum=count - 1))
