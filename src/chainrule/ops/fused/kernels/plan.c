/* The steps of a plan, whatever its numbers are. All work on vectors is done by the kernels of their precision and of
 * this processor, which it calls: so its own code is in the library once, which saves 16 kB of the wheel. */
#include <math.h>
#include <string.h>

#include "barrier.h"
#include "inlining.h"
#include "plan_stages.h"
#include "plan_run.h"
