/* Every kernel for float and for double, compiled for one kind of processor: ISA names it. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "plan.h"

#define JOINED(a, b) a##_##b
#define JOIN(a, b) JOINED(a, b)
#define TABLE(name) JOIN(name, ISA)
#define INLINE static inline __attribute__((always_inline))

#include "meet.h"

#define SINGLE
#include "families.h"
#undef SINGLE
#include "families.h"
