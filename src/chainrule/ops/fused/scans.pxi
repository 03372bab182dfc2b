"""Whether all numbers of an array lie within bounds."""

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
