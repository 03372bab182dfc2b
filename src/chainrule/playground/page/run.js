/** One training: its settings, what the library says of it now, and its history. */

import { History } from "./curves.js"
import { ask } from "./library.js"
import { floats } from "./pictures.js"

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
