/** Step through: the next training step, one operation at a time, forward and backward. */

import { make, keepingFocus } from "./element.js"
import { ask, inTurn } from "./library.js"
import { colour, largest } from "./pictures.js"
import { shown } from "./run.js"

const ROWS = 6, COLUMNS = 8
const PHASES = { forward: "Forward", loss: "Loss", backward: "Backward", update: "Update" }

/** The first numbers of an array as a table, coloured by sign and size. */
function grid({ name, shape, data }) {
  const rows = Array.isArray(data[0]) ? data : [data], top = largest(rows.flat(), 1e-12)
  const cells = rows.slice(0, ROWS).map(row => make("tr", {}, ...row.slice(0, COLUMNS).map(value => {
    const cell = make("td", {}, Number.isInteger(value) ? `${value}` : shown(value, 3))
    cell.style.background = colour(.6 * value / top)
    return cell
  })))
  const whole = shape.length ? shape.join(" × ") : "a number", cut = shape[0] > ROWS || shape.at(-1) > COLUMNS ? ", the first of them" : ""
  return make("figure", { tabIndex: 0 }, make("figcaption", {}, `${name} `, make("small", {}, `${whole}${cut}`)), make("table", {}, make("tbody", {}, ...cells)))
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
    this.title.textContent = `${PHASES[phase]}${phase === "loss" ? "" : `, layer ${layer}`}: ${title}`
    this.say(`${this.title.textContent}. ${equations.join(", ")}. ${numbers[0] ?? ""}`)
    keepingFocus(() => this.body.replaceChildren(this.bar(), this.list(),
      ...equations.map(line => make("p", { class: "equation" }, line)),
      make("div", { class: "scroll worked", tabIndex: 0, role: "group", "aria-label": "Numbers" }, ...numbers.map(line => make("p", {}, line))),
      make("div", { class: "arrays" }, ...values.map(grid))))
  }

  bar() {
    const last = this.at === this.operations.length - 1, go = (text, key, disabled, onclick) => make("button", { disabled, onclick, data: { key } }, text)
    const sample = make("input", { type: "number", id: "sample", min: 0, max: this.rows - 1, value: this.sample, data: { key: "sample" } })
    sample.onchange = () => {
      this.sample = Math.max(0, Math.min(this.rows - 1, Math.round(+sample.value) || 0))
      this.begin(this.run, this.at)
    }
    return make("div", { class: "row" },
      go("Back", "walk-back", this.at === 0, () => this.to(this.at - 1)),
      last ? make("button", { class: "primary", data: { key: "walk-next" }, onclick: () => this.step() }, "Take this step")
        : make("button", { class: "primary", data: { key: "walk-next" }, onclick: () => this.to(this.at + 1) }, "Next operation"),
      make("span", { class: "soft count" }, `${this.at + 1} of ${this.operations.length}`),
      make("label", { class: "inline" }, `Sample of the batch (0 to ${this.rows - 1}) `, sample))
  }

  list() {
    return make("ol", { class: "steps" }, ...this.operations.map(({ phase, title, layer }, k) => make("li", { class: phase },
      make("button", { "aria-current": k === this.at ? "step" : undefined, data: { key: `walk-${k}` }, onclick: () => this.to(k) },
        phase === "loss" ? title : `${layer} ${title}`))))
  }
}
