/** The lines between units: their paths, what they show, what flows along them, and how they are chosen. */

import { fitted, largest } from "./pictures.js"

const SVG = "http://www.w3.org/2000/svg"
const still = matchMedia("(prefers-reduced-motion: reduce)")

/** What the lines can show: a quantity for each weight W[i, j], and the direction in which it flows. */
export const VIEWS = {
  weights: { label: "Weights", flow: 0, of: ({ W }, i, j) => W[i][j], hint: "Each line is a weight." },
  activations: {
    label: "Activations", flow: 1, of: ({ W, spread }, i, j) => W[i][j] * spread[i],
    hint: "Forward: what each line carries, the weight times the spread of its input over the training points.",
  },
  gradients: {
    label: "Gradients", flow: -1, of: ({ dW }, i, j) => dW[i][j],
    hint: "Backward: the gradient of each weight for the next batch, which the next step follows downhill.",
  },
}

export class Lines {
  constructor(choose) {
    this.canvas = document.createElement("canvas")
    this.canvas.setAttribute("aria-hidden", "true")
    this.svg = document.createElementNS(SVG, "svg")
    this.svg.setAttribute("role", "group")
    this.svg.setAttribute("tabindex", "-1") // one that listens to focus would be a stop of its own
    this.svg.setAttribute("aria-label", "Weights. Up and down: next weight. Left and right: next layer.")
    this.choose = choose
    this.view = "weights"
    this.lit = null
    this.svg.addEventListener("keydown", event => this.move(event))
    for (const kind of ["pointerover", "focusin", "click"]) this.svg.addEventListener(kind, ({ target }) => {
      const number = this.paths?.indexOf(target) ?? -1
      if (number >= 0) this.select(number, kind)
    })
  }

  /** Lays a line for each weight; `layers` holds for each layer the places where it leaves and arrives. */
  lay(layers, names) {
    this.edges = layers.flatMap(({ from, to }, layer) =>
      to.flatMap((_, j) => from.map((_, i) => ({ layer, i, j }))))
    this.paths = this.edges.map(({ layer, i, j }, number) => {
      const path = document.createElementNS(SVG, "path")
      path.setAttribute("class", "edge")
      path.setAttribute("role", "button")
      path.setAttribute("tabindex", number ? "-1" : "0")
      path.setAttribute("aria-label", `W${layer + 1}[${i}, ${j}], weight from ${names[layer][i]} to ${names[layer + 1][j]}`)
      path.dataset.key = `edge-${layer}-${i}-${j}`
      return path
    })
    this.svg.replaceChildren(...this.paths)
    this.place(layers)
  }

  /** Moves the lines to where the units are now. */
  place(layers) {
    this.layers = layers.map(({ from, to }) => ({ from, to, paths: from.map(([x, y]) => to.map(([u, v]) => {
      const bend = (u - x) / 2
      return `M${x} ${y}C${x + bend} ${y} ${u - bend} ${v} ${u} ${v}`
    })) }))
    this.edges.forEach(({ layer, i, j }, number) => this.paths[number].setAttribute("d", this.layers[layer].paths[i][j]))
    for (const { paths } of this.layers) for (const row of paths) row.forEach((path, j) => { row[j] = new Path2D(path) })
  }

  select(number, kind) {
    if (kind !== "pointerover") {
      for (const path of this.paths) path.setAttribute("tabindex", "-1")
      this.paths[number].setAttribute("tabindex", "0")
    }
    this.choose(this.edges[number], kind)
  }

  /** Marks the chosen weight. */
  mark(chosen) {
    this.edges?.forEach(({ layer, i, j }, number) => this.paths[number].classList.toggle("chosen",
      chosen?.layer === layer && chosen.i === i && chosen.j === j))
  }

  /** Arrow keys walk over the weights, from layer to layer or one after the other. */
  move(event) {
    const now = this.paths.indexOf(event.target), { layer } = this.edges[now] ?? {}
    const first = wanted => this.edges.findIndex(edge => edge.layer === wanted)
    const next = {
      ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: this.edges.length - 1,
      ArrowRight: first(layer + 1), ArrowLeft: first(layer - 1),
    }[event.key]
    if (next === undefined) return
    event.preventDefault()
    if (this.paths[next]) this.paths[next].focus()
  }

  /** Draws all lines: the width and the depth of colour are the size of the number, the colour its sign. */
  draw({ frame, facts }, time = 0) {
    const { context } = fitted(this.canvas), style = getComputedStyle(this.canvas)
    const [orange, blue, ink] = ["--orange", "--blue", "--ink"].map(name => style.getPropertyValue(name))
    context.lineCap = "round"
    this.layers.forEach((places, layer) => {
      const { W, dW } = frame.layers[layer], spread = layer ? frame.layers[layer - 1].std : facts.input_std
      const dim = this.lit === null || this.lit === layer ? 1 : .12
      const widest = Math.min(4.4, (places.to[0][0] - places.from[0][0]) / 12)
      for (const { path, share, positive } of this.strokes(places, { W, dW, spread })) {
        context.globalAlpha = dim * (.16 + .8 * share)
        context.strokeStyle = positive ? blue : orange
        context.lineWidth = .6 + (places.from.length > 16 ? widest / 2 : widest) * share
        context.setLineDash([])
        context.stroke(path)
        if (VIEWS[this.view].flow && share > .04) this.pulse(context, path, ink, time)
      }
    })
    context.globalAlpha = 1
  }

  /** The lines of a layer with the share of the largest number that each shows. */
  strokes({ from, to, paths }, numbers) {
    const { of } = VIEWS[this.view], values = from.map((_, i) => to.map((_, j) => of(numbers, i, j)))
    const top = largest(values.flat(), 1e-12)
    return values.flatMap((row, i) => row.map((value, j) =>
      ({ path: paths[i][j], share: Math.abs(value) / top, positive: value >= 0 })))
  }

  /** Dots that travel along a line, forward or backward; they stand where motion is unwanted. */
  pulse(context, path, ink, time) {
    context.strokeStyle = ink
    context.lineWidth += .7
    context.setLineDash([.1, 26])
    context.lineDashOffset = still.matches ? 0 : -VIEWS[this.view].flow * time / 28 % 26.1
    context.stroke(path)
  }

  /** Whether the picture changes by itself. */
  get moving() {
    return VIEWS[this.view].flow !== 0 && !still.matches
  }
}
