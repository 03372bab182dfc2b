/* The threads that carry out a plan's call: this one, and as many others as can be had. */
#include "plan.h"
#include "threads.h"

typedef struct {
    const Kernels *kernels;
    Plan *plan;
    int number;
} Member;

/* What another thread does, once it is known how many there are. */
static THREAD_RESULT join_in(void *argument) {
    const Member *member = argument;
    while (__atomic_load_n(&member->plan->threads, __ATOMIC_ACQUIRE) == 0) give_way();
    member->kernels->run_plan(member->plan, member->number);
    return 0;
}

void chainrule_run_plan(const Kernels *kernels, Plan *plan, int wanted) {
    Thread others[PLAN_THREADS];
    Member members[PLAN_THREADS];
    int threads = 1;
    plan->threads = plan->arrived = plan->meeting = 0;
    for (; threads < wanted; threads++) {
        members[threads] = (Member){kernels, plan, threads};
        if (!start_thread(&others[threads], join_in, &members[threads])) break; /* the result has the same bits */
    }
    __atomic_store_n(&plan->threads, threads, __ATOMIC_RELEASE);
    kernels->run_plan(plan, 0);
    for (int i = 1; i < threads; i++) join_thread(others[i]);
}
