/* Every kernel for float and for double, compiled for one kind of processor: ISA names it. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "inlining.h"

#define JOINED(a, b) a##_##b
#define JOIN(a, b) JOINED(a, b)
#define TABLE(name) JOIN(name, ISA)

#define SINGLE
#include "all_kernels.h"
#undef SINGLE
#include "all_kernels.h"
