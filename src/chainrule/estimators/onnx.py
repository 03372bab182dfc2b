"""Converters for skl2onnx: after ``import chainrule.estimators.onnx``, ``skl2onnx.to_onnx`` accepts our estimators.

>>> import numpy as np
>>> import chainrule as cr
>>> import chainrule.estimators.onnx
>>> from skl2onnx import to_onnx
>>> X, y = np.float32([[0.0], [1.0], [2.0], [3.0]]), [0, 0, 1, 1]
>>> model = cr.MLPClassifier((4,), activation="gelu", solver="lbfgs", random_state=0).fit(X, y)
>>> graph = to_onnx(model, X[:1], options={"zipmap": False})
>>> [output.name for output in graph.graph.output]
['label', 'probabilities']
"""

from importlib import import_module

import_module("chainrule.persistence.onnx.converters").register()  # this module imports the estimators
