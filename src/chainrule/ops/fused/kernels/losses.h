/* The losses, as losses.def lists them: the value of each row and its gradient from one visit; the equations stand in
 * losses/. dz may be z. */

/* Labels were within when training began; but the array is the caller's, who may write to it at any time. */
INLINE int NAME(is_class)(Size label, Size width) {
    return 0 <= label && label < width;
}

/* Both cross-entropies of narrow rows, in panels. A class without a share in a label has no part in the value, though
 * its logit be -infinity; of soft labels every class has, as in the plain loss. */
static void NAME(cross_entropy_narrow)(Size rows, Size width, const REAL *z, const Size *label, const REAL *y,
                                       double smoothing, double scale, const double *share, double *values,
                                       REAL *dz) {
    const REAL soft = (REAL)(1 - smoothing), even = (REAL)(smoothing / (double)width);
    NAME(Column) s[NAME(NARROW)], t[NAME(NARROW)], factor, weight;
    double below[NAME(PANEL_ROWS)], total[NAME(PANEL_ROWS)], sum[NAME(PANEL_ROWS)];
    for (Size n = 0; n < rows; n += NAME(PANEL_ROWS)) {
        const Size here = shorter(NAME(PANEL_ROWS), rows - n);
        NAME(load_panel)(here, width, z + n * width, s);
        if (label) {
            memset(t, 0, (size_t)width * sizeof *t);
            for (Size r = 0; r < here; r++) {
                const Size k = label[n + r];
                if (NAME(is_class)(k, width))
                    t[k][r] = 1;
                else
                    t[0][r] = NAN; /* and so is the value */
            }
        } else {
            NAME(load_panel)(here, width, y + n * width, t);
        }
        NAME(panel_below_largest)(width, s);
        EACH_ROW below[r] = total[r] = 0;
        for (Size k = 0; k < width; k++) {
            EACH_ROW {
                t[k][r] = soft * t[k][r] + even;
                below[r] += (label != NULL) & (t[k][r] == 0) ? 0 : t[k][r] * s[k][r];
                total[r] += t[k][r];
            }
        }
        NAME(panel_exponentials)(width, s, sum);
        for (Size r = 0; r < NAME(PANEL_ROWS); r++) factor[r] = (REAL)(share ? r < here ? share[n + r] : 0 : scale);
        EACH_ROW {
            weight[r] = (REAL)(total[r] * factor[r] / sum[r]);
            below[r] = total[r] * NAME(log_of_sum)(sum[r]) - below[r];
        }
        for (Size k = 0; k < width; k++) {
            EACH_ROW s[k][r] = s[k][r] * weight[r] - t[k][r] * factor[r];
        }
        NAME(store_panel)(here, width, (const NAME(Column) *)s, dz + n * width);
        memcpy(values + n, below, (size_t)here * sizeof *below);
    }
}

/* A row of dz holds exp(z - max z), and *value the sum of t (z - max z), which become p - t and the loss. t is
 * soft y + even and sums to `total`; where y is NULL, the caller subtracts what belongs to the label alone. */
INLINE void NAME(finish_cross_entropy)(Size width, double total, const REAL *y, double soft, double even,
                                       double factor, double *value, REAL *dz) {
    const double sum = NAME(row_sum)(width, dz);
    *value = total * log(sum) - *value;
    const REAL scale = (REAL)(total * factor / sum), floor = (REAL)(even * factor), slope = (REAL)(soft * factor);
    if (y) {
#pragma omp simd
        for (Size k = 0; k < width; k++) dz[k] = dz[k] * scale - (slope * y[k] + floor);
    } else {
#pragma omp simd
        for (Size k = 0; k < width; k++) dz[k] = dz[k] * scale - floor;
    }
}

