/* All kernels for one REAL, and their table. */
#include "precision.h"
/* The compiler is not to copy a kernel into those that call it: each is in the library once for each REAL. */
#define KERNEL(result, name, parameters) static __attribute__((noinline)) result NAME(name) parameters;
#include "kernels.def"
#include "elementary.h"
#include "activations.h"
#include "normalization.h"
#include "rows.h"
#include "softmax.h"
#include "losses.h"
#include "optimizers.h"
#include "few_rows.h"
#include "gemm.h"
#include "columns.h"
#include "noise.h"
#include "plan_stages.h"
#include "plan_run.h"
#include "vtable.h"
