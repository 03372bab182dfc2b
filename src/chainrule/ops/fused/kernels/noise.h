/* Inverted dropout; its definition stands in ops/noise.py. */

/* Outputs number `first` ... of the splitmix64 generator whose state is `key`: the constants and shifts of Steele, Lea
 * and Flood, Fast Splittable Pseudorandom Number Generators (2014), in Vigna's version. None needs the one before. */
#ifdef SINGLE /* once for both */
APART void random_words(uint64_t key, uint64_t first, Size n, uint64_t *words) {
    for (Size j = 0; j < n; j++) {
        uint64_t z = key + (first + (uint64_t)j + 1) * 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        words[j] = z ^ (z >> 31);
    }
}
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define PIECE(i) ((i) ^ 3)
#else
#define PIECE(i) (i)
#endif

static void NAME(dropout)(Size n, uint64_t key, uint64_t first, double rate, const void *x_, void *y_, void *mask_) {
    enum { WORDS = 128 };
    union {
        uint64_t word[WORDS];
        uint16_t piece[4 * WORDS]; /* the four of a word, the lowest bits first */
    } random;
    const REAL *x = x_;
    REAL *y = y_, *mask = mask_;
    const double rounded = rate * 65536 + 0.5;
    const BITS threshold = rounded >= 65535 ? 65535 : rounded > 0 ? (BITS)rounded : 0; /* 0 if it is not a number */
    const REAL enlarged = (REAL)(65536 / (65536 - (double)threshold));
    uint64_t word = first / 4;
    Size skip = (Size)(first % 4); /* pieces of the first word that belong to the element before `first` */
    for (Size done = 0; done < n;) {
        const Size room = 4 * WORDS - skip, m = n - done < room ? n - done : room, words = (skip + m + 3) / 4;
        random_words(key, word, words, random.word);
#pragma omp simd
        for (Size i = 0; i < m; i++) {
            const REAL kept = (BITS)random.piece[PIECE(skip + i)] < threshold ? 0 : enlarged;
            mask[done + i] = kept;
            y[done + i] = x[done + i] * kept;
        }
        done += m;
        word += WORDS;
        skip = 0;
    }
}

#undef PIECE
