/* What each kind of stage does with a thread's rows, forward and backward, and with its share of the gradients. */

/* The part of `size` things that falls to a thread, in whole multiples of `grain`. */
INLINE Size NAME(share)(Size size, Size grain, int thread, int threads) {
    const Size grains = (size + grain - 1) / grain;
    return shorter(size, grains * thread / threads * grain);
}

#ifndef ROW_BLOCK
#define ROW_BLOCK 120 /* rows of a product whose result the activation still finds in the cache */
#endif

/* A step as one thread sees it: its rows are r0 ... r1 of n; those of its rank, `rows` of them, begin at `top`. */
typedef struct {
    Plan *plan;
    int thread;
    Size index, n, r0, r1, top, rows; /* index counts from the plan's first step */
    const REAL *x;
    const char *y;
    double penalty_share; /* of the batch */
    Update update;
} NAME(Step);

INLINE const REAL *NAME(input)(const NAME(Step) *s, int i) {
    return i == 0 ? s->x : s->plan->stages[i - 1].y;
}

APART void NAME(add)(Size n, REAL a, const REAL *x, REAL b, const REAL *other, REAL *y) {
#pragma omp simd
    for (Size i = 0; i < n; i++) y[i] = a * x[i] + b * other[i];
}

static void NAME(forward_affine)(const NAME(Step) *s, const Stage *t, const REAL *x) {
    for (Size r = s->r0; r < s->r1; r += ROW_BLOCK) {
        const Size rows = shorter(ROW_BLOCK, s->r1 - r);
        REAL *y = (REAL *)t->y + r * t->outputs, *z = t->keeps_input ? (REAL *)t->kept + r * t->outputs : y;
        NAME(gemm)(rows, t->outputs, t->inputs, (NAME(Operand)){x + r * t->inputs, t->inputs, 1},
                   (NAME(Operand)){t->W, 1, t->outputs}, t->b, (NAME(Result)){z, t->outputs, 1},
                   s->plan->rooms[s->thread]);
        if (t->activation != ACTIVATION_identity) NAME(activate)(t->activation, rows * t->outputs, z, y, t->a);
    }
}

/* Statistics over the batch need all rows: each thread takes its own columns, between two barriers. */
static void NAME(forward_batch_norm)(const NAME(Step) *s, const Stage *t, const REAL *x) {
    const int threads = s->plan->threads;
    const Size from = NAME(share)(t->inputs, LANES, s->thread, threads);
    const Size columns = NAME(share)(t->inputs, LANES, s->thread + 1, threads) - from;
    REAL *standard = (REAL *)t->kept + from, *mean = (REAL *)t->mean + from, *variance = (REAL *)t->variance + from;
    barrier(s->plan);
    NAME(standardize_columns)(s->n, columns, t->inputs, x + from, t->a, standard, (REAL *)t->inverse + from, mean,
                              variance);
    NAME(scale)(s->n, columns, t->inputs, standard, (REAL *)t->W + from, (REAL *)t->b + from, (REAL *)t->y + from);
    const double unbiased = (double)s->n / (double)(s->n - 1);
    for (Size i = 0; i < columns; i++) {
        double *m = t->running_mean + from + i, *v = t->running_variance + from + i;
        *m += t->momentum * (mean[i] - *m);
        *v += t->momentum * (variance[i] * unbiased - *v);
    }
    barrier(s->plan);
}

