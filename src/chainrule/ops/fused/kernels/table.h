/* The kernels of this REAL and this processor, by name. */
const Kernels TABLE(NAME(chainrule)) = {
    .activate = NAME(activate),
    .activate_backward = NAME(activate_backward),
    .update = NAME(update),
    .square_norm = NAME(square_norm),
};
