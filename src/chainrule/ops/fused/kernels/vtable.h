/* The kernels of this REAL and this processor, by name. */
const Kernels TABLE(NAME(chainrule)) = {
#define KERNEL(result, name, parameters) .name = NAME(name),
#include "kernels.def"
    .bytes = sizeof(REAL),
    .product_room = PRODUCT_ROOM * sizeof(REAL),
    .panel = PANEL,
};
