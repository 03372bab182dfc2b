/* Matrix products in tiles that stay in registers: C = A B, where A(m, k) = a[m·a_row + k·a_inner] and
 * B(k, n) = b[k·b_inner + n·b_column], so that a transposed operand is only another pair of strides.
 *
 * A tile of C, TILE_ROWS × PANEL numbers, lives in registers while k runs: each step loads one row of B's panel and
 * multiplies it with one number of A for each row of the tile. Every number of C is one sum over k in ascending order,
 * whatever the tile, the block and the thread.
 *
 * Rows that lie a power of two apart share a few sets of a cache. So what many tiles read is first copied to where it is
 * read in order: panels of B, DEPTH × PANEL numbers each, and strips of a transposed A. About HEIGHT rows of A stay in the
 * second cache while panels pass; where A has more, up to WIDE columns of B are copied at once for all of them. One core of
 * an AMD EPYC (Zen 3, AVX2; 104 GFLOP/s in registers), 512 × 1,024 × 1,024 in float32: y = x W 92 GFLOP/s, 86 with each
 * panel copied for 120 rows, 47 without copies; dW = xᵀ dy 93, 89 and 14.
 * Where a row of a panel is four lines long (AVX-512), copies cost more than they save (Zen 4: 4 to 20 % up to 128
 * rows), unless the rows do share sets (Zen 5, one thread: a step at widths of 1,024 took 57 ms, at 1,040 48). */
#undef PANEL
#define PANEL (TILE_VECTORS * LANES)

#ifndef TILE_VECTORS
#if VECTOR_BYTES == 64 || defined(__aarch64__) /* 32 registers: 24 sums, 4 of B, 1 of A */
#define TILE_VECTORS 4
#else /* 16 registers: 12 sums, 2 of B, 1 of A */
#define TILE_VECTORS 2
#endif
#define LONG_PANEL (TILE_VECTORS * VECTOR_BYTES > 64)
#define DEPTH (LONG_PANEL ? 1024 : 512)      /* numbers along k that a panel of B and a strip of A hold */
#define PACKED_ROWS (LONG_PANEL ? 100 : 30)  /* of A, from which on a panel of B is worth a copy */
#define PACKED_COLUMNS (4 * PANEL + 1)       /* of B, from which on the strips of A are */
#define SCATTERED(stride) (!LONG_PANEL || (stride) * sizeof(REAL) % 4096 == 0)
#define WIDE 1024        /* columns of B whose panels are copied at once */
#define WORTH_A_TURN 128 /* numbers along k, from which on storing C transposed is cheap beside the sums */
#endif
#undef HEIGHT
#define HEIGHT ((Size)(480 / sizeof(REAL))) /* rows of A: 240 kB, and twice that with AVX-512 */
#define PRODUCT_ROOM ((WIDE + HEIGHT * 3 / 2) * DEPTH + 64) /* numbers */

/* One operand's address and strides. */
typedef struct {
    const REAL *at;
    Size outer, inner; /* along the rows (of A) or columns (of B); along k */
} NAME(Operand);

/* C[rows × vectors·LANES] = `first` + A B, where `first` is C itself or one row for all (a bias), as its row stride
 * says; `rows` and `vectors` are constants where this is inlined. */
INLINE void NAME(tile)(const int rows, const int vectors, Size depth, NAME(Operand) a, const REAL *b, Size b_inner,
                       REAL *c, Size c_row, const REAL *first, Size first_row) {
    NAME(Vector) sum[TALL_ROWS][TILE_VECTORS], panel[TILE_VECTORS];
#pragma GCC unroll 12
    for (int m = 0; m < rows; m++)
#pragma GCC unroll 4
        for (int n = 0; n < vectors; n++) sum[m][n] = *(const NAME(Loose) *)(first + m * first_row + n * LANES);
    const REAL *ak = a.at;
    for (Size k = 0; k < depth; k++, ak += a.inner, b += b_inner) {
#pragma GCC unroll 4
        for (int n = 0; n < vectors; n++) panel[n] = *(const NAME(Loose) *)(b + n * LANES);
#pragma GCC unroll 12
        for (int m = 0; m < rows; m++) {
            const REAL factor = ak[m * a.outer];
#pragma GCC unroll 4
            for (int n = 0; n < vectors; n++) sum[m][n] += factor * panel[n];
        }
    }
#pragma GCC unroll 12
    for (int m = 0; m < rows; m++)
#pragma GCC unroll 4
        for (int n = 0; n < vectors; n++) *(NAME(Loose) *)(c + m * c_row + n * LANES) = sum[m][n];
}

