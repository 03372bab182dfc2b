"""Softmax and its logarithm over the last axis."""

ctypedef void (*ByRow)(Size rows, Size width, const void *x, void *y) noexcept nogil
ctypedef void (*ByRowBackward)(Size rows, Size width, const void *dy, const void *y, void *dx) noexcept nogil


def softmax(x, out=None):
    cdef const Kernels *k = kernels_for(x)
    y = None if k == NULL else by_row(k.softmax, x, out)
    return PLAIN["softmax"](x, out) if y is None else y


def log_softmax(x, out=None):
    cdef const Kernels *k = kernels_for(x)
    y = None if k == NULL else by_row(k.log_softmax, x, out)
    return PLAIN["log_softmax"](x, out) if y is None else y


def softmax_backward(dy, y, out=None):
    cdef const Kernels *k = kernels_for(dy)
    dx = None if k == NULL else by_row_backward(k.softmax_backward, dy, y, out)
    return PLAIN["softmax_backward"](dy, y, out) if dx is None else dx


def log_softmax_backward(dy, y, out=None):
    cdef const Kernels *k = kernels_for(dy)
    dx = None if k == NULL else by_row_backward(k.log_softmax_backward, dy, y, out)
    return PLAIN["log_softmax_backward"](dy, y, out) if dx is None else dx


cdef inline object by_row(ByRow kernel, object x, object out):
    """The kernel's result, None if it does not take these arrays."""
    cdef Size width = last(x)
    cdef object y = None if width == 0 else writable_like(x, out)
    if y is None:
        return None
    cdef Size rows = size(x) // width
    cdef void *source = data(x)
    cdef void *target = data(y)
    with nogil:
        kernel(rows, width, source, target)
    return y


cdef inline object by_row_backward(ByRowBackward kernel, object dy, object y, object out):
    """The kernel's result, None if it does not take these arrays."""
    cdef Size width = last(dy)
    cdef object dx = None if width == 0 or not alike(dy, y) else writable_like(dy, out)
    if dx is None or not apart(y, dx):
        return None
    cdef Size rows = size(dy) // width
    cdef void *source = data(dy)
    cdef void *saved = data(y)
    cdef void *target = data(dx)
    with nogil:
        kernel(rows, width, source, saved, target)
    return dx
