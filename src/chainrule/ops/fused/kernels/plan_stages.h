/* What each kind of stage does with a thread's rows, forward and backward, and with its share of the gradients. */

/* The part of `size` things that falls to a thread, in whole multiples of `grain`. */
INLINE Size share(Size size, Size grain, int thread, int threads) {
    const Size grains = (size + grain - 1) / grain;
    return shorter(size, grains * thread / threads * grain);
}

enum { GRAIN = 16 }; /* numbers: whole vectors of any processor, in which arrays are divided between threads */

/* A step as one thread sees it: its rows are r0 ... r1 of n; those of its rank, `rows` of them, begin at `top`. */
typedef struct {
    const Kernels *kernels;
    Size bytes; /* of a number */
    Plan *plan;
    int thread;
    Size index, n, r0, r1, top, rows; /* index counts from the plan's first step */
    const void *x;
    const char *y;
    double penalty_share; /* of the batch */
    Update update;
} Step;

/* Where number `index` of an array is; NULL if there is no array. */
INLINE void *place(const Step *s, const void *array, Size index) {
    return array == NULL ? NULL : (char *)array + index * s->bytes;
}

INLINE const void *input(const Step *s, int i) {
    return i == 0 ? s->x : s->plan->stages[i - 1].y;
}

static void forward_affine(const Step *s, const Stage *t, const void *x) {
    const Kernels *k = s->kernels;
    const Size rows = s->r1 - s->r0;
    void *y = place(s, t->y, s->r0 * t->outputs), *z = t->keeps_input ? place(s, t->kept, s->r0 * t->outputs) : y;
    k->product(rows, t->outputs, t->inputs, place(s, x, s->r0 * t->inputs), t->inputs, 1, t->W, t->outputs, 1, t->b, z,
               t->outputs, 1, s->plan->rooms[s->thread]);
    if (t->activation != ACTIVATION_identity) k->activate(t->activation, rows * t->outputs, z, y, t->a);
}

/* Statistics over the batch need all rows: each thread takes its own columns, between two barriers. */
static void forward_batch_norm(const Step *s, const Stage *t, const void *x) {
    const Kernels *k = s->kernels;
    const int threads = s->plan->threads;
    const Size from = share(t->inputs, GRAIN, s->thread, threads);
    const Size columns = share(t->inputs, GRAIN, s->thread + 1, threads) - from;
    void *standard = place(s, t->kept, from), *mean = place(s, t->mean, from), *variance = place(s, t->variance, from);
    barrier(s->plan);
    k->standardize_columns(s->n, columns, t->inputs, place(s, x, from), t->a, standard, place(s, t->inverse, from),
                           mean, variance);
    k->scale(s->n, columns, t->inputs, standard, place(s, t->W, from), place(s, t->b, from), place(s, t->y, from));
    const double unbiased = (double)s->n / (double)(s->n - 1);
    k->follow(columns, t->momentum, 1, mean, t->running_mean + from);
    k->follow(columns, t->momentum, unbiased, variance, t->running_variance + from);
    barrier(s->plan);
}

