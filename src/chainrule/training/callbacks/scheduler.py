"""Settings of layers that change while a model is trained."""

from __future__ import annotations

from typing import Any

from ..._support.checks import check_name, sentence
from ...layers.base import Layer, all_within, arguments_of
from ...schedules import Schedule
from .base import Callback, Training


class LayerScheduler(Callback):
    """Lets a setting of the model's layers, such as the rate of dropout, follow a schedule.

        value = schedule(epoch − 1, epochs)          before each epoch, which counts from 1

    It changes once an epoch, so that compiled kernels may take all steps of one at once; a schedule that speaks of
    steps counts epochs here. Each fit begins at epoch 1, and the layers keep the value of its last epoch.

    Parameters
    ----------
    layer : class of the layers, such as ``cr.Dropout``; those inside others, and activations, are among them
    name : the attribute that is set: "rate", "sigma", "l2", ...
    schedule : callable ``(step, total_steps) -> value``, as in :mod:`chainrule.schedules`

    Raises
    ------
    ValueError when training begins, if the model has no such layer; and what the layer raises for a value that it
    cannot have.

    Examples
    --------
    >>> import chainrule as cr
    >>> model = cr.MLP([1, 8, 1], dropout=0.2, rng=0)
    >>> fading = cr.callbacks.LayerScheduler(cr.Dropout, "rate", cr.schedules.FlatCos(0.2))
    >>> trainer = cr.Trainer(model, "squared_error", callbacks=[fading])
    >>> history = trainer.fit([[0.0], [1.0]], [[1.0], [3.0]], epochs=4, verbose=0)
    >>> round(model.layers[1].rate, 3)  # half of the first rate, three quarters of the way
    0.1
    """

    def __init__(self, layer: type[Layer], name: str, schedule: Schedule) -> None:
        who = "LayerScheduler"
        if not (isinstance(layer, type) and issubclass(layer, Layer)):
            raise TypeError(sentence(who, "the class of layers", repr(layer), "for instance cr.Dropout"))
        settings = [one for one in arguments_of(layer) if one not in layer._made_with]
        if not callable(schedule) or isinstance(schedule, type) or hasattr(schedule, "observe"):
            remedy = "for instance cr.schedules.FlatCos(0.2)"
            raise TypeError(sentence(who, "a schedule that is a function of the step", repr(schedule), remedy))
        self.layer, self.name, self.schedule = layer, check_name(who, "a setting", name, settings), schedule

    def _layers(self, trainer: Training) -> list[Any]:
        return [layer for layer in all_within(trainer.model.layers) if isinstance(layer, self.layer)]

    def on_train_begin(self, trainer: Training) -> None:
        if not self._layers(trainer):
            raise ValueError(
                sentence("LayerScheduler", f"a model with {self.layer.__name__} layers", "none in this one")
            )

    def on_epoch_begin(self, trainer: Training) -> None:
        value = self.schedule(trainer.epoch - 1, trainer.epochs)
        for layer in self._layers(trainer):
            if getattr(layer, self.name) != value:  # the same number in another object would count as a change
                setattr(layer, self.name, value)
