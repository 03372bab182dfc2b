/* The steps of a plan, for float and for double. All work on vectors is done by the kernels of this processor, which it
 * calls: so its own code is compiled once for each REAL and not once more for each kind of processor, which saves 12 kB
 * of the wheel. */
#include <math.h>
#include <string.h>

#include "plan.h"

#define VECTOR_BYTES 64 /* arrays are divided between threads into whole vectors, of any processor */

#define SINGLE
#include "precision.h"
#include "barrier.h"
#include "plan_stages.h"
#include "plan_run.h"
#undef SINGLE
#include "precision.h"
#include "plan_stages.h"
#include "plan_run.h"
