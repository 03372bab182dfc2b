"""C functions, one for each op, and the calls of a network's steps with minimal memory between them.

Each function takes the input, the output (possibly the same memory if the widths are equal), its constants, and its
sizes. ``NAME`` stands for the name of the network. A header contains only those that its network uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ...layers.program import Call
from ..programs import ELEMENTWISE
from .steps import NOTHING, Step
from .text import number


def _loop(head: str, *lines: str) -> str:
    """Return a function of n numbers that runs these lines for each i."""
    body = "\n".join(f"        {line}" for line in lines)
    return f"""\
static inline void NAME_{head}
{{
    for (size_t i = 0; i < n; i++) {{
{body}
    }}
}}"""


# Scalars: no exponent is positive, so nothing overflows.
_SIGMOID_OF = """\
static inline float NAME_sigmoid_of(float v)
{
    const float tail = expf(-fabsf(v));
    return (v < 0.0f ? tail : 1.0f) / (1.0f + tail);
}"""

_SOFTPLUS_OF = """\
static inline float NAME_softplus_of(float v)
{
    return (v > 0.0f ? v : 0.0f) + log1pf(expf(-fabsf(v)));
}"""

# Eight independent sums: compilers vectorise them, and they round less than one.
_PRODUCTS = "\n".join(f"            s{k} += W[i + {k}] * x[i + {k}];" for k in range(8))
_DENSE = f"""\
static inline void NAME_dense(const float *x, float *y, const float *W, const float *b, size_t inputs, size_t outputs)
{{
    const size_t eights = inputs - inputs % 8;
    for (size_t o = 0; o < outputs; o++, W += inputs) {{
        float s0 = b[o], s1 = 0.0f, s2 = 0.0f, s3 = 0.0f, s4 = 0.0f, s5 = 0.0f, s6 = 0.0f, s7 = 0.0f;
        for (size_t i = 0; i < eights; i += 8) {{
{_PRODUCTS}
        }}
        for (size_t i = eights; i < inputs; i++) {{
            s0 += W[i] * x[i];
        }}
        y[o] = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7));
    }}
}}"""

_DENSE_INT8 = """\
/* The weights are W * scale, a scale for each output. The inputs of this row are rounded to q * unit, 16 bits:
   with |q| <= limit, no sum of products with these weights can leave 32 bits. */
