"""The prediction of rows as one call: for a few it takes some microseconds, and each step through Python would count;
many go through all layers in blocks that stay in the cache.
"""

cdef struct Dense:
    Size inputs, outputs
    void *W  # NULL: an activation by itself
    void *each  # a number for each column: how much of the activation it takes, or its gain where there is none
    void *b
    const Part *parts  # of columns, which come first
    int activation, part_count
    double a

cdef enum:
    MOST_LAYERS = 64
    FEW_ROWS = 3  # for which reading W once, in its order, is all that counts
    OF_COLUMNS = -2  # in place of an activation
    BLOCK_ROWS = 96  # whole tiles, few enough for the second-level cache


COLUMNS = OF_COLUMNS


@cython.binding(False)
def forward(list layers, x, out=None):
    """The outputs y (N, O) for x (N, I) through ``(W, b, activation, a)`` of each layer in turn.

    W is (I, O), or (I,) the amounts of an activation or the gain where there is none, or None, b (O,) or None, the
    activation a number of ACTIVATIONS, or -1 for none; or COLUMNS, and W is Parts. Returns None if an array is not as
    the kernels need it: all contiguous, of one dtype and of shapes that fit; y is ``out``, if given.
    """
    cdef const Kernels *k = kernels_for(x)
    cdef Dense net[MOST_LAYERS]
    cdef int count = 0
    cdef Parts front
    if k == NULL or not 0 < len(layers) <= MOST_LAYERS or cnp.PyArray_NDIM(<cnp.ndarray> x) != 2:
        return None
    cdef Size rows = length(x, 0), width = length(x, 1), widest = 1
    for W, b, activation, a in layers:
        memset(&net[count], 0, sizeof(Dense))
        net[count].inputs = width
        if activation == OF_COLUMNS:
            front = W
            if count or front.type != dtype(x) or front.inputs != width or not front.stay():
                return None
            net[count].parts, net[count].part_count, width, activation = front.parts, front.count, front.outputs, -1
        elif W is not None and is_vector(x, width, W):
            net[count].each = data(W)
        elif W is not None:
            if kernels_for(W) != k or cnp.PyArray_NDIM(<cnp.ndarray> W) != 2 or length(W, 0) != width:
                return None
            width = length(W, 1)
            net[count].W = data(W)
        if b is not None:
            if not is_vector(x, width, b):
                return None
            net[count].b = data(b)
        if not -1 <= activation < ACTIVATION_COUNT:
            return None
        net[count].outputs, net[count].activation, net[count].a = width, activation, a
        widest = max(widest, width)
        count += 1
    cdef Size room = min(rows, <Size> BLOCK_ROWS) * widest * cnp.PyArray_ITEMSIZE(<cnp.ndarray> x)
    y = matrix_like(x, rows, width, out)
    if y is None or overlap(y, x):
        return None
    cdef char *rooms = <char *> malloc(2 * room + (1 if rows <= FEW_ROWS and net[0].parts == NULL else k.product_room))
    if rooms == NULL:
        raise MemoryError
    cdef char *source = <char *> data(x)
    cdef char *last = <char *> data(y)
    cdef Size x_step = length(x, 1) * cnp.PyArray_ITEMSIZE(<cnp.ndarray> x)
    cdef Size y_step = width * cnp.PyArray_ITEMSIZE(<cnp.ndarray> x)
    cdef Size first = 0
    cdef FloatMode before
    with nogil:
        before = flush_subnormals()
        while first < rows:
            carry_forward(
                k, net, count, min(rows - first, <Size> BLOCK_ROWS), source + first * x_step, rooms, room,
                last + first * y_step,
            )
            first += BLOCK_ROWS
        set_float_mode(before)
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
        if layer.parts != NULL:
            k.columns(
                rows, layer.inputs, layer.outputs, layer.parts, layer.part_count, source, target, rooms + 2 * room
            )
            source = target
        elif layer.W != NULL and rows <= FEW_ROWS:
            k.affine_few(rows, layer.inputs, layer.outputs, source, layer.W, layer.b, target)
            source = target
        elif layer.W != NULL:
            k.product(
                rows, layer.outputs, layer.inputs, source, layer.inputs, 1, layer.W, layer.outputs, 1, layer.b, target,
                layer.outputs, 1, rooms + 2 * room,
            )
            source = target
        if layer.activation >= 0:
            k.activate(layer.activation, rows * layer.outputs, source, target, layer.a)
        if layer.each != NULL and layer.activation >= 0:
            k.parametric(rows, layer.outputs, source, target, layer.each, target)
        elif layer.each != NULL:
            k.scale(rows, layer.outputs, layer.outputs, source, layer.each, layer.b, target)
        source = target
