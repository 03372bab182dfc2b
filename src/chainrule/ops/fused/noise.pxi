"""Dropout."""


def dropout(x, rate, rng, out=None, mask=None, first=0):
    return dropout_by_key(x, rate, PLAIN["draw_key"](rng), first, out, mask)


def dropout_by_key(x, rate, key, first=0, out=None, mask=None):
    cdef const Kernels *k = kernels_for(x)
    cdef object y = None if k == NULL else writable_like(x, out)
    cdef object m = None if y is None else writable_like(x, mask)
    if m is None or not share_nothing(m, x, y):
        return PLAIN["dropout_by_key"](x, rate, key, first, out, mask)
    cdef Size n = size(x)
    cdef cnp.uint64_t state = key
    cdef cnp.uint64_t start = first
    cdef double p = rate
    cdef void *source = data(x)
    cdef void *target = data(y)
    cdef void *factor = data(m)
    with nogil:
        k.dropout(n, state, start, p, source, target, factor)
    return y, m


def dropout_backward(dy, mask, out=None):
    cdef const Kernels *k = kernels_for(dy)
    cdef object dx = None if k == NULL or not alike(dy, mask) else writable_like(dy, out)
    if dx is None or not apart(mask, dx):
        return PLAIN["dropout_backward"](dy, mask, out)
    cdef Size n = size(dy)
    cdef void *source = data(dy)
    cdef void *factor = data(mask)
    cdef void *target = data(dx)
    with nogil:
        k.multiply(n, source, factor, target)
    return dx
