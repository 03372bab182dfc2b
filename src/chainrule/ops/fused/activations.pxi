"""The activations: a twin of each op in kernels/activations.def and of its backward, with the plain op's parameters."""


cdef object activation_twin(plain):
    """The compiled function for a plain op of the list, None for any other."""
    cdef str name = plain.__name__
    kind = ACTIVATIONS.get(name.removesuffix("_backward"))
    if kind is None:
        return None
    kept = plain.__code__.co_varnames[1] if name.endswith("_backward") else "none"
    has_number = len(plain.__defaults__) > 1  # beside out=None
    found = ACTIVATION_TWINS[kept, has_number](kind, plain)
    found.__name__ = found.__qualname__ = name
    if has_number:
        found.__signature__ = signature(plain)  # where the number has its name
    return found


def _activation(int kind, plain):
    def activation(x, out=None):
        y = activated(kind, x, 0.0, out)
        return plain(x, out) if y is None else y

    return activation


def _activation_with_number(int kind, plain):
    def activation(x, _number=plain.__defaults__[0], out=None, **named):
        if named:
            _number = own_number(plain, _number, named)
        y = activated(kind, x, _number, out)
        return plain(x, _number, out) if y is None else y

    return activation


def _pull_back_of_nothing(int kind, plain):
    def pull_back(dy, out=None):
        dx = pulled_back(kind, dy, dy, 0.0, out)
        return plain(dy, out) if dx is None else dx

    return pull_back


def _pull_back_of_input(int kind, plain):
    def pull_back(dy, x, out=None):
        dx = pulled_back(kind, dy, x, 0.0, out)
        return plain(dy, x, out) if dx is None else dx

    return pull_back


def _pull_back_of_output(int kind, plain):
    def pull_back(dy, y, out=None):
        dx = pulled_back(kind, dy, y, 0.0, out)
        return plain(dy, y, out) if dx is None else dx

    return pull_back


def _pull_back_of_input_with_number(int kind, plain):
    def pull_back(dy, x, _number=plain.__defaults__[0], out=None, **named):
        if named:
            _number = own_number(plain, _number, named)
        dx = pulled_back(kind, dy, x, _number, out)
        return plain(dy, x, _number, out) if dx is None else dx

    return pull_back


def _pull_back_of_output_with_number(int kind, plain):
    def pull_back(dy, y, _number=plain.__defaults__[0], out=None, **named):
        if named:
            _number = own_number(plain, _number, named)
        dx = pulled_back(kind, dy, y, _number, out)
        return plain(dy, y, _number, out) if dx is None else dx

    return pull_back


# By the second parameter of a backward, "none" for a forward; and by whether there is a number of the op's own.
cdef dict ACTIVATION_TWINS = {
    ("none", False): _activation,
    ("none", True): _activation_with_number,
    ("out", False): _pull_back_of_nothing,
    ("x", False): _pull_back_of_input,
    ("y", False): _pull_back_of_output,
    ("x", True): _pull_back_of_input_with_number,
    ("y", True): _pull_back_of_output_with_number,
}


cdef object own_number(plain, number, dict named):
    """The op's own number where it is given by its name, which each op chooses for itself."""
    name = plain.__code__.co_varnames[plain.__code__.co_argcount - 2]
    for other in named.keys() - {name}:
        raise TypeError(f"{plain.__name__}() got an unexpected keyword argument {other!r}")
    if number is not plain.__defaults__[0]:
        raise TypeError(f"{plain.__name__}() got multiple values for argument {name!r}")
    return named[name]


cdef object activated(int kind, object x, object number, object out):
    """The kernel's result, None if it does not take these arrays."""
    cdef const Kernels *k = kernels_for(x)
    cdef object y = None if k == NULL or is_number(x) or not is_weak(number) else writable_like(x, out)
    if y is None:
        return None
    cdef Size n = size(x)
    cdef double a = number
    cdef void *source = data(x)
    cdef void *target = data(y)
    with nogil:
        k.activate(kind, n, source, target, a)
    return y


cdef object pulled_back(int kind, object dy, object kept, object number, object out):
    """The kernel's result, None if it does not take these arrays."""
    cdef const Kernels *k = kernels_for(dy)
    cdef bint fit = k != NULL and not is_number(dy) and alike(dy, kept) and is_weak(number)
    cdef object dx = writable_like(dy, out) if fit else None
    if dx is None or not apart(kept, dx):
        return None
    cdef Size n = size(dy)
    cdef double a = number
    cdef void *source = data(dy)
    cdef void *saved = data(kept)
    cdef void *target = data(dx)
    with nogil:
        k.activate_backward(kind, n, source, saved, target, a)
    return dx


cdef inline bint is_number(object x):
    """An array without dimensions, of which NumPy's functions make a number."""
    return cnp.PyArray_NDIM(<cnp.ndarray> x) == 0


cdef inline bint is_weak(object number):
    """A number of Python's own, which takes the dtype of the array; one of NumPy's may change it."""
    return type(number) is float or type(number) is int


def prelu(x, slope, out=None):
    cdef const Kernels *k = kernels_for(x)
    cdef object y = None if k == NULL or not is_column_slope(x, slope) else writable_like(x, out)
    if y is None or overlap(y, slope):
        return PLAIN["prelu"](x, slope, out)
    cdef Size rows = length(x, 0), width = size(slope)
    cdef void *source = data(x)
    cdef void *slopes = data(slope)
    cdef void *target = data(y)
    with nogil:
        k.prelu(rows, width, source, slopes, target)
    return y


def prelu_backward(dy, x, slope, out=(None, None)):
    cdef const Kernels *k = kernels_for(dy)
    cdef object dx = None, dslope = None
    if k != NULL and alike(dy, x) and is_column_slope(dy, slope):
        dx_out, dslope_out = out
        dx = writable_like(dy, dx_out)
        dslope = writable_like(slope, dslope_out)
    if dx is None or dslope is None or not (
        apart(x, dx) and share_nothing(dx, slope, dslope) and share_nothing(dslope, dy, x, slope)
    ):
        return PLAIN["prelu_backward"](dy, x, slope, out)
    cdef Size rows = length(dy, 0), width = size(slope)
    cdef void *source = data(dy)
    cdef void *saved = data(x)
    cdef void *slopes = data(slope)
    cdef void *target = data(dx)
    cdef void *total = data(dslope)
    with nogil:
        k.prelu_backward(rows, width, source, saved, slopes, target, total)
    return dx, dslope


cdef inline bint is_column_slope(object x, object slope):
    """Whether x is a matrix and slope has one number for each of its columns, in its dtype."""
    return cnp.PyArray_NDIM(<cnp.ndarray> x) == 2 and is_vector(x, length(x, 1), slope)
