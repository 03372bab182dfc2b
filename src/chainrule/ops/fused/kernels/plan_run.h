/* The steps of a plan, carried out by one or more threads that meet three times a step.
 *
 * First each thread takes its own rows of the batch through all layers, forward, loss and backward, and needs nobody.
 * Then, all rows done, each computes its own part of the gradients, summed over all rows; then, all gradients done, it
 * takes the optimizer's step for its own part of the parameters. Every number is computed by one thread in one order, so
 * that the result does not depend on how many threads there are.
 *
 * Ranks share the rows in the same way, but have gradients of their own, which they exchange before the optimizer's step.
 * A batch with fewer rows than there are ranks is no work: each rank takes all of it, and they need not exchange. */

/* The row of the data that is row r of the batch that begins at `start`. */
INLINE Size row_of(const Plan *p, Size start, Size r) {
    return p->order ? p->order[start + r] : start % p->epoch_rows + r;
}

/* Two rows as one. */
static void mix(const Step *s, Size row, Size mate, void *x, void *y) {
    const Plan *p = s->plan;
    const double own = p->mates == NULL ? 1 : p->shares[s->index];
    const Size width = p->y_bytes / s->bytes, *labels = (const Size *)p->y;
    s->kernels->add(p->inputs, own, place(s, p->x, row * p->inputs), 1 - own, place(s, p->x, mate * p->inputs), x);
    if (p->soft)
        s->kernels->mix_labels(width, (size_t)labels[row], (size_t)labels[mate], own, y);
    else
        s->kernels->add(width, own, place(s, p->y, row * width), 1 - own, place(s, p->y, mate * width), y);
}

/* This thread's rows of the batch: in place, or gathered in the epoch's order. */
static void gather(Step *s, Size start) {
    const Plan *p = s->plan;
    if (p->order == NULL && p->mates == NULL && !p->soft) {
        s->x = place(s, p->x, start % p->epoch_rows * p->inputs);
        s->y = p->y + start % p->epoch_rows * p->y_bytes;
        return;
    }
    s->x = p->x_room;
    s->y = p->y_room;
    for (Size r = s->r0; r < s->r1; r++) {
        const Size row = row_of(p, start, r);
        void *x_row = place(s, p->x_room, r * p->inputs);
        char *y_row = p->y_room + r * p->y_bytes;
        if (p->mates != NULL || p->soft) {
            mix(s, row, p->mates == NULL ? row : p->mates[s->index * p->batch + r], x_row, y_row);
        } else {
            memcpy(x_row, place(s, p->x, row * p->inputs), p->inputs * s->bytes);
            memcpy(y_row, p->y + row * p->y_bytes, p->y_bytes);
        }
    }
}

/* w / sum of w of this thread's rows, and the share of the penalties in the batch's loss: on one rank alone. */
static void weigh(Step *s, Size start) {
    const Plan *p = s->plan;
    double total = p->weight == NULL ? (double)s->n : 0;
    for (Size r = 0; p->weight != NULL && r < s->n; r++) total += p->weight[row_of(p, start, r)];
    for (Size r = s->r0; p->weight != NULL && r < s->r1; r++) {
        const double w = p->weight[row_of(p, start, r)];
        p->share[r] = total > 0 ? w / total : 0;
    }
    s->penalty_share = !p->average_penalty ? 1 : total > 0 ? 1 / total : 0;
    if (s->rows < s->n && p->rank > 0) s->penalty_share = 0;
}

/* The loss of the whole batch, or what the rows of this rank add to it; every thread sums for itself. */
static double batch_value(const Step *s) {
    const Plan *p = s->plan;
    if (p->weight) return s->kernels->weighted_sum(s->rows, p->share + s->top, p->row_value + s->top);
    double sum = 0;
    for (Size r = s->top; r < s->top + s->rows; r++) sum += p->row_value[r];
    return sum / (double)s->n;
}

static void loss_of_rows(const Step *s, Size start) {
    const Plan *p = s->plan;
    const Stage *last = &p->stages[p->count - 1];
    const Size rows = s->r1 - s->r0, at = s->r0 * p->outputs;
    const void *z = place(s, last->y, at);
    s->kernels->loss(p->loss, rows, p->outputs, z, s->y + s->r0 * p->y_bytes, p->parameters, 1.0 / (double)s->n,
                     p->weight ? p->share + s->r0 : NULL, p->row_value + s->r0, place(s, last->dy, at));
    if (p->z != NULL) memcpy(place(s, p->z, start * p->outputs + at), z, rows * p->outputs * s->bytes);
}

