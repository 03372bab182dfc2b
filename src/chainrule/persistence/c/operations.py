"""The C functions, one for each operation; only those that a network uses are written into its header.

Each takes where to read and where to write, which may be the same place unless the widths differ, then its constants,
then its sizes. ``NAME`` stands for the name of the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ...layers import (
    ELU,
    GELU,
    SELU,
    Activation,
    HardSigmoid,
    LeakyReLU,
    Mish,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)


def _each(operation: str, value: str, constants: str = "") -> str:
    """A function of each number."""
    return f"""\
static inline void NAME_{operation}(const float *x, float *y, {constants}size_t n)
{{
    for (size_t i = 0; i < n; i++) {{
        y[i] = {value};
    }}
}}"""


# Scalars: no exponent is above zero, so nothing overflows at any magnitude.
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

# Eight sums at a time: they do not wait for each other, compilers make vectors of them, and they round less than one.
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

_ADD = """\
static inline void NAME_add(const float *a, const float *b, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = a[i] + b[i];
    }
}"""

_ELU = "x[i] > 0.0f ? x[i] : alpha * expm1f(x[i])"
_CUBIC = "0.79788456f * (x[i] + 0.044715f * x[i] * x[i] * x[i])"
_HARD = "x[i] <= -3.0f ? 0.0f : x[i] >= 3.0f ? 1.0f : x[i] / 6.0f + 0.5f"
_STANDARD = "((x[i] - high[i]) - low[i]) * factor[i]"

FUNCTIONS: dict[str, str] = {
    "sigmoid_of": _SIGMOID_OF,
    "softplus_of": _SOFTPLUS_OF,
    "standardize": "/* The mean is high + low: a float32 alone would lose digits of a mean far from zero. */\n"
    + _each("standardize", _STANDARD, "const float *high, const float *low, const float *factor, "),
    "dense": _DENSE,
    "dense_int8": _DENSE_INT8,
    "affine": _each("affine", "x[i] * factor[i] + shift[i]", "const float *factor, const float *shift, "),
    "scale": _each("scale", "x[i] * factor[i]", "const float *factor, "),
    "layer_norm": _LAYER_NORM,
    "relu": _each("relu", "x[i] < 0.0f ? 0.0f : x[i]"),
    "leaky_relu": _each("leaky_relu", "x[i] > 0.0f ? x[i] : slope * x[i]", "float slope, "),
    "prelu": _each("prelu", "x[i] > 0.0f ? x[i] : slope[i] * x[i]", "const float *slope, "),
    "elu": _each("elu", _ELU, "float alpha, "),
    "selu": _each("selu", f"1.05070099f * ({_ELU.replace('alpha', '1.67326324f')})"),
    "gelu": _each("gelu", "0.5f * x[i] * (1.0f + erff(x[i] * 0.70710678f))"),
    "gelu_tanh": _each("gelu_tanh", f"0.5f * x[i] * (1.0f + tanhf({_CUBIC}))"),
    "silu": _each("silu", "x[i] * NAME_sigmoid_of(x[i])"),
    "mish": _each("mish", "x[i] * tanhf(NAME_softplus_of(x[i]))"),
    "softplus": _each("softplus", "NAME_softplus_of(x[i])"),
    "tanh": _each("tanh", "tanhf(x[i])"),
    "sigmoid": _each("sigmoid", "NAME_sigmoid_of(x[i])"),
    "hard_sigmoid": _each("hard_sigmoid", _HARD),
    "softmax": _SOFTMAX,
    "exp": _each("exp", "x[i] > 88.72283f ? 3.4028235e38f : expf(x[i])"),
    "two_classes": _TWO_CLASSES,
    "deviations": _DEVIATIONS,
    "add": _ADD,
}

#: Each activation without parameters: its function, and the attributes that are its constants.
ACTIVATIONS: dict[type[Activation], tuple[str, tuple[str, ...]]] = {
    ELU: ("elu", ("alpha",)),
    GELU: ("gelu", ()),
    HardSigmoid: ("hard_sigmoid", ()),
    LeakyReLU: ("leaky_relu", ("slope",)),
    Mish: ("mish", ()),
    ReLU: ("relu", ()),
    SELU: ("selu", ()),
    Sigmoid: ("sigmoid", ()),
    SiLU: ("silu", ()),
    Softplus: ("softplus", ()),
    Tanh: ("tanh", ()),
}


def function_of(activation: Any) -> tuple[str, tuple[float, ...]]:
    """The function of an activation, and its constants."""
    function, names = ACTIVATIONS[type(activation)]
    if isinstance(activation, GELU) and activation.approximate == "tanh":
        function = "gelu_tanh"
    return function, tuple(getattr(activation, name) for name in names)


def functions(name: str, used: Iterable[str]) -> Iterator[str]:
    """The text of the functions that are used, each behind those that it calls."""
    wanted = set(used)
    wanted |= {own for own in ("sigmoid_of", "softplus_of") for one in wanted if f"NAME_{own}(" in FUNCTIONS[one]}
    for operation, text in FUNCTIONS.items():
        if operation in wanted:
            yield text.replace("NAME_", f"{name}_")
