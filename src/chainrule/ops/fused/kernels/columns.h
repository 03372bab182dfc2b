/* The parts of a stage of columns, in front of a network on a table: ../../embedding.py, periodic.py and piecewise.py
 * derive them. A part reads its own columns of x (rows × width) and writes its own of y (rows × outputs). */

/* u = 2π x w1 + b1 of one column of x, for each row and frequency. */
APART void NAME(phases)(const Part *p, Size j, Size rows, const REAL *x, Size width, REAL *u) {
    const REAL *w1 = (REAL *)p->arrays[0] + j * p->count, *b1 = (REAL *)p->arrays[1] + j * p->count;
    for (Size r = 0; r < rows; r++, u += p->count) {
        const REAL turn = R(6.28318530717958647693) * x[r * width + j];
#pragma omp simd
        for (Size h = 0; h < p->count; h++) u[h] = turn * w1[h] + b1[h];
    }
}

/* The mixtures of the waves of column j. */
INLINE const REAL *NAME(mixtures)(const Part *p, Size j, Size learned) {
    return (REAL *)p->arrays[2] + j * p->count * learned;
}

APART void NAME(pbld)(const Part *p, Size rows, const REAL *x, Size width, REAL *y, Size outputs, REAL *room) {
    enum { MOST = MOST_FREQUENCIES };
    REAL waves[MOST];
    const Size learned = p->outputs / p->inputs - 1, step = MOST / p->count;
    for (Size j = 0; j < p->inputs; j++) {
        const REAL *b2 = (REAL *)p->arrays[3] + j * learned;
        for (Size r = 0; r < rows; r += step) {
            const Size n = shorter(step, rows - r);
            NAME(phases)(p, j, n, x + r * width, width, waves);
            NAME(sines)(n * p->count, waves, R(0.5), waves);
            NAME(product)(n, learned, p->count, waves, p->count, 1, NAME(mixtures)(p, j, learned), learned, 1, b2,
                          y + r * outputs + j * learned, outputs, 1, room);
        }
    }
    y += p->inputs * learned;
    for (Size r = 0; r < rows; r++) memcpy(y + r * outputs, x + r * width, p->inputs * sizeof(REAL));
}

/* One column of a piecewise-linear part: its K functions, and the M bins that they rise in. */
typedef struct {
    Size M, K;
    const REAL *left, *width;
} NAME(Bins);

INLINE NAME(Bins) NAME(bins_of)(const Part *p, Size j) {
    const REAL *left = p->arrays[3], *width = p->arrays[4];
    return (NAME(Bins)){p->count, p->outputs / p->inputs, left + j * p->count, width + j * p->count};
}

/* The bins of the next LANES rows of a column: how many begin at or before each x, without the first. */
typedef BITS NAME(Counts) __attribute__((vector_size(VECTOR_BYTES)));

APART NAME(Counts) NAME(find_bins)(const NAME(Bins) *b, Size rows, const REAL *x, Size width) {
    NAME(Vector) column = {0};
    NAME(Counts) found = {0};
    for (Size r = 0; r < rows && r < LANES; r++) column[r] = x[r * width];
    for (Size m = 1; m < b->M; m++) found -= column >= (NAME(Vector)){0} + b->left[m];
    return found;
}

_Static_assert(MOST_STEPS <= PRODUCT_ROOM, "a product has less room");

/* y = x slope + before + c steps, rows of the bin of x; room for before, the bias and the steps of all earlier bins. */
APART void NAME(piecewise_linear)(const Part *p, Size j, Size rows, const REAL *x, Size width, REAL *y, Size outputs,
                                  REAL *before) {
    const NAME(Bins) b = NAME(bins_of)(p, j);
    const Size K = b.K;
    NAME(Counts) found = {0};
    const REAL *steps = (REAL *)p->arrays[0] + j * b.M * K, *slope = (REAL *)p->arrays[1] + j * K;
    memcpy(before, (REAL *)p->arrays[2] + j * K, (size_t)K * sizeof(REAL));
    for (Size k = K; k < b.M * K; k += K)
#pragma omp simd
        for (Size i = k; i < k + K; i++) before[i] = before[i - K] + steps[i - K];
    for (Size r = 0; r < rows; r++, x += width, y += outputs) {
        if (r % LANES == 0) found = NAME(find_bins)(&b, rows - r, x + j, width);
        const Size k = found[r % LANES], row = k * K;
        const REAL c = (x[j] - b.left[k]) / b.width[k];
#pragma omp simd
        for (Size i = 0; i < K; i++) y[j * K + i] = x[j] * slope[i] + before[row + i] + c * steps[row + i];
    }
}

/* The row of E of a code; NULL for what is none, which only data that changed under way can hold. */
INLINE const REAL *NAME(row_of)(const Part *p, const void *E, REAL code) {
    return code >= 0 && code < (REAL)p->count ? (const REAL *)E + (Size)code * p->outputs : NULL;
}

void NAME(columns)(Size rows, Size width, Size outputs, const Part *parts, int count, const void *x_, void *y_,
                   void *room) {
    for (const Part *p = parts; p < parts + count; p++) {
        const REAL *x = (const REAL *)x_ + p->from;
        REAL *y = (REAL *)y_ + p->to;
        if (p->kind == PART_pbld) {
            NAME(pbld)(p, rows, x, width, y, outputs, room);
            continue;
        }
        if (p->kind == PART_piecewise_linear) {
            for (Size j = 0; j < p->inputs; j++) NAME(piecewise_linear)(p, j, rows, x, width, y, outputs, room);
            continue;
        }
        for (Size r = 0; r < rows; r++, x += width, y += outputs) {
            const REAL *from = p->kind == PART_copy ? x : NAME(row_of)(p, p->arrays[0], *x);
            if (from != NULL)
                memcpy(y, from, (size_t)p->outputs * sizeof(REAL));
            else
                memset(y, 0xff, (size_t)p->outputs * sizeof(REAL)); /* NaN */
        }
    }
}