static inline void NAME_dense_int8(const float *x, float *y, int16_t *q, const int8_t *W, const float *scale,
    const float *b, float limit, size_t inputs, size_t outputs)
{
    float largest = 1e-30f, spoilt = 0.0f;
    for (size_t i = 0; i < inputs; i++) {
        const float size = fabsf(x[i]);
        largest = size > largest ? size : largest;
        spoilt += 0.0f * x[i]; /* not a number, where x is not finite */
    }
    if (spoilt != 0.0f) {
        for (size_t o = 0; o < outputs; o++) {
            y[o] = spoilt;
        }
        return;
    }
    const float unit = largest / limit, per_unit = limit / largest;
    for (size_t i = 0; i < inputs; i++) {
        q[i] = (int16_t)lrintf(x[i] * per_unit);
    }
    for (size_t o = 0; o < outputs; o++, W += inputs) {
        int32_t sum = 0;
        for (size_t i = 0; i < inputs; i++) {
            sum += (int32_t)W[i] * q[i];
        }
        y[o] = (float)sum * (scale[o] * unit) + b[o];
    }
}"""

_SOFTMAX = """\
static inline void NAME_softmax(const float *x, float *y, size_t n)
{
    float largest = x[0], sum = 0.0f;
    for (size_t i = 1; i < n; i++) {
        largest = x[i] > largest ? x[i] : largest;
    }
    for (size_t i = 0; i < n; i++) {
        y[i] = expf(x[i] - largest);
        sum += y[i];
    }
    for (size_t i = 0; i < n; i++) {
        y[i] /= sum;
    }
}"""

_LAYER_NORM = """\
static inline void NAME_layer_norm(const float *x, float *y, const float *gain, const float *bias, float epsilon,
    size_t n)
{
    float mean = 0.0f, largest = 1.0f, variance = 0.0f;
    for (size_t i = 0; i < n; i++) {
        mean += x[i] / (float)n;
    }
    for (size_t i = 0; i < n; i++) {
        largest = fabsf(x[i] - mean) > largest ? fabsf(x[i] - mean) : largest;
    }
    for (size_t i = 0; i < n; i++) { /* in units of the largest, whose squares do not overflow */
        const float centred = (x[i] - mean) / largest;
        variance += centred * centred;
    }
    const float factor = 1.0f / sqrtf(variance / (float)n + epsilon / largest / largest);
    for (size_t i = 0; i < n; i++) {
        y[i] = (x[i] - mean) / largest * factor * gain[i] + bias[i];
    }
}"""

_TWO_CLASSES = """\
static inline void NAME_two_classes(const float *x, float *y)
{
    y[0] = NAME_sigmoid_of(-x[0]);
    y[1] = NAME_sigmoid_of(x[0]);
}"""

_DEVIATIONS = """\
/* Behind n means, the standard deviations of n predicted log-variances. */
static inline void NAME_deviations(const float *x, float *y, const float *spread, float floor, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i];
        y[n + i] = sqrtf(expf(x[n + i] > 88.72283f ? 88.72283f : x[n + i]) + floor) * spread[i];
    }
}"""

_ADD = _loop("add(const float *a, const float *b, float *y, size_t n)", "y[i] = a[i] + b[i];")

_PARAMETRIC = _loop(
    "parametric(const float *x, const float *f, float *y, const float *amount, size_t n)",
    "y[i] = (1.0f - amount[i]) * x[i] + amount[i] * f[i];",
)

_COPY = _loop("copy(const float *x, float *y, size_t n)", "y[i] = x[i];")

_EMBEDDING = """\
/* The row of E whose number x is; not a number, where there is no such row. */
static inline void NAME_embedding(const float *x, float *y, const float *E, size_t codes, size_t size)
{
    const int known = x[0] >= 0.0f && x[0] < (float)codes && x[0] == floorf(x[0]);
    for (size_t i = 0; i < size; i++) {
        y[i] = known ? E[(size_t)x[0] * size + i] : NAN;
    }
}"""

_PBLD = """\
/* Of each number, sums of waves of it; then the numbers themselves. */
static inline void NAME_pbld(const float *x, float *y, const float *w1, const float *b1, const float *W2,
    const float *b2, size_t inputs, size_t waves, size_t outputs)
{
    for (size_t j = 0; j < inputs; j++, y += outputs) {
        for (size_t k = 0; k < outputs; k++) {
            y[k] = *b2++;
        }
        for (size_t h = 0; h < waves; h++) {
            const float wave = cosf(x[j] * *w1++ + *b1++);
            for (size_t k = 0; k < outputs; k++) {
                y[k] += wave * *W2++;
            }
        }
    }
    for (size_t j = 0; j < inputs; j++) {
        y[j] = x[j];
    }
}"""

_PIECEWISE_LINEAR = """\
/* Of each number, functions that are a line and a rise in each of the bins up to it. */
static inline void NAME_piecewise_linear(const float *x, float *y, const float *steps, const float *slope,
    const float *bias, const float *left, const float *width, size_t inputs, size_t bins, size_t outputs)
{
    for (size_t j = 0; j < inputs; j++, left += bins, width += bins, steps += bins * outputs) {
        for (size_t k = 0; k < outputs; k++, y++) {
            size_t m = 0;
            for (*y = x[j] * *slope++ + *bias++; m + 1 < bins && x[j] >= left[m + 1]; m++) {
                *y += steps[m * outputs + k];
            }
            *y += (x[j] - left[m]) / width[m] * steps[m * outputs + k];
        }
    }
}"""

#: Functions of each number v and arrays of the same length; a bias is an exception.
EACH = {
    "log": "logf(v + 1e-30f)",
    "logit": "logf(v + 1e-30f) - logf(1.0f - v + 1e-30f)",
    "prelu": "v > 0.0f ? v : slope[i] * v",
    "scale": "v * gain[i]",
    "standardize": "((v - high[i]) - low[i]) * factor[i]",
} | {op: entry.c for op, entry in ELEMENTWISE.items()}

#: Functions of whole rows.
ROWS = {
    "add": _ADD,
    "affine": _DENSE,
    "affine_int8": _DENSE_INT8,
    "copy": _COPY,
    "deviations": _DEVIATIONS,
    "embedding": _EMBEDDING,
    "layer_norm": _LAYER_NORM,
    "pbld": _PBLD,
    "parametric": _PARAMETRIC,
    "piecewise_linear": _PIECEWISE_LINEAR,
    "softmax": _SOFTMAX,
    "two_classes": _TWO_CLASSES,
}
COMMENTS = {"standardize": "/* The mean is high + low: one float32 would lose digits of a mean far from zero. */\n"}
HELPERS = {"sigmoid_of": _SIGMOID_OF, "softplus_of": _SOFTPLUS_OF}
OPS = {*EACH, *ROWS, *NOTHING, "columns", "mean"}


def function_of(step: Step) -> str:
    """Return the name of the op's function."""
    op = step.call.op
    if op in EACH and "bias" in step.arrays:
        return f"{op}_and_shift"
    return op.replace("affine", "dense").replace("mean", f"mean_of_{len(step.branches)}")


def _text(step: Step) -> str:
    op = step.call.op
    if op in ROWS:
        return ROWS[op]
    if op == "mean":
        k = range(len(step.branches))
        given, total = "".join(f"const float *f{i}, " for i in k), " + ".join(f"f{i}[i]" for i in k)
        return _loop(f"{function_of(step)}({given}float *y, size_t n)", f"y[i] = ({total}) / {len(k)}.0f;")
    constants = "".join(f"const float *{name}, " for name in step.arrays)
    constants += "".join(f"float {name}, " for name in step.call.numbers)
    value = EACH[op] + " + bias[i]" * ("bias" in step.arrays)
    head = f"{function_of(step)}(const float *x, float *y, {constants}size_t n)"
    return COMMENTS.get(op, "") + _loop(head, "const float v = x[i];", f"y[i] = {value};")


def functions(name: str, steps: Iterable[Step]) -> Iterator[str]:
    """Return the text of the functions in use, each after those that it calls."""
    texts = {function_of(step): _text(step) for step in steps}
    called = [text for own, text in HELPERS.items() if any(f"NAME_{own}(" in text for text in texts.values())]
    for text in (*called, *texts.values()):
        yield text.replace("NAME_", f"{name}_")


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
