/* The threads that carry out a plan's call: this one, and as many others as can be had. */
#define _GNU_SOURCE /* for the processors of a thread */
#include "float_mode.h"
#include "plan.h"
#include "processors.h"
#include "threads.h"

#define PATIENCE 4096 /* looks, about 50 µs: two steps of a small network are nearer */

typedef struct {
    const Kernels *kernels;
    Plan *plan;
    const Processors *processors;
    int number;
} Member;

static void take_part(const Member *member) {
    const FloatMode before = flush_subnormals();
    settle(member->processors, member->number, member->plan->threads);
    chainrule_take_steps(member->kernels, member->plan, member->number);
    unsettle(member->processors, member->number, member->plan->threads);
    set_float_mode(before);
}

/* What another thread does, once it is known how many there are. */
static THREAD_RESULT join_in(void *member) {
    while (__atomic_load_n(&((Member *)member)->plan->threads, __ATOMIC_ACQUIRE) == 0) yield_cpu();
    take_part(member);
    return 0;
}

void chainrule_run_plan(const Kernels *kernels, Plan *plan, int wanted) {
    Thread others[PLAN_THREADS];
    Member members[PLAN_THREADS];
    Processors processors;
    int threads = 1;
    look_up(&processors);
    plan->threads = plan->arrived = plan->generation = 0;
    for (int i = 0; i < wanted; i++) members[i] = (Member){kernels, plan, &processors, i};
    while (threads < wanted && start_thread(&others[threads], join_in, &members[threads])) threads++;
    plan->patience = processors.count == 0 || processors.count >= threads ? PATIENCE : 0;
    __atomic_store_n(&plan->threads, threads, __ATOMIC_RELEASE);
    take_part(&members[0]);
    for (int i = 1; i < threads; i++) join_thread(others[i]);
}
