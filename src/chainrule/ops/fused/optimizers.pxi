"""The optimizers' steps, and the norm of a gradient; chainrule/optimizers/base.py calls them."""


cpdef bint takes(vector, gradient, list state):
    """Whether `update` may run over these arrays: all as the vector is, contiguous, each of its own."""
    cdef Size i, j
    if kernels_for(vector) == NULL or not alike(vector, vector, True):
        return False
    if not alike(vector, gradient) or not apart(gradient, vector):
        return False
    for i in range(len(state)):
        if not alike(vector, state[i], True) or not share_nothing(state[i], vector, gradient):
            return False
        for j in range(i):
            if overlap(state[i], state[j]):
                return False
    return True


cdef int check_update(int kind, vector, gradient, list state, list runs) except -1:
    """Raise unless an optimizer of this kind may run over these parts of these arrays."""
    if not 0 <= kind < OPTIMIZER_COUNT:
        raise ValueError(sentence("the compiled step", f"the kernel of {', '.join(OPTIMIZERS)}", "another"))
    cdef Size least = OPTIMIZER_ENTRIES[kind].least, most = OPTIMIZER_ENTRIES[kind].most
    if not least <= len(state) <= most:
        expected = f"{least} arrays of state" if least == most else f"{least} or {most} arrays of state"
        remedy = "let slots() name them as the optimizer of this kernel does, or set kernel = None"
        raise ValueError(sentence("the compiled step", expected, f"{len(state)}", remedy))
    if not takes(vector, gradient, state):
        expected = "vector, gradient and state as contiguous arrays of one size and dtype, each in memory of its own"
        raise ValueError(sentence("the compiled step", expected, "others"))
    cdef Size end = 0, start, stop
    for start, stop, _, _ in runs:
        if start != end or stop < start:
            break
        end = stop
    if end != size(vector):
        raise ValueError(sentence("the compiled step", "groups that are the whole vector", repr(runs)))
    return 0


@cython.binding(False)
def update(str kernel, tuple numbers, double limit, double factor, list runs, vector, gradient, list state):
    """One step, in place, over each run (start, stop, factor of the rate, factor of the shrinking) of the vector.

    ``numbers`` are rate, shrink and the coefficients. The arrays are those that `takes` accepts.
    """
    cdef int kind = OPTIMIZER_NUMBERS.get(kernel, -1)
    check_update(kind, vector, gradient, state, runs)
    cdef const Kernels *k = kernels_for(vector)
    cdef Size width = cnp.PyArray_ITEMSIZE(<cnp.ndarray> vector), start, stop
    cdef char *w = <char *> data(vector)
    cdef char *g = <char *> data(gradient)
    cdef char *first = <char *> data(state[0]) if state else NULL
    cdef char *second = <char *> data(state[1]) if len(state) > 1 else NULL
    cdef double rate = numbers[0], shrink = numbers[1], rate_factor, shrink_factor
    cdef Update step
    cdef FloatMode before
    step.kind, step.limit, step.factor = kind, limit, factor
    cdef Size i
    for i in range(COEFFICIENTS):
        step.coefficients[i] = numbers[2 + i] if 2 + i < len(numbers) else 0.0
    for start, stop, rate_factor, shrink_factor in runs:
        step.rate, step.shrink = rate * rate_factor, shrink * shrink_factor
        with nogil:
            before = flush_subnormals()
            k.update(&step, stop - start, w + start * width, g + start * width,
                     NULL if first == NULL else first + start * width,
                     NULL if second == NULL else second + start * width)
            set_float_mode(before)


@cython.binding(False)
def square_norm(gradient, double limit):
    """Σ min(max(g, −limit), limit)² of a contiguous array."""
    cdef const Kernels *k = kernels_for(gradient)
    if k == NULL:
        raise ValueError(sentence("square_norm", "a contiguous array of float32 or float64", described(gradient)))
    cdef Size n = size(gradient)
    cdef void *g = data(gradient)
    cdef double square
    with nogil:
        square = k.square_norm(n, g, limit)
    return square
