"""Explanations: one sample followed through the model, forward and backward, and what each column contributed."""
