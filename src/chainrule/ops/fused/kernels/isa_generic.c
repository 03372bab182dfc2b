/* The kernels for every other processor: what the compiler assumes by default, SSE2 or NEON. */
#define ISA generic
#define VECTOR_BYTES 16
#include "per_isa.h"