static void NAME(forward)(const NAME(Step) *s) {
    const Size rows = s->r1 - s->r0;
    for (int i = 0; i < s->plan->count; i++) {
        const Stage *t = &s->plan->stages[i];
        const Size at = s->r0 * t->inputs;
        const int prelu = t->kind == STAGE_prelu;
        const REAL *x = NAME(input)(s, i);
        REAL *y = (REAL *)t->y + s->r0 * t->outputs, *kept = t->kept == NULL ? NULL : (REAL *)t->kept + at;
        switch (t->kind) {
        case STAGE_columns:
            NAME(columns)(rows, t->inputs, t->outputs, t->parts, t->part_count, x + at, y, s->plan->rooms[s->thread]);
            break;
        case STAGE_affine:
            NAME(forward_affine)(s, t, x);
            break;
        case STAGE_activation:
            NAME(activate)(t->activation, rows * t->outputs, x + at, y, t->a);
            break;
        case STAGE_parametric:
        case STAGE_prelu: /* slope · x + (1 - slope) relu(x): x and f change places */
            NAME(activate)(t->activation, rows * t->outputs, x + at, kept, t->a);
            NAME(parametric)(rows, t->outputs, prelu ? kept : x + at, prelu ? x + at : kept, t->W, y);
            break;
        case STAGE_softmax:
            NAME(softmax)(rows, t->outputs, x + at, y);
            break;
        case STAGE_log_softmax:
            NAME(log_softmax)(rows, t->outputs, x + at, y);
            break;
        case STAGE_fork:
            if (y != x + at) memcpy(y, x + at, (size_t)(rows * t->outputs) * sizeof(REAL));
            break;
        case STAGE_join:
            NAME(add)(rows * t->outputs, 1, x + at, 1, (REAL *)t->partner->y + at, y);
            break;
        case STAGE_dropout:
        case STAGE_gaussian_noise: {
            const uint64_t key = s->plan->keys[s->index * s->plan->draws + t->draw];
            if (t->kind == STAGE_dropout)
                NAME(dropout)(rows * t->outputs, key, (uint64_t)at, t->a, x + at, y, kept);
            else
                NAME(gaussian_noise)(rows * t->outputs, key, (uint64_t)at, (REAL)t->a, x + at, y);
            break;
        }
        case STAGE_batch_norm:
            NAME(forward_batch_norm)(s, t, x);
            break;
        case STAGE_layer_norm:
        case STAGE_scale:
            if (t->kind == STAGE_layer_norm)
                NAME(standardize_rows)(rows, t->inputs, t->inputs, x + at, t->a, kept, (REAL *)t->inverse + s->r0,
                                       (REAL *)t->mean + s->r0, (REAL *)t->variance + s->r0);
            NAME(scale)(rows, t->inputs, t->inputs, t->kind == STAGE_scale ? x + at : kept, t->W, t->b, y);
            break;
        }
    }
}

static void NAME(backward_batch_norm)(const NAME(Step) *s, const Stage *t, REAL *dx) {
    const int threads = s->plan->threads;
    const Size from = NAME(share)(t->inputs, LANES, s->thread, threads);
    const Size columns = NAME(share)(t->inputs, LANES, s->thread + 1, threads) - from;
    const REAL *standard = (REAL *)t->kept + from;
    barrier(s->plan);
    NAME(scale_backward)(s->n, columns, t->inputs, (REAL *)t->dy + from, standard, (REAL *)t->W + from,
                         dx == NULL ? NULL : dx + from, (REAL *)t->dW + from, (REAL *)t->db + from);
    if (dx != NULL)
        NAME(standardize_columns_backward)(s->n, columns, t->inputs, dx + from, standard, (REAL *)t->inverse + from,
                                           dx + from);
    barrier(s->plan);
}

