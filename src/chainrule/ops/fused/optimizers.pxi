"""The optimizers' steps, and the norm of a gradient; chainrule/optimizers/base.py calls them."""

cdef extern from "kernels/kernels.h":
    int SGD, RMSPROP, ADAGRAD, ADAM, NADAM, LION

# What an optimizer's `kernel` names.
OPTIMIZERS = {"sgd": SGD, "rmsprop": RMSPROP, "adagrad": ADAGRAD, "adam": ADAM, "nadam": NADAM, "lion": LION}


def takes(cnp.ndarray vector, gradient, list state):
    """Whether `update` may run over these arrays: all as the vector is, flat, contiguous and without a copy writable."""
    if kernels_for(vector) == NULL or not cnp.PyArray_ISWRITEABLE(vector) or not alike(vector, gradient):
        return False
    for array in state:
        if not alike(vector, array) or not cnp.PyArray_ISWRITEABLE(<cnp.ndarray> array):
            return False
    return True


def update(str kernel, tuple numbers, double limit, double factor, list runs, vector, gradient, list state):
    """One step, in place, over each run (start, stop, factor of the rate, factor of the shrinking) of the vector.

    ``numbers`` are rate, shrink and the coefficients. The arrays are those that `takes` accepts.
    """
    cdef const Kernels *k = kernels_for(vector)
    cdef Size width = cnp.PyArray_ITEMSIZE(<cnp.ndarray> vector), start, stop
    cdef char *w = <char *> data(vector)
    cdef char *g = <char *> data(gradient)
    cdef char *first = <char *> data(state[0]) if state else NULL
    cdef char *second = <char *> data(state[1]) if len(state) > 1 else NULL
    cdef double rate = numbers[0], shrink = numbers[1], rate_factor, shrink_factor
    cdef Update step
    cdef FloatMode before
    step.kind, step.limit, step.factor = OPTIMIZERS[kernel], limit, factor
    cdef Size i
    for i in range(6):
        step.c[i] = numbers[2 + i] if 2 + i < len(numbers) else 0.0
    for start, stop, rate_factor, shrink_factor in runs:
        step.rate, step.shrink = rate * rate_factor, shrink * shrink_factor
        with nogil:
            before = flush_subnormals()
            k.update(&step, stop - start, w + start * width, g + start * width,
                     NULL if first == NULL else first + start * width,
                     NULL if second == NULL else second + start * width)
            set_float_mode(before)


def square_norm(gradient, double limit):
    """Σ min(max(g, −limit), limit)² of a contiguous array."""
    cdef const Kernels *k = kernels_for(gradient)
    cdef Size n = size(gradient)
    cdef void *g = data(gradient)
    cdef double square
    with nogil:
        square = k.square_norm(n, g, limit)
    return square
