/* Matrix products of operands rounded to bfloat16, the upper half of a float32; sums and results are float32.
 *
 * Two numbers along k lie side by side in 32 bits, a pair: a processor with AVX512-BF16 adds both their products to a sum
 * in one instruction, half as many as for float32. Others widen each half and multiply as for float32. Both operands are
 * copied as pairs. Each number of C is one sum over k in the same order, whatever the block and the thread. */
#ifdef NATIVE
#include <immintrin.h>
#endif

typedef uint32_t Bits __attribute__((may_alias)); /* of a float32, or a pair, whose lower half is the even k */
typedef uint32_t Pairs __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t LoosePairs __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));

enum {
#ifdef NATIVE
    ROWS = 6, /* of a tile */
#else
    ROWS = 4,
#endif
    VECTORS = VECTOR_BYTES == 32 ? 2 : 4, /* of a row of a tile, as in gemm.h */
    COLUMNS = VECTORS * VECTOR_BYTES / 4, /* of a panel */
    PAIRS = 256,                          /* along k that a block holds */
    MOST_ROWS = 192,                      /* of a block of A: 192 kB, for the second cache */
    MOST_COLUMNS = 1024                   /* of B, whose panels are copied at once */
};
_Static_assert((MOST_ROWS + MOST_COLUMNS + COLUMNS) * PAIRS + 16 <= (1024 + 160) * 512, "float products have less room");

/* The nearest bfloat16, of two the even one; NaN remains NaN. */
INLINE Bits nearest(Bits x) {
    return x << 1 > 0xff000000u ? x | 0x400000u : x + 0x7fff + (x >> 16 & 1);
}

INLINE Bits pair(Bits even, Bits odd) {
    return nearest(even) >> 16 | (nearest(odd) & 0xffff0000u);
}

/* A matrix: how far it is from row to row (of A) or column to column (of B), and along k. */
typedef struct {
    const Bits *at;
    Size outer, inner;
} Halves;

/* to[pair · width + i] of rows k that lie one after the other, or to[i · pairs + pair] of numbers that are side by side
 * along k. Pairs beyond `count`, up to `width`, are 0. */
static Halves pairs_of(Halves from, Size count, Size width, Size depth, Bits *to) {
    const Size pairs = (depth + 1) / 2;
    memset(to, 0, (size_t)(width * pairs) * sizeof *to);
    if (from.outer == 1) {
        for (Size k = 0; k < depth; k += 2) {
            const Bits *even = from.at + k * from.inner, *odd = k + 1 < depth ? even + from.inner : NULL;
            Bits *row = to + k / 2 * width;
#pragma omp simd
            for (Size i = 0; i < count; i++) row[i] = pair(even[i], odd == NULL ? 0 : odd[i]);
        }
        return (Halves){to, 1, width};
    }
    for (Size i = 0; i < count; i++) {
        const Bits *row = from.at + i * from.outer;
        Bits *at = to + i * pairs;
#pragma omp simd
        for (Size k = 0; k < depth / 2; k++) at[k] = pair(row[2 * k], row[2 * k + 1]);
        if (depth % 2) at[depth / 2] = pair(row[depth - 1], 0);
    }
    return (Halves){to, pairs, 1};
}

#ifdef NATIVE
#define add_pair(sum, a, b) (NAME(Vector))_mm512_dpbf16_ps((__m512)(sum), (__m512bh)(a), (__m512bh)(b))
#else
INLINE NAME(Vector) add_pair(NAME(Vector) sum, Pairs a, Pairs b) { /* the odd k first, as the instruction does */
    sum += (NAME(Vector))(a & 0xffff0000u) * (NAME(Vector))(b & 0xffff0000u);
    return sum + (NAME(Vector))(a << 16) * (NAME(Vector))(b << 16);
}
#endif

/* sums[ROWS × COLUMNS] += A B for a panel B of so many vectors. */
INLINE void add_products(const int vectors, Size pairs, Halves a, const Bits *b, float *sums) {
    NAME(Vector) sum[ROWS][VECTORS];
    Pairs panel[VECTORS];
#pragma GCC unroll 6
    for (int m = 0; m < ROWS; m++)
#pragma GCC unroll 4
        for (int n = 0; n < vectors; n++) sum[m][n] = *(NAME(Vector) *)(sums + m * COLUMNS + n * LANES);
    for (Size k = 0; k < pairs; k++, a.at += a.inner, b += vectors * LANES) {
#pragma GCC unroll 4
        for (int n = 0; n < vectors; n++) panel[n] = *(const LoosePairs *)(b + n * LANES);
#pragma GCC unroll 6
        for (int m = 0; m < ROWS; m++) {
            Pairs factor = (Pairs){0} + a.at[m * a.outer];
#if defined(__x86_64__) && !defined(NATIVE)
            __asm__("" : "+x"(factor)); /* else GCC would widen it outside the vector registers: 1.5 times the time */
#endif
#pragma GCC unroll 4
            for (int n = 0; n < vectors; n++) sum[m][n] = add_pair(sum[m][n], factor, panel[n]);
        }
    }
#pragma GCC unroll 6
    for (int m = 0; m < ROWS; m++)
#pragma GCC unroll 4
        for (int n = 0; n < vectors; n++) *(NAME(Vector) *)(sums + m * COLUMNS + n * LANES) = sum[m][n];
}

