"""Draw a network that learns a spiral: an animated SVG for the README, and its last frame as a still.

    python docs/spiral.py [--out docs/_static]

A frame is the decision surface after an epoch, as filled contours of the probability of the second class. Printers,
viewers that know no animations, and readers who ask for reduced motion see the last frame.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import contourpy
import numpy as np

import chainrule as cr

COUNT = 200
EPOCHS = (*range(40), *range(40, 121, 4))  # that are shown, at PER_SECOND; the last one for HOLD seconds
PER_SECOND, HOLD = 8, 3
CLASSES, TEXT = ("#0072B2", "#D55E00"), "#747d87"  # Okabe and Ito's; a grey that is legible on white and on black
GROUND, FILLS = "#66aad1", ((0.1, "#b3d5e8"), (0.5, "#f2cfb3"), (0.9, "#e69e66"))  # above which probability
SIDE, CELLS, REACH = 320, 96, 3.4  # pixels and cells along the surface, which reaches from -REACH to REACH
LEFT, TOP, WIDE, HIGH = 372, 128, 250, 164  # of the curve of the loss
LOSSES = (1e-2, 1.0)  # along its axis, which is logarithmic


def spiral(rng, turns=1.5, noise=0.1):
    """Draw two arms of points (COUNT, 2), and their labels."""
    radius = np.sqrt(np.linspace(0.03, 1, COUNT // 2)).repeat(2)
    label = np.arange(COUNT) % 2
    angle = 2 * np.pi * turns * radius + np.pi * label
    x = 3 * np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None]
    return x + noise * rng.normal(size=x.shape), label


class Record(cr.Callback):
    """Keeps the loss, the number of right answers and the surface after each epoch."""

    def __init__(self, x, y):
        self.x, self.y, self.epochs = x, y, []
        along = np.linspace(-REACH, REACH, CELLS)
        self.grid = np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)

    def look(self, model):
        z = model.predict(self.x)
        loss = cr.BinaryCrossEntropy()(z, self.y[:, None])[0]
        surface = cr.ops.sigmoid(model.predict(self.grid)).reshape(CELLS, CELLS)
        self.epochs.append((float(loss), int(np.sum((z[:, 0] > 0) == self.y)), surface))

    def on_epoch_end(self, trainer, *_):
        self.look(trainer.model)


def learn():
    """Train; return the points, their labels, and what was recorded before and after each epoch."""
    rng = np.random.default_rng(4)
    x, y = spiral(rng)
    record = Record(x, y)
    model = cr.MLP([2, 32, 32, 1], activation="tanh", rng=rng)
    record.look(model)
    trainer = cr.Trainer(
        model,
        "binary_cross_entropy",
        cr.Adam(cr.schedules.WarmupCosine(0.02)),
        batch_size=10,
        callbacks=[record],
        rng=rng,
    )
    trainer.fit(x, y[:, None], epochs=EPOCHS[-1], verbose=0)
    return x, y, record.epochs


def pixels(x):
    """Points of the plane in pixels of the picture, whose y points down."""
    return (np.asarray(x) * [1, -1] + REACH) * SIDE / (2 * REACH)


def text(x, y, said, **style):
    written = "".join(f' {name}="{value}"' for name, value in style.items())
    return f'<text x="{x:g}" y="{y:g}"{written}>{said}</text>'


def thinned(points, tolerance=0.3):
    """Leave out the points of a line that lie between their neighbours."""
    kept = [points[0]]
    for point, following in pairwise(points[1:]):
        (a, b), (c, d) = point - kept[-1], following - kept[-1]
        if abs(a * d - b * c) > tolerance * np.hypot(c, d):
            kept.append(point)
    return np.array([*kept, points[-1]])


def surface(p):
    """The filled contours of a surface, one path for each of FILLS, each on top of the one before."""
    along = np.linspace(-REACH, REACH, CELLS)
    contours = contourpy.contour_generator(along, along, p, fill_type="OuterOffset")
    for level, color in FILLS:
        lines = []
        for corners, offsets in zip(*contours.filled(level, 2), strict=True):
            for start, stop in pairwise(offsets):
                points = thinned(2 * pixels(corners[start : stop - 1])).round().astype(int)  # half pixels
                moves = " ".join(f"{a} {b}" for a, b in np.diff(points, axis=0)).replace(" -", "-")
                lines.append(f"M{points[0, 0]} {points[0, 1]}l{moves}z")
        yield f'<path fill="{color}" transform="scale(.5)" d="{"".join(lines)}"/>'


def place(epoch, loss):
    """Where a loss stands on the curve."""
    low, high = np.log(LOSSES)
    height = (np.log(np.clip(loss, *LOSSES)) - low) / (high - low)
    return LEFT + WIDE * epoch / EPOCHS[-1], TOP + HIGH * (1 - height)


def frame(epoch, epochs):
    """What changes: the surface, three numbers, and a dot on the curve."""
    loss, right, p = epochs[epoch]
    x, y = place(epoch, loss)
    said = text(LEFT, 62, f"epoch {epoch}"), text(LEFT, 86, f"{right} of {COUNT} points right")
    number = text(LEFT + WIDE, 62, f"loss {loss:.3f}", **{"text-anchor": "end"})
    return "".join([*surface(p), *said, number, f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{CLASSES[1]}"/>'])


def scenery(x, y, epochs):
    """What stays: the points, the curve of the loss, and its axes."""
    dots = "".join(
        f'<circle cx="{a:.0f}" cy="{b:.0f}" r="3.6" fill="{CLASSES[k]}" stroke="#fff" stroke-width="0.8"/>'
        for (a, b), k in zip(pixels(x), y, strict=True)
    )
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in (place(i, loss) for i, (loss, *_) in enumerate(epochs)))
    axes = f'<path d="M{LEFT} {TOP}v{HIGH}h{WIDE}" fill="none" stroke="{TEXT}"/>'
    ticks = "".join(
        text(LEFT - 6, place(0, loss)[1] + 4, f"{loss:g}", **{"text-anchor": "end", "class": "s"})
        for loss in (1, 0.1, 0.01)
    )
    title = text(LEFT, 32, "cr.MLP([2, 32, 32, 1])", **{"class": "m"})
    end = text(LEFT + WIDE, TOP + HIGH + 18, f"epoch {EPOCHS[-1]}", **{"text-anchor": "end", "class": "s"})
    curve = f'<polyline points="{line}" fill="none" stroke="{TEXT}" stroke-width="2"/>'
    return f"{axes}{curve}{ticks}{title}{end}{dots}"


def animation():
    """The style that shows each frame in its turn, and the last one where nothing moves."""
    total = (len(EPOCHS) - 1) / PER_SECOND + HOLD
    share = 100 / PER_SECOND / total
    delays = "".join(f"#f{k}{{animation-delay:{k / PER_SECOND:g}s}}" for k in range(len(EPOCHS) - 1))
    return (
        f"<style>.f{{visibility:hidden}}@media screen and (prefers-reduced-motion:no-preference){{"
        f".f{{animation:f {total:g}s step-end infinite}}{delays}"
        f"@keyframes f{{0%{{visibility:visible}}{share:.3f}%{{visibility:hidden}}}}"
        f"#last{{animation:l {total:g}s step-end infinite}}"
        f"@keyframes l{{0%{{visibility:hidden}}{100 - 100 * HOLD / total:.3f}%{{visibility:visible}}}}}}</style>"
    )


def svg(inside):
    said = "A network of two hidden layers learns, epoch by epoch, to tell the two arms of a spiral apart."
    font = f'font-family="system-ui,sans-serif" font-size="17" fill="{TEXT}"'
    small = "<style>.s{font-size:13px}.m{font-family:ui-monospace,monospace}</style>"
    size = f'width="640" height="{SIDE}" viewBox="0 0 640 {SIDE}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{said}" {font}>{small}{inside}</svg>\n'
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "_static", help="folder for the pictures")
    out = parser.parse_args().out
    x, y, epochs = learn()
    *moving, last = (frame(epoch, epochs) for epoch in EPOCHS)
    groups = "".join(f'<g class="f" id="f{k}">{each}</g>' for k, each in enumerate(moving))
    still = scenery(x, y, epochs)
    ground = f'<rect width="{SIDE}" height="{SIDE}" fill="{GROUND}"/>'
    for name, inside in (
        ("spiral.svg", f'{animation()}{ground}{groups}<g id="last">{last}</g>{still}'),
        ("spiral-still.svg", ground + last + still),
    ):
        (out / name).write_text(svg(inside), encoding="utf-8")
        print(f"{out / name}: {(out / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
