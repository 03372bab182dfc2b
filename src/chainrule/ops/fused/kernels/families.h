/* All kernels for one REAL, and their table. */
#include "real.h"
#include "elementary.h"
#include "activations.h"
#include "optimizers.h"
#include "normalization.h"
#include "noise.h"
#include "table.h"
