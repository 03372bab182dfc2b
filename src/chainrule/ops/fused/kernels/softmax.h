/* Softmax and its logarithm, row by row; the equations stand in ops/softmax.py. */

INLINE void NAME(softmax_narrow)(Size rows, Size width, const REAL *x, REAL *y) {
    NAME(Column) s[NAME(NARROW)];
    double sum[NAME(PANEL_ROWS)];
    for (Size n = 0; n < rows; n += NAME(PANEL_ROWS)) {
        const Size here = shorter(NAME(PANEL_ROWS), rows - n);
        NAME(load_panel)(here, width, x + n * width, s);
        NAME(panel_below_largest)(width, s);
        NAME(panel_exponentials)(width, s, sum);
        EACH_ROW sum[r] = 1 / sum[r];
        for (Size k = 0; k < width; k++) {
            EACH_ROW s[k][r] *= (REAL)sum[r];
        }
        NAME(store_panel)(here, width, (const NAME(Column) *)s, y + n * width);
    }
}

void NAME(softmax)(Size rows, Size width, const void *x_, void *y_) {
    if (width <= NAME(NARROW)) {
        NAME(softmax_narrow)(rows, width, x_, y_);
        return;
    }
    const Size group = NAME(rows_in_group)(width);
    for (Size n = 0; n < rows; n += group) {
        const Size here = shorter(group, rows - n);
        const REAL *x = (const REAL *)x_ + n * width;
        REAL *y = (REAL *)y_ + n * width;
        for (Size r = 0; r < here; r++) NAME(below_largest)(width, x + r * width, y + r * width);
        NAME(exponentials)(here * width, y, y);
        for (Size r = 0; r < here; r++, y += width) {
            const REAL factor = (REAL)(1 / NAME(row_sum)(width, y));
#pragma omp simd
            for (Size k = 0; k < width; k++) y[k] *= factor;
        }
    }
}

void NAME(softmax_backward)(Size rows, Size width, const void *dy_, const void *y_, void *dx_) {
    const REAL *dy = dy_, *y = y_;
    REAL *dx = dx_;
    for (Size n = 0; n < rows; n++, dy += width, y += width, dx += width) {
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (Size k = 0; k < width; k++) sum += (double)dy[k] * y[k];
        const REAL along = (REAL)sum;
#pragma omp simd
        for (Size k = 0; k < width; k++) dx[k] = (dy[k] - along) * y[k];
    }
}

void NAME(log_softmax)(Size rows, Size width, const void *x_, void *y_) {
    const Size group = NAME(rows_in_group)(width);
    REAL power[NAME(GROUP)];
    double sum[NAME(GROUP)];
    for (Size n = 0; n < rows; n += group) {
        const Size here = shorter(group, rows - n);
        const REAL *x = (const REAL *)x_ + n * width;
        REAL *y = (REAL *)y_ + n * width;
        for (Size r = 0; r < here; r++) NAME(below_largest)(width, x + r * width, y + r * width);
        memset(sum, 0, (size_t)here * sizeof *sum);
        for (Size k = 0; k < width; k += NAME(GROUP)) { /* more than once for a long row only */
            const Size part = shorter(NAME(GROUP), width - k);
            NAME(exponentials)(here * part, y + k, power);
            for (Size r = 0; r < here; r++) sum[r] += NAME(row_sum)(part, power + r * part);
        }
        for (Size r = 0; r < here; r++, y += width) {
            const REAL shift = (REAL)log(sum[r]);
#pragma omp simd
            for (Size k = 0; k < width; k++) y[k] -= shift;
        }
    }
}

void NAME(log_softmax_backward)(Size rows, Size width, const void *dy_, const void *y_, void *dx_) {
    const Size group = NAME(rows_in_group)(width);
    REAL power[NAME(GROUP)], sum[NAME(GROUP)];
    for (Size n = 0; n < rows; n += group) {
        const Size here = shorter(group, rows - n);
        const REAL *dy = (const REAL *)dy_ + n * width, *y = (const REAL *)y_ + n * width;
        REAL *dx = (REAL *)dx_ + n * width;
        for (Size r = 0; r < here; r++) sum[r] = (REAL)NAME(row_sum)(width, dy + r * width);
        for (Size k = 0; k < width; k += NAME(GROUP)) {
            const Size part = shorter(NAME(GROUP), width - k);
#pragma omp simd
            for (Size i = 0; i < here * part; i++) power[i] = NAME(exponential)(y[k + i]);
            for (Size r = 0; r < here; r++) {
#pragma omp simd
                for (Size i = 0; i < part; i++) {
                    const Size at = r * width + k + i;
                    dx[at] = dy[at] - power[r * part + i] * sum[r];
                }
            }
        }
    }
}
