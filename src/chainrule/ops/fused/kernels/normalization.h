/* Standardisation, by rows or by columns, and the learned scale behind it; derived in ops/normalization.py.
 *
 * Sums are in double, whatever REAL is. By columns we walk along the rows all the same, with the sums of a block of
 * columns in a buffer: so memory is read in its order, and the loop over a row becomes vector instructions. */

enum { NAME(COLUMNS) = 512 };

INLINE REAL NAME(inverse_deviation)(double variance, double epsilon) {
    return (REAL)(1 / sqrt(variance + epsilon));
}

/* Column sums of four rows or of one: four, because each visit to the buffer then serves four numbers. */
INLINE void NAME(add_rows)(Size rows, Size m, Size stride, const REAL *x, double *sum) {
#pragma omp simd
    for (Size i = 0; i < m; i++) {
        double s = 0;
#pragma GCC unroll 4
        for (Size n = 0; n < rows; n++) s += x[n * stride + i];
        sum[i] += s;
    }
}

INLINE void NAME(add_squares)(Size rows, Size m, Size stride, const REAL *x, const REAL *mean, double *sum) {
#pragma omp simd
    for (Size i = 0; i < m; i++) {
        double s = 0;
#pragma GCC unroll 4
        for (Size n = 0; n < rows; n++) {
            const REAL d = x[n * stride + i] - mean[i];
            s += (double)d * d;
        }
        sum[i] += s;
    }
}

INLINE void NAME(add_products)(Size rows, Size m, Size stride, const REAL *dy, const REAL *x, double *sum,
                               double *product) {
#pragma omp simd
    for (Size i = 0; i < m; i++) {
        double s = 0, p = 0;
#pragma GCC unroll 4
        for (Size n = 0; n < rows; n++) {
            s += dy[n * stride + i];
            p += (double)dy[n * stride + i] * x[n * stride + i];
        }
        sum[i] += s;
        product[i] += p;
    }
}

void NAME(standardize_rows)(Size rows, Size width, Size stride, const void *x_, double epsilon, void *y_,
                                   void *inverse_, void *mean_, void *variance_) {
    REAL *inverse = inverse_, *mean = mean_, *variance = variance_;
    for (Size n = 0; n < rows; n++) {
        const REAL *x = (const REAL *)x_ + n * stride;
        REAL *y = (REAL *)y_ + n * stride;
        double sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
        for (Size i = 0; i < width; i++) sum += x[i];
        const REAL mu = mean[n] = (REAL)(sum / (double)width);
#pragma omp simd reduction(+ : squares)
        for (Size i = 0; i < width; i++) {
            const REAL d = x[i] - mu;
            squares += (double)d * d;
        }
        squares /= (double)width;
        variance[n] = (REAL)squares;
        const REAL factor = inverse[n] = NAME(inverse_deviation)(squares, epsilon);
#pragma omp simd
        for (Size i = 0; i < width; i++) y[i] = (x[i] - mu) * factor;
    }
}

void NAME(standardize_columns)(Size rows, Size width, Size stride, const void *x_, double epsilon, void *y_,
                                      void *inverse_, void *mean_, void *variance_) {
    double sum[NAME(COLUMNS)];
    for (Size from = 0; from < width; from += NAME(COLUMNS)) {
        const Size m = shorter(width - from, NAME(COLUMNS));
        const REAL *x = (const REAL *)x_ + from;
        REAL *y = (REAL *)y_ + from, *inverse = (REAL *)inverse_ + from;
        REAL *mean = (REAL *)mean_ + from, *variance = (REAL *)variance_ + from;
        memset(sum, 0, sizeof sum);
        Size n = 0;
        for (; n + 4 <= rows; n += 4) NAME(add_rows)(4, m, stride, x + n * stride, sum);
        for (; n < rows; n++) NAME(add_rows)(1, m, stride, x + n * stride, sum);
        for (Size i = 0; i < m; i++) mean[i] = (REAL)(sum[i] / (double)rows);
        memset(sum, 0, sizeof sum);
        for (n = 0; n + 4 <= rows; n += 4) NAME(add_squares)(4, m, stride, x + n * stride, mean, sum);
        for (; n < rows; n++) NAME(add_squares)(1, m, stride, x + n * stride, mean, sum);
        for (Size i = 0; i < m; i++) {
            variance[i] = (REAL)(sum[i] / (double)rows);
            inverse[i] = NAME(inverse_deviation)(sum[i] / (double)rows, epsilon);
        }
        for (n = 0; n < rows; n++) {
#pragma omp simd
            for (Size i = 0; i < m; i++) y[n * stride + i] = (x[n * stride + i] - mean[i]) * inverse[i];
        }
    }
}

