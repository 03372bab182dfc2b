/* The kernels of this REAL and this processor, by name. */
const Kernels TABLE(NAME(chainrule)) = {
#define KERNEL(result, name, parameters) .name = NAME(name),
#include "kernels.def"
    .run_plan = NAME(chainrule_run_plan),
    .product_room = PRODUCT_ROOM * sizeof(REAL),
    .panel = PANEL,
};
