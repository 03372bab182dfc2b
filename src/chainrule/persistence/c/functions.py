"""C functions, one for each op.

Each function takes the input, the output (possibly the same memory if the widths are equal), its constants, and its
sizes. ``NAME`` stands for the name of the network. A header contains only those that its network uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..programs import ELEMENTWISE
from .steps import NOTHING, Step


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
    for (size_t j = 0; j < inputs; j++, left += bins, width += bins, steps += bins * outputs, y += outputs) {
        for (size_t k = 0; k < outputs; k++) {
            y[k] = x[j] * *slope++ + *bias++;
        }
        size_t m = 0;
        for (; m + 1 < bins && x[j] >= left[m + 1]; m++) {
            for (size_t k = 0; k < outputs; k++) {
                y[k] += steps[m * outputs + k];
            }
        }
        const float part = (x[j] - left[m]) / width[m];
        for (size_t k = 0; k < outputs; k++) {
            y[k] += part * steps[m * outputs + k];
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
    if op == "mean":
        return f"mean_of_{len(step.branches)}"
    if op in EACH and "bias" in step.arrays:
        return f"{op}_and_shift"
    return op.replace("affine", "dense")


def _text(step: Step) -> str:
    op = step.call.op
    if op in ROWS:
        return ROWS[op]
    if op == "mean":
        each = [f"f{index}" for index, _ in enumerate(step.branches)]
        given = "".join(f"const float *{name}, " for name in each)
        total = " + ".join(f"{name}[i]" for name in each)
        return _loop(f"{function_of(step)}({given}float *y, size_t n)", f"y[i] = ({total}) / {len(each)}.0f;")
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
