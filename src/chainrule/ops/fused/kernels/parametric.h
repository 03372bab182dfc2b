/* Activations with a learned number for each column: kernels.def says what each computes. */

void NAME(parametric)(Size rows, Size width, const void *x_, const void *f_, const void *amount_, void *y_) {
    const REAL *x = x_, *f = f_, *amount = amount_;
    REAL *y = y_;
    for (Size row = 0; row < rows; row++, x += width, f += width, y += width) {
#pragma omp simd
        for (Size i = 0; i < width; i++) y[i] = (1 - amount[i]) * x[i] + amount[i] * f[i];
    }
}

void NAME(parametric_gradient)(Size rows, Size width, const void *dy_, const void *x_, const void *f_, void *da_,
                               Size start, Size stop) {
    const REAL *dy = dy_, *x = x_, *f = f_;
    REAL *da = da_;
    memset(da + start, 0, (size_t)(stop - start) * sizeof(REAL));
    for (Size row = 0; row < rows; row++, dy += width, x += width, f += width) {
#pragma omp simd
        for (Size i = start; i < stop; i++) da[i] += dy[i] * (f[i] - x[i]);
    }
}

void NAME(prelu)(Size rows, Size width, const void *x_, const void *slope_, void *y_) {
    const REAL *x = x_, *slope = slope_;
    REAL *y = y_;
    for (Size row = 0; row < rows; row++, x += width, y += width) {
#pragma omp simd
        for (Size i = 0; i < width; i++) y[i] = NAME(relu)(x[i]) + (x[i] > 0 ? 0 : x[i]) * slope[i];
    }
}

void NAME(prelu_backward)(Size rows, Size width, const void *dy_, const void *x_, const void *slope_, void *dx_,
                          void *dslope_) {
    const REAL *dy = dy_, *x = x_, *slope = slope_;
    REAL *dx = dx_, *dslope = dslope_;
    memset(dslope, 0, (size_t)width * sizeof(REAL));
    for (Size row = 0; row < rows; row++, dy += width, x += width, dx += width) {
#pragma omp simd
        for (Size i = 0; i < width; i++) {
            const REAL pull = dy[i], at = x[i]; /* before dx, which may be either of them, is written */
            dslope[i] += pull * (at > 0 ? 0 : at);
            dx[i] = pull * (NAME(relu_slope)(at) * (1 - slope[i]) + slope[i]);
        }
    }
}
