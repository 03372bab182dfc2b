"""Standardisation, and the learned scale after it."""


def standardize(x, axis, epsilon=1e-5, out=None):
    cdef const Kernels *k = kernels_for_matrix(x)
    cdef object y = None if k == NULL or not (axis == 0 or axis == 1) else writable_like(x, out)
    if y is None:
        return PLAIN["standardize"](x, axis, epsilon, out)
    cdef bint columns = axis == 0
    cdef Size rows = length(x, 0), width = length(x, 1)
    cdef Size high = 1 if columns else rows, wide = width if columns else 1  # one number for each column or row
    cdef object inverse = matrix_like(x, high, wide)
    cdef object mean = matrix_like(x, high, wide)
    cdef object variance = matrix_like(x, high, wide)
    cdef double smallest = epsilon
    cdef void *source = data(x)
    cdef void *target = data(y)
    cdef void *to_inverse = data(inverse)
    cdef void *to_mean = data(mean)
    cdef void *to_variance = data(variance)
    with nogil:
        if columns:
            k.standardize_columns(rows, width, width, source, smallest, target, to_inverse, to_mean, to_variance)
        else:
            k.standardize_rows(rows, width, width, source, smallest, target, to_inverse, to_mean, to_variance)
    return y, inverse, mean, variance


def standardize_backward(dy, y, inverse_deviation, axis, out=None):
    cdef const Kernels *k = kernels_for_matrix(dy)
    cdef bint columns = axis == 0
    if (
        k == NULL
        or not (columns or axis == 1)
        or not alike(dy, y)
        or not is_matrix(dy, 1 if columns else length(dy, 0), length(dy, 1) if columns else 1, inverse_deviation)
    ):
        return PLAIN["standardize_backward"](dy, y, inverse_deviation, axis, out)
    cdef object dx = writable_like(dy, out)
    if dx is None or not apart(y, dx) or overlap(dx, inverse_deviation):
        return PLAIN["standardize_backward"](dy, y, inverse_deviation, axis, out)
    cdef Size rows = length(dy, 0), width = length(dy, 1)
    cdef void *source = data(dy)
    cdef void *saved = data(y)
    cdef void *factor = data(inverse_deviation)
    cdef void *target = data(dx)
    with nogil:
        if columns:
            k.standardize_columns_backward(rows, width, width, source, saved, factor, target)
        else:
            k.standardize_rows_backward(rows, width, width, source, saved, factor, target)
    return dx


def scale(x, gain, bias=None, out=None):
    cdef const Kernels *k = kernels_for_matrix(x)
    cdef Size width = 0 if k == NULL else length(x, 1)
    cdef object y = None
    if k != NULL and is_vector(x, width, gain) and (bias is None or is_vector(x, width, bias)):
        y = writable_like(x, out)
    if y is None or not share_nothing(y, gain, bias):
        return PLAIN["scale"](x, gain, bias, out)
    cdef Size rows = length(x, 0)
    cdef void *source = data(x)
    cdef void *factor = data(gain)
    cdef void *shift = NULL if bias is None else data(bias)
    cdef void *target = data(y)
    with nogil:
        k.scale(rows, width, width, source, factor, shift, target)
    return y


def scale_backward(dy, x, gain, out=(None, None, None), *, bias=True):
    cdef const Kernels *k = kernels_for_matrix(dy)
    cdef Size width = 0 if k == NULL else length(dy, 1)
    cdef object dx = None
    cdef object dgain = None
    cdef object dbias = None
    if k != NULL and alike(dy, x) and is_vector(dy, width, gain):
        dx = writable_like(dy, out[0])
        dgain = vector_like(dy, width, out[1])
        dbias = vector_like(dy, width, out[2]) if bias else None
    if dx is None or dgain is None or (bias and dbias is None) or not (
        apart(x, dx)
        and share_nothing(dx, gain, dgain, dbias)
        and share_nothing(dgain, dy, x, gain)
        and (dbias is None or (share_nothing(dbias, dy, x, gain) and not overlap(dbias, dgain)))
    ):
        return PLAIN["scale_backward"](dy, x, gain, out, bias=bias)
    cdef Size rows = length(dy, 0)
    cdef void *source = data(dy)
    cdef void *saved = data(x)
    cdef void *factor = data(gain)
    cdef void *to_dx = data(dx)
    cdef void *to_dgain = data(dgain)
    cdef void *to_dbias = data(dbias) if bias else NULL
    with nogil:
        k.scale_backward(rows, width, width, source, saved, factor, to_dx, to_dgain, to_dbias)
    return dx, dgain, dbias
