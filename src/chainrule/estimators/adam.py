"""Adam as scikit-learn computes it."""

from __future__ import annotations

from dataclasses import dataclass

from ..optimizers import Adam


@dataclass(eq=False, repr=False)
class AdamOfKingma(Adam):
    """Adam in the form that the paper gives in section 2, and scikit-learn takes: ε is added before the correction.

        w ← w − η √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)

    :class:`~chainrule.Adam`, as PyTorch, adds ε to √v̂. The two differ where gradients are as small as ε: at weights
    that only the penalty moves, such as those of an empty column.

    References
    ----------
    Kingma and Ba, Adam: A Method for Stochastic Optimization (2015), section 2, last paragraph.
    """

    kernel = "adam"

    def coefficients(self, t: int, rate: float) -> tuple[float, ...]:
        """1 − β₁, 1 − β₂, and the factors of √v and of ε."""
        first, second, root, _ = super().coefficients(t, rate)
        return first, second, root, root * self.epsilon
