/* A plan: everything that some steps of training need, so that they run as one call without the interpreter.
 *
 * training/compiled.py has ../plan.pxi make it from a network's stages, a loss and an optimizer; plan_run.h carries it
 * out. Arrays of REAL are void *. */
#ifndef CHAINRULE_PLAN_H
#define CHAINRULE_PLAN_H

#include "kernels.h"

enum {
    PLAN_THREADS = 64, /* at most */
    PLAN_CHUNK = 16384 /* parameters whose squares are summed together for the norm of the gradient */
};

enum {
#define STAGE(name) STAGE_##name,
#include "stages.def"
    STAGE_COUNT
};

/* One layer. Batches are (rows, inputs) and (rows, outputs); what a kind does not use is NULL or 0. */
typedef struct Stage {
    int kind, activation, keeps_input, draw; /* draw: its number among those that draw a key */
    Size inputs, outputs;
    double a;        /* of the activation, the rate of dropout, the deviation of noise or the epsilon of a normalisation */
    double momentum; /* of the running statistics */
    double l1, l2, *penalty; /* and what the batch's penalty is for each row of W */
    void *W, *b, *dW, *db; /* W, b or gain, bias or amount, and their gradients */
    void *y, *dy;          /* the output and its gradient; of an affine stage dy becomes dz */
    void *kept;            /* z of a gated activation, f(x) of a parametric one, of PReLU relu(x), the mask of dropout, the
                              standardised batch */
    void *inverse, *mean, *variance; /* of a normalisation: of each row or column */
    double *running_mean, *running_variance;
    const Part *parts; /* of a stage of columns, which is the first */
    int part_count;
    struct Stage *partner; /* of a fork, before the layers of a residual, the join after them; of the join, the fork */
} Stage;

/* A part of the flat vector whose learning rate and decay have the same factors. */
typedef struct {
    Size start, stop;
    double rate, decay;
} Run;

typedef struct Plan {
    /* the network */
    Stage *stages;
    int count, first_learning; /* stages, and the first that has parameters: nothing in front of it needs a gradient */
    Size inputs, outputs;

    /* the data: rows of x, y and weight in the order given, or as they stand if it is NULL */
    const void *x;
    const char *y;
    Size y_bytes; /* of a row of y, as the loss takes it */
    int soft;     /* whether y are labels and the loss takes a row of shares of the classes */
    const double *weight;
    const int64_t *order;
    Size epoch_rows, batch, epoch_steps; /* rows and steps of an epoch: after them the next epoch's order begins */
    const int64_t *mates;                /* for each row of each step, the row that is mixed into it; or NULL */
    const double *shares;                /* and for each step, the share of the row itself */
    Size first, steps;                   /* the steps to do, counted from the first epoch in `order` */

    /* the loss */
    int loss, average_penalty; /* whether the penalties are divided by the sum of the batch's weights */
    const double *parameters;

    /* the optimizer */
    int optimizer;
    void *vector, *gradient, *state1, *state2;
    Size size;
    Run *runs;
    int run_count;
    double clip_norm, clip_value; /* 0: no clipping */
    const double *updates;        /* for each step: rate, shrink and the coefficients, of which there are so many */
    int coefficients;
    void *mean;                   /* a running mean of the vector, or NULL; and the weight of each step's vector in it */
    const double *mean_weights;
    const uint64_t *keys;         /* for each step, one for each dropout or noise, of which there are so many */
    int draws;

    /* the ranks that share each batch: processes like this one, each with its own rows */
    int rank, ranks;
    int (*exchange)(void *context, double *value); /* sums the gradient and the value over them; 0 if that failed */
    void *context;
    int exchanged; /* whether it succeeded */

    /* room for a batch */
    void *x_room;
    char *y_room;
    double *share, *row_value; /* w / sum of w, and the loss of each row */
    double *squares;           /* the gradient's squared norm, for each PLAN_CHUNK of the vector */
    void *rooms[PLAN_THREADS]; /* for each thread: for a product, and behind it for the waves of a column of x */

    /* what comes out */
    double *value; /* the loss of each step */
    void *z;       /* the outputs of all steps, or NULL */
    Size done;     /* steps; fewer than asked for if a loss was not finite */
    int64_t *taken; /* the optimizer's own count of its steps, which rises with each */

    /* the threads' barrier */
    int threads, arrived, generation; /* how many have come, and how often all had */
    int patience; /* how often a waiting thread looks, before it lets others have its processor */
} Plan;

/* plan.c: what one of a plan's threads does, while all others do it, too. */
void chainrule_take_steps(const Kernels *kernels, Plan *plan, int thread);

/* crew.c: the steps of a call, on so many threads, or on fewer where the system gives no more; then they are gone. */
void chainrule_run_plan(const Kernels *kernels, Plan *plan, int wanted);

#endif
