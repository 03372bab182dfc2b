"""Softmax and its logarithm over the last axis."""

from chainrule.ops.softmax import (
    log_softmax as plain_log_softmax,
    log_softmax_backward as plain_log_softmax_backward,
    softmax as plain_softmax,
    softmax_backward as plain_softmax_backward,
)

ctypedef void (*ByRow)(Size rows, Size width, const void *x, void *y) noexcept nogil
ctypedef void (*ByRowBackward)(Size rows, Size width, const void *dy, const void *y, void *dx) noexcept nogil


cdef inline Size last(object x):
    """The length of the last axis; 0 without one."""
    cdef int axes = cnp.PyArray_NDIM(<cnp.ndarray> x)
    return 0 if axes == 0 else cnp.PyArray_DIM(<cnp.ndarray> x, axes - 1)


def softmax(x, out=None):
    cdef const Kernels *k = kernels_for(x)
    return plain_softmax(x, out=out) if k == NULL else by_row(k.softmax, plain_softmax, x, out)


def log_softmax(x, out=None):
    cdef const Kernels *k = kernels_for(x)
    return plain_log_softmax(x, out=out) if k == NULL else by_row(k.log_softmax, plain_log_softmax, x, out)


def softmax_backward(dy, y, out=None):
    cdef const Kernels *k = kernels_for(dy)
    if k == NULL:
        return plain_softmax_backward(dy, y, out=out)
    return by_row_backward(k.softmax_backward, plain_softmax_backward, dy, y, out)


def log_softmax_backward(dy, y, out=None):
    cdef const Kernels *k = kernels_for(dy)
    if k == NULL:
        return plain_log_softmax_backward(dy, y, out=out)
    return by_row_backward(k.log_softmax_backward, plain_log_softmax_backward, dy, y, out)


cdef inline object by_row(ByRow kernel, object reference, object x, object out):
    cdef Size width = last(x)
    cdef object y = None if width == 0 else writable_like(x, out)
    if y is None:
        return reference(x, out=out)
    cdef Size rows = size(x) // width
    cdef void *source = data(x)
    cdef void *target = data(y)
    with nogil:
        kernel(rows, width, source, target)
    return y


cdef inline object by_row_backward(ByRowBackward kernel, object reference, object dy, object y, object out):
    cdef Size width = last(dy)
    cdef object dx = None if width == 0 or not alike(dy, y) else writable_like(dy, out)
    if dx is None or not apart(y, dx):
        return reference(dy, y, out=out)
    cdef Size rows = size(dy) // width
    cdef void *source = data(dy)
    cdef void *saved = data(y)
    cdef void *target = data(dx)
    with nogil:
        kernel(rows, width, source, saved, target)
    return dx
