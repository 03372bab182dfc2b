"""Five small networks in plain NumPy, each in a style of its own, that share nothing with chainrule or each other.

Every one keeps its weights, runs forward, derives backward by hand, and updates by itself. None imports chainrule, and
it must stay so: what they compute is what the library is held against, step by step.
"""