static void forward(const Step *s) {
    const Kernels *k = s->kernels;
    const Size rows = s->r1 - s->r0;
    for (int i = 0; i < s->plan->count; i++) {
        const Stage *t = &s->plan->stages[i];
        const Size at = s->r0 * t->inputs;
        const int prelu = t->kind == STAGE_prelu;
        const void *batch = input(s, i), *x = place(s, batch, at);
        void *y = place(s, t->y, s->r0 * t->outputs), *kept = place(s, t->kept, at);
        switch (t->kind) {
        case STAGE_columns:
            k->columns(rows, t->inputs, t->outputs, t->parts, t->part_count, x, y, s->plan->rooms[s->thread]);
            break;
        case STAGE_affine:
            forward_affine(s, t, batch);
            break;
        case STAGE_activation:
            k->activate(t->activation, rows * t->outputs, x, y, t->a);
            break;
        case STAGE_parametric:
        case STAGE_prelu: /* slope · x + (1 - slope) relu(x): x and f change places */
            k->activate(t->activation, rows * t->outputs, x, kept, t->a);
            k->parametric(rows, t->outputs, prelu ? kept : x, prelu ? x : kept, t->W, y);
            break;
        case STAGE_softmax:
            k->softmax(rows, t->outputs, x, y);
            break;
        case STAGE_log_softmax:
            k->log_softmax(rows, t->outputs, x, y);
            break;
        case STAGE_fork:
            if (y != x) memcpy(y, x, (size_t)(rows * t->outputs * s->bytes));
            break;
        case STAGE_join:
            k->add(rows * t->outputs, 1, x, 1, place(s, t->partner->y, at), y);
            break;
        case STAGE_dropout:
        case STAGE_gaussian_noise: {
            const uint64_t key = s->plan->keys[s->index * s->plan->draws + t->draw];
            if (t->kind == STAGE_dropout)
                k->dropout(rows * t->outputs, key, (uint64_t)at, t->a, x, y, kept);
            else
                k->gaussian_noise(rows * t->outputs, key, (uint64_t)at, t->a, x, y);
            break;
        }
        case STAGE_batch_norm:
            forward_batch_norm(s, t, batch);
            break;
        case STAGE_layer_norm:
        case STAGE_scale:
            if (t->kind == STAGE_layer_norm)
                k->standardize_rows(rows, t->inputs, t->inputs, x, t->a, kept, place(s, t->inverse, s->r0),
                                    place(s, t->mean, s->r0), place(s, t->variance, s->r0));
            k->scale(rows, t->inputs, t->inputs, t->kind == STAGE_scale ? x : kept, t->W, t->b, y);
            break;
        }
    }
}

static void backward_batch_norm(const Step *s, const Stage *t, void *batch) {
    const Kernels *k = s->kernels;
    const int threads = s->plan->threads;
    const Size from = share(t->inputs, GRAIN, s->thread, threads);
    const Size columns = share(t->inputs, GRAIN, s->thread + 1, threads) - from;
    void *standard = place(s, t->kept, from), *dx = place(s, batch, from);
    barrier(s->plan);
    k->scale_backward(s->n, columns, t->inputs, place(s, t->dy, from), standard, place(s, t->W, from), dx,
                      place(s, t->dW, from), place(s, t->db, from));
    if (dx != NULL)
        k->standardize_columns_backward(s->n, columns, t->inputs, dx, standard, place(s, t->inverse, from), dx);
    barrier(s->plan);
}

static void backward(const Step *s) {
    const Kernels *k = s->kernels;
    const Size rows = s->r1 - s->r0;
    for (int i = s->plan->count - 1; i >= s->plan->first_learning; i--) {
        const Stage *t = &s->plan->stages[i];
        const Size in = s->r0 * t->inputs, out = s->r0 * t->outputs;
        void *dy = place(s, t->dy, out), *y = place(s, t->y, out), *kept = place(s, t->kept, out);
        void *dx = i == s->plan->first_learning ? NULL : place(s, s->plan->stages[i - 1].dy, in);
        switch (t->kind) {
        case STAGE_affine:
            if (t->activation != ACTIVATION_identity)
                k->activate_backward(t->activation, rows * t->outputs, dy,
                                     t->keeps_input ? kept : y, dy, t->a);
            if (dx != NULL)
                k->pull_back(rows, t->inputs, t->outputs, dy, t->W, dx, s->plan->rooms[s->thread]);
            break;
        case STAGE_activation:
            k->activate_backward(t->activation, rows * t->outputs, dy,
                                 t->keeps_input ? place(s, input(s, i), in) : y, dx, t->a);
            break;
        case STAGE_parametric:
        case STAGE_prelu:
            if (dx != NULL) { /* dx = (1 - a) dy + a f'(x) dy, and of PReLU (1 - a) f'(x) dy + a dy */
                k->activate_backward(t->activation, rows * t->outputs, dy,
                                     t->keeps_input ? place(s, input(s, i), in) : kept, dx, t->a);
                const int prelu = t->kind == STAGE_prelu;
                k->parametric(rows, t->outputs, prelu ? dx : dy, prelu ? dy : dx, t->W, dx);
            }
            break;
        case STAGE_softmax:
            k->softmax_backward(rows, t->outputs, dy, y, dx);
            break;
        case STAGE_log_softmax:
            k->log_softmax_backward(rows, t->outputs, dy, y, dx);
            break;
        case STAGE_fork: /* what came through the layers, and what went past them */
            k->add(rows * t->outputs, 1, dy, 1, place(s, t->partner->dy, out), dx);
            break;
        case STAGE_join:
            memcpy(dx, dy, (size_t)(rows * t->outputs * s->bytes));
            break;
        case STAGE_dropout:
            k->multiply(rows * t->outputs, dy, kept, dx);
            break;
        case STAGE_batch_norm:
            backward_batch_norm(s, t, dx == NULL ? NULL : s->plan->stages[i - 1].dy);
            break;
        case STAGE_layer_norm:
        case STAGE_scale:
            if (dx == NULL) break;
            k->scale(rows, t->inputs, t->inputs, dy, t->W, NULL, dx);
            if (t->kind == STAGE_layer_norm)
                k->standardize_rows_backward(rows, t->inputs, t->inputs, dx, kept,
                                             place(s, t->inverse, s->r0), dx);
            break;
        }
    }
}

