"""The training loop, its two engines, its state and what watches it."""
