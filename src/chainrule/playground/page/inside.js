/** A look inside: one weight under the lens, and the next training step, one operation at a time. */

import { colour, largest } from "./pictures.js"
import { shown } from "./run.js"
import { ask, inTurn, keepingFocus, make } from "./shared.js"

export class Lens {
  constructor(title, body) {
    this.title = title
    this.body = body
    this.place = { layer: 0, i: 0, j: 0 }
  }

  /** Looks at a weight, or without `i` at a bias; of quick glances only the last is answered. Returns what to say. */
  look(run, place) {
    this.wanted = place
    return inTurn(async () => {
      if (this.wanted !== place) return ""
      const answer = await ask("edge", { run: run.name, ...place })
      if (this.wanted !== place) return ""
      this.place = place
      this.when = performance.now()
      this.show(answer, place.i === null ? "bias" : "weight")
      const [value, gradient, difference] = [answer.value, answer.gradient, answer.finite_difference.value].map(one => shown(one))
      return `Value ${value}, gradient ${gradient}, finite difference ${difference}.`
    })
  }

  /** Looks again when the numbers have moved on, but no more often than an eye can follow. */
  again(run) {
    if (performance.now() - this.when > 300) this.look(run, this.place).catch(() => {})
  }

  /** Looks at the same weight of another network, or at its first if it has none there. */
  reset(run) {
    const { layer, i, j } = this.place, [inputs, units] = run.facts.shapes[layer] ?? [0, 0]
    if (i >= inputs || j >= units) this.place = { layer: 0, i: 0, j: 0 }
    this.look(run, this.place).catch(() => {})
    return this.place
  }

  show(answer, kind) {
    const difference = answer.finite_difference, apart = shown(Math.abs(answer.gradient - difference.value), 2)
    const box = (name, kindOf, value) => make("div", { class: kindOf }, make("dt", {}, name), make("dd", {}, shown(value, 6)))
    this.title.textContent = `${answer.name}, a ${kind}`
    this.title.classList.toggle("line", kind === "weight")
    this.body.replaceChildren(
      make("dl", { class: "numbers" }, box("Value", "value", answer.value), box("Gradient", "gradient", answer.gradient),
        box("Finite difference", "difference", difference.value)),
      make("p", { class: "equation" }, answer.equation),
      make("p", { class: "worked" }, answer.numbers),
      make("p", { class: "equation" }, `∂L/∂w ≈ ${difference.equation}`),
      make("p", { class: "worked" }, difference.numbers),
      make("p", { class: "soft" }, `h = ${difference.step}. The two differ by ${apart}. `
        + "For another weight point at a line, tap it, or reach it with Tab and the arrow keys; a unit shows its bias."))
  }
}

const ROWS = 5, COLUMNS = 6
const PHASES = { forward: "Forward", loss: "Loss", backward: "Backward", update: "Update" }

/** The first numbers of an array as a table, coloured by sign and size; those of a batch begin with the sample. */
function grid({ name, shape, data }, batch, sample) {
  const rows = Array.isArray(data[0]) ? data : [data], own = shape.length > 1 && shape[0] === batch && sample < rows.length
  const top = largest(rows.flat(), 1e-12), from = own ? sample : 0
  const cell = value => {
    const made = make("td", {}, Number.isInteger(value) ? `${value}` : shown(value, 3))
    made.style.background = colour(.6 * value / top)
    return made
  }
  const lines = rows.slice(from, from + ROWS).map((row, k) =>
    make("tr", { class: own && !k ? "own" : "" }, ...row.slice(0, COLUMNS).map(cell)))
  const whole = shape.length ? shape.join(" × ") : "a number", cut = rows.length - from > ROWS || rows[0].length > COLUMNS
  const note = `${whole}${own ? `, from sample ${sample}` : ""}${cut ? ", in part" : ""}`
  const caption = make("figcaption", {}, `${name} `, make("small", {}, note))
  return make("figure", { tabIndex: 0 }, caption, make("table", {}, make("tbody", {}, ...lines)))
}

export class Walk {
  /** `light(part)` lights a part of the network, `step()` takes the training step, `say(text)` speaks. */
  constructor(title, body, on) {
    Object.assign(this, { title, body, sample: 0 }, on)
  }

  /** Begins with the next training step of a run. */
  async begin(run, at = 0) {
    this.rows = run.frame.batch.rows.length
    this.sample = Math.min(this.sample, this.rows - 1)
    const { operations } = await inTurn(() => ask("trace", { run: run.name, sample: this.sample }))
    Object.assign(this, { run, operations })
    this.to(at)
  }

  end() {
    this.light(null)
  }

  /** Shows an operation. */
  to(at) {
    this.at = Math.max(0, Math.min(this.operations.length - 1, at))
    const { phase, layer, part, title, equations, numbers, values } = this.operations[this.at]
    const backward = phase !== "forward"
    this.light(part === "edges" ? { lines: layer - 1, column: null, backward } : { lines: -1, column: layer, backward })
    this.title.classList.remove("line")
    this.title.textContent = `${PHASES[phase]}${phase === "loss" ? "" : `, layer ${layer}`}: ${title}`
    this.say(`${this.title.textContent}. ${equations.join(", ")}. ${numbers[0] ?? ""}`)
    keepingFocus(() => this.body.replaceChildren(this.bar(), this.list(),
      ...equations.map(line => make("p", { class: "equation" }, line)),
      make("div", { class: "scroll worked", tabIndex: 0, role: "group", "aria-label": "Numbers" },
        ...numbers.map(line => make("p", {}, line))),
      make("div", { class: "arrays" }, ...values.map(value => grid(value, this.rows, this.sample)))))
  }

  bar() {
    const last = this.at === this.operations.length - 1
    const sample = make("input", { type: "number", id: "sample", min: 0, max: this.rows - 1, value: this.sample, data: { key: "sample" } })
    sample.onchange = () => {
      this.sample = Math.max(0, Math.min(this.rows - 1, Math.round(+sample.value) || 0))
      this.begin(this.run, this.at)
    }
    return make("div", { class: "row" },
      make("button", { disabled: this.at === 0, data: { key: "walk-back" }, onclick: () => this.to(this.at - 1) }, "Back"),
      make("button", { class: "primary", data: { key: "walk-next" }, onclick: () => last ? this.step() : this.to(this.at + 1) },
        last ? "Take this step" : "Next operation"),
      make("span", { class: "soft count" }, `${this.at + 1} of ${this.operations.length}`),
      make("label", { class: "inline" }, `Sample of the batch (0 to ${this.rows - 1}) `, sample))
  }

  list() {
    const step = ({ phase, title, layer }, k) => make("li", {}, make("button",
      { "aria-current": k === this.at ? "step" : undefined, data: { key: `walk-${k}` }, onclick: () => this.to(k) },
      phase === "loss" ? title : `${layer} ${title}`))
    const steps = this.operations.map((operation, k) => ({ phase: operation.phase, button: step(operation, k) }))
    return make("div", { class: "steps" }, ...Object.entries(PHASES).flatMap(([phase, name]) => [make("span", {}, name),
      make("ol", { class: phase, "aria-label": name }, ...steps.filter(each => each.phase === phase).map(each => each.button))]))
  }
}