static void NAME(cross_entropy_labels_wide)(Size rows, Size width, const REAL *z, const Size *label, double smoothing,
                                            double scale, const double *share, double *values, REAL *dz) {
    const double even = smoothing / (double)width;
    const Size group = NAME(rows_in_group)(width);
    for (Size n = 0; n < rows; n += group) {
        const Size here = shorter(group, rows - n);
        for (Size r = n; r < n + here; r++) {
            NAME(below_largest)(width, z + r * width, dz + r * width);
            const Size k = label[r];
            values[r] = NAME(is_class)(k, width) ? (1 - smoothing) * dz[r * width + k] : NAN;
            if (smoothing > 0) values[r] += even * NAME(row_sum)(width, dz + r * width);
        }
        NAME(exponentials)(here * width, dz + n * width, dz + n * width);
        for (Size r = n; r < n + here; r++) {
            const double factor = share ? share[r] : scale;
            NAME(finish_cross_entropy)(width, 1, NULL, 0, even, factor, values + r, dz + r * width);
            const Size k = label[r];
            if (NAME(is_class)(k, width)) dz[r * width + k] -= (REAL)((1 - smoothing) * factor);
        }
    }
}

static void NAME(cross_entropy_soft_wide)(Size rows, Size width, const REAL *z, const REAL *y, double smoothing,
                                          double scale, const double *share, double *values, REAL *dz) {
    const double even = smoothing / (double)width, soft = 1 - smoothing;
    const Size group = NAME(rows_in_group)(width);
    for (Size n = 0; n < rows; n += group) {
        const Size here = shorter(group, rows - n);
        for (Size r = n; r < n + here; r++) {
            const REAL *t = y + r * width;
            REAL *below = dz + r * width;
            NAME(below_largest)(width, z + r * width, below);
            double sum = 0;
#pragma omp simd reduction(+ : sum)
            for (Size k = 0; k < width; k++) sum += (soft * t[k] + even) * below[k];
            values[r] = sum;
        }
        NAME(exponentials)(here * width, dz + n * width, dz + n * width);
        for (Size r = n; r < n + here; r++) {
            const REAL *t = y + r * width;
            const double total = soft * NAME(row_sum)(width, t) + smoothing, factor = share ? share[r] : scale;
            NAME(finish_cross_entropy)(width, total, t, soft, even, factor, values + r, dz + r * width);
        }
    }
}

/* The parameter of both cross-entropies is the label smoothing. */
INLINE void NAME(cross_entropy_labels)(Size rows, Size width, const REAL *z, const void *y, const double *parameters,
                                       double scale, const double *share, double *values, REAL *dz) {
    if (width <= NAME(NARROW))
        NAME(cross_entropy_narrow)(rows, width, z, y, NULL, parameters[0], scale, share, values, dz);
    else
        NAME(cross_entropy_labels_wide)(rows, width, z, y, parameters[0], scale, share, values, dz);
}

INLINE void NAME(cross_entropy_soft)(Size rows, Size width, const REAL *z, const void *y, const double *parameters,
                                     double scale, const double *share, double *values, REAL *dz) {
    if (width <= NAME(NARROW))
        NAME(cross_entropy_narrow)(rows, width, z, NULL, y, parameters[0], scale, share, values, dz);
    else
        NAME(cross_entropy_soft_wide)(rows, width, z, y, parameters[0], scale, share, values, dz);
}

/* Of losses that are sums over single outputs: the term l of one, and dz = ∂l/∂z · factor. */
INLINE void NAME(binary_cross_entropy)(REAL z, REAL y, REAL factor, REAL *l, REAL *dz) {
    const REAL e = NAME(exponential_negative)(-NAME(magnitude)(z));
    *l = (z > 0 ? z : 0) - y * z + NAME(log1p_unit)(e);
    *dz = ((z < 0 ? e : 1) / (1 + e) - y) * factor;
}

INLINE void NAME(absolute_error)(REAL r, REAL factor, REAL *l, REAL *dz) {
    *l = NAME(magnitude)(r);
    *dz = (r > 0 ? 1 : r < 0 ? -1 : r) * factor; /* r is 0 or NaN */
}

INLINE void NAME(huber)(REAL r, REAL delta, REAL factor, REAL *l, REAL *dz) {
    const REAL above = r < -delta ? -delta : r, clipped = above > delta ? delta : above;
    *l = clipped * (r - clipped / 2);
    *dz = clipped * factor;
}

