/* TABLE(f): the f of the kernels for one kind of processor, which ISA names. */
#define JOINED(a, b) a##_##b
#define JOIN(a, b) JOINED(a, b)
#define TABLE(name) JOIN(name, ISA)
