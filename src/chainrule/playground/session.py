"""The protocol of the playground: JSON in, JSON out, whatever carries it (the local server, or a web worker).

A request is an object whose ``do`` names one of the methods of :class:`Session`, with its arguments beside it:

    describe                          the controls with their choices, defaults, previews
    build     run, settings           a new network and its data in place of run "a" or "b"
    advance   run, steps, epochs, milliseconds, side, unit_side      train, then the numbers and surfaces of the moment
    edge      run, layer, i, j        a weight (bias, without i), its gradient, its equation, the finite difference
    trace     run, sample             each operation of the next step, forward and backward, with its numbers
    predict   run, x                  answers and units' outputs for points, or for a drawn digit
    code      run                     the Python program that does the same
    table     text                    a table of one's own, for "data": "table"

An answer is an object, ``{"error": "one sentence"}`` if the request was refused. A moment is the present weights and
the batch that comes next: all gradients are those that the next step will use.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import __version__
from .._support.checks import Array, as_numeric, check_name, check_number, check_shape, sentence
from ..explanation.trace import difference, equations_of, trace
from ..runtime.threads import blas_threads
from .choices import FEATURES, PLAYGROUND, at_most, completed, controls
from .data import DOMAIN, KINDS, MOST_ROWS, class_names, points, table_columns, table_points
from .run import Run, grid, packed, program

RUNS = ("a", "b")
MOST_CHARACTERS = 1_000_000  # of a request
MOST_STEPS, MOST_EPOCHS, MOST_MILLISECONDS, MOST_SIDE, MOST_PICTURES = 1000, 20, 200, 100, 60
#: Arguments of ``advance`` for the speeds that the page offers.
SPEEDS = [
    {"label": "One batch a frame", "advance": {"steps": 1}},
    {"label": "One epoch a frame", "advance": {"epochs": 1}},
    {"label": "As fast as possible", "advance": {"milliseconds": 15}},
]


class Session:
    """What one page trains: two runs side by side, and a table of its own."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.columns: dict[str, Any] = {}

    def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a request; both are of JSON types."""
        try:
            if not isinstance(request, dict):
                raise TypeError(sentence(PLAYGROUND, "a request as an object", type(request).__name__))
            arguments = dict(request)
            do = ACTIONS[check_name(PLAYGROUND, "a request", str(arguments.pop("do", "")), ACTIONS)]
            known = do.__code__.co_varnames[1 : do.__code__.co_argcount]
            for name in arguments:
                check_name(PLAYGROUND, "an argument", name, known)
            with np.errstate(over="ignore", invalid="ignore"), blas_threads(0):  # overflow ends in a DivergenceError
                answer: dict[str, Any] = do(self, **arguments)
            return answer
        except (ValueError, TypeError, OverflowError, ModuleNotFoundError) as error:
            return {"error": str(error)}

    def describe(self) -> dict[str, Any]:
        """The controls of the page with their choices, a preview of each kind of data, and what cannot change."""
        return {
            "version": __version__,
            "domain": [-DOMAIN, DOMAIN],
            "controls": controls(),
            "defaults": completed({}),
            "previews": {name: _drawn(*points(name, 100, test_share=0.4)[:2]) for name in KINDS},
            "features": {name: packed(_picture(feature)) for name, (_, _, feature) in FEATURES.items()},
            "speeds": SPEEDS,
        }

    def build(self, run: str = "a", settings: Any = None) -> dict[str, Any]:
        """A new network and its data in place of a run: what stays the same, and the first frame."""
        check_name(PLAYGROUND, "a run", run, RUNS)
        chosen = completed({} if settings is None else settings)
        common = {"n": chosen["points"], "test_share": chosen["test_share"], "seed": chosen["data_seed"]}
        if chosen["data"] == "table":
            found, classes = table_points(self.columns, chosen["columns"], chosen["target"], **common)
        else:
            found = points(chosen["data"], noise=chosen["noise"], **common)
            classes = class_names(chosen["data"])
        made = self.runs[run] = Run(chosen, found, len(classes))
        drawn = {"train": _drawn(found.x, found.y), "test": _drawn(found.x_test, found.y_test)}
        return {"run": run, "classes": classes} | made.facts() | {"points": drawn, "frame": made.frame()}

    def advance(
        self,
        run: str = "a",
        steps: int = 0,
        epochs: int = 0,
        milliseconds: float = 0,
        side: int = 0,
        unit_side: int = 0,
    ) -> dict[str, Any]:
        """Train, then the frame, with surfaces if ``side`` is given."""
        found = self._run(run)
        found.advance(
            at_most("steps", steps, MOST_STEPS),
            at_most("epochs", epochs, MOST_EPOCHS),
            check_number(PLAYGROUND, "milliseconds", milliseconds, minimum=0, maximum=MOST_MILLISECONDS),
        )
        sides = at_most("side", side, MOST_SIDE), at_most("unit_side", unit_side, MOST_SIDE)
        return {"run": run} | found.frame() | (found.surfaces(*sides) if side else {})

    def edge(self, run: str = "a", layer: int = 0, i: int | None = None, j: int = 0) -> dict[str, Any]:
        """A weight or bias, its gradient term by term, and the finite difference beside it."""
        return {"run": run} | edge(self._run(run), layer, i, j)

    def trace(self, run: str = "a", sample: int = 0) -> dict[str, Any]:
        """The operations of the next step; numbers of one sample of its batch are written out."""
        found = self._run(run)
        n = at_most("sample", sample, len(found.rows) - 1)
        return {"run": run, "sample": n, "rows": found.rows.tolist(), "operations": operations(found, n)}

    def predict(self, run: str = "a", x: Any = None) -> dict[str, Any]:
        """Answers and the outputs of each layer for points in the plane, or for pictures of pixels in 0 … 1."""
        found = self._run(run)
        rows = as_numeric(PLAYGROUND, "x", x, np.float64)
        check_shape(PLAYGROUND, "x", rows, ("N", found.points.x.shape[1]))
        if not 1 <= len(rows) <= MOST_ROWS or not np.isfinite(rows).all():
            raise ValueError(sentence(PLAYGROUND, f"1 to {MOST_ROWS} finite rows", f"shape {rows.shape}"))
        outputs = found.outputs(found.features(rows))
        return {"run": run, "answers": found.answers(outputs[-1]).tolist(), "outputs": [y.tolist() for y in outputs]}

    def code(self, run: str = "a") -> dict[str, Any]:
        """The Python program that trains the same network, up to the present step."""
        return {"run": run, "code": program(self._run(run))}

    def table(self, text: str = "") -> dict[str, Any]:
        """Keep a table for ``"data": "table"``, and say what its columns are."""
        if not isinstance(text, str):
            raise TypeError(sentence(PLAYGROUND, "text of a table", type(text).__name__))
        self.columns = table_columns(text)
        columns = [{"name": name, "numbers": column.dtype.kind == "f"} for name, column in self.columns.items()]
        return {"columns": columns, "rows": len(next(iter(self.columns.values()), ()))}

    def _run(self, name: str) -> Run:
        if check_name(PLAYGROUND, "a run", name, RUNS) not in self.runs:
            raise ValueError(sentence(PLAYGROUND, f"run {name!r} to be built first", "none", "build it"))
        return self.runs[name]


def _drawn(x: Array, y: Array) -> dict[str, Any]:
    """Points as the page draws them; of pictures the first few."""
    few = slice(None) if x.shape[1] == 2 else slice(MOST_PICTURES)
    return {"x": packed(x[few]), "y": packed(y[few].reshape(-1))}


def _picture(feature: Callable[[Array], Array], side: int = 24) -> Array:
    return feature(grid(side)).reshape(side, side)


ACTIONS = {
    name: getattr(Session, name)
    for name in ("describe", "build", "advance", "edge", "trace", "predict", "code", "table")
}


def handle_json(text: str, session: Session) -> str:
    """Answer a request in JSON, whatever it is, in JSON."""
    try:
        if len(text) > MOST_CHARACTERS:
            raise ValueError(sentence(PLAYGROUND, f"at most {MOST_CHARACTERS:,} characters", f"{len(text):,}"))
        request = json.loads(text)
    except (ValueError, RecursionError) as error:
        return json.dumps({"error": sentence(PLAYGROUND, "a request in JSON", str(error))})
    try:
        return json.dumps(session.handle(request), allow_nan=False)
    except ValueError:
        remedy = "lower the learning rate, and reset the network"
        return json.dumps({"error": sentence(PLAYGROUND, "finite numbers", "others", remedy)})


# --- the next step, one operation at a time ------------------------------------------------------------------------

# Each has its equation and its numbers. Of a weight or bias the gradient is shown term by term, and the finite
# difference beside it, n over the batch that comes next:
#
#     dW[i, j] = Σₙ x[n, i] · dz[n, j] + λ₁ sign W[i, j] + 2 λ₂ W[i, j]        db[j] = Σₙ dz[n, j]
#     ∂L/∂w ≈ (L(w + h) − L(w − h)) / 2h

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
