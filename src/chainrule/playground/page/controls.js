/** The settings: controls built from the library's own description of them, a table of one's own, the link. */

import { CLASSES, colour, points } from "./pictures.js"
import { planes } from "./run.js"
import { ask, inTurn, keepingFocus, make } from "./shared.js"

const FOLDED = ["optimizer", "schedule"]
const SLIDER = 500 // steps; a range of more is a field

/** A small picture of a data set. */
function thumbnail({ x, y }, [low, high]) {
  const canvas = make("canvas", { width: 128, height: 128, "aria-hidden": "true" }), context = canvas.getContext("2d")
  const [targets] = planes({ ...y, shape: [1] }), classes = targets.every(Number.isInteger)
  const place = value => (value - low) / (high - low) * 116 + 6
  const samples = planes(x).map(([a, b], n) =>
    ({ x: place(a), y: 128 - place(b), kind: classes ? targets[n] : undefined, value: targets[n] }))
  points(context, samples, classes ? 5 : 7, (kind, value) => kind === undefined ? colour(value) : CLASSES[kind])
  return canvas
}

const sign = name => make("b", { "aria-hidden": "true" }, name === "digits" ? "5" : "▤")

/** Pictures to choose from, as radio buttons. */
function tiles({ name, label, choices }, value, set, { previews, domain }) {
  return make("fieldset", {}, make("legend", { class: "unseen" }, label), make("div", { class: "tiles" }, ...choices.map(choice =>
    make("label", {}, make("input", {
      type: "radio", name, value: choice.value, checked: choice.value === value,
      data: { key: `${name}-${choice.value}` }, onchange: () => set(choice.value),
    }), previews[choice.value] ? thumbnail(previews[choice.value], domain) : sign(choice.value), choice.label))))
}

const labelled = ({ name, label }, input) => [make("label", { htmlFor: input.id = `set-${name}` }, label), input]

function menu(control, value, set) {
  const { name, choices } = control
  const select = make("select", { data: { key: name }, onchange: () => set(choices[select.selectedIndex].value) },
    ...choices.map(choice => make("option", { value: `${choice.value}`, selected: choice.value === value }, choice.label)))
  return labelled(control, select)
}

function slider(control, value, set, context) {
  const { name, min, max, step } = control
  if ((max - min) / step > SLIDER) return field(control, value, set, context)
  const output = make("output", {}, `${value}`)
  const range = make("input", {
    type: "range", min, max, step, data: { key: name },
    oninput: () => { output.value = range.value }, onchange: () => set(+range.value),
  })
  range.value = value
  const [label] = labelled(control, range)
  return [label, make("div", { class: "slide" }, range, output)]
}

/** The library's own default for a setting of the chosen optimizer or schedule. */
const usual = ({ only = {}, defaults = {} }, settings) => defaults[settings[Object.keys(only)[0]]]

/** A field for a number or two; empty means the library's default, which it shows. */
function field(control, value, set, { settings }) {
  const { name, kind, defaults, min } = control, spaced = numbers => `${numbers ?? ""}`.replace(",", ", ")
  const input = make("input", {
    type: "text", inputMode: "decimal", autocomplete: "off", data: { key: name },
    placeholder: spaced(usual(control, settings)), value: spaced(value),
  })
  input.onchange = () => {
    const numbers = input.value.split(/[\s,;]+/).filter(Boolean).map(Number), wanted = kind === "pair" ? 2 : 1
    const allowed = number => Number.isFinite(number) && !(number < min)
    const fits = numbers.length === wanted ? numbers.every(allowed) : defaults && !numbers.length
    const least = min === undefined ? "" : ` of at least ${min}`
    input.setCustomValidity(fits ? "" : `${wanted === 2 ? "Two numbers" : "A number"}${least}, please.`)
    if (input.reportValidity()) set(numbers.length ? wanted === 2 ? numbers : numbers[0] : null)
  }
  return labelled(control, input)
}

function yesNo(control, value, set, { settings }) {
  const words = [[null, `Default: ${usual(control, settings) ? "yes" : "no"}`], [true, "Yes"], [false, "No"]]
  const choices = words.map(([value, label]) => ({ value, label }))
  return menu({ ...control, choices }, value, set)
}

const named = names => names.map(name => ({ value: name, label: name }))
const column = (control, value, set, { columns }) =>
  columns.length ? menu({ ...control, choices: named(columns.map(({ name }) => name)) }, value, set) : []

/** Two columns of numbers for the two axes. */
function columnPair(control, value, set, { columns }) {
  const choices = named(columns.filter(({ numbers }) => numbers).map(({ name }) => name))
  if (!value) return []
  return ["x₁", "x₂"].flatMap((axis, k) => menu({ name: `${control.name}-${k}`, label: `Column for ${axis}`, choices },
    value[k], chosen => set(value.map((old, place) => place === k ? chosen : old))))
}

