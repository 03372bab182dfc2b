/** A digit of 8 × 8 pixels, to be drawn with the pointer or the arrow keys, and what the network reads in it. */

import { make } from "./element.js"
import { ask, inTurn } from "./library.js"
import { paint } from "./pictures.js"

export class Digit {
  /** `read()` is called when the network has read a drawing: `run.picture` and `run.outputs` say what and how. */
  constructor(run, read) {
    this.run = run
    this.done = read
    const { facts: { image: [, side] }, samples } = run
    this.side = side
    this.examples = samples.filter(({ test }) => test)
    this.next = 0
    this.at = [0, 0]
    this.canvas = make("canvas", {
      class: "pad", tabIndex: 0, role: "application", data: { key: `pad-${run.name}` },
      onpointerdown: event => this.ink(event), onkeydown: event => this.key(event),
      onpointermove: event => event.buttons && this.ink(event),
    })
    this.cursor = make("i")
    this.bars = run.facts.classes.map(name =>
      ({ name, meter: make("meter", { min: 0, max: 1, "aria-label": name }), text: make("span") }))
    this.parts = [
      make("div", { class: "surface" }, this.canvas, this.cursor),
      make("div", { class: "row" }, make("button", { onclick: () => this.example() }, "Another digit"),
        make("button", { onclick: () => this.set(new Float32Array(side * side)) }, "Clear")),
      make("div", { class: "bars" }, ...this.bars.flatMap(({ name, meter, text }) => [make("span", {}, name), meter, text])),
    ]
    this.example()
  }

  /** Shows the next digit of the test data. */
  example() {
    this.set(this.examples[this.next++ % this.examples.length].pixels.slice())
  }

  set(pixels) {
    this.pixels = pixels
    this.read()
  }

  /** Asks the network what it reads; only the newest drawing counts. */
  read() {
    paint(this.canvas, this.pixels)
    const asked = this.asked = this.pixels.slice()
    inTurn(async () => {
      if (this.asked !== asked) return
      const { answers: [answer], outputs } = await ask("predict", { run: this.run.name, x: [[...asked]] })
      Object.assign(this.run, { picture: asked, outputs: [...outputs.slice(0, -1).map(([values]) => values), answer] })
      this.bars.forEach(({ meter, text }, k) => {
        meter.value = answer[k]
        text.textContent = `${(answer[k] * 100).toFixed(1)} %`
      })
      this.best = this.bars[answer.indexOf(Math.max(...answer))].name
      this.describe()
      this.done()
    }).catch(() => {})
  }

  ink(event) {
    const box = this.canvas.getBoundingClientRect(), pixel = box.width / this.side
    this.dab(Math.floor((event.clientX - box.left) / pixel), Math.floor((event.clientY - box.top) / pixel))
  }

  /** Ink on a pixel, and half as much on its neighbours. */
  dab(column, row) {
    for (const [dx, dy, amount] of [[0, 0, 1], [1, 0, .5], [0, 1, .5], [-1, 0, .25], [0, -1, .25]]) {
      const x = column + dx, y = row + dy, at = y * this.side + x
      if (x >= 0 && x < this.side && at in this.pixels) this.pixels[at] = Math.max(this.pixels[at], amount)
    }
    this.read()
  }

  key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key]
    if (!step && event.key !== " ") return
    event.preventDefault()
    if (step) this.at = this.at.map((place, k) => Math.min(this.side - 1, Math.max(0, place + step[k])))
    else this.dab(...this.at)
    this.describe()
  }

  show() {
    if (this.run.frame === this.frame) return
    this.frame = this.run.frame
    this.read()
  }

  describe() {
    for (const [k, edge] of ["left", "top"].entries()) this.cursor.style[edge] = `${100 * this.at[k] / this.side}%`
    this.canvas.setAttribute("aria-label", `A digit of ${this.side} by ${this.side} pixels; `
      + `the network reads ${this.best ?? "nothing yet"}. Arrow keys move, the space bar draws. Column ${this.at[0] + 1}, row ${this.at[1] + 1}.`)
  }
}
