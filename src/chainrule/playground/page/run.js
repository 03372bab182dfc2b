/** One training: its settings, what the library says of it now, its history and the curves of it. */

import { fitted, floats } from "./pictures.js"
import { ask } from "./shared.js"

const SIDE = 64, UNIT_SIDE = 24

/** Planes of numbers, each a Float32Array. */
export function planes({ shape, float32 }) {
  const all = floats(float32), size = all.length / shape[0]
  return Array.from({ length: shape[0] }, (_, k) => all.subarray(k * size, (k + 1) * size))
}

export class Run {
  constructor(name, tint) {
    this.name = name
    this.tint = tint
  }

  /** A new network in place of the old one. */
  async build(settings) {
    const facts = await ask("build", { run: this.name, settings })
    const ready = await this.advance({})
    this.facts = facts
    this.asked = settings // a loss that is null stays so: it fits other data too
    this.settings = facts.settings
    this.samples = ["train", "test"].flatMap(part => this.samplesOf(facts.points[part], part === "test"))
    this.history = new History()
    this.take(ready)
  }

  samplesOf({ x, y }, test) {
    const values = floats(y.float32), places = floats(x.float32), width = x.shape[1], drawn = []
    for (let n = 0; n < x.shape[0]; n++) drawn.push({
      x: places[n * width], y: places[n * width + 1], pixels: this.facts.image && places.subarray(n * width, (n + 1) * width),
      test, value: this.scaled(values[n]), kind: this.facts.classes.length ? values[n] : undefined,
    })
    return drawn
  }

  advance(amount) {
    return ask("advance", { run: this.name, ...amount, side: SIDE, unit_side: UNIT_SIDE })
  }

  /** Keeps a frame: its surfaces as numbers from -1 to 1, class by class where there are more than two. */
  take(frame) {
    this.frame = frame
    this.history.add(frame.step / this.facts.steps_per_epoch, frame.train.loss, frame.test.loss)
    if (!frame.surface) return
    this.answers = planes(frame.surface)
    if (!this.several) this.answers = [this.answers[0].map(value => this.scaled(value))]
    this.units = frame.units.map(planes)
  }

  /** A number of the answer's range as one from -1 to 1. */
  scaled(value) {
    const [low, high] = this.facts.range
    return 2 * (value - low) / (high - low) - 1
  }

  get several() {
    return this.facts.classes.length > 2
  }

  /** The name of the metric, and its value as text. */
  score(part = "test") {
    const { metric } = this.facts, value = this.frame[part][metric]
    const text = metric.includes("accuracy") ? `${(value * 100).toFixed(1)} %` : shown(value)
    return { label: metric.replaceAll("_", " "), text }
  }
}

/** A number with so many significant digits, as a person writes it. */
export function shown(number, digits = 4) {
  if (!number || !Number.isFinite(number)) return `${number}`
  const size = Math.abs(number)
  return (size < 1e-4 || size >= 1e6 ? number.toExponential(digits - 1) : number.toPrecision(digits)).replace("-", "−")
}

const LIMIT = 1200 // points; beyond it every second one is dropped, so that memory stands still

export class History {
  constructor() {
    this.points = []
    this.every = 1
    this.seen = 0
  }

  /** Keeps the losses at a moment, counted in epochs; the newest is always there. */
  add(epoch, train, test) {
    const point = { epoch, train, test }
    if (this.points.at(-1)?.epoch === epoch || this.seen++ % this.every) this.points.splice(-1, 1, point)
    else this.points.push(point)
    if (this.points.length > LIMIT) {
      this.points = this.points.filter((_, i) => i % 2 === 0)
      this.every *= 2
    }
  }
}

/** Steps of 1, 2 or 5 times a power of ten, about `count` of them up to `top`. */
function ticks(top, count) {
  const rough = top / count, power = 10 ** Math.floor(Math.log10(rough || 1))
  const step = power * [1, 2, 5, 10].find(factor => factor * power >= rough)
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, i) => +(i * step).toPrecision(6))
}

const short = number => number >= 10000 ? `${number / 1000}k` : `${number}`

/** Draws the losses of each run: training solid, test dashed; the top is what all but the first wild values reach. */
export function drawCurves(canvas, runs) {
  const { context, width, height } = fitted(canvas), style = getComputedStyle(canvas)
  const left = 36, bottom = height - 19, wide = width - left - 6, high = bottom - 8
  const all = runs.flatMap(run => run.history.points)
  const last = Math.max(1, ...all.map(point => point.epoch))
  const losses = all.flatMap(point => [point.train, point.test]).filter(Number.isFinite).sort((a, b) => a - b)
  const top = Math.max(1e-9, losses[Math.floor(losses.length * .99)] * 1.1 || 1)
  const place = (epoch, loss) => [left + epoch / last * wide, bottom - Math.min(1, loss / top) * high]
  context.font = `11px ${style.fontFamily}`
  context.fillStyle = style.getPropertyValue("--soft")
  context.strokeStyle = style.getPropertyValue("--line")
  context.textAlign = "right"
  for (const value of ticks(top, 3)) {
    const [, y] = place(0, value)
    context.fillText(short(value), left - 6, y + 4)
    context.strokeRect(left, y, wide, 0)
  }
  context.textAlign = "center"
  for (const value of ticks(last, 4)) if (value) context.fillText(short(value), Math.min(place(value, 0)[0], width - 12), height - 4)
  for (const { history, tint } of runs) for (const [name, dash] of [["test", [5, 4]], ["train", []]]) {
    context.beginPath()
    for (const point of history.points) if (Number.isFinite(point[name])) context.lineTo(...place(point.epoch, point[name]))
    context.setLineDash(dash)
    context.strokeStyle = style.getPropertyValue(tint)
    context.lineWidth = 2
    context.stroke()
  }
  context.setLineDash([])
}
