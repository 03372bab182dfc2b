"""Which arrays the kernels take, and the arrays that they write to."""


cdef inline bint may_touch(object array, int type, bint written=False):
    """Whether a kernel may take this array's address, to read it or also to write it: THE place where that is decided.

    It must hold numbers of this type in the processor's own byte order, aligned, and one after the other.
    """
    if not isinstance(array, cnp.ndarray):
        return False
    cdef int own = cnp.PyArray_TYPE(<cnp.ndarray> array)
    if own != type and not (cnp.PyTypeNum_ISINTEGER(own) and cnp.PyArray_EquivTypenums(own, type)):
        return False
    if written:
        return cnp.PyArray_ISCARRAY(<cnp.ndarray> array)
    return cnp.PyArray_ISCARRAY_RO(<cnp.ndarray> array)


cdef inline bint fits(object array, int type, int axes, const Size *shape, bint written=False):
    """Whether a kernel may touch the array, and it has this shape."""
    cdef int axis
    if not may_touch(array, type, written) or cnp.PyArray_NDIM(<cnp.ndarray> array) != axes:
        return False
    for axis in range(axes):
        if length(array, axis) != shape[axis]:
            return False
    return True


cdef inline const Kernels *kernels_for(object x):
    """The table for this array's dtype; NULL if no kernel may touch it."""
    return SINGLE if may_touch(x, cnp.NPY_FLOAT32) else DOUBLE if may_touch(x, cnp.NPY_FLOAT64) else NULL


cdef inline const Kernels *kernels_for_matrix(object x):
    """As ``kernels_for``, for a matrix that is not empty."""
    cdef const Kernels *k = kernels_for(x)
    if k == NULL or cnp.PyArray_NDIM(<cnp.ndarray> x) != 2 or size(x) == 0:
        return NULL
    return k


# Of another array, whether a kernel may touch it as it may touch x, and it has the shape that is wanted.

cdef inline bint alike(object x, object other, bint written=False):
    return may_touch(other, dtype(x), written) and cnp.PyArray_SAMESHAPE(<cnp.ndarray> other, <cnp.ndarray> x)


cdef inline bint is_vector(object x, Size length, object v):
    return fits(v, dtype(x), 1, &length)


cdef inline bint is_matrix(object x, Size rows, Size columns, object m):
    cdef Size[2] shape = [rows, columns]
    return fits(m, dtype(x), 2, shape)


# An array of x's dtype to write to: ``out``, a new one if there is none, None if no kernel may write this shape to it.

cdef inline object room_for(object x, int axes, Size *shape, object out):
    if out is None:
        return cnp.PyArray_EMPTY(axes, shape, dtype(x), 0)
    return out if fits(out, dtype(x), axes, shape, True) else None


cdef inline object vector_like(object x, Size length, object out=None):
    return room_for(x, 1, &length, out)


cdef inline object matrix_like(object x, Size rows, Size columns, object out=None):
    cdef Size[2] shape = [rows, columns]
    return room_for(x, 2, shape, out)


cdef inline object writable_like(object x, object out):
    """Of x's shape, and written to while x is read."""
    if out is None:
        return cnp.PyArray_EMPTY(cnp.PyArray_NDIM(<cnp.ndarray> x), cnp.PyArray_DIMS(<cnp.ndarray> x), dtype(x), 0)
    return out if alike(x, out, True) and apart(x, out) else None


cdef inline bint apart(object x, object out):
    """Whether a loop may write `out` while it reads x of the same size: they share no memory, or all of it."""
    return data(x) == data(out) or not overlap(x, out)


cdef inline bint share_nothing(object out, object x, object y=None, object z=None):
    """Whether a kernel may write ``out`` while it reads the others at other places."""
    return (
        not overlap(out, x) and (y is None or not overlap(out, y)) and (z is None or not overlap(out, z))
    )


cdef inline bint overlap(object x, object other):
    cdef char *first = <char *> data(x)
    cdef char *second = <char *> data(other)
    return (
        first < second + cnp.PyArray_NBYTES(<cnp.ndarray> other) and second < first + cnp.PyArray_NBYTES(<cnp.ndarray> x)
    )


cdef inline int dtype(object x):
    """As NumPy counts types."""
    return cnp.PyArray_TYPE(<cnp.ndarray> x)


cdef inline void *data(object x):
    return cnp.PyArray_DATA(<cnp.ndarray> x)


cdef inline Size size(object x):
    return cnp.PyArray_SIZE(<cnp.ndarray> x)


cdef inline Size length(object x, int axis):
    return cnp.PyArray_DIM(<cnp.ndarray> x, axis)


cdef inline Size last(object x):
    """The length of the last axis; 0 without one."""
    cdef int axes = cnp.PyArray_NDIM(<cnp.ndarray> x)
    return 0 if axes == 0 else length(x, axes - 1)


@cython.binding(False)
def described(array):
    """The array in words, for an error."""
    if not isinstance(array, np.ndarray):
        return type(array).__name__
    layout = "contiguous" if array.flags.c_contiguous and array.flags.aligned else "scattered"
    return f"a {layout}{'' if array.flags.writeable else ', read-only'} one of {array.dtype} and shape {array.shape}"
