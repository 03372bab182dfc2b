/** The network as columns of units, each a button that shows what it answers all over the plane; and lines between. */

import { fitted, largest, paint } from "./pictures.js"
import { planes } from "./run.js"
import { keepingFocus, make } from "./shared.js"

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

/** A number with a button on either side. */
export function counter(value, [least, most], what, key, change) {
  const button = (sign, by, disabled) => make("button", {
    "aria-label": `${by < 0 ? "Remove" : "Add"} a ${what}`, disabled, data: { key: key + sign }, onclick: () => change(value + by),
  }, sign)
  return [button("−", -1, value <= least), make("b", {}, `${value}`), button("+", 1, value >= most)]
}

const several = (length, each) => Array.from({ length }, (_, k) => each(k))

/** The columns of a run: inputs, hidden layers, outputs, each with its units. */
function columnsOf({ facts, settings }, { controls, features }) {
  const inputs = facts.plane
    ? controls.find(({ name }) => name === "features").choices.map(({ value, label }) => ({
      value, label, spoken: label, on: settings.features.includes(value), picture: planes({ ...features[value], shape: [1] })[0],
    }))
    : [{ spoken: "Pixels of the picture", names: several(facts.shapes[0][0], i => `pixel ${i}`) }]
  const hidden = settings.hidden.map((count, k) =>
    ({ kind: "hidden", count, title: `Layer ${k + 1}`, units: several(count, j => ({ spoken: `h${k + 1}[${j}]` })) }))
  const last = facts.shapes.at(-1)[1]
  const output = j => last > 1 ? { spoken: `z${facts.shapes.length}[${j}]`, label: facts.classes[j] } : { spoken: "output" }
  return [{ kind: "inputs", title: "Inputs", units: inputs }, ...hidden,
    { kind: "outputs", title: last > 1 ? "Outputs" : "Output", units: several(last, output) }]
}

const used = unit => unit.on !== false

export class Network {
  /** `on` has the functions `toggle(feature)`, `units(layer, count)`, `edge(edge, kind)` and `unit(column, j)`. */
  constructor(root, on) {
    this.root = root
    this.on = on
    this.lines = new Lines(on.edge)
    new ResizeObserver(() => this.run && this.place()).observe(root)
  }

  /** Builds the columns of a run. */
  build(run, description) {
    this.run = run
    this.columns = columnsOf(run, description)
    const limits = description.controls.find(({ name }) => name === "hidden")
    this.root.style.setProperty("--units", Math.max(...this.columns.map(({ units }) => units.length)))
    this.root.classList.toggle("dense", this.columns.length > 5)
    keepingFocus(() => {
      this.tiles = this.columns.map((column, at) => column.units.map((unit, j) => this.tile(unit, at, j)))
      const columns = this.columns.map((column, at) => this.column(column, at, limits))
      this.root.replaceChildren(this.lines.canvas, this.lines.svg, ...columns)
      const names = this.columns.map(({ units }) => units.filter(used).flatMap(unit => unit.names ?? [unit.spoken]))
      this.lines.lay(this.layers(), names)
    })
    this.columns[0].units.forEach(({ picture }, j) => picture && paint(this.tiles[0][j].firstChild, picture, largest(picture)))
  }

  column({ title, kind, count }, at, { max_units: most }) {
    const head = make("h3", {}, title, count && make("span", { class: "counter" },
      ...counter(count, [1, most], `unit in layer ${at}`, `units-${at}`, value => this.on.units(at - 1, value))))
    const units = make("div", { class: "units", role: "group", "aria-label": title }, ...this.tiles[at])
    return make("div", { class: `column ${kind}` }, head, units)
  }

  tile(unit, at, j) {
    const look = () => this.on.unit(at, j), leave = () => this.on.unit(null)
    return make("button", {
      class: unit.names ? "unit wide" : "unit", "aria-label": unit.spoken, "aria-pressed": unit.on === undefined ? undefined : `${unit.on}`,
      data: { key: `unit-${at}-${j}` }, onclick: unit.on === undefined ? look : () => this.on.toggle(unit.value),
      onpointerenter: look, onfocus: look, onpointerleave: leave, onblur: leave,
    }, make("canvas", { width: 1, height: 1 }), unit.label && make("span", { "aria-hidden": "true" }, unit.label))
  }

  /** Where the lines of each layer leave and arrive, in pixels of the diagram. */
  layers() {
    const frame = this.root.getBoundingClientRect()
    const places = this.columns.map(({ units }, at) => this.tiles[at].flatMap((tile, j) => {
      const box = tile.getBoundingClientRect(), left = box.left - frame.left, right = left + box.width
      const rows = units[j].names?.length ?? 1
      return used(units[j]) ? Array.from({ length: rows }, (_, row) => {
        const y = box.top - frame.top + box.height * (row + .5) / rows
        return { left: [left, y], right: [right, y] }
      }) : []
    }))
    return places.slice(1).map((to, layer) =>
      ({ from: places[layer].map(place => place.right), to: to.map(place => place.left) }))
  }

  place() {
    this.lines.place(this.layers())
    this.lines.draw(this.run)
  }

  /** Shows the numbers of the present moment: units as surfaces, or for a digit as weights and outputs. */
  show(time) {
    const { frame, units, answers, several, picture, outputs } = this.run, last = this.columns.length - 1
    if (picture) paint(this.tiles[0][0].firstChild, picture)
    for (let at = 1; at <= last; at++) this.tiles[at].forEach(({ firstChild: canvas }, j) => {
      if (answers && at === last) paint(canvas, answers[several ? j : 0], several || this.tiles[last].length === 1 || j ? 1 : -1)
      else {
        const values = units?.[at - 1][j] ?? (at === 1 ? frame.layers[0].W.map(row => row[j]) : [outputs?.[at - 1][j] ?? 0])
        paint(canvas, values, values.length === 1 ? 1 : largest(values, .3))
      }
    })
    this.lines.draw(this.run, time)
  }

  /** The surface of a unit, if it has one. */
  surface(at, j) {
    return at === 0 ? this.columns[0].units[j]?.picture : this.run.units?.[at - 1]?.[j]
  }

  /** Lights what an operation works on: the lines of a layer, or the units of a column. */
  light(part) {
    this.lines.lit = part?.lines ?? null
    this.tiles.forEach((tiles, at) => tiles.forEach(tile => {
      tile.classList.toggle("lit", part?.column === at)
      tile.classList.toggle("back", Boolean(part?.backward))
    }))
    this.lines.draw(this.run)
  }
}
