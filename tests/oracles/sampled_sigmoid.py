"""Oracle C: sigmoid units, one sample at a time as column vectors; the gradients of a mini-batch are averaged."""

from __future__ import annotations

import math

import numpy as np


def sigmoid(t):
    return 1 / (1 + math.exp(-t))


class SigmoidNetwork:
    def __init__(self, weights, biases):
        self.weights = [w.T.copy() for w in weights]  # a row for each unit
        self.biases = [c.copy() for c in biases]

    def feed(self, sample):
        """The outputs of all layers, the sample itself first."""
        outputs = [sample]
        for w, c in zip(self.weights, self.biases, strict=True):
            sums = [sum(wi * oi for wi, oi in zip(row, outputs[-1], strict=True)) for row in w]
            outputs.append(np.array([sigmoid(s + ci) for s, ci in zip(sums, c, strict=True)]))
        return outputs

    def error(self, samples, answers):
        """½ Σ (answer − output)², averaged over the samples."""
        errors = [0.5 * ((t - self.feed(s)[-1]) ** 2).sum() for s, t in zip(samples, answers, strict=True)]
        return float(np.mean(errors))

    def sample_gradients(self, sample, answer):
        outputs = self.feed(sample)
        grad_w, grad_c = [], []
        delta = (outputs[-1] - answer) * outputs[-1] * (1 - outputs[-1])
        for layer in reversed(range(len(self.weights))):
            grad_w.insert(0, np.outer(delta, outputs[layer]))
            grad_c.insert(0, delta)
            below = outputs[layer]
            delta = np.array([self.weights[layer][:, j] @ delta for j in range(len(below))]) * below * (1 - below)
        return grad_w, grad_c

    def learn(self, samples, answers, rate):
        """One step along the mean of the samples' gradients."""
        total_w = [np.zeros_like(w) for w in self.weights]
        total_c = [np.zeros_like(c) for c in self.biases]
        for sample, answer in zip(samples, answers, strict=True):
            grad_w, grad_c = self.sample_gradients(sample, answer)
            for layer in range(len(self.weights)):
                total_w[layer] += grad_w[layer]
                total_c[layer] += grad_c[layer]
        for layer in range(len(self.weights)):
            self.weights[layer] -= rate * total_w[layer] / len(samples)
            self.biases[layer] -= rate * total_c[layer] / len(samples)
