"""The prediction of a few rows as one call: it takes some microseconds, and each step through Python would count."""

from libc.stdlib cimport free, malloc

cdef struct Dense:
    Size inputs, outputs
    void *W  # NULL: an activation by itself
    void *b
    int activation
    double a

cdef enum:
    MOST_LAYERS = 64


def forward(list layers, x):
    """The outputs y (N, O) for x (N, I) through ``(W, b, activation, a)`` of each layer in turn.

    W is (I, O) or None, b (O,) or None, the activation a number of ACTIVATIONS, or -1 for none. Returns None if
    an array is not as the kernels need it: all contiguous, of one dtype and of shapes that fit.
    """
    cdef const Kernels *k = kernels_for(x)
    cdef Dense net[MOST_LAYERS]
    cdef int count = 0
    if k == NULL or not 0 < len(layers) <= MOST_LAYERS or not like(x, x, 2):
        return None
    cdef Size rows = length(x, 0), width = length(x, 1), widest = 1
    for W, b, activation, a in layers:
        net[count].inputs = width
        net[count].W = net[count].b = NULL
        if W is not None:
            if not like(x, W, 2) or length(W, 0) != width:
                return None
            width = length(W, 1)
            net[count].W = data(W)
            if b is not None:
                if not like(x, b, 1) or length(b, 0) != width:
                    return None
                net[count].b = data(b)
        net[count].outputs, net[count].activation, net[count].a = width, activation, a
        widest = max(widest, width)
        count += 1
    cdef Size room = rows * widest * cnp.PyArray_ITEMSIZE(<cnp.ndarray> x)
    cdef cnp.npy_intp[2] shape = [rows, width]
    y = cnp.PyArray_EMPTY(2, shape, cnp.PyArray_TYPE(<cnp.ndarray> x), 0)
    cdef char *rooms = <char *> malloc(2 * room + 1)
    if rooms == NULL:
        raise MemoryError
    cdef void *source = data(x)
    cdef void *last = data(y)
    with nogil:
        carry_forward(k, net, count, rows, source, rooms, room, last)
    free(rooms)
    return y


cdef void carry_forward(
    const Kernels *k, const Dense *net, int count, Size rows, void *source, char *rooms, Size room, void *last
) noexcept nogil:
    """Each layer from one of the two rooms into the other, the last into its place."""
    cdef int index
    cdef void *target
    cdef const Dense *layer
    for index in range(count):
        layer = &net[index]
        target = last
        if index < count - 1:
            target = rooms + (index % 2) * room
        if layer.W != NULL:
            k.affine_few(rows, layer.inputs, layer.outputs, source, layer.W, layer.b, target)
            source = target
        if layer.activation >= 0:
            k.activate(layer.activation, rows * layer.outputs, source, target, layer.a)
        source = target


cdef inline Size length(object x, int axis):
    return cnp.PyArray_DIM(<cnp.ndarray> x, axis)


cdef inline bint like(object x, object other, int dimensions):
    """Whether another array is contiguous, of x's dtype, and of so many dimensions."""
    return (
        isinstance(other, cnp.ndarray)
        and cnp.PyArray_NDIM(<cnp.ndarray> other) == dimensions
        and cnp.PyArray_IS_C_CONTIGUOUS(other)
        and cnp.PyArray_ISNOTSWAPPED(other)
        and cnp.PyArray_TYPE(<cnp.ndarray> other) == cnp.PyArray_TYPE(<cnp.ndarray> x)
    )
