"""What the documentation of both table estimators says."""

PARAMETERS = """
columns : mapping of column to kind, optional
    Overrides, such as ``{"zip": "category", "id": "drop"}``. The kinds are number, category, flag, date, text and drop.
preset : {"fast", "default", "best"}
    How much is trained: two networks for 48 epochs, four for 64, or sixteen for 96, in eight folds unless ``fit`` gets
    ``X_val``. Fewer than about 2,000 rows have more epochs.
n_ensemble : int, optional
    Number of networks, the members, whose outputs are averaged; of each fold, if there are folds. By default, the
    preset's networks are shared out among the folds. Every other one sees its numbers in bins.
n_folds : int, optional
    Number of folds: each member then trains on the rows outside its fold, and the rows of the fold find its best epoch.
    1 sets a share of the rows aside for each member.
validation_fraction : float in [0, 1), optional
    Share of the rows, stratified by class, that a member sets aside to find its best epoch, each member other rows, in
    place of a preset's folds. By default 0.1, but 100 to 2,500 rows (0.2 of fewer than 500); 0 keeps the last epoch.
early_stopping : bool
    Whether to stop at the end of a cycle of the learning rate, after 7, 20 or 47 % of the epochs, that brought no
    improvement.
max_epochs : int, optional
    Number of planned epochs of each member, in place of the preset's.
time_limit : float or None
    Maximum time in seconds. The number of epochs, and so the fall of the learning rate, is planned for it.
plan : mapping, optional
    ``plan_`` of an earlier fit, which replaces ``preset``, ``n_ensemble``, ``n_folds``, ``max_epochs``, ``time_limit``
    and ``random_state``: the same data then give the same bits.
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
    The network, or the average of its members. Its outputs are logits, or standardised numbers.
plan_ : dict
    The plan of the training: ``epochs``, ``n_ensemble``, ``n_folds``, ``batch_size`` and ``seed``; and if time ran out,
    ``shortened``: a member, the steps it had taken, and from then on its steps in all.
best_epoch_, n_epochs_ : int
    The epoch whose weights are kept, and the number of epochs trained or begun, of the first member.
history_ : :class:`~chainrule.callbacks.History`
    The training loss of each epoch of the first member, and the validation metric of those near a zero of the learning
    rate, which alone can be the best.
members_ : list of dict
    Of each member: ``fold`` (the number of its validation rows), ``best_epoch``, ``n_epochs``, ``error`` (the
    validation metric) and ``temperature`` (by which calibration divides its logits).
validation_error_ : float or None
    The validation metric, lower is better: of members with the same validation rows together, over all such rows. None
    without validation rows.
oof_predictions_ : array
    With folds, the prediction for each row by the members that were not trained on it: probabilities or numbers. NaN
    for rows of weight 0, or of a fold that Ctrl-C left untrained. Files do not hold it.
n_features_in_, feature_names_in_, n_outputs_ : int, array of str, int
    As in scikit-learn.
"""

NOTES = """
Prediction finds the columns by name, in any order, and ignores others. Missing and unseen values are safe. The columns
of a matrix are named x0, x1, ...; in a matrix of numbers, all of them are numbers. A row, a dict of its cells or a
tuple or list of them in the order of training, counts as a table of one row. Files may be larger than memory: over
1 GB, a random sample of their rows fits the encoder, and all rows are encoded once into a temporary file.
"""

REFERENCES = """
Holzmüller, Grinsztajn and Steinwart, Better by Default (2024), arXiv:2407.04491.
"""

OF_TABLES = {"Parameters": PARAMETERS, "Attributes": ATTRIBUTES, "Notes": NOTES, "References": REFERENCES}
