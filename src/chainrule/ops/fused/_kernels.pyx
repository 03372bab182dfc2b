# cython: language_level=3, cdivision=True
"""The compiled twins of the hot ops: same names, same signatures, same numbers to rounding.

Each takes contiguous float32 or float64 arrays of the processor's own byte order; for anything else it calls the plain
op, its reference. The loops are in kernels/, in C; they run without the interpreter's lock.
"""

include "common.pxi"
include "activations.pxi"
include "optimizers.pxi"
include "normalization.pxi"
include "affine.pxi"
include "softmax.pxi"
include "losses.pxi"
include "noise.pxi"
include "plan.pxi"
include "forward.pxi"
