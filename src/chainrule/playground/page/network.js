/** The network as columns of units: each unit a button that shows what it answers all over the plane. */

import { keepingFocus, make } from "./element.js"
import { Lines } from "./lines.js"
import { largest, paint } from "./pictures.js"
import { planes } from "./run.js"

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
