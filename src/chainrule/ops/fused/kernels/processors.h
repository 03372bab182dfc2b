/* Threads of a plan that spin must not share a processor: each then waits for what the other cannot do. The system sorts
 * them out only after some milliseconds, so that a short training is over first. While a call runs, the processors
 * that the process may use are therefore divided among its threads, and a thread moves among its own ones alone. */
#ifdef __linux__
#include <sched.h>

typedef struct {
    cpu_set_t allowed;
    int count; /* 0: not known */
} Processors;

/* Where this thread may run now: containers, taskset and batch systems change it in between. */
static void look_up(Processors *processors) {
    const int known = sched_getaffinity(0, sizeof processors->allowed, &processors->allowed) == 0;
    processors->count = known ? CPU_COUNT(&processors->allowed) : 0;
}

/* The processors of part `number` of `parts`. */
static cpu_set_t part_of(const Processors *processors, int number, int parts) {
    cpu_set_t own;
    CPU_ZERO(&own);
    for (int processor = 0, seen = 0; processor < CPU_SETSIZE; processor++)
        if (CPU_ISSET(processor, &processors->allowed) && seen++ * parts / processors->count == number)
            CPU_SET(processor, &own);
    return own;
}

/* Keep this thread to its part, where there is one for every thread. That it may be refused is no error. */
static void settle(const Processors *processors, int number, int parts) {
    if (parts == 1 || processors->count < parts) return;
    const cpu_set_t own = part_of(processors, number, parts);
    sched_setaffinity(0, sizeof own, &own);
}

/* Let this thread run where it did before, unless somebody else has decided about it meanwhile. */
static void unsettle(const Processors *processors, int number, int parts) {
    Processors now;
    if (parts == 1 || processors->count < parts) return;
    look_up(&now);
    const cpu_set_t own = part_of(processors, number, parts);
    if (now.count > 0 && CPU_EQUAL(&now.allowed, &own)) sched_setaffinity(0, sizeof own, &processors->allowed);
}
#else
typedef struct {
    int count;
} Processors;

static void look_up(Processors *processors) {
    processors->count = 0;
}

static void settle(const Processors *processors, int number, int parts) {
    (void)processors, (void)number, (void)parts;
}

static void unsettle(const Processors *processors, int number, int parts) {
    (void)processors, (void)number, (void)parts;
}
#endif
