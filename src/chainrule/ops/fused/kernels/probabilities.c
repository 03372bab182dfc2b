/* The cross-entropies of probabilities; the equations stand in losses/classification.py. Few train with them, so there
 * is one function for all of them, for float and double, compiled once: short, not fast. */
#include <math.h>

#include "kernels.h"

static double number(const void *x, int bytes, Size i) {
    return bytes == 4 ? ((const float *)x)[i] : ((const double *)x)[i];
}

/* t log max(p, floor), and its derivative: t / p, 0 below the floor. */
static double floored_log(double p, double t, double floor, double *slope) {
    *slope = p < floor ? 0 : t / p;
    return t * log(p < floor ? floor : p);
}

void chainrule_loss_of_probabilities(int kind, int bytes, Size rows, Size width, const void *p, const void *y,
                                     double smoothing, double scale, const double *share, double *values, void *dp) {
    const double floor = bytes == 4 ? 1e-12f : 1e-12;
    const Size *label = kind == LOSS_labels_from_probabilities ? y : NULL;
    for (Size n = 0; n < rows; n++) {
        values[n] = label != NULL && !(0 <= label[n] && label[n] < width) ? NAN : 0;
        for (Size i = n * width; i < (n + 1) * width; i++) {
            const double given = label != NULL ? i - n * width == label[n] : number(y, bytes, i);
            const double t = (1 - smoothing) * given + smoothing / (double)width, here = number(p, bytes, i);
            double slope, other = 0;
            values[n] -= floored_log(here, t, floor, &slope);
            if (kind == LOSS_bits_from_probabilities) values[n] -= floored_log(1 - here, 1 - t, floor, &other);
            const double d = (other - slope) * (share != NULL ? share[n] : scale);
            if (bytes == 4)
                ((float *)dp)[i] = (float)d;
            else
                ((double *)dp)[i] = d;
        }
    }
}