static void add_tile(Size vectors, Size pairs, Halves a, const Bits *b, float *sums) {
    if (vectors == 1) add_products(1, pairs, a, b, sums);
    if (vectors == 2) add_products(2, pairs, a, b, sums);
#if VECTOR_BYTES != 32
    if (vectors == 3) add_products(3, pairs, a, b, sums);
    if (vectors == 4) add_products(4, pairs, a, b, sums);
#endif
}

/* C = A B + bias for a block of rows and a panel of columns; where there is no bias but `more`, C += A B. */
static void add_block(Size rows, Size columns, Size pairs, Halves a, const Bits *panel, const float *bias, int more,
                      float *c, Size c_row) {
    float sums[ROWS * COLUMNS] __attribute__((aligned(64))) = {0};
    for (Size row = 0; row < rows; row += ROWS) {
        const Size height = shorter(ROWS, rows - row);
        for (Size m = 0; m < height; m++) {
            const float *first = more ? c + (row + m) * c_row : bias;
            if (first == NULL) memset(sums + m * COLUMNS, 0, (size_t)columns * sizeof *sums);
            else memcpy(sums + m * COLUMNS, first, (size_t)columns * sizeof *sums);
        }
        const Halves tile = {a.at + row * a.outer, a.outer, a.inner};
        add_tile((columns + LANES - 1) / LANES, pairs, tile, panel, sums);
        for (Size m = 0; m < height; m++)
            memcpy(c + (row + m) * c_row, sums + m * COLUMNS, (size_t)columns * sizeof *sums);
    }
}

/* As the kernel `product` of kernels.def, for a C stored by rows. */
void TABLE(bfloat16_product)(Size rows, Size columns, Size inner, const void *a_, Size a_row, Size a_inner, const void *b_,
                             Size b_inner, Size b_column, const void *bias_, void *c_, Size c_row, Size c_column, void *room) {
    Bits *block = (Bits *)(((uintptr_t)room + 63) & ~(uintptr_t)63), *panels = block + MOST_ROWS * PAIRS;
    Bits *turned = panels + MOST_COLUMNS * PAIRS;
    for (Size k = 0; k < inner; k += 2 * PAIRS) {
        const Size depth = shorter(2 * PAIRS, inner - k), pairs = (depth + 1) / 2;
        for (Size left = 0; left < columns; left += MOST_COLUMNS)
            for (Size top = 0; top < rows; top += MOST_ROWS) {
                const Size height = shorter(MOST_ROWS, rows - top), whole = (height + ROWS - 1) / ROWS * ROWS;
                const Halves a = pairs_of((Halves){(const Bits *)a_ + top * a_row + k * a_inner, a_row, a_inner}, height,
                                          whole, depth, block);
                for (Size column = left; column < shorter(columns, left + MOST_COLUMNS); column += COLUMNS) {
                    const Size width = shorter(COLUMNS, columns - column), padded = (width + LANES - 1) & -LANES;
                    Bits *panel = panels + (column - left) * PAIRS;
                    const Halves b = {(const Bits *)b_ + k * b_inner + column * b_column, b_column, b_inner};
                    if (top == 0 && b.outer == 1) pairs_of(b, width, padded, depth, panel);
                    if (top == 0 && b.outer != 1) {
                        pairs_of(b, width, padded, depth, turned);
                        NAME(transpose)(padded, pairs, (const float *)turned, pairs, (float *)panel, padded);
                    }
                    add_block(height, width, pairs, a, panel, bias_ == NULL ? NULL : (const float *)bias_ + column, k > 0,
                              (float *)c_ + top * c_row + column, c_row);
                }
            }
    }
    (void)c_column;
}

void TABLE(bfloat16_pull_back)(Size rows, Size inputs, Size outputs, const void *dy, const void *W, void *dx, void *room) {
    TABLE(bfloat16_product)(rows, inputs, outputs, dy, outputs, 1, W, 1, outputs, NULL, dx, inputs, 1, room);
}
