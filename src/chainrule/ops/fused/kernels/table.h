/* The kernels of this REAL and this processor, by name. */
const Kernels TABLE(NAME(chainrule)) = {
    .activate = NAME(activate),
    .activate_backward = NAME(activate_backward),
    .prelu = NAME(prelu),
    .prelu_backward = NAME(prelu_backward),
    .update = NAME(update),
    .square_norm = NAME(square_norm),
    .standardize_rows = NAME(standardize_rows),
    .standardize_columns = NAME(standardize_columns),
    .standardize_rows_backward = NAME(standardize_rows_backward),
    .standardize_columns_backward = NAME(standardize_columns_backward),
    .scale = NAME(scale),
    .scale_backward = NAME(scale_backward),
    .dropout = NAME(dropout),
    .multiply = NAME(multiply),
};
