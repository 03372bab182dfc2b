/* Where the threads of a plan wait for each other. */
#include "plan.h"
#include "threads.h"

/* Return when every thread of the plan has come here. They spin: two steps of a small network are microseconds apart,
 * a lock's wake-up alone would take longer. */
static void barrier(Plan *p) {
    if (p->threads == 1) return;
    const int generation = __atomic_load_n(&p->generation, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&p->arrived, 1, __ATOMIC_ACQ_REL) == p->threads) {
        __atomic_store_n(&p->arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&p->generation, generation + 1, __ATOMIC_RELEASE);
        return;
    }
    for (int looks = 0; __atomic_load_n(&p->generation, __ATOMIC_ACQUIRE) == generation; looks++)
        if (looks < p->patience)
            cpu_relax();
        else
            yield_cpu();
}