/* The tile of each height and width, so that the compiler knows both. */
#define TILE_CASE(rows, vectors)                                               \
    case (rows) * 8 + (vectors):                                               \
        NAME(tile)(rows, vectors, depth, a, b, b_inner, c, c_row, first, first_row); \
        break;
#define TILE_HEIGHTS(vectors)                                                  \
    TILE_CASE(1, vectors) TILE_CASE(2, vectors) TILE_CASE(3, vectors)          \
    TILE_CASE(4, vectors) TILE_CASE(5, vectors) TILE_CASE(6, vectors)

static void NAME(any_tile)(int rows, int vectors, Size depth, NAME(Operand) a, const REAL *b, Size b_inner, REAL *c,
                           Size c_row, const REAL *first, Size first_row) {
    switch (rows * 8 + vectors) {
        TILE_HEIGHTS(1)
        TILE_CASE(12, 1)
        TILE_HEIGHTS(2)
#if TILE_VECTORS == 4
        TILE_CASE(12, 2)
        TILE_HEIGHTS(3)
        TILE_HEIGHTS(4)
#endif
    }
}

/* How many rows the next tile takes. */
INLINE int NAME(tile_height)(Size left, int vectors) {
    if (left >= TALL_ROWS && 2 * vectors <= TILE_VECTORS) return TALL_ROWS;
    return left < TILE_ROWS ? (int)left : TILE_ROWS;
}

/* Whether full panels of B are read where they lie. */
INLINE int NAME(in_place)(NAME(Operand) b, Size rows) {
    return b.outer == 1 && (rows < PACKED_ROWS || !SCATTERED(b.inner));
}

/* `columns` columns of B, at most a panel, copied into `room` with zeros up to full vectors. */
static void NAME(copy_panel)(NAME(Operand) b, Size depth, Size columns, REAL *room) {
    const Size whole = columns & -LANES, width = (columns + LANES - 1) & -LANES;
    for (Size i = 0; i < depth && whole < width; i++) *(NAME(Loose) *)(room + i * width + whole) = (NAME(Vector)){0};
    if (b.outer == 1 && columns == PANEL)
        for (Size i = 0; i < depth; i++) memcpy(room + i * PANEL, b.at + i * b.inner, PANEL * sizeof(REAL));
    else if (b.outer == 1)
        for (Size i = 0; i < depth; i++) {
            const REAL *row = b.at + i * b.inner;
            REAL *to = room + i * width;
            for (Size n = 0; n < whole; n += LANES) *(NAME(Loose) *)(to + n) = *(const NAME(Loose) *)(row + n);
            NAME(copy_few)(columns - whole, row + whole, to + whole);
        }
    else
        NAME(transpose)(columns, depth, b.at, b.outer, room, width);
}

/* Strips of TILE_ROWS rows of a transposed A, one behind the other in `to`, each in the order in which its tiles read it. */
static NAME(Operand) NAME(strips)(NAME(Operand) a, Size rows, Size depth, REAL *to) {
    const NAME(Operand) strips = {to, 1, TILE_ROWS};
    for (Size row = 0; row < rows; row += TILE_ROWS) {
        const Size height = shorter(TILE_ROWS, rows - row);
        for (Size k = 0; k < depth; k++, to += TILE_ROWS) {
            const REAL *from = a.at + row + k * a.inner;
            if (height == TILE_ROWS)
                memcpy(to, from, TILE_ROWS * sizeof(REAL));
            else
                memcpy(to, from, height * sizeof(REAL));
        }
    }
    return strips;
}

/* Where C lies: its first number, and how far it is from row to row and from column to column. */
typedef struct {
    REAL *at;
    Size row, column;
} NAME(Result);

/* The part of C that a tile is, to or from the tile's own room with PANEL numbers from row to row. */
static void NAME(copy_tile)(NAME(Result) c, Size rows, Size columns, REAL *tile, int store) {
    for (Size n = 0; n < columns; n++)
        for (Size m = 0; m < rows; m++) {
            REAL *number = c.at + m * c.row + n * c.column;
            if (store)
                *number = tile[m * PANEL + n];
            else
                tile[m * PANEL + n] = *number;
        }
}

