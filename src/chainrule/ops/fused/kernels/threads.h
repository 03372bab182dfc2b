/* What systems differ in about threads: to start one, to join it, and to let others run. */
#ifndef CHAINRULE_THREADS_H
#define CHAINRULE_THREADS_H

#if defined(__x86_64__)
#define cpu_relax() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define cpu_relax() __asm__ volatile("isb") /* a pause of about as long; "yield" does nothing on most processors */
#else
#define cpu_relax() ((void)0)
#endif

#define STACK_BYTES (1 << 20) /* of a thread; the kernels need some kilobytes */

#ifdef _WIN32
#include <windows.h>

typedef HANDLE Thread;
#define THREAD_RESULT DWORD WINAPI
#define yield_cpu() SwitchToThread()

/* Whether the thread could be started. */
static inline int start_thread(Thread *thread, DWORD(WINAPI *work)(void *), void *argument) {
    return (*thread = CreateThread(NULL, STACK_BYTES, work, argument, 0, NULL)) != NULL;
}

static inline void join_thread(Thread thread) {
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
}
#else
#include <pthread.h>
#include <sched.h>
#include <signal.h>

typedef pthread_t Thread;
#define THREAD_RESULT void *
#define yield_cpu() sched_yield()

/* Whether the thread could be started. Signals go to the threads that were there before, but for those that it raises
 * itself, by a fault. */
static inline int start_thread(Thread *thread, void *(*work)(void *), void *argument) {
    const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    sigset_t blocked, before;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return 0;
    pthread_attr_setstacksize(&attributes, STACK_BYTES); /* else it has the default, which is no error */
    sigfillset(&blocked);
    for (unsigned i = 0; i < sizeof own / sizeof *own; i++) sigdelset(&blocked, own[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before); /* a thread begins with the mask of the one that starts it */
    const int started = pthread_create(thread, &attributes, work, argument) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

static inline void join_thread(Thread thread) {
    pthread_join(thread, NULL);
}
#endif

#endif
