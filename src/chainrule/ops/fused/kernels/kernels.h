/* The table of compiled kernels: one for each dtype and each kind of processor, of which dispatch.c picks one.
 *
 * A kernel is written once, for REAL (float or double), as a plain loop that the compiler turns into the vector
 * instructions of the file that includes it: isa_avx512.c, isa_avx2.c, isa_generic.c. Arrays of REAL are void * here.
 * Matrices are stored by rows; `stride` is the distance from row to row where a kernel may take a part of the columns. */
#ifndef CHAINRULE_KERNELS_H
#define CHAINRULE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

typedef ptrdiff_t Size; /* a number of elements, rows or columns */

/* The activations. */
enum {
    IDENTITY, RELU, LEAKY_RELU, HARD_SIGMOID, SIGMOID, TANH, SOFTPLUS, ELU, SELU, GELU, GELU_TANH, SILU, MISH
};

/* The losses. */
enum {
    CROSS_ENTROPY_LABELS, CROSS_ENTROPY_SOFT, BINARY_CROSS_ENTROPY, SQUARED_ERROR, HALF_SQUARED_ERROR,
    ABSOLUTE_ERROR, HUBER, LOG_COSH, POISSON, QUANTILE, GAUSSIAN_NLL
};

/* The optimizers. */
enum { SGD, RMSPROP, ADAGRAD, ADAM, NADAM, LION };

enum { COEFFICIENTS = 6 }; /* of an optimizer's rule, at most */

/* One step of an optimizer: g <- factor * min(max(g, -limit), limit), then w <- (1 - shrink) w - rate d, with d from g,
 * the state and the coefficients c that the optimizer's `coefficients` gives for this step. Without clipping limit is
 * INFINITY and factor 1. */
typedef struct {
    int kind;
    double rate, shrink, c[COEFFICIENTS], limit, factor;
} Update;

struct Plan;

typedef struct {
    /* activations.h; `kept` is what the op's backward takes, x or y. Any output may be the input. */
    void (*activate)(int kind, Size n, const void *x, void *y, double a);
    void (*activate_backward)(int kind, Size n, const void *dy, const void *kept, void *dx, double a);
    void (*prelu)(Size rows, Size width, const void *x, const void *slope, void *y);
    void (*prelu_backward)(Size rows, Size width, const void *dy, const void *x, const void *slope, void *dx,
                           void *dslope);

    /* few_rows.h: y = x W + b; b may be NULL */
    void (*affine_few)(Size rows, Size inputs, Size outputs, const void *x, const void *W, const void *b, void *y);

    /* losses.h: values[n] = the sum over the outputs of row n; dz its derivative times (share ? share[n] : scale). */
    void (*loss)(int kind, Size rows, Size outputs, const void *z, const void *y, const double *parameters,
                 double scale, const double *share, double *values, void *dz);
    /* softmax.h */
    void (*softmax)(Size rows, Size width, const void *x, void *y);
    void (*softmax_backward)(Size rows, Size width, const void *dy, const void *y, void *dx);
    void (*log_softmax)(Size rows, Size width, const void *x, void *y);
    void (*log_softmax_backward)(Size rows, Size width, const void *dy, const void *y, void *dx);

    /* normalization.h; mean, variance and inverse hold one number for each row (or column) */
    void (*standardize_rows)(Size rows, Size width, Size stride, const void *x, double epsilon, void *y, void *inverse,
                             void *mean, void *variance);
    void (*standardize_columns)(Size rows, Size width, Size stride, const void *x, double epsilon, void *y,
                                void *inverse, void *mean, void *variance);
    void (*standardize_rows_backward)(Size rows, Size width, Size stride, const void *dy, const void *y,
                                      const void *inverse, void *dx);
    void (*standardize_columns_backward)(Size rows, Size width, Size stride, const void *dy, const void *y,
                                         const void *inverse, void *dx);
    void (*scale)(Size rows, Size width, Size stride, const void *x, const void *gain, const void *bias, void *y);
    /* dx, dbias may be NULL */
    void (*scale_backward)(Size rows, Size width, Size stride, const void *dy, const void *x, const void *gain,
                           void *dx, void *dgain, void *dbias);

    /* noise.h: elements first ... first + n of the batch whose mask `key` stands for */
    void (*dropout)(Size n, uint64_t key, uint64_t first, double rate, const void *x, void *y, void *mask);
    void (*multiply)(Size n, const void *x, const void *factor, void *y);

    /* optimizers.h; an optimizer with fewer than two arrays of state gets NULL for the others */
    void (*update)(const Update *step, Size n, void *w, const void *g, void *state1, void *state2);
    /* the sum of min(max(g, -limit), limit)^2 */
    double (*square_norm)(Size n, const void *g, double limit);

    /* gemm.h: c = a b + bias, contiguous; a and b may be transposed, as their strides say; room of product_room bytes */
    void (*product)(Size rows, Size columns, Size inner, const void *a, Size a_row, Size a_inner, const void *b,
                    Size b_inner, Size b_column, const void *bias, void *c, void *room);
    /* plan_stages.h: db[start ... stop] = the sums of these columns of dz */
    void (*sum_rows)(Size rows, Size width, const void *dz, void *db, Size start, Size stop);
    /* plan_run.h: what one of the plan's threads does, while all others do it, too */
    void (*run_plan)(struct Plan *plan, int thread);
    Size product_room; /* bytes */
} Kernels;

/* The table for float (bytes = 4) or double (8) that is fastest here, and the name of its instructions. */
const Kernels *chainrule_kernels(int bytes);
const char *chainrule_instructions(void);

#endif
