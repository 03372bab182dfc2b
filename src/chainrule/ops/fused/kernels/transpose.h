/* Pairs, then fours, then halves of two rows of eight numbers, side by side: three rounds of these transpose. */
#define PAIRS_LOW 0, 8, 1, 9, 4, 12, 5, 13
#define PAIRS_HIGH 2, 10, 3, 11, 6, 14, 7, 15
#define FOURS_LOW 0, 1, 8, 9, 4, 5, 12, 13
#define FOURS_HIGH 2, 3, 10, 11, 6, 7, 14, 15
#define HALVES_LOW 0, 1, 2, 3, 8, 9, 10, 11
#define HALVES_HIGH 4, 5, 6, 7, 12, 13, 14, 15
#define ROUND(to, from, gap, low, high)                                               \
    for (int i = 0; i < 8; i++)                                                       \
        if ((i & gap) == 0) {                                                         \
            to[i] = __builtin_shufflevector(from[i], from[i + gap], low);             \
            to[i + gap] = __builtin_shufflevector(from[i], from[i + gap], high);      \
        }

typedef REAL NAME(Eight) __attribute__((vector_size(8 * sizeof(REAL))));
typedef REAL NAME(LooseEight) __attribute__((vector_size(8 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));

/* to[k·to_row + n] = from[n·from_row + k], in squares of 8 × 8 that stay in registers. */
static void NAME(transpose)(Size rows, Size columns, const REAL *from, Size from_row, REAL *to, Size to_row) {
    Size n = 0;
    for (; n + 8 <= rows; n += 8, from += 8 * from_row) {
        Size k = 0;
        for (; k + 8 <= columns; k += 8) {
            NAME(Eight) a[8], b[8];
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) a[i] = *(const NAME(LooseEight) *)(from + i * from_row + k);
#pragma GCC unroll 8
            ROUND(b, a, 1, PAIRS_LOW, PAIRS_HIGH)
#pragma GCC unroll 8
            ROUND(a, b, 2, FOURS_LOW, FOURS_HIGH)
#pragma GCC unroll 8
            ROUND(b, a, 4, HALVES_LOW, HALVES_HIGH)
            static const int column[8] = {0, 2, 1, 3, 4, 6, 5, 7}; /* that b[i] holds now: the rounds swap two bits */
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) *(NAME(LooseEight) *)(to + (k + column[i]) * to_row + n) = b[i];
        }
        for (; k < columns; k++)
            for (int i = 0; i < 8; i++) to[k * to_row + n + i] = from[i * from_row + k];
    }
    for (; n < rows; n++, from += from_row)
        for (Size k = 0; k < columns; k++) to[k * to_row + n] = from[k];
}
