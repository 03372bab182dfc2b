/* The parts of a stage of columns, in front of a network on a table: ../../embedding.py and ../../periodic.py derive
 * them. A part reads its own columns of x (rows × width) and writes its own of y (rows × outputs). */

/* u = 2π x w1 + b1 of one column of x, for each row and frequency. */
APART void NAME(phases)(const Part *p, Size j, Size rows, const REAL *x, Size width, REAL *u) {
    const REAL *w1 = (REAL *)p->arrays[0] + j * p->count, *b1 = (REAL *)p->arrays[1] + j * p->count;
    for (Size r = 0; r < rows; r++, u += p->count) {
        const REAL turn = R(6.28318530717958647693) * x[r * width + j];
#pragma omp simd
        for (Size h = 0; h < p->count; h++) u[h] = turn * w1[h] + b1[h];
    }
}

APART void NAME(sines)(Size n, const REAL *u, REAL half, REAL *y) {
#pragma omp simd
    for (Size i = 0; i < n; i++) y[i] = NAME(sine)(u[i], half);
}

/* The mixtures of the waves of column j. */
INLINE NAME(Operand) NAME(mixtures)(const Part *p, Size j, Size learned) {
    return (NAME(Operand)){(REAL *)p->arrays[2] + j * p->count * learned, 1, learned};
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
            NAME(gemm)(n, learned, p->count, (NAME(Operand)){waves, p->count, 1}, NAME(mixtures)(p, j, learned), b2,
                       (NAME(Result)){y + r * outputs + j * learned, outputs, 1}, room);
        }
    }
    y += p->inputs * learned;
    for (Size r = 0; r < rows; r++) memcpy(y + r * outputs, x + r * width, p->inputs * sizeof(REAL));
}

/* The row of E of a code; NULL for what is none, which only data that changed under way can hold. */
INLINE const REAL *NAME(row_of)(const Part *p, const void *E, REAL code) {
    return code >= 0 && code < (REAL)p->count ? (const REAL *)E + (Size)code * p->outputs : NULL;
}

APART void NAME(columns)(Size rows, Size width, Size outputs, const Part *parts, int count, const void *x_, void *y_,
                          void *room) {
    for (const Part *p = parts; p < parts + count; p++) {
        const REAL *x = (const REAL *)x_ + p->from;
        REAL *y = (REAL *)y_ + p->to;
        if (p->kind == PART_pbld) {
            NAME(pbld)(p, rows, x, width, y, outputs, room);
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
    NAME(gemm)(H, learned, rows, (NAME(Operand)){waves, 1, H}, (NAME(Operand)){dy, 1, outputs}, NULL,
               (NAME(Result)){dW2, learned, 1}, room);
    NAME(sines)(rows * H, dc, 0, waves);
    const NAME(Operand) W2 = NAME(mixtures)(p, j, learned);
    NAME(gemm)(rows, H, learned, (NAME(Operand)){dy, outputs, 1}, (NAME(Operand)){W2.at, W2.inner, W2.outer}, NULL,
               (NAME(Result)){dc, H, 1}, room);
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
