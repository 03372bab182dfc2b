/* The loops of a plan that belong to no layer, no loss and no optimizer alone; kernels.def says what each computes. */

/* Each column is summed in a register. */
void NAME(sum_rows)(Size rows, Size width, const void *dz_, void *db_, Size start, Size stop) {
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

void NAME(penalize)(double l1_, double l2_, Size rows, Size columns, const void *w_, void *dw_,
                           double *penalty) {
    const REAL l1 = (REAL)l1_, l2 = (REAL)l2_, *w = w_;
    REAL *dw = dw_;
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

/* Labels that point outside, which only data that changed under way can hold, give NaN. */
void NAME(mix_labels)(Size classes, size_t first, size_t second, double share, void *y_) {
    REAL *y = y_;
    const int known = first < (size_t)classes && second < (size_t)classes;
    memset(y, known ? 0 : 0xff, (size_t)classes * sizeof(REAL));
    if (!known) return;
    y[first] += (REAL)share;
    y[second] += (REAL)(1 - share);
}

void NAME(add)(Size n, double a_, const void *x_, double b_, const void *other_, void *y_) {
    const REAL a = (REAL)a_, b = (REAL)b_, *x = x_, *other = other_;
    REAL *y = y_;
#pragma omp simd
    for (Size i = 0; i < n; i++) y[i] = a * x[i] + b * other[i];
}

/* In two loops, because a product fused with the sum would round otherwise than NumPy does. */
void NAME(average)(Size n, double weight_, const void *x_, void *mean_) {
    const REAL weight = (REAL)weight_, *x = x_;
    REAL *mean = mean_, change[256];
    for (Size from = 0; weight != 0 && from < n; from += 256) {
        const Size m = shorter(256, n - from);
        for (Size i = 0; i < m; i++) change[i] = weight * (x[from + i] - mean[from + i]);
        for (Size i = 0; i < m; i++) mean[from + i] += change[i];
    }
}

void NAME(follow)(Size n, double momentum, double factor, const void *x_, double *running) {
    const REAL *x = x_;
    for (Size i = 0; i < n; i++) running[i] += momentum * (factor * x[i] - running[i]);
}

double NAME(weighted_sum)(Size n, const double *weight, const double *x) {
    double sum = 0;
    for (Size i = 0; i < n; i++) sum += weight[i] * x[i];
    return sum;
}

void NAME(multiply)(Size n, const void *x_, const void *factor_, void *y_) {
    const REAL *x = x_, *factor = factor_;
    REAL *y = y_;
#pragma omp simd
    for (Size i = 0; i < n; i++) y[i] = x[i] * factor[i];
}
