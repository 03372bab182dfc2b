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
        cdef bint waves, fits_together
        p.start, p.inputs, p.to, p.outputs = self.inputs, inputs, self.outputs, inputs
        if kind == "copy":
            p.kind = PART_copy
        elif kind == "embedding":
            p.kind = PART_embedding
            p.count, p.outputs = np.shape(arrays[0])
            p.owners = p.count
            self.learn(p, arrays[0], (p.count, p.outputs))
        else:
            waves, p.owners = kind == "pbld", inputs
            p.kind = PART_pbld if waves else PART_piecewise_linear
            for array in arrays:
                self.learn(p, array, (inputs, size(array) // inputs))
            p.count, learned = p.each[0 if waves else 3], p.each[3 if waves else 1]
            if waves:
                fits_together = p.each[1] == p.count and p.each[2] == p.count * learned and p.count <= MOST_FREQUENCIES
                self.frequencies = max(self.frequencies, p.count)
            else:
                fits_together = p.each[2] == learned and p.each[4] == p.count and p.each[0] == p.count * learned
                fits_together, p.learned = fits_together and p.each[0] <= MOST_STEPS, 3  # the others are bins
            if not (fits_together and p.count > 0 and learned > 0):
                raise ValueError(sentence("fit", "arrays that belong together", "others"))
            p.outputs = inputs * (learned + waves)
        if inputs < 1 or p.outputs < 1 or (kind == "embedding" and inputs != 1):
            raise ValueError(sentence("fit", f"columns for {kind}", f"{inputs} of them for {p.outputs} outputs"))
        self.inputs, self.outputs = self.inputs + inputs, self.outputs + p.outputs

    cdef int learn(self, Part *p, array, tuple shape) except -1:
        flat = array.reshape(shape)
        if data(flat) != data(array):
            raise ValueError(sentence("fit", "contiguous arrays of a layer", "others"))
        cdef Held held = hold("a layer's array", flat, self.type, shape, False)
        self.held.append(held)
        p.arrays[p.learned] = held.at
        p.each[p.learned] = size(array) // p.owners
        p.learned += 1

    cdef bint stay(self):
        """Whether every array still is where it was."""
        cdef Held held
        for held in self.held:
            if not held.stays():
                return False
        return True
