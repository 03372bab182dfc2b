/* The table of compiled kernels: one for each dtype and each kind of processor, of which dispatch.c picks one.
 *
 * A kernel is written once, for REAL (float or double), as a plain loop that the compiler turns into the vector
 * instructions of the file that includes it: isa_avx512.c, isa_avx2.c, isa_generic.c. */
#ifndef CHAINRULE_KERNELS_H
#define CHAINRULE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

typedef ptrdiff_t Size; /* a number of elements, rows or columns */

enum { TILE_ROWS = 6, TALL_ROWS = 12 }; /* of a tile of a product, and of one at most half as wide as a panel */

enum {
#define ACTIVATION(name, value, slope) ACTIVATION_##name,
#include "activations.def"
    ACTIVATION_COUNT
};

enum {
#define LOSS(name, parameters, outputs) LOSS_##name,
#include "losses.def"
    LOSS_COUNT
};

enum {
#define OPTIMIZER(name, least, most, ...) OPTIMIZER_##name,
#include "optimizers.def"
    OPTIMIZER_COUNT
};

/* The coefficients of each optimizer by name; COEFFICIENTS is how many they are at most. */
union Rule {
#define OPTIMIZER(name, least, most, ...) struct { double __VA_ARGS__; } name;
#include "optimizers.def"
};
enum { COEFFICIENTS = sizeof(union Rule) / sizeof(double) };

/* One step of an optimizer: g <- factor * min(max(g, -limit), limit), then w <- (1 - shrink) w - rate d, with d from g,
 * the state and the coefficients of this step. Without clipping limit is INFINITY and factor 1. */
typedef struct {
    int kind;
    double rate, shrink, limit, factor;
    union {
        double coefficients[COEFFICIENTS];
        union Rule rule;
    };
} Update;

enum { PART_copy, PART_embedding, PART_pbld, PART_piecewise_linear };
enum { PART_ARRAYS = 5, MOST_FREQUENCIES = 2048, MOST_STEPS = 4096 };

/* Columns of x from `from` on, so many inputs, and the columns of y from `to` on that are made of them. */
typedef struct {
    int kind, learned; /* arrays that are */
    Size from, inputs, to, outputs;
    Size count;                /* the codes of an embedding, the frequencies of a PBLD, the bins of a column */
    void *arrays[PART_ARRAYS]; /* E; or w1, b1, W2, b2; or steps, slope, bias, left, width */
    void *gradients[PART_ARRAYS];
    Size owners, each[PART_ARRAYS]; /* codes, or columns; and how many numbers of each array belong to one */
} Part;

struct Plan;

typedef struct Kernels {
#define KERNEL(result, name, parameters) result (*name) parameters;
#include "kernels.def"
    Size bytes;        /* of a number */
    Size product_room; /* in bytes */
    Size panel;        /* the columns of the widest tile of a product */
} Kernels;

/* The table for float (bytes = 4), double (8) or float with products of bfloat16 (2) that is fastest here, and the name of
 * its instructions. There is none, NULL, for x86-64 before AVX2 (2013; small ones until 2021): kernels for it would be a
 * fifth of the library. */
const Kernels *chainrule_kernels(int bytes);
int chainrule_multiplies_bfloat16(void); /* whether the processor has an instruction for them */
const char *chainrule_instructions(void);

/* probabilities.c: as the kernel `loss`, for arrays of float (bytes = 4) or double (8). */
void chainrule_loss_of_probabilities(int kind, int bytes, Size rows, Size width, const void *p, const void *y,
                                     double smoothing, double scale, const double *share, double *values, void *dp);

#endif
