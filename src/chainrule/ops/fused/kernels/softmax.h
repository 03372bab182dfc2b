/* Softmax and its logarithm, row by row; the equations stand in ops/softmax.py.
 *
 * A row of ten classes leaves most of a vector register empty, and its sum costs more than its numbers. So rows up to
 * NARROW are turned into a panel, where number k of LANES rows stands side by side and every loop is over rows; of
 * wider ones, exponentials are taken of a group at once, as of one flat array. Sums are in double, whatever REAL is. */

enum { NAME(LANES) = 16, NAME(NARROW) = 32 };

typedef REAL NAME(Lanes)[NAME(LANES)];

#define EACH_LANE _Pragma("omp simd") for (Size r = 0; r < NAME(LANES); r++)

INLINE void NAME(load_panel)(Size rows, Size width, const REAL *x, NAME(Lanes) *s) {
    for (Size r = 0; r < rows; r++) {
        for (Size k = 0; k < width; k++) s[k][r] = x[r * width + k];
    }
    for (Size k = 0; k < width; k++) {
        for (Size r = rows; r < NAME(LANES); r++) s[k][r] = 0;
    }
}

INLINE void NAME(store_panel)(Size rows, Size width, const NAME(Lanes) *s, REAL *y) {
    for (Size r = 0; r < rows; r++) {
        for (Size k = 0; k < width; k++) y[r * width + k] = s[k][r];
    }
}

/* x - max x, in which NaN spreads over the row, and so does an infinite maximum. */
INLINE void NAME(panel_below_largest)(Size width, NAME(Lanes) *s) {
    NAME(Lanes) largest;
    memcpy(largest, s[0], sizeof largest);
    for (Size k = 1; k < width; k++) {
        EACH_LANE largest[r] = s[k][r] > largest[r] ? s[k][r] : largest[r];
    }
    for (Size k = 0; k < width; k++) {
        EACH_LANE s[k][r] -= largest[r];
    }
}

INLINE void NAME(panel_exponentials)(Size width, NAME(Lanes) *s, double *sum) {
    EACH_LANE sum[r] = 0;
    for (Size k = 0; k < width; k++) {
        EACH_LANE {
            s[k][r] = NAME(exponential_negative)(s[k][r]);
            sum[r] += s[k][r];
        }
    }
}

/* log x for x >= 1: x = 2^e (1 + u). u comes from the double, so that what little x has beyond 1 is not lost. */
INLINE REAL NAME(log_of_sum)(double x) {
    const BITS e = (BITS)(NAME(bits)((REAL)x) >> MANTISSA) - BIAS;
    const REAL shrink = NAME(from_bits)((UBITS)(BIAS - e) << MANTISSA);
    return (REAL)e * R(0.69314718055994530942) + NAME(log1p_unit)((REAL)(x * shrink - 1));
}

enum { NAME(GROUP) = 1024 }; /* numbers in a group; a longer row is a group of its own */

INLINE Size NAME(rows_in_group)(Size width) {
    return width < NAME(GROUP) ? NAME(GROUP) / (width > 0 ? width : 1) : 1;
}

INLINE double NAME(row_sum)(Size width, const REAL *x) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Size k = 0; k < width; k++) sum += x[k];
    return sum;
}

INLINE void NAME(below_largest)(Size width, const REAL *x, REAL *y) {
    REAL largest = x[0];
#pragma omp simd reduction(max : largest)
    for (Size k = 0; k < width; k++) largest = x[k] > largest ? x[k] : largest;
#pragma omp simd
    for (Size k = 0; k < width; k++) y[k] = x[k] - largest;
}

INLINE void NAME(exponentials)(Size n, const REAL *x, REAL *y) {
#pragma omp simd
    for (Size i = 0; i < n; i++) y[i] = NAME(exponential_negative)(x[i]);
}

INLINE void NAME(softmax_narrow)(Size rows, Size width, const REAL *x, REAL *y) {
    NAME(Lanes) s[NAME(NARROW)];
    double sum[NAME(LANES)];
    for (Size n = 0; n < rows; n += NAME(LANES)) {
        const Size here = NAME(shorter)(NAME(LANES), rows - n);
        NAME(load_panel)(here, width, x + n * width, s);
        NAME(panel_below_largest)(width, s);
        NAME(panel_exponentials)(width, s, sum);
        EACH_LANE sum[r] = 1 / sum[r];
        for (Size k = 0; k < width; k++) {
            EACH_LANE s[k][r] *= (REAL)sum[r];
        }
        NAME(store_panel)(here, width, (const NAME(Lanes) *)s, y + n * width);
    }
}

static void NAME(softmax)(Size rows, Size width, const void *x_, void *y_) {
    if (width <= NAME(NARROW)) {
        NAME(softmax_narrow)(rows, width, x_, y_);
        return;
    }
    const Size group = NAME(rows_in_group)(width);
    for (Size n = 0; n < rows; n += group) {
        const Size here = NAME(shorter)(group, rows - n);
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

static void NAME(softmax_backward)(Size rows, Size width, const void *dy_, const void *y_, void *dx_) {
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

static void NAME(log_softmax)(Size rows, Size width, const void *x_, void *y_) {
    const Size group = NAME(rows_in_group)(width);
    REAL power[NAME(GROUP)];
    double sum[NAME(GROUP)];
    for (Size n = 0; n < rows; n += group) {
        const Size here = NAME(shorter)(group, rows - n);
        const REAL *x = (const REAL *)x_ + n * width;
        REAL *y = (REAL *)y_ + n * width;
        for (Size r = 0; r < here; r++) NAME(below_largest)(width, x + r * width, y + r * width);
        memset(sum, 0, (size_t)here * sizeof *sum);
        for (Size k = 0; k < width; k += NAME(GROUP)) { /* more than once for a long row only */
            const Size part = NAME(shorter)(NAME(GROUP), width - k);
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

static void NAME(log_softmax_backward)(Size rows, Size width, const void *dy_, const void *y_, void *dx_) {
    const Size group = NAME(rows_in_group)(width);
    REAL power[NAME(GROUP)], sum[NAME(GROUP)];
    for (Size n = 0; n < rows; n += group) {
        const Size here = NAME(shorter)(group, rows - n);
        const REAL *dy = (const REAL *)dy_ + n * width, *y = (const REAL *)y_ + n * width;
        REAL *dx = (REAL *)dx_ + n * width;
        for (Size r = 0; r < here; r++) sum[r] = (REAL)NAME(row_sum)(width, dy + r * width);
        for (Size k = 0; k < width; k += NAME(GROUP)) {
            const Size part = NAME(shorter)(NAME(GROUP), width - k);
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
