"""Threads, processors and signals, and the configuration of this installation."""
