/* One step of each optimizer in one pass over weights, gradient and state, as optimizers.def lists them;
 * chainrule/optimizers/ states the rules. Called for a whole vector or for a segment of a few registers: the result is
 * the same to the bit, for each element is computed from itself alone. */

/* min(max(x, -limit), limit), in the order in which NaN stays NaN and the compiler sees its own instructions. */
INLINE REAL NAME(within)(REAL x, REAL limit) {
    REAL below = limit < x ? limit : x;
    return -limit > below ? -limit : below;
}

/* The step of an optimizer on n weights. */
#define RULE(name) \
    INLINE void NAME(name)(const Update *step, Size n, REAL *w, const REAL *gradient, REAL *state1, REAL *state2)

/* For each element i, with its gradient g, clipped. Each form of a rule has a loop of its own, without branches. */
#define EACH(...)                                                                \
    {                                                                            \
        const REAL rate = (REAL)step->rate, keep = (REAL)(1 - step->shrink);     \
        const REAL limit = (REAL)step->limit, factor = (REAL)step->factor;       \
        _Pragma("omp simd") for (Size i = 0; i < n; i++) {                       \
       const REAL g = factor * NAME(within)(gradient[i], limit);            \
       __VA_ARGS__                                                          \
        }                                                                        \
    }

RULE(sgd) {
    const REAL momentum = (REAL)step->rule.sgd.momentum, weight = (REAL)step->rule.sgd.weight;
    const REAL ahead = (REAL)step->rule.sgd.ahead;
    REAL *velocity = state1;
    if (velocity == NULL)
        EACH(w[i] = keep * w[i] - rate * g;)
    else if (ahead == 0)
        EACH(REAL v = velocity[i] = momentum * velocity[i] + weight * g; w[i] = keep * w[i] - rate * v;)
    else
        EACH(REAL v = velocity[i] = momentum * velocity[i] + weight * g;
             w[i] = keep * w[i] - rate * (g + ahead * v);)
}

RULE(rmsprop) {
    const REAL weight = (REAL)step->rule.rmsprop.weight, epsilon = (REAL)step->rule.rmsprop.epsilon;
    const REAL momentum = (REAL)step->rule.rmsprop.momentum;
    REAL *square = state1, *velocity = state2;
    if (velocity == NULL)
        EACH(REAL v = square[i] = square[i] + weight * (g * g - square[i]);
             w[i] = keep * w[i] - rate * (g / (NAME(root)(v) + epsilon));)
    else
        EACH(REAL v = square[i] = square[i] + weight * (g * g - square[i]);
             REAL u = velocity[i] = momentum * velocity[i] + g / (NAME(root)(v) + epsilon);
             w[i] = keep * w[i] - rate * u;)
}

RULE(adagrad) {
    const REAL epsilon = (REAL)step->rule.adagrad.epsilon;
    REAL *square = state1;
    EACH(REAL v = square[i] = square[i] + g * g; w[i] = keep * w[i] - rate * (g / (NAME(root)(v) + epsilon));)
}

RULE(adam) {
    const REAL weight1 = (REAL)step->rule.adam.weight1, weight2 = (REAL)step->rule.adam.weight2;
    const REAL scale = (REAL)step->rule.adam.scale, epsilon = (REAL)step->rule.adam.epsilon;
    REAL *mean = state1, *square = state2;
    EACH(REAL m = mean[i] = mean[i] + weight1 * (g - mean[i]);
         REAL v = square[i] = square[i] + weight2 * (g * g - square[i]);
         w[i] = keep * w[i] - rate * (m / (NAME(root)(v) * scale + epsilon));)
}

RULE(nadam) {
    const REAL weight1 = (REAL)step->rule.nadam.weight1, weight2 = (REAL)step->rule.nadam.weight2;
    const REAL scale = (REAL)step->rule.nadam.scale, epsilon = (REAL)step->rule.nadam.epsilon;
    const REAL ahead = (REAL)step->rule.nadam.ahead;
    REAL *mean = state1, *square = state2;
    EACH(REAL m = mean[i] = mean[i] + weight1 * (g - mean[i]);
         REAL v = square[i] = square[i] + weight2 * (g * g - square[i]);
         w[i] = keep * w[i] - rate * ((g + ahead * m) / (NAME(root)(v) * scale + epsilon));)
}

RULE(lion) {
    const REAL now = (REAL)step->rule.lion.now, later = (REAL)step->rule.lion.later;
    REAL *mean = state1;
    EACH(REAL m = mean[i], u = m + now * (g - m);
         mean[i] = m + later * (g - m);
         w[i] = keep * w[i] - rate * (u > 0 ? 1 : u < 0 ? -1 : u);) /* u itself: the sign of NaN is NaN */
}

/* Of whole vectors alone, as activations.h says. */
APART void NAME(update_vectors)(const Update *step, Size n, REAL *w, const REAL *g, REAL *state1, REAL *state2) {
    n &= -LANES;
    switch (step->kind) {
#define OPTIMIZER(name, least, most, ...)                \
    case OPTIMIZER_##name:                               \
        NAME(name)(step, n, w, g, state1, state2);       \
        break;
#include "optimizers.def"
    }
}

static void NAME(update)(const Update *step, Size n, void *w_, const void *g_, void *state1_, void *state2_) {
    REAL *w = w_, *state1 = state1_, *state2 = state2_;
    const REAL *g = g_;
    const Size whole = n & -LANES, left = n - whole;
    if (left) {
        REAL last[4][LANES] = {0}, *last1 = state1 ? last[2] : NULL, *last2 = state2 ? last[3] : NULL;
        NAME(copy_few)(left, w + whole, last[0]);
        NAME(copy_few)(left, g + whole, last[1]);
        if (state1) NAME(copy_few)(left, state1 + whole, last1);
        if (state2) NAME(copy_few)(left, state2 + whole, last2);
        NAME(update_vectors)(step, LANES, last[0], last[1], last1, last2);
        NAME(copy_few)(left, last[0], w + whole);
        if (state1) NAME(copy_few)(left, last1, state1 + whole);
        if (state2) NAME(copy_few)(left, last2, state2 + whole);
    }
    if (whole) NAME(update_vectors)(step, whole, w, g, state1, state2);
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
