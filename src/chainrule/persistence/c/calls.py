"""The calls of a network's steps in C, with minimal memory between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ...layers.program import Call
from .functions import function_of
from .steps import Step
from .text import number

SIZES = {"embedding": "E", "pbld": "W2", "piecewise_linear": "steps"}  # the array whose shape a function takes
WIDTHS_DIFFER = ("affine", "affine_int8", "two_classes", *SIZES)


@dataclass(eq=False)
class Value:
    """A row of numbers between two calls, or a part of it; ``kept`` counts the reasons not to overwrite it."""

    width: int
    kept: int = 0
    place: str = ""
    whole: Value | None = None
    start: int = 0  # in the whole row

    def part(self, start: int, width: int) -> Value:
        return Value(width, kept=1, whole=self, start=start)

    @property
    def row(self) -> Value:
        """The whole row, which has its own memory."""
        return self if self.whole is None else self.whole.row

    @property
    def address(self) -> str:
        if self.whole is None:
            return self.place
        return self.whole.address + (f" + {self.start}" if self.start else "")


@dataclass(frozen=True, eq=False)
class Statement:
    """A step: what it reads, where it writes, and the number that ends the names of its constants."""

    step: Step
    sources: tuple[Value, ...]
    target: Value
    index: int

    def constant(self, name: str, array: str) -> str:
        """Return the name of a constant: W2_1 for W2 of the first call, W21 for W of the 21st."""
        return f"{name}_{array}{'_' * array[-1].isdigit()}{self.index}"

    def text(self, name: str) -> str:
        step, op, width = self.step, self.step.call.op, self.target.width
        places = [*(value.address for value in self.sources), self.target.address]
        places += ["q"] if op == "affine_int8" else []
        arrays = [self.constant(name, array) for array in step.arrays]
        sizes = {"deviations": [width // 2], "two_classes": []}.get(op, [width])
        if "W" in step.arrays or op in SIZES:
            sizes = [*step.call.arrays[SIZES[op]].shape] if op in SIZES else [self.sources[0].width, width]
        arguments = [*places, *arrays, *map(number, step.call.numbers.values()), *map(str, sizes)]
        return f"{name}_{function_of(step)}({', '.join(arguments)});"


@dataclass
class Calls:
    """All calls in order, and the widths of the buffers between them."""

    calls: list[Statement] = field(default_factory=list)
    buffers: list[int] = field(default_factory=list)

    @property
    def rounded_width(self) -> int:
        """Maximum number of inputs rounded at a time; 0 without int8."""
        return max((c.sources[0].width for c in self.calls if c.step.call.op == "affine_int8"), default=0)

    @property
    def memory(self) -> int:
        """Size of the buffers in bytes."""
        return 4 * sum(self.buffers) + 2 * self.rounded_width

    def add(self, step: Step, *sources: Value) -> Value:
        """Add a call; in place if nothing else needs its input."""
        source = sources[-1]
        in_place = step.call.op not in WIDTHS_DIFFER and not source.kept
        target = source if in_place else Value(step.width)
        self.calls.append(Statement(step, sources, target, len(self.calls) + 1))
        return target

    def follow(self, steps: Sequence[Step], value: Value) -> Value:
        """Add the calls of these steps; a step with an inner program keeps its input."""
        for step in steps:
            if step.call.op == "columns":
                value = self._side_by_side(step, value)
            elif step.branches:
                value.kept += 1
                inner = [self.follow(branch, value) for branch in step.branches]
                value.kept -= 1
                value = self.add(step, *([] if step.call.op == "mean" else [value]), *inner)
            else:
                value = self.add(step, value)
        return value

    def _side_by_side(self, step: Step, value: Value) -> Value:
        """Add the calls of each part of the columns, whose result is copied to its position."""
        target, start, place = Value(step.width), 0, 0
        value.kept += 1
        for width, branch in zip(step.call.arrays["widths"].tolist(), step.branches, strict=True):
            inner = self.follow(branch, value.part(start, width))
            copy = Step(Call("copy"), inner.width, step.about)
            self.calls.append(Statement(copy, (inner,), target.part(place, inner.width), len(self.calls) + 1))
            start, place = start + width, place + inner.width
        value.kept -= 1
        return target


def calls_of(steps: Sequence[Step], inputs: int) -> Calls:
    """Return the calls from x to y, each value placed in x, y or a free buffer."""
    plan, x = Calls(), Value(inputs, kept=1, place="x")
    plan.follow(steps, x).place = "y"
    first: dict[Value, int] = {}
    final: dict[Value, int] = {}
    for index, call in enumerate(plan.calls):
        for value in (*call.sources, call.target):
            first.setdefault(value.row, index)
            final[value.row] = index
    busy_until: list[int] = []
    for value in (value for value in first if not value.place):
        slot = next((s for s, end in enumerate(busy_until) if end < first[value]), len(busy_until))
        if slot == len(busy_until):
            busy_until.append(0)
            plan.buffers.append(0)
        busy_until[slot] = final[value]
        plan.buffers[slot] = max(plan.buffers[slot], value.width)
        value.place = f"buffer{slot + 1}"
    return plan


def body(plan: Calls, name: str) -> Iterator[str]:
    """Return the lines of the predicting function."""
    for slot, width in enumerate(plan.buffers, 1):
        yield f"{name.upper()}_BUFFER float buffer{slot}[{width}];"
    if plan.rounded_width:
        yield f"{name.upper()}_BUFFER int16_t q[{plan.rounded_width}];"
    if plan.memory:
        yield ""
    for call in plan.calls:
        yield call.text(name)
