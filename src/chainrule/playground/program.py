"""The Python program that does what the page did, to copy: data, network, trainer, and the same weights at the end."""

from __future__ import annotations

from .choices import FEATURES, arguments_of
from .run import Run


def program(run: Run) -> str:
    """The program, for the steps taken so far."""
    settings = run.settings
    lines = ["import chainrule as cr", *_data(run), ""]
    if run.plane and settings["features"] != ["x1", "x2"]:
        columns = ", ".join(FEATURES[name][1] for name in settings["features"])
        lines = ["import numpy as np", "", *lines, f"x, x_test = (np.column_stack([{columns}]) for x in (x, x_test))"]
    lines += [*_network(run), f'loss = "{settings["loss"]}"', f"optimizer = {_optimizer(run)}"]
    size, metric = settings["batch_size"], run.metric
    lines += [f'trainer = cr.Trainer(model, loss, optimizer, batch_size={size}, metrics=["{metric}"])']
    if run.epoch:
        every = f"every={max(run.epoch // 20, 1)}"
        lines += [f"trainer.fit(x, y, validation=(x_test, y_test), epochs={run.epoch}, {every})"]
    if run.step_of_epoch:
        lines += _rest(run)
    return "\n".join([*lines, "print(trainer.evaluate(x_test, y_test))", ""])


def _data(run: Run) -> list[str]:
    settings = run.settings
    common = f"test_share={settings['test_share']}, seed={settings['data_seed']}"
    n = settings["points"]
    if settings["data"] == "table":
        return [
            "from chainrule.playground.data import table_columns, table_points",
            "",
            'columns = table_columns(open("table.csv").read())  # your file',
            f"points, classes = table_points(columns, {settings['columns']!r}, {settings['target']!r}, {n}, {common})",
            "x, y, x_test, y_test = points",
        ]
    noise = "" if settings["data"] == "digits" else f"noise={settings['noise']}, "
    drawn = f'x, y, x_test, y_test = points("{settings["data"]}", {n}, {noise}{common})'
    return ["from chainrule.playground.data import points", "", drawn]


def _network(run: Run) -> list[str]:
    settings = run.settings
    sizes = [run.x.shape[1], *settings["hidden"], run.linear[-1].out_features]
    given = {name: settings[name] for name in ("dropout", "l1", "l2", "initializer") if settings[name]}
    given |= {"rng": settings["seed"], "dtype": "float64"}
    first = f'{sizes}, "{settings["activation"]}"'
    lines = [f"model = cr.MLP({_call(first, given)})"]
    if settings["loss"] == "binary_cross_entropy":
        lines.insert(0, "y, y_test = y[:, None], y_test[:, None]")
    return lines


def _optimizer(run: Run) -> str:
    settings = run.settings
    rate = str(settings["learning_rate"])
    if settings["schedule"] is not None:
        schedule = f"cr.schedules.{settings['schedule']}({_call(rate, arguments_of('schedule', settings))})"
        watches = hasattr(run.trainer.optimizer.learning_rate, "observe")
        rate = schedule if watches else f"lambda step, _: {schedule}(step, {run.total_steps})"
    return f"cr.{type(run.trainer.optimizer).__name__}({_call(rate, arguments_of('optimizer', settings))})"


def _call(first: str, arguments: dict[str, object]) -> str:
    """The arguments of a call; text among them is one of the library's names."""
    written = {name: f'"{value}"' if isinstance(value, str) else repr(value) for name, value in arguments.items()}
    return ", ".join([first, *(f"{name}={value}" for name, value in written.items())])


def _rest(run: Run) -> list[str]:
    """The steps of an epoch that is not complete, written out."""
    drawn = f"cr.batches(x, y, size={run.settings['batch_size']}, rng=model.rng)"
    return [
        "",
        f"optimizer.setup(model.parameters, total_steps={run.total_steps})",
        "step = cr.losses.get_loss(loss)",
        f"for _, (xb, yb) in zip(range({run.step_of_epoch}), {drawn}):",
        "    value, dz = step(model.forward(xb, training=True), yb)",
        "    model.backward(dz)",
        "    optimizer.step(model.parameters.vector, model.gradients.vector)",
        "",
    ]
