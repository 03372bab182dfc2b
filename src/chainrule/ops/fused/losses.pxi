"""The losses."""

from libc.float cimport DBL_MAX, FLT_MAX
from libc.string cimport memset

from chainrule._support.checks import all_finite as plain_all_finite, within as plain_within

cdef extern from "kernels/kernels.h":
    int CROSS_ENTROPY_LABELS, CROSS_ENTROPY_SOFT, BINARY_CROSS_ENTROPY, SQUARED_ERROR, HALF_SQUARED_ERROR
    int ABSOLUTE_ERROR, HUBER, LOG_COSH, POISSON, QUANTILE, GAUSSIAN_NLL

# The number of each kernel, as kernels.h has it, by the name that ``Loss.kernel`` gives.
cdef dict LOSS_NUMBERS = {
    "cross_entropy_labels": CROSS_ENTROPY_LABELS, "cross_entropy_soft": CROSS_ENTROPY_SOFT,
    "binary_cross_entropy": BINARY_CROSS_ENTROPY, "squared_error": SQUARED_ERROR,
    "half_squared_error": HALF_SQUARED_ERROR, "absolute_error": ABSOLUTE_ERROR, "huber": HUBER, "log_cosh": LOG_COSH,
    "poisson": POISSON, "quantile": QUANTILE, "gaussian_nll": GAUSSIAN_NLL,
}

#: Their names, in the order of their numbers.
LOSSES = tuple(sorted(LOSS_NUMBERS, key=LOSS_NUMBERS.get))

cdef enum:
    ROWS_AT_ONCE = 512
    MOST_PARAMETERS = 64


cdef bint target_fits(int kind, const double *parameters, object z, object y):
    """Whether a kernel may read y: no row is missing, no label points outside, no number is of another dtype."""
    cdef Size rows = cnp.PyArray_DIM(<cnp.ndarray> z, 0)
    cdef Size outputs = cnp.PyArray_DIM(<cnp.ndarray> z, 1)
    if kind == CROSS_ENTROPY_LABELS:
        return is_labels(y) and size(y) == rows and all_within(<Size *> data(y), rows, 0, outputs - 1)
    cdef Size each = outputs_of_a_target(kind, parameters)
    return outputs % each == 0 and is_matrix(z, rows, outputs // each, y)


cdef inline Size outputs_of_a_target(int kind, const double *parameters):
    return <Size> parameters[0] if kind == QUANTILE else 2 if kind == GAUSSIAN_NLL else 1


cdef inline bint is_labels(object y):
    """Whether y is a contiguous vector of indices."""
    return may_touch(y, cnp.NPY_INTP) and cnp.PyArray_NDIM(<cnp.ndarray> y) == 1


cdef bint read_parameters(int kind, tuple parameters, double *numbers) except -1:
    """Put the parameters of a loss where its kernel reads them; False if they are not as many as it reads."""
    cdef Size n, wanted = 1 if kind in (CROSS_ENTROPY_LABELS, CROSS_ENTROPY_SOFT, HUBER, GAUSSIAN_NLL) else 0
    if kind == QUANTILE:
        wanted = len(parameters)
        if wanted < 2 or parameters[0] != wanted - 1:
            return False
    if len(parameters) != wanted or wanted > MOST_PARAMETERS:
        return False
    for n in range(wanted):
        numbers[n] = parameters[n]
    return True


def compiled_loss(str name, tuple parameters, z, y, weight, out):
    cdef const Kernels *k = kernels_for_matrix(z)
    cdef int kind = LOSS_NUMBERS.get(name, -1)
    cdef double numbers[MOST_PARAMETERS]
    if k == NULL or kind < 0 or not read_parameters(kind, parameters, numbers):
        return None
    cdef Size rows = cnp.PyArray_DIM(<cnp.ndarray> z, 0)
    if not target_fits(kind, numbers, z, y) or not (weight is None or is_weight(weight, rows)):
        return None
    cdef object dz = writable_like(z, out)
    if dz is None or not share_nothing(dz, y, weight):
        return None
    cdef void *outputs = data(z)
    cdef void *targets = data(y)
    cdef void *gradient = data(dz)
    cdef double *w = NULL if weight is None else <double *> data(weight)
    cdef Size width = cnp.PyArray_DIM(<cnp.ndarray> z, 1)
    cdef Size z_step = width * cnp.PyArray_ITEMSIZE(<cnp.ndarray> z)
    cdef Size y_step = cnp.PyArray_NBYTES(<cnp.ndarray> y) // rows
    cdef double value
    with nogil:
        value = mean_loss(k, kind, rows, width, outputs, z_step, targets, y_step, numbers, w, gradient)
    return value, dz


cdef inline bint is_weight(object w, Size rows):
    return may_touch(w, cnp.NPY_FLOAT64) and cnp.PyArray_NDIM(<cnp.ndarray> w) == 1 and size(w) == rows


cdef double mean_loss(
    const Kernels *k, int kind, Size rows, Size width, void *z, Size z_step, void *y, Size y_step,
    const double *numbers, const double *w, void *dz,
) noexcept nogil:
    """The weighted mean over the rows; they come in parts, so that no array is needed for their values."""
    cdef double values[ROWS_AT_ONCE]
    cdef double share[ROWS_AT_ONCE]
    cdef double total = rows if w == NULL else 0, value = 0
    cdef Size n, part, first = 0
    if w != NULL:
        for n in range(rows):
            total += w[n]
    if total == 0:
        memset(dz, 0, rows * z_step)
        return 0
    while first < rows:
        part = min(rows - first, <Size> ROWS_AT_ONCE)
        if w != NULL:
            for n in range(part):
                share[n] = w[first + n] / total
        k.loss(
            kind, part, width, <char *> z + first * z_step, <char *> y + first * y_step, numbers,
            1 / total, NULL if w == NULL else share, values, <char *> dz + first * z_step,
        )
        for n in range(part):
            value += values[n] if w == NULL else values[n] * share[n]
        first += part
    return value / total if w == NULL else value


ctypedef fused Number:
    float
    double
    Size


cdef bint all_within(Number *x, Size n, double low, double high) noexcept nogil:
    cdef bint fit = True
    cdef Size i
    for i in range(n):
        fit = fit & (low <= x[i]) & (x[i] <= high)
    return fit


def within(values, double low, double high):
    cdef const Kernels *k = kernels_for(values)
    if k == SINGLE:
        return all_within(<float *> data(values), size(values), low, high)
    if k == DOUBLE:
        return all_within(<double *> data(values), size(values), low, high)
    if is_labels(values):
        return all_within(<Size *> data(values), size(values), low, high)
    return plain_within(values, low, high)


def all_finite(array):
    cdef const Kernels *k = kernels_for(array)
    if k == SINGLE:
        return all_within(<float *> data(array), size(array), -FLT_MAX, FLT_MAX)
    if k == DOUBLE:
        return all_within(<double *> data(array), size(array), -DBL_MAX, DBL_MAX)
    return plain_all_finite(array)
