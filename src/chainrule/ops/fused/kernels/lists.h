/* What Python must know of the entries of each list, in the order of their numbers. */
#ifndef CHAINRULE_LISTS_H
#define CHAINRULE_LISTS_H

#include "plan.h"

enum { LABELS = 0, LEVELS = -1 }; /* in place of a number: losses.def says what they mean */

typedef struct {
    const char *name;
    int parameters, outputs;
} LossEntry;

typedef struct {
    const char *name;
    int least, most; /* arrays of state */
} OptimizerEntry;

static const char *const ACTIVATION_NAMES[] = {
#define ACTIVATION(name, value, slope) #name,
#include "activations.def"
};

static const char *const STAGE_NAMES[] = {
#define STAGE(name) #name,
#include "stages.def"
};

static const LossEntry LOSS_ENTRIES[] = {
#define LOSS(name, parameters, outputs) {#name, parameters, outputs},
#include "losses.def"
};

static const OptimizerEntry OPTIMIZER_ENTRIES[] = {
#define OPTIMIZER(name, least, most, ...) {#name, least, most},
#include "optimizers.def"
};

#endif
