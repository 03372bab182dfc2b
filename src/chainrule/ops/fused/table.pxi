"""The table of kernels and the lists of kernels/*.def, as C has them."""

ctypedef cnp.npy_intp Size

# Declared `noexcept nogil`: no kernel can raise, none needs the interpreter.
cdef extern from "kernels/kernels.h" nogil:
    enum:
        COEFFICIENTS
        ACTIVATION_COUNT
        LOSS_COUNT
        OPTIMIZER_COUNT
        PART_copy
        PART_embedding
        PART_pbld
        PART_piecewise_linear
        PART_ARRAYS
        MOST_FREQUENCIES
        MOST_STEPS

    ctypedef struct Part:
        int kind, learned
        Size inputs, to, outputs, count, owners
        Size start "from"
        void *arrays[PART_ARRAYS]
        void *gradients[PART_ARRAYS]
        Size each[PART_ARRAYS]

    ctypedef struct Update:
        int kind
        double rate, shrink, limit, factor
        double coefficients[COEFFICIENTS]

    ctypedef struct Kernels:
        void (*activate)(int kind, Size n, const void *x, void *y, double a) noexcept nogil
        void (*activate_backward)(int kind, Size n, const void *dy, const void *kept, void *dx, double a) noexcept nogil
        void (*parametric)(Size rows, Size width, const void *x, const void *f, const void *amount, void *y) noexcept nogil
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
            Size b_column, const void *bias, void *c, Size c_row, Size c_column, void *room,
        ) noexcept nogil
        void (*sum_rows)(Size rows, Size width, const void *dz, void *db, Size start, Size stop) noexcept nogil
        void (*columns)(Size rows, Size width, Size outputs, const Part *parts, int count, const void *x, void *y, void *room) noexcept nogil
        Size product_room

    const Kernels *chainrule_kernels(int bytes)
    int chainrule_multiplies_bfloat16()
    const char *chainrule_instructions()

cdef extern from "kernels/lists.h":
    enum:
        LABELS
        LEVELS

    ctypedef struct LossEntry:
        const char *name
        int parameters, outputs

    ctypedef struct OptimizerEntry:
        const char *name
        int least, most

    const char *const ACTIVATION_NAMES[]
    const LossEntry LOSS_ENTRIES[]
    const OptimizerEntry OPTIMIZER_ENTRIES[]

cdef extern from "kernels/float_mode.h" nogil:
    ctypedef unsigned long long FloatMode
    FloatMode flush_subnormals()
    void set_float_mode(FloatMode mode)

cdef const Kernels *SINGLE = chainrule_kernels(4)
cdef const Kernels *DOUBLE = chainrule_kernels(8)
cdef const Kernels *BFLOAT16 = chainrule_kernels(2)  # float, with products of operands rounded to it

INSTRUCTIONS = chainrule_instructions().decode()
MULTIPLIES_BFLOAT16 = bool(chainrule_multiplies_bfloat16())

# The number of each kernel by its name.
cdef dict LOSS_NUMBERS = {LOSS_ENTRIES[i].name.decode(): i for i in range(LOSS_COUNT)}
cdef dict OPTIMIZER_NUMBERS = {OPTIMIZER_ENTRIES[i].name.decode(): i for i in range(OPTIMIZER_COUNT)}
ACTIVATIONS = {ACTIVATION_NAMES[i].decode(): i for i in range(ACTIVATION_COUNT)}
LOSSES, OPTIMIZERS = LOSS_NUMBERS, OPTIMIZER_NUMBERS