void NAME(standardize_rows_backward)(Size rows, Size width, Size stride, const void *dy_, const void *y_,
                                            const void *inverse_, void *dx_) {
    const REAL *inverse = inverse_;
    for (Size n = 0; n < rows; n++) {
        const REAL *dy = (const REAL *)dy_ + n * stride, *y = (const REAL *)y_ + n * stride;
        REAL *dx = (REAL *)dx_ + n * stride;
        double sum = 0, product = 0;
#pragma omp simd reduction(+ : sum, product)
        for (Size i = 0; i < width; i++) {
            sum += dy[i];
            product += (double)dy[i] * y[i];
        }
        const REAL mean = (REAL)(sum / (double)width), along = (REAL)(product / (double)width), factor = inverse[n];
#pragma omp simd
        for (Size i = 0; i < width; i++) dx[i] = (dy[i] - mean - y[i] * along) * factor;
    }
}

void NAME(standardize_columns_backward)(Size rows, Size width, Size stride, const void *dy_, const void *y_,
                                               const void *inverse_, void *dx_) {
    double sum[NAME(COLUMNS)], product[NAME(COLUMNS)];
    REAL mean[NAME(COLUMNS)], along[NAME(COLUMNS)];
    for (Size from = 0; from < width; from += NAME(COLUMNS)) {
        const Size m = shorter(width - from, NAME(COLUMNS));
        const REAL *dy = (const REAL *)dy_ + from, *y = (const REAL *)y_ + from;
        const REAL *inverse = (const REAL *)inverse_ + from;
        REAL *dx = (REAL *)dx_ + from;
        memset(sum, 0, sizeof sum);
        memset(product, 0, sizeof product);
        Size n = 0;
        for (; n + 4 <= rows; n += 4)
            NAME(add_products)(4, m, stride, dy + n * stride, y + n * stride, sum, product);
        for (; n < rows; n++) NAME(add_products)(1, m, stride, dy + n * stride, y + n * stride, sum, product);
        for (Size i = 0; i < m; i++) {
            mean[i] = (REAL)(sum[i] / (double)rows);
            along[i] = (REAL)(product[i] / (double)rows);
        }
        for (n = 0; n < rows; n++) {
#pragma omp simd
            for (Size i = 0; i < m; i++) {
                const Size at = n * stride + i;
                dx[at] = (dy[at] - mean[i] - y[at] * along[i]) * inverse[i];
            }
        }
    }
}

void NAME(scale)(Size rows, Size width, Size stride, const void *x_, const void *gain_, const void *bias_,
                        void *y_) {
    const REAL *x = x_, *gain = gain_, *bias = bias_;
    REAL *y = y_;
    for (Size n = 0; n < rows; n++, x += stride, y += stride) {
        if (bias) {
#pragma omp simd
            for (Size i = 0; i < width; i++) y[i] = x[i] * gain[i] + bias[i];
        } else {
#pragma omp simd
            for (Size i = 0; i < width; i++) y[i] = x[i] * gain[i];
        }
    }
}

void NAME(scale_backward)(Size rows, Size width, Size stride, const void *dy_, const void *x_,
                                 const void *gain_, void *dx_, void *dgain_, void *dbias_) {
    double sum[NAME(COLUMNS)], product[NAME(COLUMNS)];
    for (Size from = 0; from < width; from += NAME(COLUMNS)) {
        const Size m = shorter(width - from, NAME(COLUMNS));
        const REAL *dy = (const REAL *)dy_ + from, *x = (const REAL *)x_ + from, *gain = (const REAL *)gain_ + from;
        REAL *dgain = (REAL *)dgain_ + from;
        memset(sum, 0, sizeof sum);
        memset(product, 0, sizeof product);
        for (Size n = 0, group; n < rows; n += group) {
            const Size at = n * stride;
            group = rows - n < 4 ? 1 : 4;
            if (group == 4)
                NAME(add_products)(4, m, stride, dy + at, x + at, sum, product);
            else
                NAME(add_products)(1, m, stride, dy + at, x + at, sum, product);
            for (Size r = 0; dx_ && r < group; r++) { /* dx may be dy or x: these rows have done their work */
                const REAL *from_dy = dy + at + r * stride;
                REAL *dx = (REAL *)dx_ + from + at + r * stride;
#pragma omp simd
                for (Size i = 0; i < m; i++) dx[i] = from_dy[i] * gain[i];
            }
        }
        for (Size i = 0; i < m; i++) dgain[i] = (REAL)product[i];
        if (dbias_ == NULL) continue;
        REAL *dbias = (REAL *)dbias_ + from;
        for (Size i = 0; i < m; i++) dbias[i] = (REAL)sum[i];
    }
}