static void NAME(backward)(const NAME(Step) *s) {
    const Size rows = s->r1 - s->r0;
    for (int i = s->plan->count - 1; i >= s->plan->first_learning; i--) {
        const Stage *t = &s->plan->stages[i];
        const Size in = s->r0 * t->inputs, out = s->r0 * t->outputs;
        REAL *dy = (REAL *)t->dy + out;
        REAL *dx = i == s->plan->first_learning ? NULL : (REAL *)s->plan->stages[i - 1].dy + in;
        switch (t->kind) {
        case STAGE_affine:
            if (t->activation != ACTIVATION_identity)
                NAME(activate_backward)(t->activation, rows * t->outputs, dy,
                                        (REAL *)(t->keeps_input ? t->kept : t->y) + out, dy, t->a);
            if (dx != NULL)
                NAME(pull_back)(rows, t->inputs, t->outputs, dy, t->W, dx, s->plan->rooms[s->thread]);
            break;
        case STAGE_activation:
            NAME(activate_backward)(t->activation, rows * t->outputs, dy,
                                    t->keeps_input ? NAME(input)(s, i) + in : (REAL *)t->y + out, dx, t->a);
            break;
        case STAGE_parametric:
        case STAGE_prelu:
            if (dx != NULL) { /* dx = (1 - a) dy + a f'(x) dy, and of PReLU (1 - a) f'(x) dy + a dy */
                NAME(activate_backward)(t->activation, rows * t->outputs, dy,
                                        t->keeps_input ? NAME(input)(s, i) + in : (REAL *)t->kept + in, dx, t->a);
                const int prelu = t->kind == STAGE_prelu;
                NAME(parametric)(rows, t->outputs, prelu ? dx : dy, prelu ? dy : dx, t->W, dx);
            }
            break;
        case STAGE_softmax:
            NAME(softmax_backward)(rows, t->outputs, dy, (REAL *)t->y + out, dx);
            break;
        case STAGE_log_softmax:
            NAME(log_softmax_backward)(rows, t->outputs, dy, (REAL *)t->y + out, dx);
            break;
        case STAGE_fork: /* what came through the layers, and what went past them */
            NAME(add)(rows * t->outputs, 1, dy, 1, (REAL *)t->partner->dy + out, dx);
            break;
        case STAGE_join:
            memcpy(dx, dy, (size_t)(rows * t->outputs) * sizeof(REAL));
            break;
        case STAGE_dropout:
            NAME(multiply)(rows * t->outputs, dy, (REAL *)t->kept + in, dx);
            break;
        case STAGE_batch_norm:
            NAME(backward_batch_norm)(s, t, dx == NULL ? NULL : s->plan->stages[i - 1].dy);
            break;
        case STAGE_layer_norm:
        case STAGE_scale:
            if (dx == NULL) break;
            NAME(scale)(rows, t->inputs, t->inputs, dy, t->W, NULL, dx);
            if (t->kind == STAGE_layer_norm)
                NAME(standardize_rows_backward)(rows, t->inputs, t->inputs, dx, (REAL *)t->kept + in,
                                                (REAL *)t->inverse + s->r0, dx);
            break;
        }
    }
}

/* dW += the gradient of the penalty on some rows of W; its value for each row goes to `penalty`. */
static void NAME(penalize)(double l1_, double l2_, Size rows, Size columns, const REAL *w, REAL *dw, double *penalty) {
    const REAL l1 = (REAL)l1_, l2 = (REAL)l2_;
    for (Size m = 0; m < rows; m++, w += columns, dw += columns) {
        REAL value = 0;
#pragma omp simd reduction(+ : value)
        for (Size j = 0; j < columns; j++) {
            const REAL pull = (w[j] > 0 ? l1 : w[j] < 0 ? -l1 : 0) + l2 * w[j];
            dw[j] += pull + l2 * w[j];
            value += pull * w[j];
        }
        penalty[m] = value;
    }
}

/* db[start ... stop] = the sums of these columns of dz, each summed in a register. */
static void NAME(sum_rows)(Size rows, Size width, const void *dz_, void *db_, Size start, Size stop) {
    const REAL *dz = dz_;
    REAL *db = db_;
    Size o = start;
    for (; o + LANES <= stop; o += LANES) {
        NAME(Vector) sum = {0};
        for (Size n = 0; n < rows; n++) sum += *(const NAME(Loose) *)(dz + n * width + o);
        *(NAME(Loose) *)(db + o) = sum;
    }
    for (; o < stop; o++) {
        REAL sum = 0;
        for (Size n = 0; n < rows; n++) sum += dz[n * width + o];
        db[o] = sum;
    }
}

/* da[start ... stop] = the sums over the rows of dy (f - x) in these columns. */
static void NAME(parametric_gradient)(Size rows, Size width, const REAL *dy, const REAL *x, const REAL *f, REAL *da,
                                      Size start, Size stop) {
    memset(da + start, 0, (size_t)(stop - start) * sizeof(REAL));
    for (Size row = 0; row < rows; row++, dy += width, x += width, f += width) {
#pragma omp simd
        for (Size i = start; i < stop; i++) da[i] += dy[i] * (f[i] - x[i]);
    }
}

