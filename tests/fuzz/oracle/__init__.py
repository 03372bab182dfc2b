"""Training in plain NumPy float64, written from the textbook's equations: what random trainings are held against.

Nothing here imports chainrule, and it must stay so. Layers, losses, optimizers and schedules have the names and the
arguments of the library's, so that one description builds both; everything else is its own.
"""
