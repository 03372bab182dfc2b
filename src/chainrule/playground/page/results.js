/** What a run has learned: its answer over the plane with the samples, or over drawn digits; and the losses. */

import { border, CLASSES, colour, fitted, largest, paint, paintClasses, points } from "./pictures.js"
import { drawCurves, shown } from "./run.js"
import { ask, inTurn, make } from "./shared.js"

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

const key = (mark, text) => make("span", {}, make("i", { class: mark }), text)

const tint = (kind, value) => kind === undefined ? colour(value) : CLASSES[kind % CLASSES.length]

/** The answer of one run over the plane. */
class Plane {
  constructor(run, [low, high]) {
    this.run = run
    this.low = low
    this.wide = high - low
    this.small = document.createElement("canvas")
    this.dots = document.createElement("canvas")
    this.canvas = make("canvas", { role: "img" })
    this.parts = [make("div", { class: "surface" }, this.canvas), ...this.legend()]
  }

  legend() {
    const { classes, range } = this.run.facts
    const samples = make("div", { class: "legend" })
    const ends = range.map(value => make("span", {}, shown(value, 3)))
    if (!classes.length) return [make("div", { class: "ramp" }), make("div", { class: "ends" }, ...ends)]
    classes.forEach((name, k) => {
      const mark = key(["square", "", "triangle", "diamond"][k % 4], `class ${name}`)
      mark.firstChild.style.color = CLASSES[k % CLASSES.length]
      samples.append(mark)
    })
    samples.append(key("ink", "training"), key("ink hollow", "test"))
    return [samples]
  }

  /** Draws the answer, or the surface of a unit, under the samples. */
  show(unit) {
    const { answers, several } = this.run, { context, width, height } = fitted(this.canvas)
    if (!width) return // out of sight
    if (several && !unit) paintClasses(this.small, answers)
    else paint(this.small, unit ?? answers[0], unit ? 1.4 * largest(unit, .3) : 1.4) // paler than the samples
    context.imageSmoothingQuality = "high"
    context.drawImage(this.small, 0, 0, width, height)
    if (unit || !several) border(context, unit ?? answers[0], width, height)
    context.drawImage(this.marks(width, height), 0, 0, width, height)
  }

  /** The samples, drawn once for each size. */
  marks(width, height) {
    if (this.dots.width !== this.canvas.width || this.drawn !== this.run.samples) {
      const ratio = this.canvas.width / width, place = value => (value - this.low) / this.wide
      this.dots.width = this.canvas.width
      this.dots.height = this.canvas.height
      const context = this.dots.getContext("2d")
      context.scale(ratio, ratio)
      const samples = this.run.samples.map(({ x, y, ...rest }) => ({ ...rest, x: place(x) * width, y: (1 - place(y)) * height }))
      points(context, samples, width > 240 ? 3.4 : 2.6, tint)
      this.drawn = this.run.samples
    }
    return this.dots
  }

  /** What a person who cannot see the picture needs to know. */
  describe() {
    const { facts } = this.run, { label, text } = this.run.score(), [low, high] = [this.low, this.low + this.wide]
    const meaning = facts.classes.length
      ? `Colours show which of the classes ${facts.classes.join(", ")} the network expects at each point`
      : "Blue where the answer is high, orange where it is low"
    this.canvas.setAttribute("aria-label",
      `Answer of the network over the plane from ${low} to ${high}. ${meaning}. On the test points: ${label} ${text}.`)
  }
}

export class Results {
  /** `choose(k)` is called when a run of two is chosen, `read()` when a network has read a digit. */
  constructor(root, { choose, read }) {
    Object.assign(this, { root, choose, read })
    this.canvas = make("canvas", { role: "img" })
  }

  /** Panels for these runs; `changed` says in which settings they differ. */
  build(runs, chosen, domain, changed) {
    this.runs = runs
    this.views = runs.map(run => run.facts.plane ? new Plane(run, domain) : new Digit(run, this.read))
    this.scores = runs.map(() => make("small"))
    const panels = this.views.map((view, k) => make("section", { class: "panel result", "aria-label": runs[1] ? `Run ${"AB"[k]}` : "Output" },
      make("h2", {}, runs[1] ? this.chooser(k, k === chosen) : "Output", this.scores[k]), ...view.parts))
    const tints = runs[1] ? ["blue", "pink"] : ["blue"]
    const legend = make("div", { class: "legend" }, ...runs.flatMap((_, k) => [["solid", "training"], ["dash", "test"]]
      .map(([line, name]) => key(`${line} ${tints[k]}`, runs[1] ? `${"AB"[k]} ${name}` : name))))
    const curves = make("section", { class: "panel curves", "aria-label": "Loss" }, make("h2", {}, "Loss"), this.canvas, legend)
    if (runs[1]) curves.append(this.difference(changed))
    this.root.replaceChildren(...panels, curves)
  }

  chooser(k, checked) {
    const button = make("input", { type: "radio", name: "run", checked, data: { key: `run-${k}` }, onchange: () => this.choose(k) })
    return make("label", {}, button, ` Run ${"AB"[k]}`)
  }

  difference(changed) {
    const said = changed.length
      ? changed.flatMap(({ label, from, to }, k) => [k ? "; " : "", make("b", {}, label), `: A ${from}, B ${to}`])
      : ["Both runs are equal so far. Change one thing: it applies to the run that is chosen."]
    return make("p", { class: "changed" }, ...said)
  }

  /** Draws the present moment; `unit` is the surface of a unit to look at, in the run `chosen`. */
  show(chosen, unit) {
    this.views.forEach((view, k) => view.show(k === chosen ? unit : undefined))
    this.runs.forEach((run, k) => {
      const { label, text } = run.score()
      this.scores[k].textContent = k === chosen && unit ? "one unit" : this.runs[1] ? `${label} ${text}` : ""
    })
    drawCurves(this.canvas, this.runs)
  }

  /** Puts into words what the pictures show. */
  describe() {
    for (const view of this.views) view.describe()
    this.canvas.setAttribute("aria-label", this.runs.map(({ frame, history }, k) => {
      const { train, test } = history.points[0], name = this.runs[1] ? `Run ${"AB"[k]}: ` : ""
      return `${name}in ${frame.epoch} epochs the training loss went from ${shown(train)} to ${shown(frame.train.loss)}, `
        + `the test loss from ${shown(test)} to ${shown(frame.test.loss)}.`
    }).join(" "))
  }
}
