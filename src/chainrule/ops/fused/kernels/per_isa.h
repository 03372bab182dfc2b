/* Every kernel for float and for double, compiled for one kind of processor: ISA names it. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "inlining.h"
#include "names.h"

#define SINGLE
#include "all_kernels.h"
#undef SINGLE
#include "all_kernels.h"
