"""Schedules: the learning rate as a function of the step, counted from 0, and of all steps that are planned."""

from __future__ import annotations

import math


def half_cosine(start, end, s):
    """From ``start`` at s = 0 to ``end`` at s = 1."""
    return start + (end - start) * (1 - math.cos(math.pi * s)) / 2


class Schedule:
    def __init__(self, rate, **settings):
        self.rate = rate
        vars(self).update(settings)


class Constant(Schedule):
    def __call__(self, step, total):
        return self.rate


class StepDecay(Schedule):
    def __call__(self, step, total):
        return self.rate * self.factor ** (step // self.every)


class Exponential(Schedule):
    def __call__(self, step, total):
        return self.rate * self.decay ** (step / self.every)


class InverseScaling(Schedule):
    def __call__(self, step, total):
        return self.rate / (step + 1) ** self.power


class FlatCos(Schedule):
    def __call__(self, step, total):
        t = min(step / total, 1)
        return self.rate if t < 0.5 else half_cosine(self.rate, 0, 2 * t - 1)


class CosLog4(Schedule):
    def __call__(self, step, total):
        return self.rate * (1 - math.cos(2 * math.pi * math.log(1 + 15 * min(step / total, 1), 2))) / 2


class WarmupCosine(Schedule):
    def __call__(self, step, total):
        warmup = self.warmup if isinstance(self.warmup, int) else round(self.warmup * total)
        if step < warmup:
            return self.rate * (step + 1) / warmup
        return half_cosine(self.rate, self.final, min((step - warmup) / max(total - warmup, 1), 1))


class OneCycle(Schedule):
    def __call__(self, step, total):
        first, peak = self.rate / self.initial_divisor, max(self.warmup * total - 1, 0)
        if step < peak:
            return half_cosine(first, self.rate, step / peak)
        rest = total - 1 - peak
        return half_cosine(self.rate, first / self.final_divisor, min((step - peak) / rest, 1) if rest > 0 else 0)


class ReduceOnPlateau(Schedule):
    """Falls when the loss was not better for more than ``patience`` epochs in a row."""

    best, bad = math.inf, 0

    def __call__(self, step, total):
        return self.rate

    def observe(self, loss):
        """Take note of the loss of an epoch; how far it is from the mark that it must be below."""
        mark = self.best - self.threshold * abs(self.best) if self.best < math.inf else loss + 1
        if loss < mark:
            self.best, self.bad = loss, 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.rate, self.bad = max(self.rate * self.factor, self.minimum), 0
        return loss - mark