/* This thread's share of the gradients of the parts: of the rows of a table, of the columns of a layer of numbers. */
static void gradients_of_parts(const Step *s, const Stage *t) {
    const int threads = s->plan->threads;
    for (const Part *p = t->parts; p < t->parts + t->part_count; p++) {
        const Size from = share(p->owners, 1, s->thread, threads);
        const Size to = share(p->owners, 1, s->thread + 1, threads);
        s->kernels->part_gradients(p, from, to, s->rows, place(s, s->x, s->top * t->inputs), t->inputs,
                                   place(s, t->dy, s->top * t->outputs), t->outputs, s->plan->rooms[s->thread]);
    }
}

/* This thread's share of a stage's gradients, summed over the rows of its rank. */
static void gradients(const Step *s, int i) {
    const Kernels *k = s->kernels;
    const Plan *p = s->plan;
    const Stage *t = &p->stages[i];
    if (t->kind == STAGE_columns) gradients_of_parts(s, t);
    if (t->W == NULL) return;
    const Size from = share(t->outputs, GRAIN, s->thread, p->threads);
    const Size to = share(t->outputs, GRAIN, s->thread + 1, p->threads);
    const void *x = place(s, input(s, i), s->top * t->inputs), *dy = place(s, t->dy, s->top * t->outputs);
    if (t->kind == STAGE_affine) {
        const Size grain = 2 * t->outputs <= k->panel ? TALL_ROWS : TILE_ROWS;
        const Size top = share(t->inputs, grain, s->thread, p->threads);
        const Size rows = share(t->inputs, grain, s->thread + 1, p->threads) - top;
        void *dW = place(s, t->dW, top * t->outputs);
        k->product(rows, t->outputs, s->rows, place(s, x, top), 1, t->inputs, dy, t->outputs, 1, NULL, dW, t->outputs,
                   1, p->rooms[s->thread]);
        if (t->penalty != NULL)
            k->penalize(s->penalty_share * t->l1, s->penalty_share * t->l2, rows, t->outputs,
                        place(s, t->W, top * t->outputs), dW, t->penalty + top);
        if (t->b != NULL) k->sum_rows(s->rows, t->outputs, dy, t->db, from, to);
    } else {
        const void *kept = place(s, t->kept, s->top * t->outputs);
        if (t->kind == STAGE_layer_norm || t->kind == STAGE_scale)
            k->scale_backward(s->rows, to - from, t->outputs, place(s, dy, from),
                              place(s, t->kind == STAGE_scale ? x : kept, from), place(s, t->W, from), NULL,
                              place(s, t->dW, from), place(s, t->db, from));
        if (t->kind == STAGE_parametric) k->parametric_gradient(s->rows, t->outputs, dy, x, kept, t->dW, from, to);
        if (t->kind == STAGE_prelu) k->parametric_gradient(s->rows, t->outputs, dy, kept, x, t->dW, from, to);
    }
}
