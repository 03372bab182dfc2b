"""The activations."""

from chainrule.ops import activations as plain

cdef extern from "kernels/kernels.h":
    int RELU

def relu(x, out=None):
    return activate(RELU, plain.relu, x, out, 0.0)


def relu_backward(dy, y, out=None):
    return activate_backward(RELU, plain.relu_backward, dy, y, out, 0.0)


cdef inline object activate(int kind, object reference, object x, object out, double a):
    cdef const Kernels *k = kernels_for(x)
    cdef object y = None if k == NULL else writable_like(x, out)
    if y is None:
        return reference(x, out=out)
    cdef Size n = size(x)
    cdef void *source = data(x)
    cdef void *target = data(y)
    with nogil:
        k.activate(kind, n, source, target, a)
    return y


cdef inline object activate_backward(int kind, object reference, object dy, object kept, object out, double a):
    cdef const Kernels *k = kernels_for(dy)
    cdef object dx = None if k == NULL or not alike(dy, kept) else writable_like(dy, out)
    if dx is None:
        return reference(dy, kept, out=out)
    cdef Size n = size(dy)
    cdef void *source = data(dy)
    cdef void *saved = data(kept)
    cdef void *target = data(dx)
    with nogil:
        k.activate_backward(kind, n, source, saved, target, a)
    return dx
