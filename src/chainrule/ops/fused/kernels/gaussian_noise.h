/* Normal noise; its definition stands in ops/noise.py. */

/* Always whole groups of words, of which the part that is wanted is added: so no number depends on its place. */
void NAME(gaussian_noise)(Size n, uint64_t key, uint64_t first, double deviation, const void *x_, void *y_) {
    enum { GROUP = 64 };
    const REAL sigma = (REAL)deviation, *x = x_;
    REAL *y = y_;
    uint64_t words[GROUP];
    REAL r[2 * GROUP], e[2 * GROUP];
    Size skip = (Size)(first % (2 * GROUP));
    for (uint64_t word = first / (2 * GROUP) * GROUP; n > 0; word += GROUP) {
        random_words(key, word, GROUP, words);
#pragma omp simd
        for (Size j = 0; j < GROUP; j++) {
            const REAL inverse = R(2147483648.0) / ((REAL)(int32_t)(words[j] >> 33) + R(0.5));
            r[j] = r[GROUP + j] = sigma * NAME(root)(2 * NAME(log_of_sum)(inverse));
            e[j] = e[GROUP + j] = (REAL)(int32_t)(uint32_t)words[j] * R(1.4629180792671596e-9); /* π / 2^31 */
        }
        NAME(sines)(GROUP, e, R(0.5), e);
        NAME(sines)(GROUP, e + GROUP, 0, e + GROUP);
        const Size m = shorter(n, 2 * GROUP - skip);
        for (Size i = 0; i < m; i++) y[i] = x[i] + r[skip + i] * e[skip + i];
        x += m;
        y += m;
        n -= m;
        skip = 0;
    }
}
