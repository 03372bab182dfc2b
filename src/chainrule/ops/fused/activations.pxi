"""The activations."""

from chainrule.ops import activations as plain_activations

cdef extern from "kernels/kernels.h":
    int IDENTITY, RELU, LEAKY_RELU, HARD_SIGMOID, SIGMOID, TANH, SOFTPLUS, ELU, SELU, GELU, GELU_TANH, SILU, MISH

#: The number of each kernel, as kernels.h has it.
ACTIVATIONS = {
    "identity": IDENTITY, "relu": RELU, "leaky_relu": LEAKY_RELU, "hard_sigmoid": HARD_SIGMOID, "sigmoid": SIGMOID,
    "tanh": TANH, "softplus": SOFTPLUS, "elu": ELU, "selu": SELU, "gelu": GELU, "gelu_tanh": GELU_TANH, "silu": SILU,
    "mish": MISH,
}


def identity(x, out=None):
    return activate(IDENTITY, plain_activations.identity, x, out)


def identity_backward(dy, out=None):
    return activate(IDENTITY, plain_activations.identity_backward, dy, out)


def relu(x, out=None):
    return activate(RELU, plain_activations.relu, x, out)


def relu_backward(dy, y, out=None):
    return activate_backward(RELU, plain_activations.relu_backward, dy, y, out)


def leaky_relu(x, slope=0.01, out=None):
    cdef object y = activated(LEAKY_RELU, x, slope, out) if weak(slope) else None
    return plain_activations.leaky_relu(x, slope, out) if y is None else y


def leaky_relu_backward(dy, y, slope=0.01, out=None):
    cdef object dx = pulled_back(LEAKY_RELU, dy, y, slope, out) if weak(slope) else None
    return plain_activations.leaky_relu_backward(dy, y, slope, out) if dx is None else dx


def prelu(x, slope, out=None):
    cdef const Kernels *k = kernels_for(x)
    cdef object y = None if k == NULL or not is_column_slope(x, slope) else writable_like(x, out)
    if y is None or overlap(y, slope):
        return plain_activations.prelu(x, slope, out)
    cdef Size rows = length(x, 0), width = size(slope)
    cdef void *source = data(x)
    cdef void *slopes = data(slope)
    cdef void *target = data(y)
    with nogil:
        k.prelu(rows, width, source, slopes, target)
    return y


def prelu_backward(dy, x, slope, out=(None, None)):
    cdef const Kernels *k = kernels_for(dy)
    cdef object dx = None, dslope = None
    if k != NULL and alike(dy, x) and is_column_slope(dy, slope):
        dx_out, dslope_out = out
        dx = writable_like(dy, dx_out)
        dslope = writable_like(slope, dslope_out)
    if dx is None or dslope is None or not apart(x, dx) or overlap(dx, slope) or overlap(dx, dslope):
        return plain_activations.prelu_backward(dy, x, slope, out)
    if overlap(dslope, dy) or overlap(dslope, x) or overlap(dslope, slope):
        return plain_activations.prelu_backward(dy, x, slope, out)
    cdef Size rows = length(dy, 0), width = size(slope)
    cdef void *source = data(dy)
    cdef void *saved = data(x)
    cdef void *slopes = data(slope)
    cdef void *target = data(dx)
    cdef void *total = data(dslope)
    with nogil:
        k.prelu_backward(rows, width, source, saved, slopes, target, total)
    return dx, dslope


def hard_sigmoid(x, out=None):
    return activate(HARD_SIGMOID, plain_activations.hard_sigmoid, x, out)


def hard_sigmoid_backward(dy, y, out=None):
    return activate_backward(HARD_SIGMOID, plain_activations.hard_sigmoid_backward, dy, y, out)


def sigmoid(x, out=None):
    return activate(SIGMOID, plain_activations.sigmoid, x, out)


def sigmoid_backward(dy, y, out=None):
    return activate_backward(SIGMOID, plain_activations.sigmoid_backward, dy, y, out)


def tanh(x, out=None):
    return activate(TANH, plain_activations.tanh, x, out)


