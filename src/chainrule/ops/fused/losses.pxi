"""The losses."""

cdef enum:
    ROWS_AT_ONCE = 512
    MOST_PARAMETERS = 64


cdef bint target_fits(int kind, const double *parameters, object z, object y):
    """Whether a kernel may read y: no row is missing, no label points outside, no number is of another dtype."""
    cdef Size rows = length(z, 0), outputs = length(z, 1)
    cdef Size each = outputs_of_a_target(kind, parameters)
    if each == LABELS:
        return fits(y, cnp.NPY_INTP, 1, &rows) and all_between(<Size *> data(y), rows, 0, outputs - 1)
    return outputs % each == 0 and is_matrix(z, rows, outputs // each, y)


cdef inline Size outputs_of_a_target(int kind, const double *parameters):
    cdef int outputs = LOSS_ENTRIES[kind].outputs
    return <Size> parameters[0] if outputs == LEVELS else outputs


cdef bint read_parameters(int kind, tuple parameters, double *numbers) except -1:
    """Put the parameters of a loss where its kernel reads them; False if they are not as many as it reads."""
    cdef Size n, given = len(parameters), wanted = LOSS_ENTRIES[kind].parameters
    if wanted == LEVELS:
        wanted = given if given >= 2 and parameters[0] == given - 1 else LEVELS
    if given != wanted or given > MOST_PARAMETERS:
        return False
    numbers[0] = 0  # where there is none
    for n in range(given):
        numbers[n] = parameters[n]
    return True


@cython.binding(False)
def compiled_loss(str name, tuple parameters, z, y, weight, out):
    cdef const Kernels *k = kernels_for_matrix(z)
    cdef int kind = LOSS_NUMBERS.get(name, -1)
    cdef double numbers[MOST_PARAMETERS]
    if k == NULL or kind < 0 or not read_parameters(kind, parameters, numbers):
        return None
    cdef Size rows = length(z, 0)
    if not target_fits(kind, numbers, z, y) or not (weight is None or fits(weight, cnp.NPY_FLOAT64, 1, &rows)):
        return None
    cdef object dz = writable_like(z, out)
    if dz is None or not share_nothing(dz, y, weight):
        return None
    cdef void *outputs = data(z)
    cdef void *targets = data(y)
    cdef void *gradient = data(dz)
    cdef double *w = NULL if weight is None else <double *> data(weight)
    cdef Size width = length(z, 1)
    cdef Size z_step = width * cnp.PyArray_ITEMSIZE(<cnp.ndarray> z)
    cdef Size y_step = cnp.PyArray_NBYTES(<cnp.ndarray> y) // rows
    cdef double value
    with nogil:
        value = mean_loss(k, kind, rows, width, outputs, z_step, targets, y_step, numbers, w, gradient)
    return value, dz


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
