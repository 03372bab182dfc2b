/* The activations and their pull-backs; the equations stand in ops/activations/. */

static void NAME(activate)(int kind, Size n, const void *x_, void *y_, double a) {
    const REAL *x = x_;
    REAL *y = y_;
    switch (kind) {
    case RELU:
        for (Size i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : 0;
        break;
    }
}

static void NAME(activate_backward)(int kind, Size n, const void *dy_, const void *kept_, void *dx_, double a) {
    const REAL *dy = dy_, *y = kept_;
    REAL *dx = dx_;
    switch (kind) {
    case RELU:
        for (Size i = 0; i < n; i++) dx[i] = y[i] > 0 ? dy[i] : 0;
        break;
    }
}
