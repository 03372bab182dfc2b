/** One weight under the lens: its value, its gradient with the equation, and the finite difference beside it. */

import { make } from "./element.js"
import { ask, inTurn } from "./library.js"
import { shown } from "./run.js"

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
