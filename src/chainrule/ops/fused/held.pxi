"""Arrays that C holds the address of for longer than a call."""


cdef class Held:
    """An array that a plan points into: checked when its address is taken, and again whenever C is about to use it."""

    cdef str what
    cdef cnp.ndarray array
    cdef void *at
    cdef Size bytes
    cdef int type
    cdef bint written

    cdef bint stays(self):
        """Whether C may still touch it, where it was."""
        return (
            may_touch(self.array, self.type, self.written)
            and data(self.array) == self.at
            and cnp.PyArray_NBYTES(self.array) == self.bytes
        )

    cdef int check(self) except -1:
        """Raise if somebody has resized the array meanwhile, or made it read-only, or another dtype."""
        if self.stays():
            return 0
        got = "a read-only one" if self.written and not cnp.PyArray_ISWRITEABLE(self.array) else "another layout"
        raise ValueError(sentence("fit", f"{self.what} to stay the array that it was", got, "change its numbers alone"))


cdef Held hold(str what, array, int type, tuple shape, bint written):
    """The array, if C may touch it and it has this shape; else an error."""
    cdef Held held = Held.__new__(Held)
    cdef Size[2] lengths = (shape + (1, 1))[:2]
    if not fits(array, type, len(shape), lengths, written):
        numbers = <object> cnp.PyArray_DescrFromType(type)
        expected = f"{what} as a contiguous array of {numbers} and shape {shape}" + (" that can be written" if written else "")
        raise ValueError(sentence("fit", expected, described(array)))
    held.what, held.array, held.type, held.written = what, array, type, written
    held.at, held.bytes = data(array), cnp.PyArray_NBYTES(<cnp.ndarray> array)
    return held