/* With u = exp(-|r|) - 1: cosh r - 1 = u²/(2 + 2u), exact near 0; |r| + log(1 + exp(-2|r|)) - log 2 farther off, where
 * the first is above 1; tanh |r| = -(2u + u²)/(2 + 2u + u²). */
INLINE void NAME(log_cosh)(REAL r, REAL factor, REAL *l, REAL *dz) {
    const REAL far = NAME(magnitude)(r), u = NAME(expm1)(-far), e = 1 + u;
    const REAL small = far < R(1.3) ? u * u / (2 * e) : e * e;
    *l = NAME(log1p_unit)(small) + (far < R(1.3) ? 0 : far - R(0.69314718055994530942));
    *dz = NAME(copy_sign)(-u * (1 + e) / (1 + e * e), r) * factor;
}

INLINE void NAME(poisson_nll)(REAL z, REAL y, REAL factor, REAL *l, REAL *dz) {
    const REAL near = z > 70 ? 70 : z, rate = NAME(exponential)(near);
    *l = rate * (1 + (z - near)) - y * z;
    *dz = (rate - y) * factor;
}

INLINE void NAME(quantile)(REAL r, REAL level, REAL factor, REAL *l, REAL *dz) {
    const REAL slope = (r > 0 ? 1 : 0) - level;
    *l = slope * r;
    *dz = slope * factor;
}

/* The terms of n outputs, a number of whole vectors; `a` is the loss's parameter, or each has its level. */
APART void NAME(loss_terms)(int kind, Size n, const REAL *outputs, const REAL *targets, const REAL *level, REAL a,
                            REAL factor, REAL *l, REAL *dz) {
    n &= -LANES;
    switch (kind) {
#define LOSS(name, how_many_parameters, outputs_of_a_target)
#define LOSS_OF_OUTPUTS(name, how_many_parameters, outputs_of_a_target, term) \
    case LOSS_##name:                                                         \
        _Pragma("omp simd") for (Size i = 0; i < n; i++) {                    \
            const REAL z = outputs[i], y = targets[i], r = z - y;             \
            (void)r;                                                          \
            term;                                                             \
        }                                                                     \
        break;
#include "losses.def"
    }
}

/* For the quantile loss: the target and the level of each of n outputs from output number `at`. */
INLINE void NAME(spread_quantiles)(Size at, Size n, const REAL *y, const double *parameters, REAL *target,
                                   REAL *level) {
    const Size levels = (Size)parameters[0];
    Size q = at % levels;
    y += at / levels;
    for (Size i = 0; i < n; i++) {
        target[i] = *y;
        level[i] = (REAL)parameters[1 + q];
        if (++q == levels) q = 0, y++;
    }
}

/* Adds the terms of each row to its value, and gives its gradient the share. Sums of few terms are plain loops: they
 * take less time than to fill and to add up the lanes of a vector. */
INLINE void NAME(sum_and_share)(Size rows, Size width, const REAL *term, const double *share, double *values,
                                REAL *dz) {
    for (Size r = 0; r < rows; r++) {
        double sum = 0;
        if (width <= NAME(NARROW)) {
            for (Size i = 0; i < width; i++) sum += term[r * width + i];
        } else {
            sum = NAME(row_sum)(width, term + r * width);
        }
        values[r] += sum;
    }
    if (share == NULL) return;
    for (Size r = 0; r < rows; r++) {
        const REAL factor = (REAL)share[r];
        for (Size i = 0; i < width; i++) dz[r * width + i] *= factor;
    }
}

