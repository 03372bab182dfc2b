"""Check programs for export: known ops, complete arguments, and numbers that float32 can hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from .._support.checks import nearest, sentence
from ..layers.base import Layer
from ..layers.program import Call, Program, arguments, every_call, stated

SMALLEST = float(np.finfo(np.float32).tiny)


def layer_programs(who: str, layers: Sequence[Layer], known: Collection[str]) -> list[tuple[Layer, Program]]:
    """Return each layer with its program; raise for unknown ops."""
    found = list(zip(layers, stated(who, layers), strict=True))
    for layer, program in found:
        check_program(who, repr(layer), program, known)
    return found


def check_program(who: str, about: str, program: Iterable[Call], known: Collection[str]) -> None:
    """Raise unless the calls can be written; ``about`` names their owner."""
    for call in every_call(program):
        if call.op not in known:
            got = f"{call.op!r} in the program of {about}{nearest(call.op, known)}"
            raise ValueError(sentence(who, "ops that it can write", got, "known are " + ", ".join(sorted(known))))
        needed = arguments(call.op)
        given = {*call.arrays, *call.numbers}
        if not {name for name, must in needed.items() if must} <= given <= needed.keys():
            got = f"{', '.join(sorted(given)) or 'none'} in the program of {about}"
            raise ValueError(sentence(who, f"{call.op} to be given {', '.join(needed) or 'nothing'}", got))
        if call.numbers.get("epsilon", 1) < SMALLEST:
            expected = f"epsilon of at least {SMALLEST:.2g}, which float32 can hold"
            raise ValueError(sentence(who, expected, about, "train with a larger one"))
