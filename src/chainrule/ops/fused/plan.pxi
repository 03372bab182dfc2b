"""A plan of training: what kernels/plan.h needs, gathered from arrays, and the call that carries it out."""

from libc.stdlib cimport calloc, free

#: The kinds of stages, numbered as in plan.h.
STAGES = ("affine", "activation", "dropout", "batch_norm", "layer_norm")
MOST_THREADS = PLAN_THREADS


cdef inline void *address_of(object array) noexcept:
    return NULL if array is None else data(array)


cdef class Plan:
    """The steps of a training as one compiled call.

    Parameters
    ----------
    stages : list of dicts, one a layer: kind, inputs, outputs, and what that kind needs of activation, keeps_input, a,
        momentum, l1, l2, W, b, dW, db, running_mean, running_variance
    vector, gradient : the model's flat arrays, of which W, b, dW, db are views
    x, y, weight : the data, contiguous, checked against the loss; weight float64 or None
    batch, epoch_rows : rows of a batch, rows of an epoch
    loss : (kind, parameters)
    optimizer : (kind, arrays of state, count of steps, clip_norm or 0, clip_value or 0)
    runs : list of (start, stop, rate factor, decay factor), in order, together the whole vector
    average_penalty : whether the penalties are divided by the sum of the batch's weights
    """

    cdef PlanStruct plan
    cdef const Kernels *kernels
    cdef list kept, passing  # the arrays that the plan points into: always, and in this call

    def __cinit__(self):
        self.plan.stages = NULL
        self.plan.runs = NULL

    def __dealloc__(self):
        free(self.plan.stages)
        free(self.plan.runs)

    def __init__(self, stages, vector, gradient, x, y, weight, batch, epoch_rows, loss, optimizer, runs, average_penalty):
        self.kept = []
        self.kernels = kernels_for(vector)
        cdef PlanStruct *p = &self.plan
        kind = vector.dtype
        p.inputs, p.outputs = stages[0]["inputs"], stages[-1]["outputs"]
        p.batch, p.epoch_rows = batch, epoch_rows
        p.epoch_steps = -(-epoch_rows // batch)
        p.x, p.y, p.y_bytes = self.address(x), <const char *> self.address(y), y.nbytes // len(y)
        p.weight = <const double *> self.address(weight)
        p.vector, p.gradient, p.size = self.address(vector), self.address(gradient), vector.size
        p.loss, p.parameters = loss[0], <const double *> self.address(np.array([*loss[1], 0.0]))
        p.average_penalty = bool(average_penalty)
        p.optimizer, states, step, p.clip_norm, p.clip_value = optimizer
        p.taken = <cnp.int64_t *> self.address(step)
        p.state1 = self.address(states[0]) if len(states) > 0 else NULL
        p.state2 = self.address(states[1]) if len(states) > 1 else NULL
        p.x_room, p.y_room = self.room((batch, p.inputs), kind), <char *> self.room(batch * p.y_bytes, np.uint8)
        p.share, p.row_value = <double *> self.room(batch, float), <double *> self.room(batch, float)
        p.squares = <double *> self.room(vector.size // 16384 + 1, float)
        self.set_stages(stages, kind)
        self.set_runs(runs)

    cdef void *address(self, array) except? NULL:
        """Where the array's numbers are; the array lives as long as the plan."""
        self.kept.append(array)
        return address_of(array)

    cdef void *room(self, shape, kind) except NULL:
        return self.address(np.zeros(shape, kind))

    cdef int set_stages(self, stages, kind) except -1:
        cdef PlanStruct *p = &self.plan
        cdef Stage *t
        p.stages = <Stage *> calloc(len(stages), sizeof(Stage))
        p.count, p.dropouts, p.first_learning = len(stages), 0, len(stages)
        for i, stage in enumerate(stages):
            t = &p.stages[i]
            t.kind, t.inputs, t.outputs = STAGES.index(stage["kind"]), stage["inputs"], stage["outputs"]
            t.activation, t.keeps_input, t.a = stage.get("activation", 0), stage.get("keeps_input", 0), stage.get("a", 0.0)
            t.momentum, t.l1, t.l2 = stage.get("momentum", 0.0), stage.get("l1", 0.0), stage.get("l2", 0.0)
            if t.l1 or t.l2:
                t.penalty = <double *> self.room(t.inputs, float)
            t.W, t.b = self.address(stage.get("W")), self.address(stage.get("b"))
            t.dW, t.db = self.address(stage.get("dW")), self.address(stage.get("db"))
            t.y, t.dy = self.room((p.batch, t.outputs), kind), self.room((p.batch, t.outputs), kind)
            if stage["kind"] != "activation" and (stage["kind"] != "affine" or t.keeps_input):
                t.kept = self.room((p.batch, t.outputs), kind)
            if stage["kind"].endswith("norm"):
                longest = max(p.batch, t.inputs)
                t.inverse, t.mean, t.variance = self.room(longest, kind), self.room(longest, kind), self.room(longest, kind)
                t.running_mean = <double *> self.address(stage.get("running_mean"))
                t.running_variance = <double *> self.address(stage.get("running_variance"))
            if stage["kind"] == "dropout":
                t.dropout = p.dropouts
                p.dropouts += 1
            if t.W != NULL and p.first_learning > i:
                p.first_learning = i
        return 0

    cdef int set_runs(self, runs) except -1:
        self.plan.runs = <Run *> calloc(len(runs), sizeof(Run))
        self.plan.run_count = len(runs)
        for i, (start, stop, rate, decay) in enumerate(runs):
            self.plan.runs[i].start, self.plan.runs[i].stop = start, stop
            self.plan.runs[i].rate, self.plan.runs[i].decay = rate, decay
        return 0

    @property
    def dropouts(self):
        """How many keys a step needs."""
        return self.plan.dropouts

    @property
    def outputs(self):
        """How wide the last stage's output is."""
        return self.plan.outputs

    def begin(self, order, first, updates, keys, value, z):
        """Set what the next call does: ``len(updates)`` steps from step ``first`` of the order on."""
        cdef PlanStruct *p = &self.plan
        self.passing = [order, updates, keys, value, z]
        p.order = <const cnp.int64_t *> address_of(order)
        p.first, p.steps, p.done = first, len(updates), 0
        p.updates = <const double (*)[8]> address_of(updates)
        p.keys = <const cnp.uint64_t *> address_of(keys)
        p.value = <double *> address_of(value)
        p.z = address_of(z)

    def run(self, int threads):
        """Take the steps on so many threads, on fewer where the system gives no more; their number changes no bit.

        Returns how many steps were taken, by which ``optimizer.state["step"]`` has risen, too.
        """
        cdef int i
        threads = max(1, min(threads, PLAN_THREADS))
        for i in range(threads):
            if self.plan.rooms[i] == NULL:
                self.plan.rooms[i] = self.room(self.kernels.product_room, np.uint8)
        with nogil:
            chainrule_run_plan(self.kernels, &self.plan, threads)
        return self.plan.done
