"""The parts of a stage of columns, as kernels/columns.h takes them."""

# The most numbers of the first array that one column may have.
MOST = {"pbld": MOST_FREQUENCIES, "piecewise_linear": MOST_STEPS}


cdef class Parts:
    """Consecutive columns of x, and what is made of each part.

    Parameters
    ----------
    given : list of (kind, number of columns, arrays); the kind is copy or an op
    type_of_numbers : float32 or float64, of x and of all arrays

    Raises
    ------
    ValueError
        If C could not read an array as it is to.
    """

    cdef Part *parts
    cdef int count, type
    cdef Size inputs, outputs, frequencies  # the most of any part
    cdef list held

    def __cinit__(self):
        self.parts = NULL

    def __dealloc__(self):
        free(self.parts)

    def __init__(self, list given, type_of_numbers):
        self.held, self.count, self.type = [], 0, cnp.NPY_FLOAT32 if type_of_numbers == np.float32 else cnp.NPY_FLOAT64
        self.inputs = self.outputs = self.frequencies = 0
        self.parts = <Part *> calloc(max(1, len(given)), sizeof(Part))
        if self.parts == NULL:
            raise MemoryError
        for kind, inputs, arrays in given:
            self.add(&self.parts[self.count], kind, inputs, arrays)
            self.count += 1

    cdef int add(self, Part *p, str kind, Size inputs, tuple arrays) except -1:
        cdef Size learned
        p.start, p.inputs, p.to, p.outputs = self.inputs, inputs, self.outputs, inputs
        if kind == "copy":
            p.kind = PART_copy
        elif kind == "embedding":
            p.kind = PART_embedding
            p.count, p.outputs = np.shape(arrays[0])
            p.owners = p.count
            self.learn(p, "E", arrays[0], (p.count, p.outputs))
        elif kind == "piecewise_linear":
            p.kind = PART_piecewise_linear
            p.owners, p.count, learned = np.shape(arrays[0])
            if not (0 < p.count * learned <= MOST_STEPS and p.owners == inputs):
                raise ValueError(sentence("fit", f"at most {MOST_STEPS} steps of each number", f"{p.count * learned}"))
            p.outputs = inputs * learned
            self.learn(p, "steps", arrays[0].reshape(inputs * p.count, learned), (inputs * p.count, learned))
            self.learn(p, "slope", arrays[1], (inputs, learned))
            self.learn(p, "bias", arrays[2], (inputs, learned))
            for index in (3, 4):  # not learned
                self.take(p, index, np.ascontiguousarray(arrays[index], arrays[0].dtype), (inputs, p.count))
        else:
            p.kind = PART_pbld
            p.owners, p.count, learned = np.shape(arrays[2])
            if not (0 < p.count <= MOST_FREQUENCIES and learned > 0 and p.owners == inputs):
                raise ValueError(sentence("fit", f"at most {MOST_FREQUENCIES} frequencies of each number", f"{p.count}"))
            self.frequencies = max(self.frequencies, p.count)
            p.outputs = inputs * (learned + 1)
            self.learn(p, "w1", arrays[0], (inputs, p.count))
            self.learn(p, "b1", arrays[1], (inputs, p.count))
            self.learn(p, "W2", arrays[2].reshape(inputs * p.count, learned), (inputs * p.count, learned))
            self.learn(p, "b2", arrays[3], (inputs, learned))
        if inputs < 1 or p.outputs < 1 or (kind == "embedding" and inputs != 1):
            raise ValueError(sentence("fit", f"columns for {kind}", f"{inputs} of them for {p.outputs} outputs"))
        self.inputs, self.outputs = self.inputs + inputs, self.outputs + p.outputs

    cdef int learn(self, Part *p, str name, array, tuple shape) except -1:
        self.take(p, p.learned, array, shape, name)
        p.each[p.learned] = size(array) // p.owners
        p.learned += 1

    cdef int take(self, Part *p, int index, array, tuple shape, str name="array") except -1:
        cdef Held held = hold(f"a layer's {name}", array, self.type, shape, False)
        self.held.append(held)
        p.arrays[index] = held.at

    cdef bint stay(self):
        """Whether every array still is where it was."""
        cdef Held held
        for held in self.held:
            if not held.stays():
                return False
        return True