const KINDS = { choice: menu, range: slider, number: field, pair: field, boolean: yesNo, column, columns: columnPair }

/** Whether a control applies to these settings. */
const applies = ({ only = {} }, settings) => Object.entries(only).every(([name, values]) => values.includes(settings[name]))

/** A control with only those choices that fit the number of classes. */
function fitting(control, classes) {
  const fits = ({ value }) => control.classes[value]?.includes(classes > 2 ? 10 : classes)
  return control.classes ? { ...control, choices: control.choices.filter(fits) } : control
}

/** Shows the controls in their groups; features and layers are part of the network's picture. */
export function showControls(root, description, context, set, extra) {
  const { settings, classes } = context
  const open = new Map([...root.querySelectorAll("details")].map(box => [box.dataset.group, box.open]))
  const shown = description.controls.filter(control => control.kind in KINDS && applies(control, settings))
  const narrow = matchMedia("(max-width: 640px)").matches
  const boxes = [...new Set(shown.map(({ group }) => group))].map(group => {
    const controls = shown.filter(control => control.group === group).map(control => {
      const { name, kind } = control, build = name === "data" ? tiles : KINDS[kind]
      const parts = build(fitting(control, classes), settings[name], value => set(name, value), { ...description, ...context })
      return parts.length !== 0 && make("div", { class: "control" }, ...[parts].flat())
    })
    return make("details", { open: open.get(group) ?? !(narrow || FOLDED.includes(group)), data: { group } },
      make("summary", { data: { key: `group-${group}` } }, group), ...controls, group === "data" && extra)
  })
  keepingFocus(() => root.replaceChildren(...boxes))
}

/** The place where a file is opened; `done(columns)` is called when the library has read it, `failed` when it cannot. */
export function opener(done, failed) {
  const input = make("input", { type: "file", accept: ".csv,.tsv,.txt,text/csv", id: "table-file", data: { key: "table-file" } })
  input.onchange = async () => {
    try {
      const text = await input.files[0].text()
      done((await inTurn(() => ask("table", { text }))).columns)
    } catch (error) {
      failed(error)
    }
  }
  return make("div", { class: "control" }, make("label", { htmlFor: "table-file" }, "CSV file; it stays on this computer"), input)
}

/** Settings for a table: the first two columns of numbers, and the last other column as the target. */
export function guessed(columns) {
  const numbers = columns.filter(column => column.numbers).slice(0, 2).map(({ name }) => name)
  const target = columns.findLast(({ name }) => !numbers.includes(name))?.name ?? columns.at(-1)?.name
  return { data: "table", columns: numbers, target }
}

const PARSERS = {
  features: text => text.split(","),
  layers: text => text ? text.split(",").map(Number) : [],
  pair: text => text.split(",").map(Number),
  columns: text => text.split(","),
  column: text => text,
  range: Number,
  number: Number,
  boolean: text => text === "true",
}

/** The value that text in a link stands for. */
function parsed(control, text) {
  if (control.kind !== "choice") return PARSERS[control.kind](text)
  return control.choices.find(choice => `${choice.value}` === text)?.value
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b)

/** The settings in which two runs differ, with the words of the controls. */
export function differences(controls, a, b) {
  const word = (control, value) => control.choices?.find(choice => choice.value === value)?.label
    ?? (Array.isArray(value) ? value.join("–") || "none" : `${value ?? "default"}`)
  return controls.filter(({ name }) => !same(a[name], b[name]))
    .map(control => ({ label: control.label, from: word(control, a[control.name]), to: word(control, b[control.name]) }))
}

/** The fragment for one run, or for two of which the second tells only what differs. */
export function written(controls, defaults, a, b) {
  const found = new URLSearchParams()
  const put = (prefix, settings, base) => controls.forEach(({ name }) => {
    if (!same(settings[name], base[name])) found.set(prefix + name, `${settings[name]}`)
  })
  put("", a, defaults)
  if (b) {
    found.set("compare", "b")
    put("b.", b, a)
  }
  return `${found}`.replaceAll("%2C", ",")
}

/** The settings that a fragment holds: those of the first run, and of the second if there is one. */
export function read(controls, fragment) {
  const given = new URLSearchParams(fragment), take = prefix => {
    const found = {}
    for (const control of controls) {
      const text = given.get(prefix + control.name), value = text === "null" ? null : text === null ? undefined : parsed(control, text)
      if (value !== undefined && ![value].flat().some(Number.isNaN)) found[control.name] = value
    }
    return found
  }
  const a = take("")
  return { a, b: given.has("compare") ? { ...a, ...take("b.") } : null }
}
