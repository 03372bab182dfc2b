/* One step of each optimizer in one pass over weights, gradient and state; chainrule/optimizers/ states the rules and
 * computes the coefficients c. Called for a whole vector or for a segment of a few registers: the result is the same to
 * the bit, for each element is computed from itself alone. */

INLINE REAL NAME(root)(REAL x) {
    return sizeof(REAL) == sizeof(float) ? (REAL)sqrtf((float)x) : (REAL)sqrt((double)x);
}

/* min(max(x, -limit), limit), in the order in which NaN stays NaN and the compiler sees its own instructions. */
INLINE REAL NAME(within)(REAL x, REAL limit) {
    REAL below = limit < x ? limit : x;
    return -limit > below ? -limit : below;
}

static void NAME(update)(const Update *step, Size n, void *w_, const void *g_, void *state1, void *state2) {
    REAL *w = w_;
    const REAL *gradient = g_;
    const REAL rate = (REAL)step->rate, keep = (REAL)(1 - step->shrink);
    const REAL limit = (REAL)step->limit, factor = (REAL)step->factor;
    const REAL a = (REAL)step->c[0], b = (REAL)step->c[1], c = (REAL)step->c[2], d = (REAL)step->c[3],
               e = (REAL)step->c[4];
    switch (step->kind) {
    case SGD: {
        REAL *velocity = state1;
        if (!velocity) {
#pragma omp simd
            for (Size i = 0; i < n; i++) {
                REAL g = factor * NAME(within)(gradient[i], limit);
                w[i] = keep * w[i] - rate * g;
            }
        } else if (c == 0) {
#pragma omp simd
            for (Size i = 0; i < n; i++) {
                REAL g = factor * NAME(within)(gradient[i], limit);
                REAL v = velocity[i] = a * velocity[i] + b * g;
                w[i] = keep * w[i] - rate * v;
            }
        } else {
#pragma omp simd
            for (Size i = 0; i < n; i++) {
                REAL g = factor * NAME(within)(gradient[i], limit);
                REAL v = velocity[i] = a * velocity[i] + b * g;
                w[i] = keep * w[i] - rate * (g + c * v);
            }
        }
        break;
    }
    case RMSPROP: {
        REAL *square = state1, *velocity = state2;
        if (!velocity) {
#pragma omp simd
            for (Size i = 0; i < n; i++) {
                REAL g = factor * NAME(within)(gradient[i], limit);
                REAL v = square[i] = square[i] + a * (g * g - square[i]);
                w[i] = keep * w[i] - rate * (g / (NAME(root)(v) + b));
            }
        } else {
#pragma omp simd
            for (Size i = 0; i < n; i++) {
                REAL g = factor * NAME(within)(gradient[i], limit);
                REAL v = square[i] = square[i] + a * (g * g - square[i]);
                REAL u = velocity[i] = c * velocity[i] + g / (NAME(root)(v) + b);
                w[i] = keep * w[i] - rate * u;
            }
        }
        break;
    }
    case ADAGRAD: {
        REAL *square = state1;
#pragma omp simd
        for (Size i = 0; i < n; i++) {
            REAL g = factor * NAME(within)(gradient[i], limit);
            REAL v = square[i] = square[i] + g * g;
            w[i] = keep * w[i] - rate * (g / (NAME(root)(v) + a));
        }
        break;
    }
    case ADAM: {
        REAL *mean = state1, *square = state2;
#pragma omp simd
        for (Size i = 0; i < n; i++) {
            REAL g = factor * NAME(within)(gradient[i], limit);
            REAL m = mean[i] = mean[i] + a * (g - mean[i]);
            REAL v = square[i] = square[i] + b * (g * g - square[i]);
            w[i] = keep * w[i] - rate * (m / (NAME(root)(v) * c + d));
        }
        break;
    }
    case NADAM: {
        REAL *mean = state1, *square = state2;
#pragma omp simd
        for (Size i = 0; i < n; i++) {
            REAL g = factor * NAME(within)(gradient[i], limit);
            REAL m = mean[i] = mean[i] + a * (g - mean[i]);
            REAL v = square[i] = square[i] + b * (g * g - square[i]);
            w[i] = keep * w[i] - rate * ((g + e * m) / (NAME(root)(v) * c + d));
        }
        break;
    }
    case LION: {
        REAL *mean = state1;
#pragma omp simd
        for (Size i = 0; i < n; i++) {
            REAL g = factor * NAME(within)(gradient[i], limit);
            REAL m = mean[i], u = m + a * (g - m);
            mean[i] = m + b * (g - m);
            w[i] = keep * w[i] - rate * (u > 0 ? 1 : u < 0 ? -1 : u); /* u itself: the sign of NaN is NaN */
        }
        break;
    }
    }
}

/* Squares and sum in double: from float they cannot overflow. */
static double NAME(square_norm)(Size n, const void *g_, double limit) {
    const REAL *gradient = g_, bound = (REAL)limit;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Size i = 0; i < n; i++) {
        double g = NAME(within)(gradient[i], bound);
        sum += g * g;
    }
    return sum;
}
