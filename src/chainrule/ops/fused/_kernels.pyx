# cython: language_level=3, cdivision=True, auto_pickle=False, optimize.unpack_method_calls=False
"""The compiled twins of the hot ops: same names, same signatures, same numbers to rounding.

Each takes contiguous float32 or float64 arrays of the processor's own byte order; for anything else it calls the plain
op, its reference. The loops are in kernels/, in C; they run without the interpreter's lock.

Functions whose signature nobody asks for are without `binding`: 4 kB of the wheel.
"""

cimport cython
cimport numpy as cnp
from libc.float cimport DBL_MAX
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

cdef extern from *:
    """
    /* Each place where an error may leave a function would note its line: 6 kB of the wheel, without a source to show. */
    #undef __PYX_MARK_ERR_POS
    #define __PYX_MARK_ERR_POS(file, line) \\
        { __pyx_filename = __pyx_f[0]; __pyx_lineno = 1; (void)__pyx_filename; (void)__pyx_lineno; (void)__pyx_clineno; }
    """

from inspect import signature

import numpy as np

from chainrule._support.checks import sentence

cnp.import_array()

include "table.pxi"
include "arrays.pxi"
include "scans.pxi"
include "activations.pxi"
include "optimizers.pxi"
include "normalization.pxi"
include "affine.pxi"
include "softmax.pxi"
include "losses.pxi"
include "noise.pxi"
include "held.pxi"
include "columns.pxi"
include "plan_types.pxi"
include "plan.pxi"
include "forward.pxi"

cdef dict PLAIN = {}  # the plain functions that compiled ones call, by name: none is imported here


@cython.binding(False)
def twin(plain):
    """The compiled function of the plain one's name, or None; it calls the plain one for arrays that no kernel takes."""
    cdef str name = plain.__name__
    PLAIN[name] = plain
    found = globals().get(name) or activation_twin(plain)
    if found is not None:
        globals()[name] = found
        found.__doc__ = plain.__doc__
        found.__wrapped__ = plain  # whose signature help() shows
    return found
