/* The steps of a plan, for float and for double. All work on vectors is done by the kernels of this processor, which the
 * plan calls; so its own code is in the library once for each REAL and not once more for each processor, and is small
 * (setup.py), which saves 18 kB of the wheel. */
#include <math.h>
#include <string.h>

#include "plan.h"

#define VECTOR_BYTES 64 /* whole vectors of any processor: in these, arrays are shared out between threads */

#define SINGLE
#include "precision.h"
#include "barrier.h"
#include "plan_stages.h"
#include "plan_run.h"
#undef SINGLE
#include "precision.h"
#include "plan_stages.h"
#include "plan_run.h"