/* dE of the codes from ... to */
APART void NAME(embedding_gradient)(const Part *p, Size rows, const REAL *x, Size width, const REAL *dy, Size outputs,
                                     Size from, Size to) {
    memset((REAL *)p->gradients[0] + from * p->outputs, 0, (size_t)((to - from) * p->outputs) * sizeof(REAL));
    for (Size r = 0; r < rows; r++, x += width, dy += outputs) {
        REAL *dE = (REAL *)NAME(row_of)(p, p->gradients[0], *x);
        if (dE == NULL || *x < (REAL)from || *x >= (REAL)to) continue;
        for (Size i = 0; i < p->outputs; i++) dE[i] += dy[i];
    }
}

/* dw1, db1, dW2 and db2 of column j; room for the waves of all rows, then for a product. */
APART void NAME(pbld_gradient)(const Part *p, Size j, Size rows, const REAL *x, Size width, const REAL *dy,
                                Size outputs, REAL *waves, REAL *room) {
    const Size learned = p->outputs / p->inputs - 1, H = p->count;
    REAL *dw1 = (REAL *)p->gradients[0] + j * H, *db1 = (REAL *)p->gradients[1] + j * H, *dc = waves + rows * H;
    REAL *dW2 = (REAL *)p->gradients[2] + j * H * learned, *db2 = (REAL *)p->gradients[3] + j * learned;
    dy += j * learned;
    NAME(phases)(p, j, rows, x, width, dc);
    NAME(sines)(rows * H, dc, R(0.5), waves);
    NAME(product)(H, learned, rows, waves, 1, H, dy, outputs, 1, NULL, dW2, learned, 1, room);
    NAME(sines)(rows * H, dc, 0, waves);
    NAME(product)(rows, H, learned, dy, outputs, 1, NAME(mixtures)(p, j, learned), 1, learned, NULL, dc, H, 1, room);
    memset(dw1, 0, (size_t)H * sizeof(REAL));
    memset(db1, 0, (size_t)H * sizeof(REAL));
    memset(db2, 0, (size_t)learned * sizeof(REAL));
    for (Size r = 0; r < rows; r++, waves += H, dc += H, x += width, dy += outputs) {
        const REAL turn = R(6.28318530717958647693) * x[j];
#pragma omp simd
        for (Size h = 0; h < H; h++) {
            const REAL du = -waves[h] * dc[h];
            db1[h] += du;
            dw1[h] += turn * du;
        }
        for (Size k = 0; k < learned; k++) db2[k] += dy[k];
    }
}

/* dsteps, dslope and dbias of column j; room for the sums of dy in each bin. */
APART void NAME(piecewise_linear_gradient)(const Part *p, Size j, Size rows, const REAL *x, Size width, const REAL *dy,
                                           Size outputs, REAL *sums) {
    const NAME(Bins) b = NAME(bins_of)(p, j);
    const Size K = b.K, size = b.M * K;
    NAME(Counts) found = {0};
    REAL *dsteps = (REAL *)p->gradients[0] + j * size, *dslope = (REAL *)p->gradients[1] + j * K;
    REAL *dbias = (REAL *)p->gradients[2] + j * K;
    memset(sums, 0, (size_t)size * sizeof(REAL));
    memset(dsteps, 0, (size_t)size * sizeof(REAL));
    memset(dslope, 0, (size_t)K * sizeof(REAL));
    memset(dbias, 0, (size_t)K * sizeof(REAL));
    dy += j * K;
    for (Size r = 0; r < rows; r++, x += width, dy += outputs) {
        if (r % LANES == 0) found = NAME(find_bins)(&b, rows - r, x + j, width);
        const Size k = found[r % LANES], row = k * K;
        const REAL c = (x[j] - b.left[k]) / b.width[k];
#pragma omp simd
        for (Size i = 0; i < K; i++) {
            sums[row + i] += dy[i];
            dsteps[row + i] += c * dy[i];
        }
    }
    for (Size k = b.M - 1; k >= 0; k--) /* x = left + c width; dbias so far is what the later bins give this step */
        for (Size i = 0, at = k * K; i < K; i++, at++) {
            dslope[i] += b.left[k] * sums[at] + b.width[k] * dsteps[at];
            dsteps[at] += dbias[i];
            dbias[i] += sums[at];
        }
}

void NAME(part_gradients)(const Part *p, Size from, Size to, Size rows, const void *x_, Size width, const void *dy_,
                          Size outputs, void *room_) {
    REAL *room = room_;
    const REAL *x = (const REAL *)x_ + p->from, *dy = (const REAL *)dy_ + p->to;
    if (p->kind == PART_embedding) NAME(embedding_gradient)(p, rows, x, width, dy, outputs, from, to);
    for (Size j = from; p->kind == PART_pbld && j < to; j++)
        NAME(pbld_gradient)(p, j, rows, x, width, dy, outputs, room + PRODUCT_ROOM, room);
    for (Size j = from; p->kind == PART_piecewise_linear && j < to; j++)
        NAME(piecewise_linear_gradient)(p, j, rows, x, width, dy, outputs, room);
}
