"""The docstring sections that the estimators for tables share."""

PARAMETERS = """
columns : mapping of column to kind, optional
    Overrides, such as ``{"zip": "category", "id": "drop"}``. The kinds are number, category, flag, date, text and drop.
validation_fraction : float in [0, 1)
    Share of the rows, stratified by class, that is set aside to find the best epoch, unless ``fit`` gets ``X_val``; 0
    keeps the last epoch.
early_stopping : bool
    Whether to stop once the epoch exceeds 3b + 40, where b is the last epoch that improved the metric.
max_epochs : int
    Number of planned epochs.
time_limit : float or None
    Maximum time in seconds. The number of epochs and the fall of the learning rate are fitted to it.
random_state : int, RandomState or None
    Seed. The same integer gives the same network, bit for bit, unless there is a time limit.
verbose : bool
    Whether to print progress and the time left.
"""

ATTRIBUTES = """
column_kinds_ : Kinds
    The kind of each column and the reason for it; prints as a table.
encoder_ : TableEncoder
    The encoding of the columns as inputs of the network.
model_ : :class:`~chainrule.Sequential`
    The network. Its outputs are logits, or standardised numbers.
best_epoch_, n_epochs_ : int
    The epoch whose weights are kept, and the number of epochs trained.
history_ : :class:`~chainrule.callbacks.History`
    The training loss and the validation metric of each epoch.
n_features_in_, feature_names_in_, n_outputs_ : int, array of str, int
    As in scikit-learn.
"""

NOTES = """
Prediction finds the columns by name, in any order, and ignores others. Missing and unseen values are safe. The columns
of a matrix are named x0, x1, ...; in a matrix of numbers, all of them are numbers.
"""

REFERENCES = """
Holzmüller, Grinsztajn and Steinwart, Better by Default (2024), arXiv:2407.04491.
"""

OF_TABLES = {"Parameters": PARAMETERS, "Attributes": ATTRIBUTES, "Notes": NOTES, "References": REFERENCES}
