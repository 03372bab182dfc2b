"""Adam in scikit-learn's form."""

from __future__ import annotations

from dataclasses import dataclass

from ..optimizers import Adam


@dataclass(eq=False, repr=False)
class AdamOfKingma(Adam):
    """Adam in the form of the paper's section 2, which scikit-learn uses: ε is added before the correction.

        w ← w − η √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)

    :class:`~chainrule.Adam`, like PyTorch, adds ε to √v̂. The two differ if gradients are as small as ε: for weights
    that only the penalty changes, such as those of an empty column.

    References
    ----------
    Kingma and Ba, Adam: A Method for Stochastic Optimization (2015), section 2, last paragraph.
    """

    kernel = "adam"

    def coefficients(self, t: int, rate: float) -> tuple[float, ...]:
        """Return 1 − β₁, 1 − β₂, and the factors of √v and ε."""
        first, second, root, _ = super().coefficients(t, rate)
        return first, second, root, root * self.epsilon
