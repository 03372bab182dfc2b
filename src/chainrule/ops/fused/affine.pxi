"""The affine map where its products are small; large ones are the BLAS's, which has threads for them."""

#: Multiplications of a product up to which the own one takes it. One thread of it is faster than one of OpenBLAS, and
#: below this, a fifth of a millisecond, as fast as two, whose waking costs more the busier the machine is.
cdef double SMALL = 10_000_000


cdef inline bint is_small(Size rows, Size columns, Size inner):
    return <double> rows * columns * inner <= SMALL


def affine(x, W, b=None, out=None):
    cdef const Kernels *k = kernels_for_matrix(x)
    if k == NULL or kernels_for_matrix(W) != k:
        return PLAIN["affine"](x, W, b, out)
    cdef Size rows = length(x, 0), inner = length(x, 1), columns = length(W, 1)
    if length(W, 0) != inner or not is_small(rows, columns, inner):
        return PLAIN["affine"](x, W, b, out)
    cdef object y = matrix_like(x, rows, columns, out) if b is None or is_vector(x, columns, b) else None
    if y is None:
        return PLAIN["affine"](x, W, b, out)
    if not share_nothing(y, x, W, b):
        out[...] = affine(x, W, b)
        return out
    cdef const void *bias = NULL if b is None else data(b)
    multiply_into(k, rows, columns, inner, data(x), inner, 1, data(W), columns, 1, bias, data(y))
    return y


def affine_backward(dy, x, W, out=(None, None, None), *, bias=True, input_gradient=True):
    cdef const Kernels *k = kernels_for_matrix(dy)
    if k == NULL or kernels_for_matrix(x) != k or kernels_for_matrix(W) != k:
        return PLAIN["affine_backward"](dy, x, W, out, bias=bias, input_gradient=input_gradient)
    cdef Size rows = length(x, 0), inputs = length(x, 1), outputs = length(W, 1)
    cdef object dx = None, dW = None, db = None
    if is_small(rows, inputs, outputs) and is_matrix(x, rows, outputs, dy) and is_matrix(x, inputs, outputs, W):
        dx = matrix_like(x, rows, inputs, out[0]) if input_gradient else None
        dW = matrix_like(x, inputs, outputs, out[1])
        db = vector_like(x, outputs, out[2]) if bias else None
    if dW is None or (dx is None and input_gradient) or (db is None and bias) or not (
        share_nothing(dW, dy, x, W)
        and (db is None or share_nothing(db, dy, x, W))
        and (dx is None or share_nothing(dx, dy, x, W))
    ):
        return PLAIN["affine_backward"](dy, x, W, out, bias=bias, input_gradient=input_gradient)
    multiply_into(k, inputs, outputs, rows, data(x), 1, inputs, data(dy), outputs, 1, NULL, data(dW))
    if bias:
        k.sum_rows(rows, outputs, data(dy), data(db), 0, outputs)
    if input_gradient:
        multiply_into(k, rows, inputs, outputs, data(dy), outputs, 1, data(W), 1, outputs, NULL, data(dx))
    return dx, dW, db


cdef int multiply_into(
    const Kernels *k, Size rows, Size columns, Size inner, const void *a, Size a_row, Size a_inner,
    const void *b, Size b_inner, Size b_column, const void *bias, void *c,
) except -1:
    """c = a b + bias, as kernels/kernels.def has it."""
    cdef void *room
    cdef FloatMode before
    with nogil:
        room = malloc(k.product_room)
        if room != NULL:
            before = flush_subnormals()
            k.product(rows, columns, inner, a, a_row, a_inner, b, b_inner, b_column, bias, c, columns, 1, room)
            set_float_mode(before)
            free(room)
    if room == NULL:
        raise MemoryError
    return 0