/* min(1, clip_norm / norm of the gradient), NaN if that is not finite; each thread squares its own chunks, all add them in the same order. */
static double clip_factor(const Step *s) {
    Plan *p = s->plan;
    if (p->clip_norm == 0) return 1;
    const Size chunks = (p->size + PLAN_CHUNK - 1) / PLAN_CHUNK;
    for (Size c = s->thread; c < chunks; c += p->threads) {
        const Size n = shorter(PLAN_CHUNK, p->size - c * PLAN_CHUNK);
        p->squares[c] = s->kernels->square_norm(n, place(s, p->gradient, c * PLAN_CHUNK), s->update.limit);
    }
    barrier(p);
    double total = 0;
    for (Size c = 0; c < chunks; c++) total += p->squares[c];
    if (total - total != 0) return NAN;
    return sqrt(total) > p->clip_norm ? p->clip_norm / sqrt(total) : 1;
}

/* The optimizer's step on this thread's part of each run. 0, and nothing done, if the gradient's norm is not finite. */
static int learn(const Step *s) {
    const Plan *p = s->plan;
    const double factor = clip_factor(s);
    if (factor != factor) return 0;
    for (const Run *run = p->runs; run < p->runs + p->run_count; run++) {
        const Size size = run->stop - run->start;
        const Size from = run->start + share(size, GRAIN, s->thread, p->threads);
        const Size to = run->start + share(size, GRAIN, s->thread + 1, p->threads);
        Update update = s->update;
        update.rate *= run->rate;
        update.shrink *= run->decay;
        update.factor = factor;
        s->kernels->update(&update, to - from, place(s, p->vector, from), place(s, p->gradient, from),
                           place(s, p->state1, from), place(s, p->state2, from));
    }
    return 1;
}

/* The running mean of this thread's part of the vector. */
static void average_weights(const Step *s) {
    const Plan *p = s->plan;
    const Size from = share(p->size, GRAIN, s->thread, p->threads);
    const Size to = share(p->size, GRAIN, s->thread + 1, p->threads);
    s->kernels->average(to - from, p->mean_weights[s->index], place(s, p->vector, from), place(s, p->mean, from));
}

/* The penalties of all layers, row after row. */
static double penalties(const Plan *p) {
    double sum = 0;
    for (const Stage *t = p->stages; t < p->stages + p->count; t++)
        for (Size i = 0; t->penalty != NULL && i < t->inputs; i++) sum += t->penalty[i];
    return sum;
}

/* Sum the gradient and the loss, penalties included, over the ranks; 0 if that failed. */
static int exchange(const Step *s, double *value) {
    Plan *p = s->plan;
    if (s->thread == 0) {
        p->value[s->index] = *value + penalties(p);
        p->exchanged = p->exchange(p->context, &p->value[s->index]);
    }
    barrier(p);
    *value = p->value[s->index];
    return p->exchanged;
}

/* What thread `thread` does of the plan. All threads of the plan must be in here at the same time. */
void chainrule_take_steps(const Kernels *kernels, Plan *p, int thread) {
    Step s = {.kernels = kernels, .bytes = kernels->bytes, .plan = p, .thread = thread};
    for (Size index = 0; index < p->steps; index++) {
        const Size step = p->first + index, in_epoch = step % p->epoch_steps * p->batch;
        const Size start = step / p->epoch_steps * p->epoch_rows + in_epoch;
        s.index = index;
        s.n = shorter(p->batch, p->epoch_rows - in_epoch);
        const int alone = p->exchange == NULL || s.n < p->ranks;
        s.top = alone ? 0 : s.n * p->rank / p->ranks;
        s.rows = alone ? s.n : s.n * (p->rank + 1) / p->ranks - s.top;
        s.r0 = s.top + s.rows * thread / p->threads;
        s.r1 = s.top + s.rows * (thread + 1) / p->threads;
        s.update = (Update){.kind = p->optimizer, .limit = p->clip_value == 0 ? INFINITY : p->clip_value, .factor = 1};
        const double *numbers = p->updates + index * (2 + p->coefficients);
        s.update.rate = numbers[0];
        s.update.shrink = numbers[1];
        memcpy(s.update.coefficients, numbers + 2, (size_t)p->coefficients * sizeof *numbers);

        gather(&s, start);
        weigh(&s, start);
        forward(&s);
        loss_of_rows(&s, start);
        backward(&s);
        barrier(p);
        double value = batch_value(&s);
        int finite = value - value == 0 || !alone; /* other ranks wait for this one, whatever it found */
        for (int i = p->first_learning; finite && i < p->count; i++) gradients(&s, i);
        if (finite) {
            barrier(p);
            finite = alone || (exchange(&s, &value) && value - value == 0);
        }
        if (finite) finite = learn(&s);
        if (finite) barrier(p);
        if (finite && p->mean != NULL) average_weights(&s);
        if (thread == 0) { /* the others write no penalty before the next step's barrier */
            if (alone) p->value[index] = value + penalties(p);
            p->done += finite;
            *p->taken += finite;
        }
        if (!finite) return;
    }
}
