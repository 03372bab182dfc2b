"""Small networks to train, and what callbacks do at the end of an epoch."""

from __future__ import annotations

import numpy as np

import chainrule as cr


def net(outputs=2, **arguments):
    return cr.MLP([3, 8, outputs], **(dict(rng=0) | arguments))


def regression(model=None, optimizer=None, **arguments):
    return cr.Trainer(model or net(), "squared_error", optimizer or cr.SGD(0.01), **arguments)


def fit(*callbacks, epochs=4, verbose=0, **arguments):
    """A line, learned from six rows in three batches an epoch."""
    x = np.arange(6.0)[:, None]
    trainer = cr.Trainer(cr.MLP([1, 1], rng=0), "squared_error", cr.SGD(1e-3), batch_size=2, callbacks=callbacks)
    return trainer.fit(x, 2 * x, epochs=epochs, verbose=verbose, **arguments)


class At(cr.Callback):
    """Does something at the end of one epoch."""

    def __init__(self, epoch, action):
        self.epoch, self.action = epoch, action

    def on_epoch_end(self, trainer, row):
        if trainer.epoch == self.epoch:
            self.action(trainer, row)


def stop(trainer, row):
    trainer.stop = True


def interrupt(trainer, row):
    raise KeyboardInterrupt


def fail(trainer, row):
    raise RuntimeError("the callback's own trouble")