/* C[rows × columns] = A B + bias, or more of that sum, for the columns of a panel. `step` is from tile to tile of A. */
INLINE void NAME(tiles)(Size rows, Size columns, Size depth, NAME(Operand) a, Size step, int most, const REAL *panel,
                        Size b_inner, const REAL *bias, int more, NAME(Result) c) {
    REAL small[TALL_ROWS * PANEL] __attribute__((aligned(64)));
    REAL start[PANEL] __attribute__((aligned(64)));
    const int vectors = (int)((columns + LANES - 1) / LANES), whole = columns % LANES == 0 && c.column == 1;
    memset(start, 0, sizeof start);
    if (bias != NULL) memcpy(start, bias, columns * sizeof(REAL));
    for (Size row = 0, height; row < rows; row += height) {
        height = shorter(most, NAME(tile_height)(rows - row, vectors));
        const NAME(Result) at = {c.at + row * c.row, c.row, c.column};
        const NAME(Operand) tile = {a.at + row * step, a.outer, a.inner};
        REAL *to = whole ? at.at : small;
        const Size to_row = whole ? c.row : PANEL;
        if (!whole && more) NAME(copy_tile)(at, height, columns, small, 0);
        NAME(any_tile)((int)height, vectors, depth, tile, panel, b_inner, to, to_row, more ? to : start, more ? to_row : 0);
        if (!whole) NAME(copy_tile)(at, height, columns, small, 1);
    }
}

/* C[rows × columns] = A B + bias (a row, or NULL). `room` has space for PRODUCT_ROOM numbers. */
static void NAME(product)(Size rows, Size columns, Size inner, const void *a_, Size a_row, Size a_inner, const void *b_,
                          Size b_inner, Size b_column, const void *bias_, void *c_, Size c_row, Size c_column,
                          void *room_) {
    const NAME(Operand) a = {a_, a_row, a_inner}, b = {b_, b_column, b_inner};
    REAL *c = c_, *room = (REAL *)(((uintptr_t)room_ + 63) & ~(uintptr_t)63); /* a row of a panel is a whole line: 1 % */
    const REAL *bias = bias_;
    const int in_place = NAME(in_place)(b, rows);
    const int in_strips = a.outer == 1 && columns >= PACKED_COLUMNS && SCATTERED(a.inner);
    const Size blocks = rows < HEIGHT ? 1 : (rows + HEIGHT / 2) / HEIGHT, even = (rows + blocks - 1) / blocks;
    const Size most = (even + TALL_ROWS - 1) / TALL_ROWS * TALL_ROWS;
    const int kept = blocks > 1 && !in_place; /* copies of panels, for the blocks after the first */
    for (Size k = 0; k == 0 || k < inner; k += DEPTH) {
        const Size depth = shorter(DEPTH, inner - k);
        for (Size left = 0; left < columns; left += WIDE)
            for (Size top = 0; top < rows; top += most) {
                const Size block = shorter(most, rows - top), right = shorter(columns, left + WIDE);
                NAME(Operand) part = {a.at + top * a.outer + k * a.inner, a.outer, a.inner};
                if (in_strips) part = NAME(strips)(part, block, depth, room + WIDE * DEPTH);
                for (Size column = left; column < right; column += PANEL) {
                    const Size wide = shorter(PANEL, columns - column);
                    const NAME(Operand) from = {b.at + k * b.inner + column * b.outer, b.outer, b.inner};
                    const int copied = !in_place || wide % LANES != 0;
                    REAL *copy = kept ? room + (column - left) * DEPTH : room;
                    if (copied && (top == 0 || !kept)) NAME(copy_panel)(from, depth, wide, copy);
                    NAME(tiles)(block, wide, depth, part, in_strips ? depth : a.outer, in_strips ? TILE_ROWS : TALL_ROWS,
                                copied ? copy : from.at, copied ? (wide + LANES - 1) & -LANES : b.inner,
                                bias == NULL ? NULL : bias + column, k > 0,
                                (NAME(Result)){c + top * c_row + column * c_column, c_row, c_column});
                }
            }
    }
}

/* dx[rows × inputs] = dy Wᵀ for W[inputs × outputs]; of few rows as dxᵀ = W dyᵀ, so that these are copied and not W. Each
 * number is the same sum. On the EPYC, 16 × 512 times 512 × 784: 143 µs instead of 196. */
static void NAME(pull_back)(Size rows, Size inputs, Size outputs, const void *dy, const void *W, void *dx, void *room) {
    if (rows <= PANEL && outputs >= WORTH_A_TURN)
        NAME(product)(inputs, rows, outputs, W, outputs, 1, dy, 1, outputs, NULL, dx, 1, inputs, room);
    else
        NAME(product)(rows, inputs, outputs, dy, outputs, 1, W, 1, outputs, NULL, dx, inputs, 1, room);
}
