/* The kernels for processors other than x86-64: what the compiler assumes by default, such as NEON. */
#if !defined(__x86_64__)
#define ISA generic
#define VECTOR_BYTES 16
#include "per_isa.h"
#endif
