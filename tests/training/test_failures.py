"""A training that can no longer go on says so at once, ends its callbacks, and leaves no silent infinity."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from training.small import net, regression


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "make", [net, lambda **a: cr.Sequential([cr.Linear(3, 8), cr.BatchNorm(8), cr.Linear(8, 2)], **a)]
)
def test_a_loss_that_is_no_longer_finite_is_reported_in_one_sentence(numbers, make, dtype):
    """And in nothing else: the overflows on the way there warn nobody."""
    says = (
        r"fit expects finite numbers, got a loss of (inf|nan) in epoch \d+, step 1, at learning rate 1e\+30: .*"
        r"(overflows|is (inf|nan)) for row \d+.*lower the learning rate\. The model has its weights of step \d+ again"
    )
    trainer = regression(make(rng=0, dtype=dtype), cr.SGD(1e30), batch_size=None)
    with pytest.raises(cr.DivergenceError, match=says):
        trainer.fit(*numbers, epochs=50, verbose=0)


def test_divergence_is_a_value_error_and_ends_the_callbacks(numbers):
    ended = []

    class Ended(cr.Callback):
        def on_train_end(self, trainer):
            ended.append(trainer.epoch)

    def loss(z, y, weight=None):
        return float("nan"), np.zeros_like(z)

    with pytest.raises(
        ValueError, match=r"got a loss of nan in epoch 1, step 1, at .*: the loss, loss, is nan for row"
    ):
        cr.Trainer(net(), loss, callbacks=[Ended()]).fit(*numbers, verbose=0)
    assert ended == [1]


def test_outputs_that_overflow_have_no_score(numbers):
    model = net(rng=0)
    model.parameters.vector[:] = 1e38
    with pytest.raises(cr.DivergenceError, match=r"expects a finite loss on these data, got (inf|nan): the outputs"):
        regression(model).evaluate(*numbers)


def test_a_loss_gives_its_gradient_too(numbers):
    with pytest.raises(TypeError, match=r"to return \(value, dz\), got float"):
        cr.Trainer(net(), lambda z, y, weight: 1.0).fit(*numbers, verbose=0)


def test_a_last_step_into_infinity_is_not_silent(numbers):
    trainer = regression(net(rng=0), cr.SGD(1e40), batch_size=None)
    with pytest.raises(cr.DivergenceError, match="got parameters that are not finite in epoch 1, step 1, at"):
        trainer.fit(*numbers, epochs=1, verbose=0)


def test_every_callback_that_began_is_ended(numbers):
    seen = []

    class Watch(cr.Callback):
        def __init__(self, fails=False):
            self.fails = fails

        def on_train_begin(self, trainer):
            seen.append("begin")
            if self.fails:
                raise OSError("no disk")

        def on_train_end(self, trainer):
            seen.append("end")

    with pytest.raises(OSError, match="no disk"):
        regression(net(), callbacks=[Watch(), Watch(fails=True)]).fit(*numbers, verbose=0)
    assert seen == ["begin", "begin", "end", "end"]
