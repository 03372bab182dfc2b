"""The figures of chapter 9: the paths of optimizers through a valley, at rest and in motion."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML

import chainrule as cr

from .style import GRADIENT, GREY, PINK, SKY, VALUE, WEIGHT, YELLOW

CURVATURE = np.array([1.0, 18.0])
START = np.array([-10.0, 1.0])
LEVELS = 0.5 * np.array([0.5, 3.0, 9.0, 20.0, 38.0, 64.0, 100.0, 140.0])


def rates() -> None:
    """Gradient descent with a rate that is too small, one that is right, and one that is too large."""
    figure, axes = plt.subplots(1, 3, figsize=(7.0, 2.3), sharey=True)
    names = ("$\\eta = 0.02$: slow", "$\\eta = 0.1$: zigzag", "$\\eta = 0.113$: diverges")
    for ax, rate, name in zip(axes, (0.02, 0.1, 0.113), names, strict=True):
        _valley(ax)
        _path(ax, walk(cr.SGD(rate), 25), GREY)
        ax.set_title(name, fontsize=10.5)
    axes[0].set_ylabel("$w_2$", rotation=0, va="center")
    figure.get_layout_engine().set(wspace=0.05)


def paths() -> None:
    """Forty steps of four optimizers."""
    _, axes = plt.subplots(2, 2, figsize=(7.0, 4.0), sharex=True, sharey=True)
    for ax, (name, (optimizer, color)) in zip(axes.flat, _racers().items(), strict=True):
        _valley(ax)
        _path(ax, walk(optimizer, 40), color)
        ax.set_title(name, fontsize=10.5)
        ax.set_xlabel("")
    for ax in axes[1]:
        ax.set_xlabel("$w_1$")
    for ax in axes[:, 0]:
        ax.set_ylabel("$w_2$", rotation=0, va="center")


def race() -> HTML:
    """The same paths in motion: an SVG that moves when its button is pressed, and stands still otherwise."""
    x, y = _x(0), _y(0)
    sizes = np.sqrt(2 * LEVELS / CURVATURE[:, None]) * [[44], [62]]
    rings = "".join(f'<ellipse cx="{x}" cy="{y}" rx="{wide:.0f}" ry="{high:.0f}"/>' for wide, high in sizes.T)
    about = "Four dots run from the left end of a valley to its lowest point, each along the path of one optimizer."
    return HTML(f"""<figure class="align-default">
<svg viewBox="0 0 700 230" role="img" aria-label="{about}" style="max-width: 100%; height: auto"
     font-size="14" font-family="sans-serif">
  <animate id="raceclock" attributeName="visibility" values="visible" begin="indefinite" dur="8s"/>
  <g fill="none" stroke="currentColor" stroke-opacity=".22">{rings}</g>
  <path d="M{x} {y - 6}v12m-6-6h12" stroke="currentColor"/>
  <circle cx="{_x(START[0])}" cy="{_y(START[1])}" r="7" fill="{WEIGHT}"/>
  {"".join(_mover(k, *racer) for k, racer in enumerate(_racers().items()))}
</svg>
<figcaption style="text-align: center; color: inherit">
  <button type="button" onclick="this.closest('figure').querySelector('animate').beginElement()"
    style="padding: .2em 1em; color: inherit; background: none; border: 1px solid currentColor; border-radius: .3em">
    Play</button> sixty steps of each optimizer
