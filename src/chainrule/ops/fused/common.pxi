"""The table of kernels, and which arrays they take."""

cimport cython
cimport numpy as cnp

import numpy as np

cnp.import_array()

ctypedef Py_ssize_t Size

cdef extern from "kernels/plan.h" nogil:
    enum:
        PLAN_THREADS
        PLAN_CHUNK
        PLAN_NUMBERS

    ctypedef struct Stage:
        int kind, activation, keeps_input, dropout
        Size inputs, outputs
        double a, momentum, l1, l2
        double *penalty
        void *W
        void *b
        void *dW
        void *db
        void *y
        void *dy
        void *kept
        void *inverse
        void *mean
        void *variance
        double *running_mean
        double *running_variance

    ctypedef struct Run:
        Size start, stop
        double rate, decay

    ctypedef struct PlanStruct "Plan":
        Stage *stages
        int count, first_learning
        Size inputs, outputs
        const void *x
        const char *y
        Size y_bytes
        const double *weight
        const cnp.int64_t *order
        Size epoch_rows, batch, epoch_steps, first, steps
        int loss, average_penalty
        const double *parameters
        int optimizer
        void *vector
        void *gradient
        void *state1
        void *state2
        Size size
        Run *runs
        int run_count
        double clip_norm, clip_value
        const double (*updates)[PLAN_NUMBERS]
        const cnp.uint64_t *keys
        int dropouts
        void *x_room
        char *y_room
        double *share
        double *row_value
        double *squares
        void *rooms[PLAN_THREADS]
        double *value
        void *z
        Size done
        cnp.int64_t *taken

# Declared `noexcept nogil`: no kernel can raise, none needs the interpreter.
cdef extern from "kernels/kernels.h" nogil:
    enum:
        COEFFICIENTS

    ctypedef struct Update:
        int kind
        double rate, shrink, limit, factor
        double c[COEFFICIENTS]

    ctypedef struct Kernels:
        void (*activate)(int kind, Size n, const void *x, void *y, double a) noexcept nogil
        void (*activate_backward)(int kind, Size n, const void *dy, const void *kept, void *dx, double a) noexcept nogil
        void (*prelu)(Size rows, Size width, const void *x, const void *slope, void *y) noexcept nogil
        void (*prelu_backward)(Size rows, Size width, const void *dy, const void *x, const void *slope, void *dx, void *dslope) noexcept nogil
        void (*affine_few)(Size rows, Size inputs, Size outputs, const void *x, const void *W, const void *b, void *y) noexcept nogil
        void (*loss)(int kind, Size rows, Size outputs, const void *z, const void *y, const double *parameters, double scale, const double *share, double *values, void *dz) noexcept nogil
        void (*softmax)(Size rows, Size width, const void *x, void *y) noexcept nogil
        void (*softmax_backward)(Size rows, Size width, const void *dy, const void *y, void *dx) noexcept nogil
        void (*log_softmax)(Size rows, Size width, const void *x, void *y) noexcept nogil
        void (*log_softmax_backward)(Size rows, Size width, const void *dy, const void *y, void *dx) noexcept nogil
        void (*standardize_rows)(Size rows, Size width, Size stride, const void *x, double epsilon, void *y, void *inverse, void *mean, void *variance) noexcept nogil
        void (*standardize_columns)(Size rows, Size width, Size stride, const void *x, double epsilon, void *y, void *inverse, void *mean, void *variance) noexcept nogil
        void (*standardize_rows_backward)(Size rows, Size width, Size stride, const void *dy, const void *y, const void *inverse, void *dx) noexcept nogil
        void (*standardize_columns_backward)(Size rows, Size width, Size stride, const void *dy, const void *y, const void *inverse, void *dx) noexcept nogil
        void (*scale)(Size rows, Size width, Size stride, const void *x, const void *gain, const void *bias, void *y) noexcept nogil
        void (*scale_backward)(Size rows, Size width, Size stride, const void *dy, const void *x, const void *gain, void *dx, void *dgain, void *dbias) noexcept nogil
        void (*dropout)(Size n, cnp.uint64_t key, cnp.uint64_t first, double rate, const void *x, void *y, void *mask) noexcept nogil
        void (*multiply)(Size n, const void *x, const void *factor, void *y) noexcept nogil
        void (*update)(const Update *step, Size n, void *w, const void *g, void *state1, void *state2) noexcept nogil
        double (*square_norm)(Size n, const void *g, double limit) noexcept nogil
        void (*product)(
            Size rows, Size columns, Size inner, const void *a, Size a_row, Size a_inner, const void *b, Size b_inner,
            Size b_column, const void *bias, void *c, void *room,
        ) noexcept nogil
        void (*sum_rows)(Size rows, Size width, const void *dz, void *db, Size start, Size stop) noexcept nogil
        Size product_room

    const Kernels *chainrule_kernels(int bytes)
    const char *chainrule_instructions()

