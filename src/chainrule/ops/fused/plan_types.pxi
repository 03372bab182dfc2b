"""What kernels/plan.h declares."""

cdef extern from "kernels/plan.h" nogil:
    enum:
        PLAN_THREADS
        PLAN_CHUNK
        STAGE_columns, STAGE_affine, STAGE_parametric, STAGE_prelu, STAGE_scale, STAGE_fork, STAGE_join
        STAGE_dropout, STAGE_gaussian_noise, STAGE_batch_norm, STAGE_layer_norm, STAGE_COUNT

    ctypedef struct Stage:
        int kind, activation, keeps_input, draw
        Size inputs, outputs
        double a, momentum, l1, l2
        double *penalty
        void *W
        void *b
        void *dW
        void *db
        void *y
        void *dy
        void *kept
        void *inverse
        void *mean
        void *variance
        double *running_mean
        double *running_variance
        const Part *parts
        int part_count
        Stage *partner

    ctypedef struct Run:
        Size start, stop
        double rate, decay

    ctypedef struct PlanStruct "Plan":
        Stage *stages
        int count, first_learning
        Size inputs, outputs
        const void *x
        const char *y
        Size y_bytes
        int soft
        const double *weight
        const cnp.int64_t *order
        const cnp.int64_t *mates
        const double *shares
        Size epoch_rows, batch, epoch_steps, first, steps
        int loss, average_penalty
        const double *parameters
        int optimizer
        void *vector
        void *gradient
        void *state1
        void *state2
        Size size
        Run *runs
        int run_count
        double clip_norm, clip_value
        const double *updates
        int coefficients
        void *mean
        const double *mean_weights
        const cnp.uint64_t *keys
        int draws
        int rank, ranks
        int (*exchange)(void *context, double *value) noexcept nogil
        void *context
        void *x_room
        char *y_room
        double *share
        double *row_value
        double *squares
        void *rooms[PLAN_THREADS]
        double *value
        void *z
        Size done
        cnp.int64_t *taken

    void chainrule_run_plan(const Kernels *kernels, PlanStruct *plan, int wanted)
