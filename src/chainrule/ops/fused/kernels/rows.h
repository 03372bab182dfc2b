/* What the softmax and the losses do with rows of numbers. Sums are in double, whatever REAL is.
 *
 * A row of ten classes leaves most of a vector register empty, and its sum costs more than its numbers. So rows up to
 * NARROW are turned into a panel, whose column k has number k of PANEL_ROWS rows side by side, and every loop is over
 * rows; of wider ones, exponentials are taken of a group at once, as of one flat array. */

enum { NAME(GROUP) = 1024 }; /* numbers in a group; a longer row is a group of its own */

INLINE Size NAME(rows_in_group)(Size width) {
    return width < NAME(GROUP) ? NAME(GROUP) / (width > 0 ? width : 1) : 1;
}

APART double NAME(row_sum)(Size width, const REAL *x) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Size k = 0; k < width; k++) sum += x[k];
    return sum;
}

enum { NAME(PANEL_ROWS) = 16, NAME(NARROW) = 32 };

typedef REAL NAME(Column)[NAME(PANEL_ROWS)];

#define EACH_ROW _Pragma("omp simd") for (Size r = 0; r < NAME(PANEL_ROWS); r++)

APART void NAME(load_panel)(Size rows, Size width, const REAL *x, NAME(Column) *s) {
    for (Size r = 0; r < rows; r++) {
        for (Size k = 0; k < width; k++) s[k][r] = x[r * width + k];
    }
    for (Size k = 0; k < width; k++) {
        for (Size r = rows; r < NAME(PANEL_ROWS); r++) s[k][r] = 0;
    }
}

APART void NAME(store_panel)(Size rows, Size width, const NAME(Column) *s, REAL *y) {
    for (Size r = 0; r < rows; r++) {
        for (Size k = 0; k < width; k++) y[r * width + k] = s[k][r];
    }
}

/* x - max x, in which NaN spreads over the row, and so does an infinite maximum. */
APART void NAME(panel_below_largest)(Size width, NAME(Column) *s) {
    NAME(Column) largest;
    memcpy(largest, s[0], sizeof largest);
    for (Size k = 1; k < width; k++) {
        EACH_ROW largest[r] = s[k][r] > largest[r] ? s[k][r] : largest[r];
    }
    for (Size k = 0; k < width; k++) {
        EACH_ROW s[k][r] -= largest[r];
    }
}

APART void NAME(panel_exponentials)(Size width, NAME(Column) *s, double *sum) {
    EACH_ROW sum[r] = 0;
    for (Size k = 0; k < width; k++) {
        EACH_ROW {
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

APART void NAME(below_largest)(Size width, const REAL *x, REAL *y) {
    REAL largest = x[0];
#pragma omp simd reduction(max : largest)
    for (Size k = 0; k < width; k++) largest = x[k] > largest ? x[k] : largest;
#pragma omp simd
    for (Size k = 0; k < width; k++) y[k] = x[k] - largest;
}

APART void NAME(exponentials)(Size n, const REAL *x, REAL *y) {
#pragma omp simd
    for (Size i = 0; i < n; i++) y[i] = NAME(exponential_negative)(x[i]);
}

APART void NAME(sines)(Size n, const REAL *u, REAL half, REAL *y) {
#pragma omp simd
    for (Size i = 0; i < n; i++) y[i] = NAME(sine)(u[i], half);
}
