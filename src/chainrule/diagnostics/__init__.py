"""Diagnostics: whether a network can learn, and at which learning rate."""