</figcaption>
</figure>""")


def correction() -> None:
    """The running mean of noisy gradients, as it is and corrected for its start."""
    rng, steps = np.random.default_rng(19), np.arange(1, 41)
    gradients = 2 + 0.8 * rng.normal(size=steps.size)
    means = np.zeros(steps.size + 1)
    for t, g in zip(steps, gradients, strict=True):
        means[t] = 0.9 * means[t - 1] + 0.1 * g
    _, ax = plt.subplots(figsize=(7.0, 2.9))
    ax.plot(steps, gradients, "o", color=GRADIENT, ms=4, alpha=0.5)
    ax.plot(steps, means[1:], color=GREY, lw=2)
    ax.plot(steps, means[1:] / (1 - 0.9**steps), color=VALUE, lw=2.4)
    ax.text(11, 0.75, "$m$: starts at 0 and lags behind", color=GREY)
    ax.text(30.5, 1.05, "$\\hat m$: corrected", color=VALUE)
    ax.text(1.6, 3.35, "gradients", color=GRADIENT)
    ax.set(xlabel="step", xlim=(0, 41), ylim=(0, 4))


def schedules() -> None:
    """Six schedules over a thousand steps."""
    make = cr.schedules
    shown = {
        "StepDecay": make.StepDecay(1.0, factor=0.5, every=250),
        "Exponential": make.Exponential(1.0, decay=0.1, every=600),
        "WarmupCosine": make.WarmupCosine(1.0, warmup=0.1),
        "OneCycle": make.OneCycle(1.0),
        "FlatCos": make.FlatCos(1.0),
        "CosLog4": make.CosLog4(1.0),
    }
    _, axes = plt.subplots(2, 3, figsize=(7.0, 3.0), sharex=True, sharey=True)
    for ax, (name, schedule) in zip(axes.flat, shown.items(), strict=True):
        ax.plot([schedule(step, 1000) for step in range(1000)], color=VALUE)
        ax.set_title(name, fontsize=10.5)
        ax.set(ylim=(0, 1.08), yticks=[0, 1], xticks=[0, 500, 1000])
    for ax in axes[1]:
        ax.set_xlabel("step")


def floor() -> None:
    """The distance from the minimum with noisy gradients: two constant rates, and a rate that falls."""
    _, ax = plt.subplots(figsize=(7.0, 3.1))
    half = {"constant 0.1": (lambda step: 0.1, YELLOW), "constant 0.01": (lambda step: 0.01, PINK)}
    half["0.1 along a cosine"] = (lambda step: cr.schedules.WarmupCosine(0.1)(step, 600), VALUE)
    for (name, (rate, color)), height in zip(half.items(), (0.24, 0.088, 0.059), strict=True):
        w, rng, sizes = np.full(2000, 10.0), np.random.default_rng(0), []
        for step in range(600):
            sizes.append(np.sqrt(np.mean(w**2)))
            w -= rate(step) * (w + rng.normal(size=w.size))
        ax.plot(sizes, color=color, lw=2)
        ax.text(606, height, name, color=color, va="center")
    ax.set(yscale="log", xlabel="step", ylabel="distance from the minimum", xlim=(0, 600))


def walk(optimizer: cr.Optimizer, steps: int) -> np.ndarray:
    """The positions of an optimizer on its way through the valley."""
    w, positions = START.copy(), [START.copy()]
    for _ in range(steps):
        optimizer.step(w, CURVATURE * w)
        positions.append(w.copy())
    return np.array(positions)


def _racers() -> dict[str, tuple[cr.Optimizer, str]]:
    return {
        "SGD, rate 0.1": (cr.SGD(0.1), GREY),
        "momentum 0.9, rate 0.02": (cr.SGD(0.02, momentum=0.9), YELLOW),
        "RMSprop, rate 0.3": (cr.RMSprop(0.3, rho=0.9), PINK),
        "Adam, rate 0.6": (cr.Adam(0.6), SKY),
    }


def _valley(ax: plt.Axes) -> None:
    first, second = np.meshgrid(np.linspace(-11.5, 5, 120), np.linspace(-2, 2, 90))
    ax.contour(first, second, 0.5 * (first**2 + 18 * second**2), LEVELS, colors="black", alpha=0.2, linewidths=0.8)
    ax.plot(0, 0, "+", color="black", ms=8)
    ax.set(xlim=(-11.5, 5), ylim=(-2, 2), xlabel="$w_1$", xticks=[-10, -5, 0], yticks=[-1, 0, 1])


def _path(ax: plt.Axes, positions: np.ndarray, color: str) -> None:
    ax.plot(*positions.T, "-o", color=color, ms=3.2, lw=1.2)
    ax.plot(*positions[0], "o", color=WEIGHT, ms=7)


def _mover(place: int, name: str, racer: tuple[cr.Optimizer, str]) -> str:
    """A path that grows, the dot at its end, and its name."""
    optimizer, color = racer
    points = np.array([(_x(w1), _y(w2)) for w1, w2 in walk(optimizer, 60)])
    gone = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    xs, ys, hidden = (";".join(f"{number:.1f}" for number in column) for column in (*points.T, gone[-1] - gone))
    timing, height = 'begin="raceclock.begin" dur="8s"', 19 + 20 * place
    return f"""
  <polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none" stroke="{color}" stroke-width="2"
    stroke-linejoin="round" stroke-dasharray="{gone[-1]:.1f}">
    <animate attributeName="stroke-dashoffset" values="{hidden}" {timing}/></polyline>
  <circle cx="{points[-1, 0]:.1f}" cy="{points[-1, 1]:.1f}" r="6" fill="{color}">
    <animate attributeName="cx" values="{xs}" {timing}/>
    <animate attributeName="cy" values="{ys}" {timing}/></circle>
  <circle cx="496" cy="{height}" r="6" fill="{color}"/>
  <text x="510" y="{height + 5}" fill="currentColor">{name}</text>"""


def _x(w1: float) -> float:
    return 480 + 44 * w1


def _y(w2: float) -> float:
    return 115 - 62 * w2
