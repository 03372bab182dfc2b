"""Pictures of a training and of what came out of it; each function returns a Matplotlib figure.

Nothing here touches ``pyplot``: no window opens, no figure stays behind, no style of yours changes. Save the result
with ``figure.savefig("curves.png", dpi=150)``; a notebook shows it when it is the last line of a cell (after
``%matplotlib inline``). With ``ax=`` the picture goes onto axes of your own, and their figure is returned; make that
figure with ``layout="compressed"``, which leaves room for every label.
"""

from __future__ import annotations

from .matrix import confusion
from .regions import decision_regions
from .regression import predictions
from .training import curves
from .weights import first_layer_weights

__all__ = ["confusion", "curves", "decision_regions", "first_layer_weights", "predictions"]
