"""Whether all numbers of an array lie within bounds, or are codes."""

ctypedef fused Number:
    float
    double
    Size


cdef bint all_between(const Number *x, Size n, double low, double high) noexcept nogil:
    cdef bint fit = True
    cdef Size i
    for i in range(n):
        fit = fit & (low <= x[i]) & (x[i] <= high)
    return fit


cdef bint are_codes(
    const Number *x, Size rows, Size width, const Size *columns, const Size *codes, Size count
) noexcept nogil:
    cdef Size row, j
    for row in range(rows):
        for j in range(count):
            if not (0 <= x[columns[j]] < codes[j] and x[columns[j]] == <Size> x[columns[j]]):
                return False
        x += width
    return True


cdef int scan(object values, double low, double high):
    """Whether all lie between the two; -1 where no kernel may read them."""
    cdef const Kernels *k = kernels_for(values)
    if k == SINGLE:
        return all_between(<float *> data(values), size(values), low, high)
    if k == DOUBLE:
        return all_between(<double *> data(values), size(values), low, high)
    if may_touch(values, cnp.NPY_INTP):
        return all_between(<Size *> data(values), size(values), low, high)
    return -1


def within(values, double low, double high):
    cdef int found = scan(values, low, high)
    return PLAIN["within"](values, low, high) if found < 0 else found == 1


def all_finite(array):
    cdef int found = scan(array, -DBL_MAX, DBL_MAX)
    return PLAIN["all_finite"](array) if found < 0 else found == 1


def all_codes(x, columns, codes):
    cdef Size j, rows, width, count = size(columns)
    cdef const Kernels *k = kernels_for_matrix(x)
    if k == NULL or not (fits(columns, cnp.NPY_INTP, 1, &count) and fits(codes, cnp.NPY_INTP, 1, &count)):
        return PLAIN["all_codes"](x, columns, codes)
    cdef Size *at = <Size *> data(columns)
    cdef Size *most = <Size *> data(codes)
    rows, width = length(x, 0), length(x, 1)
    for j in range(count):
        if not 0 <= at[j] < width:
            return PLAIN["all_codes"](x, columns, codes)
    if k == SINGLE:
        return are_codes(<float *> data(x), rows, width, at, most, count)
    return are_codes(<double *> data(x), rows, width, at, most, count)