cdef extern from "kernels/plan.h" nogil:
    void chainrule_run_plan(const Kernels *kernels, PlanStruct *plan, int wanted)

cdef extern from "kernels/float_mode.h" nogil:
    ctypedef unsigned long long FloatMode
    FloatMode flush_subnormals()
    void set_float_mode(FloatMode mode)

cdef const Kernels *SINGLE = chainrule_kernels(4)
cdef const Kernels *DOUBLE = chainrule_kernels(8)

INSTRUCTIONS = chainrule_instructions().decode()


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


cdef inline const Kernels *kernels_for(object x):
    """The table for this array's dtype; NULL if no kernel may touch it."""
    return SINGLE if may_touch(x, cnp.NPY_FLOAT32) else DOUBLE if may_touch(x, cnp.NPY_FLOAT64) else NULL


cdef inline bint alike(object x, object other, bint written=False):
    """Whether a kernel may touch another array as it may x, and the two have one shape."""
    return (
        may_touch(other, cnp.PyArray_TYPE(<cnp.ndarray> x), written)
        and cnp.PyArray_SAMESHAPE(<cnp.ndarray> other, <cnp.ndarray> x)
    )


cdef inline bint is_vector(object x, Size length, object v, bint written=False):
    """Whether a kernel may touch v as it may x, and v has one axis of this length."""
    return (
        may_touch(v, cnp.PyArray_TYPE(<cnp.ndarray> x), written)
        and cnp.PyArray_NDIM(<cnp.ndarray> v) == 1
        and cnp.PyArray_DIM(<cnp.ndarray> v, 0) == length
    )


cdef inline bint is_matrix(object x, Size rows, Size columns, object m, bint written=False):
    """Whether a kernel may touch m as it may x, and m has these rows and columns."""
    return (
        may_touch(m, cnp.PyArray_TYPE(<cnp.ndarray> x), written)
        and cnp.PyArray_NDIM(<cnp.ndarray> m) == 2
        and cnp.PyArray_DIM(<cnp.ndarray> m, 0) == rows
        and cnp.PyArray_DIM(<cnp.ndarray> m, 1) == columns
    )


cdef inline object writable_like(object x, object out):
    """``out`` if a kernel may write x's shape into it, a new array if there is none, None if it fits not."""
    if out is None:
        return cnp.PyArray_EMPTY(
            cnp.PyArray_NDIM(<cnp.ndarray> x), cnp.PyArray_DIMS(<cnp.ndarray> x), cnp.PyArray_TYPE(<cnp.ndarray> x), 0
        )
    return out if alike(x, out, True) and apart(x, out) else None


cdef inline object vector_like(object x, Size length, object out=None):
    """A vector of x's dtype: ``out`` if a kernel may write it there, a new one if there is none, None if it fits not."""
    cdef cnp.npy_intp shape = length
    if out is None:
        return cnp.PyArray_EMPTY(1, &shape, cnp.PyArray_TYPE(<cnp.ndarray> x), 0)
    return out if is_vector(x, length, out, True) else None


cdef inline object matrix_like(object x, Size rows, Size columns, object out):
    """A matrix of x's dtype: ``out`` if a kernel may write it there, a new one if there is none, None if it fits not."""
    cdef cnp.npy_intp[2] shape = [rows, columns]
    if out is None:
        return cnp.PyArray_EMPTY(2, shape, cnp.PyArray_TYPE(<cnp.ndarray> x), 0)
    return out if is_matrix(x, rows, columns, out, True) else None


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


cdef inline void *data(object x):
    return cnp.PyArray_DATA(<cnp.ndarray> x)


cdef inline Size size(object x):
    return cnp.PyArray_SIZE(<cnp.ndarray> x)


cdef inline Size length(object x, int axis):
    return cnp.PyArray_DIM(<cnp.ndarray> x, axis)
