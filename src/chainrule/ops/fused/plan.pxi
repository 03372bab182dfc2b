"""A plan of training: what kernels/plan.h needs, gathered from arrays, and the call that carries it out."""

cdef extern from "kernels/lists.h":
    const char *const STAGE_NAMES[]

cdef dict STAGES = {STAGE_NAMES[i].decode(): i for i in range(STAGE_COUNT)}
MOST_THREADS = PLAN_THREADS


cdef int exchanged(void *plan, double *value) noexcept with gil:
    return (<Plan> plan).add_up(value)


cdef class Plan:
    """The steps of a training as one compiled call.

    Parameters
    ----------
    stages : list of training.stages.Stage, one a layer; what a kind does not use is 0 or None
    vector, gradient : the model's flat arrays, of which W, b, dW, db are views
    x, y, weight : the data, checked against the loss, copied if scattered; weight float64 or None
    batch, epoch_rows : rows of a batch, rows of an epoch
    loss : (kind, parameters)
    optimizer : (kind, arrays of state, count of steps, clip_norm or 0, clip_value or 0)
    runs : list of (start, stop, rate factor, decay factor), in order, together the whole vector
    average_penalty : whether the penalties are divided by the sum of the batch's weights
    bfloat16 : whether operands of products are rounded to it

    Raises
    ------
    ValueError
        If C could not read an array, or write to it, as it is to.
    """

    cdef PlanStruct plan
    cdef const Kernels *kernels
    cdef int type  # of the model's numbers, as NumPy counts types
    cdef Size rows  # of the data
    cdef bint running
    cdef Size waves  # numbers of room for each thread
    cdef list rooms, kept, passing  # arrays of the plan's own; those of others that it points into, always and in this call
    cdef object communicator, gradient, error  # of the ranks; what failed in the exchange between them

    def __cinit__(self):
        self.plan.stages = NULL
        self.plan.runs = NULL

    def __dealloc__(self):
        free(self.plan.stages)
        free(self.plan.runs)

    def __init__(self, stages, vector, gradient, x, y, weight, batch, epoch_rows, loss, optimizer, runs, average_penalty, bfloat16=False):
        self.rooms, self.kept, self.passing = [], [], []
        self.gradient = gradient
        self.kernels = kernels_for(vector)
        if bfloat16:
            self.kernels = BFLOAT16 if self.kernels == SINGLE else NULL
        if self.kernels == NULL or not stages or not 0 < epoch_rows <= len(x) or batch < 1:
            raise ValueError(sentence("fit", "a network and rows to train it on", f"{len(x)} rows, {described(vector)}"))
        self.type, self.rows = dtype(vector), len(x)
        self.set_data(x, y, weight, stages[0].inputs, stages[-1].outputs, loss)
        cdef PlanStruct *p = &self.plan
        p.batch, p.epoch_rows = batch, epoch_rows
        p.epoch_steps = -(-epoch_rows // batch)
        p.average_penalty = bool(average_penalty)
        p.x_room, p.y_room = self.room((batch, p.inputs)), <char *> self.room(batch * p.y_bytes, np.uint8)
        p.share, p.row_value = <double *> self.room(batch, float), <double *> self.room(batch, float)
        self.set_optimizer(vector, gradient, optimizer, runs)
        self.set_stages(stages)

    cdef void *address(self, str what, array, int type, tuple shape, bint written=False) except NULL:
        """Where the array's numbers are, which C may read, or also write; the array lives as long as the plan."""
        cdef Held held = hold(what, array, type, shape, written)
        self.kept.append(held)
        return held.at

    cdef void *passed(self, str what, array, int type, tuple shape, bint written=False) except NULL:
        """The same until the next call."""
        cdef Held held = hold(what, array, type, shape, written)
        self.passing.append(held)
        return held.at

    cdef void *room(self, shape, dtype=None) except NULL:
        """Zeros for C to work in, by default of the model's dtype."""
        array = np.zeros(shape, self.type_of_numbers() if dtype is None else dtype)
        self.rooms.append(array)
        return data(array)

    cdef object type_of_numbers(self):
        return np.float32 if self.type == cnp.NPY_FLOAT32 else np.float64

    cdef int set_data(self, x, y, weight, Size inputs, Size outputs, loss) except -1:
        cdef PlanStruct *p = &self.plan
        cdef double *parameters = <double *> self.room(MOST_PARAMETERS, float)
        x, y, weight = [None if array is None else np.require(array, requirements="CA") for array in (x, y, weight)]
        kind, numbers = loss
        if not 0 <= kind < LOSS_COUNT or not read_parameters(kind, tuple(numbers), parameters):
            raise ValueError(sentence("fit", "a loss with the parameters of its kernel", repr(loss)))
        p.loss, p.parameters, p.inputs, p.outputs = kind, parameters, inputs, outputs
        p.x = self.address("x", x.reshape(self.rows, -1), self.type, (self.rows, inputs))
        cdef Size each = outputs_of_a_target(kind, p.parameters)
        p.soft = each != LABELS and y.ndim == 1
        if p.soft or each == LABELS:
            p.y = <const char *> self.address("y", y, cnp.NPY_INTP, (self.rows,))
            if not all_between(<Size *> p.y, self.rows, 0, outputs - 1):
                raise ValueError(sentence("fit", f"labels y from 0 to {outputs - 1}", f"{y.min()} to {y.max()}"))
        else:
            p.y = <const char *> self.address("y", y, self.type, (self.rows, outputs // each))
            if outputs % each:
                raise ValueError(sentence("fit", f"{each} outputs for each number of y", f"{outputs} outputs"))
        p.y_bytes = cnp.PyArray_NBYTES(<cnp.ndarray> y) // self.rows
        if p.soft:
            p.y_bytes = outputs * cnp.PyArray_ITEMSIZE(<cnp.ndarray> x)
        if weight is not None:
            p.weight = <const double *> self.address("weight", weight, cnp.NPY_FLOAT64, (self.rows,))
        return 0

    cdef int set_optimizer(self, vector, gradient, optimizer, runs) except -1:
        cdef PlanStruct *p = &self.plan
        kind, states, step, clip_norm, clip_value = optimizer
        shape = (size(vector),)
        p.size, p.optimizer, p.clip_norm, p.clip_value = shape[0], kind, clip_norm, clip_value
        p.vector = self.address("model.parameters.vector", vector, self.type, shape, True)
        p.gradient = self.address("model.gradients.vector", gradient, self.type, shape, True)
        check_update(kind, vector, gradient, list(states), list(runs))
        if len(states) > 0:
            p.state1 = self.address("each array of optimizer.state", states[0], self.type, shape, True)
        if len(states) > 1:
            p.state2 = self.address("each array of optimizer.state", states[1], self.type, shape, True)
        p.taken = <cnp.int64_t *> self.address("optimizer.state['step']", step, cnp.NPY_INT64, (), True)
        p.squares = <double *> self.room(p.size // PLAN_CHUNK + 1, float)
        p.run_count = len(runs)
        p.runs = <Run *> calloc(max(1, p.run_count), sizeof(Run))
        if p.runs == NULL:
            raise MemoryError
        for i, (start, stop, rate, decay) in enumerate(runs):
            p.runs[i].start, p.runs[i].stop, p.runs[i].rate, p.runs[i].decay = start, stop, rate, decay
        return 0

    cdef int set_stages(self, stages) except -1:
        cdef PlanStruct *p = &self.plan
        cdef Stage *t
        cdef Stage *fork = NULL  # the last one whose join is still to come; its partner is the one before it
        cdef Size width = p.inputs
        cdef bint matched = True
        p.stages = <Stage *> calloc(len(stages), sizeof(Stage))
        if p.stages == NULL:
            raise MemoryError
        p.count, p.first_learning = len(stages), len(stages)
        for i, stage in enumerate(stages):
            if stage.kind not in STAGES:
                raise ValueError(sentence("fit", "a layer that has a kernel", repr(stage.kind)))
            if not 0 <= stage.activation < ACTIVATION_COUNT:
                raise ValueError(sentence("fit", "an activation that has a kernel", repr(stage.activation)))
            t = &p.stages[i]
            t.kind, t.inputs, t.outputs = STAGES[stage.kind], stage.inputs, stage.outputs
            keeps = t.kind != STAGE_affine and t.kind != STAGE_columns
            if t.inputs != width or t.outputs < 1 or (keeps and t.outputs != width):
                raise ValueError(sentence("fit", f"a layer of {width} inputs", f"{stage.kind} of {t.inputs}"))
            width = t.outputs
            self.set_stage(t, stage)
            if (t.W != NULL or t.kind == STAGE_columns) and p.first_learning > i:
                p.first_learning = i
            if t.kind == STAGE_fork:
                t.partner, fork = fork, t
            elif t.kind == STAGE_join:
                matched = matched and fork != NULL and fork.outputs == width
                if matched:
                    t.partner, fork.partner, fork = fork, t, fork.partner
        if not matched or fork != NULL:
            raise ValueError(sentence("fit", "residuals that keep their width", "others"))
        return 0

    cdef int set_stage(self, Stage *t, stage) except -1:
        cdef PlanStruct *p = &self.plan
        cdef bint norm = t.kind == STAGE_batch_norm or t.kind == STAGE_layer_norm
        cdef bint draws = t.kind == STAGE_dropout or t.kind == STAGE_gaussian_noise
        t.activation, t.keeps_input, t.a = stage.activation, stage.keeps_input, stage.a
        t.momentum, t.l1, t.l2 = stage.momentum, stage.l1, stage.l2
        if t.l1 or t.l2:
            t.penalty = <double *> self.room(t.inputs, float)
        cdef Stage *before = NULL if t == p.stages else t - 1
        # What a stage would only copy stays where it is.
        t.y = before.y if t.kind == STAGE_fork and before != NULL else self.room((p.batch, t.outputs))
        t.dy = before.dy if t.kind == STAGE_gaussian_noise and before != NULL else self.room((p.batch, t.outputs))
        if norm or t.kind in (STAGE_parametric, STAGE_prelu, STAGE_dropout) or t.kind == STAGE_affine and t.keeps_input:
            t.kept = self.room((p.batch, t.outputs))
        if t.kind == STAGE_columns:
            self.set_parts(t, stage.parts)
        elif t.kind == STAGE_affine:
            self.learn("W", stage.W, (t.inputs, t.outputs), &t.W, &t.dW)
        elif norm or t.kind in (STAGE_parametric, STAGE_prelu, STAGE_scale):
            self.learn("vector", stage.W, (t.outputs,), &t.W, &t.dW)
        if norm or stage.b is not None:
            self.learn("bias", stage.b, (t.outputs,), &t.b, &t.db)
        if norm:
            longest = max(p.batch, t.inputs)
            t.inverse, t.mean, t.variance = self.room(longest), self.room(longest), self.room(longest)
        if t.kind == STAGE_batch_norm:
            shape = (t.outputs,)
            mean, variance = stage.running_mean, stage.running_variance
            t.running_mean = <double *> self.address("running_mean", mean, cnp.NPY_FLOAT64, shape, True)
            t.running_variance = <double *> self.address("running_variance", variance, cnp.NPY_FLOAT64, shape, True)
        if draws:
            t.draw = p.draws
            p.draws += 1
        return 0

    cdef int learn(self, str name, values, tuple shape, void **at, void **gradient_at) except -1:
        """A parameter of a layer, which is a part of the model's vector; its gradient is the same part of the other."""
        cdef PlanStruct *p = &self.plan
        at[0] = self.address(f"a layer's {name}", values, self.type, shape)
        gradient_at[0] = self.gradient_of(f"a layer's {name}", at[0], size(values))
        return 0

    cdef void *gradient_of(self, str what, void *at, Size count) except NULL:
        """Where the gradient of a parameter lies."""
        cdef PlanStruct *p = &self.plan
        cdef Size width = 4 if self.type == cnp.NPY_FLOAT32 else 8
        cdef Size offset = <char *> at - <char *> p.vector
        if not 0 <= offset <= (p.size - count) * width or offset % width:
            remedy = "assign numbers to the arrays that are there, not other arrays or other model.parameters"
            raise ValueError(sentence("fit", f"{what} to be part of model.parameters", "another array", remedy))
        return <char *> p.gradient + offset

    cdef int set_parts(self, Stage *t, list given) except -1:
        """What the first stage makes of each part of the columns."""
        cdef Parts parts = Parts(given, self.type_of_numbers())
        cdef Part *part
        if (parts.inputs, parts.outputs) != (t.inputs, t.outputs) or t != self.plan.stages:
            raise ValueError(sentence("fit", f"columns of x in front: {t.inputs}", f"parts of {parts.inputs}"))
        for i in range(parts.count):
            part = &parts.parts[i]
            for k in range(part.learned):
                part.gradients[k] = self.gradient_of("a layer's array", part.arrays[k], part.owners * part.each[k])
        t.parts, t.part_count, self.waves = parts.parts, parts.count, 2 * self.plan.batch * parts.frequencies
        self.rooms.append(parts)  # which it lives in
        self.kept += parts.held
        return 0

    @property
    def draws(self):
        """How many keys a step needs."""
        return self.plan.draws

    @property
    def outputs(self):
        """How wide the last stage's output is."""
        return self.plan.outputs

    @cython.binding(False)
    def begin(self, order, Size first, updates, keys, value, z, mixtures=None):
        """Set what the next call does: ``len(updates)`` steps from step ``first`` of the order on.

        ``mixtures`` are (for each step, the share of a row; for each row of each step, the row that is mixed into it).
        """
        cdef PlanStruct *p = &self.plan
        cdef Size steps = len(updates)
        if self.running or first < 0:
            raise ValueError(sentence("fit", "one training at a time", "a second one", "make another Trainer"))
        self.passing = []
        p.order, p.keys, p.z, p.mates, p.mean = NULL, NULL, NULL, NULL, NULL
        p.first, p.steps, p.done = first, steps, 0
        p.coefficients = np.shape(updates)[-1] - 2
        if not 0 <= p.coefficients <= COEFFICIENTS:
            raise ValueError(sentence("fit", f"at most {COEFFICIENTS} coefficients", f"{p.coefficients}"))
        p.updates = <const double *> self.passed("updates", updates, cnp.NPY_FLOAT64, (steps, 2 + p.coefficients))
        p.value = <double *> self.passed("losses", value, cnp.NPY_FLOAT64, (steps,), True)
        cdef Size begin = self.row_of(first), end = max(begin, self.row_of(first + steps - 1) + p.batch)
        if order is not None:
            p.order = <const cnp.int64_t *> self.passed("the order of rows", order, cnp.NPY_INT64, (len(order),))
            end = min(end, (first + steps - 1) // p.epoch_steps * p.epoch_rows + p.epoch_rows)
            self.check_rows(p.order, begin, end, size(order))
        if mixtures is not None:
            shares, mates = mixtures
            p.shares = <const double *> self.passed("shares", shares, cnp.NPY_FLOAT64, (steps,))
            p.mates = <const cnp.int64_t *> self.passed("the rows to mix", mates, cnp.NPY_INT64, (steps, p.batch))
            self.check_rows(p.mates, 0, size(mates), size(mates))
        if p.draws:
            p.keys = <const cnp.uint64_t *> self.passed("keys", keys, cnp.NPY_UINT64, (steps, p.draws))
        if z is not None:
            p.z = self.passed("outputs", z, self.type, (p.epoch_rows, p.outputs), True)
            if first + steps > p.epoch_steps:
                raise ValueError(sentence("fit", "the outputs of one epoch", "those of several"))

    @cython.binding(False)
    def average(self, mean, weights):
        """Let the next call update a running mean of the parameters after each step, by these weights."""
        cdef PlanStruct *p = &self.plan
        p.mean_weights = <const double *> self.passed("weights", weights, cnp.NPY_FLOAT64, (p.steps,))
        p.mean = self.passed("the average of the weights", mean, self.type, (p.size,), True)

    @cython.binding(False)
    def share(self, communicator):
        """Let each rank of the communicator take its own rows of every batch."""
        cdef PlanStruct *p = &self.plan
        self.communicator, p.rank, p.ranks = communicator, communicator.rank, communicator.size
        p.exchange, p.context = exchanged, <void *> self

    cdef int add_up(self, double *value):
        """Sum the gradient and the loss over the ranks; 0 if that failed."""
        try:
            loss = np.array([value[0]])
            self.communicator.allreduce(self.gradient, loss)
            value[0] = loss[0]
            return 1
        except BaseException as error:  # C cannot pass it on; run() raises it
            self.error = error
            return 0

    cdef int check_rows(self, const cnp.int64_t *rows, Size begin, Size end, Size count) except -1:
        cdef Size i
        for i in range(begin, end):
            if i >= count or not 0 <= rows[i] < self.rows:
                raise ValueError(sentence("fit", f"an order of rows from 0 to {self.rows - 1}", f"others at {i}"))
        return 0

    cdef Size row_of(self, Size step):
        """Where in the order a step's batch begins."""
        return step // self.plan.epoch_steps * self.plan.epoch_rows + step % self.plan.epoch_steps * self.plan.batch

    @cython.binding(False)
    def run(self, int threads):
        """Take the steps on so many threads, on fewer where the system gives no more.

        Returns how many steps were taken, by which ``optimizer.state["step"]`` has risen, too.
        """
        cdef int i
        cdef Held held
        threads = max(1, min(threads, PLAN_THREADS))
        for i in range(threads):
            if self.plan.rooms[i] == NULL:
                self.plan.rooms[i] = self.room(self.kernels.product_room + 8 * self.waves, np.uint8)
        if self.running or not self.passing:
            raise ValueError(sentence("fit", "one training at a time", "a second one", "make another Trainer"))
        for held in self.kept + self.passing:
            held.check()
        self.running = True
        with nogil:
            chainrule_run_plan(self.kernels, &self.plan, threads)
        self.running, self.passing = False, []
        error, self.error = self.error, None
        if error is not None:
            raise error
        return self.plan.done
