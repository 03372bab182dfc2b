"""The table of kernels, and which arrays they take."""

cimport cython
cimport numpy as cnp

import numpy as np

cnp.import_array()

ctypedef Py_ssize_t Size

cdef extern from "kernels/plan.h" nogil:
    enum:
        PLAN_THREADS

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
        const double (*updates)[8]
        const cnp.uint64_t *keys
        int dropouts
        void *x_room
        char *y_room
        double *share
        double *row_value
        double *squares
        void *rooms[64]
        double *value
        void *z
        Size done
        cnp.int64_t *taken

# Declared `noexcept nogil`: no kernel can raise, none needs the interpreter.
cdef extern from "kernels/kernels.h" nogil:
    ctypedef struct Update:
        int kind
        double rate, shrink, limit, factor
        double c[6]

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

cdef const Kernels *SINGLE = chainrule_kernels(4)
cdef const Kernels *DOUBLE = chainrule_kernels(8)

INSTRUCTIONS = chainrule_instructions().decode()


cdef inline const Kernels *kernels_for(object x):
    """The table for this array's dtype; NULL if x is no contiguous, aligned array of float32 or float64."""
    if not isinstance(x, cnp.ndarray) or not cnp.PyArray_ISCARRAY_RO(<cnp.ndarray> x):
        return NULL
    cdef int kind = cnp.PyArray_TYPE(<cnp.ndarray> x)
    return SINGLE if kind == cnp.NPY_FLOAT32 else DOUBLE if kind == cnp.NPY_FLOAT64 else NULL


cdef inline bint alike(object x, object other):
    """Whether another array has x's shape and dtype, and is contiguous as x is."""
    return (
        isinstance(other, cnp.ndarray)
        and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray> other)
        and cnp.PyArray_TYPE(<cnp.ndarray> other) == cnp.PyArray_TYPE(<cnp.ndarray> x)
        and cnp.PyArray_SAMESHAPE(<cnp.ndarray> other, <cnp.ndarray> x)
    )


cdef inline object writable_like(object x, object out):
    """``out`` if a kernel may write x's shape into it, a new array if there is none, None if it fits not."""
    if out is None:
        return cnp.PyArray_EMPTY(
            cnp.PyArray_NDIM(<cnp.ndarray> x), cnp.PyArray_DIMS(<cnp.ndarray> x), cnp.PyArray_TYPE(<cnp.ndarray> x), 0
        )
    return out if alike(x, out) and cnp.PyArray_ISWRITEABLE(<cnp.ndarray> out) and apart(x, out) else None


cdef inline bint apart(object x, object out):
    """Whether a loop may write `out` while it reads x of the same size: they share no memory, or all of it."""
    return data(x) == data(out) or not overlap(x, out)


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