static void NAME(loss_of_outputs)(int kind, Size rows, Size width, const REAL *z, const REAL *y,
                                  const double *parameters, double scale, const double *share, double *values,
                                  REAL *dz) {
    const Size group = NAME(rows_in_group)(width);
    const int quantiles = kind == LOSS_quantile;
    const REAL factor = share ? 1 : (REAL)scale, a = (REAL)parameters[0];
    REAL term[NAME(GROUP)], target[NAME(GROUP)], level[NAME(GROUP)];
    memset(values, 0, (size_t)rows * sizeof *values);
    for (Size n = 0; n < rows; n += group) {
        const Size here = shorter(group, rows - n);
        for (Size k = 0; k < width; k += NAME(GROUP)) { /* more than once for a long row only */
            const Size part = shorter(NAME(GROUP), width - k), at = n * width + k;
            if (quantiles) NAME(spread_quantiles)(at, here * part, y, parameters, target, level);
            const REAL *outputs = z + at, *targets = quantiles ? target : y + at;
            const Size whole = here * part & -LANES, left = here * part - whole;
            if (left) {
                REAL last[LANES] = {0}, wanted[LANES] = {0};
                NAME(copy_few)(left, outputs + whole, last);
                NAME(copy_few)(left, targets + whole, wanted);
                NAME(loss_terms)(kind, LANES, last, wanted, level + whole, a, factor, term + whole, last);
                NAME(copy_few)(left, last, dz + at + whole);
            }
            if (whole) NAME(loss_terms)(kind, whole, outputs, targets, level, a, factor, term, dz + at);
            NAME(sum_and_share)(here, part, term, share ? share + n : NULL, values + n, dz + at);
        }
    }
}

/* Means and log variances are brought together from their places in the rows, and the gradients put back there. The
 * parameter is the least variance. */
static void NAME(gaussian_nll)(Size rows, Size width, const REAL *z, const void *y_, const double *parameters,
                               double scale, const double *share, double *values, REAL *dz) {
    const REAL *y = y_, lowest = (REAL)log(parameters[0]);
    const Size targets = width / 2, all = rows * targets;
    REAL mu[NAME(GROUP)], s[NAME(GROUP)], term[NAME(GROUP)];
    memset(values, 0, (size_t)rows * sizeof *values);
    for (Size from = 0; from < all; from += NAME(GROUP)) {
        const Size m = shorter(NAME(GROUP), all - from);
        Size row = from / targets, column = from % targets;
        const Size first_row = row, first_column = column;
        for (Size i = 0; i < m; i++) {
            mu[i] = z[row * width + column];
            s[i] = z[row * width + targets + column];
            if (++column == targets) column = 0, row++;
        }
#pragma omp simd
        for (Size i = 0; i < m; i++) {
            const REAL off = NAME(magnitude)(s[i] - lowest), larger = s[i] < lowest ? lowest : s[i];
            const REAL v = larger + NAME(log1p_unit)(NAME(exponential_negative)(-off));
            const REAL r = mu[i] - y[from + i], pull = r * NAME(exponential)(-v);
            term[i] = (v + r * pull + R(1.83787706640934548356)) / 2; /* log 2 pi */
            mu[i] = pull;
            s[i] = (1 - r * pull) / 2 * NAME(exponential_negative)(s[i] - v);
        }
        row = first_row;
        column = first_column;
        for (Size i = 0; i < m; i++) {
            const REAL factor = (REAL)(share ? share[row] : scale);
            values[row] += term[i];
            dz[row * width + column] = mu[i] * factor;
            dz[row * width + targets + column] = s[i] * factor;
            if (++column == targets) column = 0, row++;
        }
    }
}

void NAME(loss)(int kind, Size rows, Size outputs, const void *z, const void *y, const double *parameters,
                       double scale, const double *share, double *values, void *dz) {
    switch (kind) {
#define LOSS(name, how_many_parameters, outputs_of_a_target)                   \
    case LOSS_##name:                                                          \
        NAME(name)(rows, outputs, z, y, parameters, scale, share, values, dz); \
        break;
#define LOSS_OF_PROBABILITIES(name, how_many_parameters, outputs_of_a_target) case LOSS_##name:
#define LOSS_OF_OUTPUTS(name, how_many_parameters, outputs_of_a_target, term)
#include "losses.def"
        chainrule_loss_of_probabilities(kind, sizeof(REAL), rows, outputs, z, y, parameters[0], scale, share, values, dz);
        break;
    default:
        NAME(loss_of_outputs)(kind, rows, outputs, z, y, parameters, scale, share, values, dz);
    }
}
