/* The kernels of this REAL and this processor, by name. */
static void NAME(contiguous_product)(Size rows, Size columns, Size inner, const void *a, Size a_row, Size a_inner,
                                     const void *b, Size b_inner, Size b_column, const void *bias, void *c,
                                     void *room) {
    NAME(product)(rows, columns, inner, (NAME(Operand)){a, a_row, a_inner}, (NAME(Operand)){b, b_column, b_inner},
                  bias, c, columns, room, NULL, NULL);
}

const Kernels TABLE(NAME(chainrule)) = {
    .activate = NAME(activate),
    .activate_backward = NAME(activate_backward),
    .prelu = NAME(prelu),
    .prelu_backward = NAME(prelu_backward),
    .update = NAME(update),
    .square_norm = NAME(square_norm),
    .loss = NAME(loss),
    .softmax = NAME(softmax),
    .softmax_backward = NAME(softmax_backward),
    .log_softmax = NAME(log_softmax),
    .log_softmax_backward = NAME(log_softmax_backward),
    .standardize_rows = NAME(standardize_rows),
    .standardize_columns = NAME(standardize_columns),
    .standardize_rows_backward = NAME(standardize_rows_backward),
    .standardize_columns_backward = NAME(standardize_columns_backward),
    .scale = NAME(scale),
    .scale_backward = NAME(scale_backward),
    .dropout = NAME(dropout),
    .multiply = NAME(multiply),
    .product = NAME(contiguous_product),
    .sum_rows = NAME(sum_rows),
    .run_plan = NAME(run_plan),
    .product_room = DEPTH * PANEL * sizeof(REAL),
    .affine_few = NAME(affine_few),
};