/* This thread's share of the gradients of the parts: of the rows of a table, of the columns of a layer of numbers. */
APART void NAME(part_gradients)(const NAME(Step) *s, const Stage *t) {
    const int threads = s->plan->threads;
    REAL *room = s->plan->rooms[s->thread], *waves = room + PRODUCT_ROOM;
    for (const Part *p = t->parts; p < t->parts + t->part_count; p++) {
        const Size from = NAME(share)(p->owners, 1, s->thread, threads);
        const Size to = NAME(share)(p->owners, 1, s->thread + 1, threads);
        const REAL *x = s->x + s->top * t->inputs + p->from, *dy = (REAL *)t->dy + s->top * t->outputs + p->to;
        if (p->kind == PART_embedding) NAME(embedding_gradient)(p, s->rows, x, t->inputs, dy, t->outputs, from, to);
        for (Size j = from; p->kind == PART_pbld && j < to; j++)
            NAME(pbld_gradient)(p, j, s->rows, x, t->inputs, dy, t->outputs, waves, room);
        for (Size j = from; p->kind == PART_piecewise_linear && j < to; j++)
            NAME(piecewise_linear_gradient)(p, j, s->rows, x, t->inputs, dy, t->outputs, room);
    }
}

/* This thread's share of a stage's gradients, summed over the rows of its rank. */
static void NAME(gradients)(const NAME(Step) *s, int i) {
    const Plan *p = s->plan;
    const Stage *t = &p->stages[i];
    if (t->kind == STAGE_columns) NAME(part_gradients)(s, t);
    if (t->W == NULL) return;
    const Size from = NAME(share)(t->outputs, LANES, s->thread, p->threads);
    const Size to = NAME(share)(t->outputs, LANES, s->thread + 1, p->threads);
    const REAL *x = NAME(input)(s, i) + s->top * t->inputs, *dy = (REAL *)t->dy + s->top * t->outputs;
    if (t->kind == STAGE_affine) {
        const Size grain = 2 * t->outputs <= PANEL ? TALL_ROWS : TILE_ROWS;
        const Size top = NAME(share)(t->inputs, grain, s->thread, p->threads);
        const Size rows = NAME(share)(t->inputs, grain, s->thread + 1, p->threads) - top;
        REAL *dW = (REAL *)t->dW + top * t->outputs;
        NAME(gemm)(rows, t->outputs, s->rows, (NAME(Operand)){x + top, 1, t->inputs}, (NAME(Operand)){dy, 1, t->outputs},
                   NULL, (NAME(Result)){dW, t->outputs, 1}, p->rooms[s->thread]);
        if (t->penalty != NULL)
            NAME(penalize)(s->penalty_share * t->l1, s->penalty_share * t->l2, rows, t->outputs,
                           (REAL *)t->W + top * t->outputs, dW, t->penalty + top);
        if (t->b != NULL) NAME(sum_rows)(s->rows, t->outputs, dy, t->db, from, to);
    } else {
        const REAL *kept = t->kept == NULL ? NULL : (REAL *)t->kept + s->top * t->outputs;
        if (t->kind == STAGE_layer_norm || t->kind == STAGE_scale)
            NAME(scale_backward)(s->rows, to - from, t->outputs, dy + from, (t->kind == STAGE_scale ? x : kept) + from,
                                 (REAL *)t->W + from, NULL, (REAL *)t->dW + from,
                                 t->db == NULL ? NULL : (REAL *)t->db + from);
        if (t->kind == STAGE_parametric)
            NAME(parametric_gradient)(s->rows, t->outputs, dy, x, kept, t->dW, from, to);
        if (t->kind == STAGE_prelu) NAME(parametric_gradient)(s->rows, t->outputs, dy, kept, x, t->dW, from, to);
    }
}