def tanh_backward(dy, y, out=None):
    return activate_backward(TANH, plain_activations.tanh_backward, dy, y, out)


def softplus(x, out=None):
    return activate(SOFTPLUS, plain_activations.softplus, x, out)


def softplus_backward(dy, y, out=None):
    return activate_backward(SOFTPLUS, plain_activations.softplus_backward, dy, y, out)


def elu(x, alpha=1.0, out=None):
    cdef object y = activated(ELU, x, alpha, out) if weak(alpha) else None
    return plain_activations.elu(x, alpha, out) if y is None else y


def elu_backward(dy, y, alpha=1.0, out=None):
    cdef object dx = pulled_back(ELU, dy, y, alpha, out) if weak(alpha) else None
    return plain_activations.elu_backward(dy, y, alpha, out) if dx is None else dx


def selu(x, out=None):
    return activate(SELU, plain_activations.selu, x, out)


def selu_backward(dy, y, out=None):
    return activate_backward(SELU, plain_activations.selu_backward, dy, y, out)


def gelu(x, out=None):
    return activate(GELU, plain_activations.gelu, x, out)


def gelu_backward(dy, x, out=None):
    return activate_backward(GELU, plain_activations.gelu_backward, dy, x, out)


def gelu_tanh(x, out=None):
    return activate(GELU_TANH, plain_activations.gelu_tanh, x, out)


def gelu_tanh_backward(dy, x, out=None):
    return activate_backward(GELU_TANH, plain_activations.gelu_tanh_backward, dy, x, out)


def silu(x, out=None):
    return activate(SILU, plain_activations.silu, x, out)


def silu_backward(dy, x, out=None):
    return activate_backward(SILU, plain_activations.silu_backward, dy, x, out)


def mish(x, out=None):
    return activate(MISH, plain_activations.mish, x, out)


def mish_backward(dy, x, out=None):
    return activate_backward(MISH, plain_activations.mish_backward, dy, x, out)


cdef inline object activate(int kind, object reference, object x, object out):
    cdef object y = activated(kind, x, 0.0, out)
    return reference(x, out=out) if y is None else y


cdef inline object activate_backward(int kind, object reference, object dy, object kept, object out):
    cdef object dx = pulled_back(kind, dy, kept, 0.0, out)
    return reference(dy, kept, out=out) if dx is None else dx


cdef object activated(int kind, object x, double a, object out):
    """The kernel's result, None if it does not take these arrays."""
    cdef const Kernels *k = kernels_for(x)
    cdef object y = None if k == NULL or is_number(x) else writable_like(x, out)
    if y is None:
        return None
    cdef Size n = size(x)
    cdef void *source = data(x)
    cdef void *target = data(y)
    with nogil:
        k.activate(kind, n, source, target, a)
    return y


cdef object pulled_back(int kind, object dy, object kept, double a, object out):
    """The kernel's result, None if it does not take these arrays."""
    cdef const Kernels *k = kernels_for(dy)
    cdef object dx = None if k == NULL or is_number(dy) or not alike(dy, kept) else writable_like(dy, out)
    if dx is None or not apart(kept, dx):
        return None
    cdef Size n = size(dy)
    cdef void *source = data(dy)
    cdef void *saved = data(kept)
    cdef void *target = data(dx)
    with nogil:
        k.activate_backward(kind, n, source, saved, target, a)
    return dx


cdef inline bint is_number(object x):
    """An array without dimensions, of which NumPy's functions make a number."""
    return cnp.PyArray_NDIM(<cnp.ndarray> x) == 0


cdef inline bint is_column_slope(object x, object slope):
    """Whether x is a matrix and slope has one number for each of its columns, in its dtype."""
    return cnp.PyArray_NDIM(<cnp.ndarray> x) == 2 and is_vector(x, cnp.PyArray_DIM(<cnp.ndarray> x, 1), slope)


cdef inline bint weak(object number):
    """A number of Python's own, which takes the dtype of the array; one of NumPy's may change it."""
    return type(number) is float or type(number) is int
