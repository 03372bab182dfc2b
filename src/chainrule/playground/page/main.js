/** The playground: what the parts of the page do together. */

import { differences, guessed, opener, read, showControls, written } from "./controls.js"
import { Lens, Walk } from "./inside.js"
import { counter, Network, VIEWS } from "./network.js"
import { Results } from "./results.js"
import { Run, shown } from "./run.js"
import { ask, find, inTurn, keepingFocus, make } from "./shared.js"

const TINTS = ["--blue", "--pink"]
/** Says a sentence to those who cannot see the page. */
const say = text => { find("status").textContent = text }

const state = { runs: [], chosen: 0, playing: false, walking: false, unit: null, columns: [], opening: false }
const network = new Network(find("diagram"), { toggle, units, edge: look, unit: preview })
const results = new Results(find("results"), { choose, read: () => network.show() })
const lens = new Lens(find("lens-title"), find("lens-body"))
const walk = new Walk(find("lens-title"), find("lens-body"), { light: part => network.light(part), step: oneBatch, say })
let description

const run = () => state.runs[state.chosen]

/** Does some work; what the library refuses is shown in its own words. */
async function attempt(work) {
  try {
    find("error").hidden = true
    return await work()
  } catch (error) {
    state.playing = false
    find("error").textContent = error.message
    find("error").hidden = false
    if (run()) showAll()
  }
}

/* --- runs and their settings ------------------------------------------------------------------------------------- */

/** New runs in place of the old, one for each of these settings. */
function rebuild(settings, chosen = state.chosen) {
  return attempt(() => inTurn(async () => {
    const runs = settings.map((_, k) => new Run("ab"[k], TINTS[k]))
    await runs[chosen].build(settings[chosen]) // first what was changed: if it is refused, all stays as it is
    for (const [k, made] of runs.entries()) if (k !== chosen) await made.build(settings[k])
    Object.assign(state, { runs, chosen, opening: false })
    showAll()
    history.replaceState(null, "", `#${fragment()}`)
    lookAgain()
    say(`New network. ${summary()}`)
  }))
}

const fragment = () => written(description.controls, description.defaults, ...state.runs.map(({ asked }) => asked))

/** Changes a setting of the chosen run; a loss or a table that does not fit gives way. */
function set(name, value) {
  if (name === "data" && value === "table" && !state.columns.length) {
    state.opening = true
    return showSettings()
  }
  const next = { ...run().asked, [name]: value }
  if (["data", "target", "columns"].includes(name)) next.loss = null
  if (name === "data") Object.assign(next, value === "table" ? guessed(state.columns) : { columns: null, target: null })
  return replace(next)
}

const replace = settings => rebuild(state.runs.map((old, k) => k === state.chosen ? settings : old.asked))

function toggle(feature) {
  const chosen = run().settings.features, all = description.controls.find(({ name }) => name === "features").choices
  const features = all.map(({ value }) => value).filter(value => chosen.includes(value) !== (value === feature))
  if (features.length) set("features", features)
  else say("At least one input stays.")
}

function units(layer, count) {
  set("hidden", run().settings.hidden.map((old, k) => k === layer ? count : old))
}

function depth(count) {
  const { hidden } = run().settings
  set("hidden", count < hidden.length ? hidden.slice(0, count) : [...hidden, Math.min(hidden.at(-1) ?? 4, 8)])
}

function choose(k) {
  state.chosen = k
  showAll()
  lookAgain()
}

function openTable(columns) {
  state.columns = columns
  return replace({ ...run().asked, ...guessed(columns), loss: null })
}

/* --- training ---------------------------------------------------------------------------------------------------- */

/** Trains a little: the first run by an amount, the second to the same part of an epoch. */
async function train([first, second], amount) {
  const frame = await first.advance(amount)
  if (!second) return [frame]
  const { steps_per_epoch: each } = first.facts, { steps_per_epoch: other } = second.facts
  return [frame, await second.advance({ steps: Math.max(0, Math.round(frame.step / each * other) - second.frame.step) })]
}

/** Trains all runs a little, and shows the last moment in the meantime. */
async function tick(amount) {
  const coming = train(state.runs, amount)
  show(performance.now())
  const [frames] = await Promise.all([coming, new Promise(requestAnimationFrame)])
  state.runs.forEach((one, k) => one.take(frames[k]))
  document.dispatchEvent(new CustomEvent("frame"))
}

const speed = () => description.speeds[find("speed").selectedIndex].advance

async function play() {
  state.playing = true
  if (state.walking) toggleWalk()
  showButtons()
  say("Training.")
  await attempt(async () => {
    while (state.playing) {
      await inTurn(() => tick(speed()))
      lens.again(run())
    }
  })
  pause()
}

function pause() {
  state.playing = false
  showButtons()
  if (!run()) return
  show()
  results.describe()
  if (!state.walking) lens.look(run(), lens.place).catch(() => {})
  if (find("error").hidden) say(`Paused. ${summary()}`)
}

async function oneBatch() {
  await attempt(() => inTurn(() => tick({ steps: 1 })))
  show()
  results.describe()
  if (state.walking) await beginWalk()
  else await lens.look(run(), lens.place).catch(() => {})
  say(summary())
}

/* --- looking inside ---------------------------------------------------------------------------------------------- */

function look(place) {
  if (state.walking) return
  network.lines.mark(place)
  lens.look(run(), place).then(say, error => say(error.message))
}

/** Shows the surface of a unit in place of the answer, and its bias under the lens. */
function preview(at, j) {
  state.unit = at === null ? null : [at, j]
  if (at) look({ layer: at - 1, i: null, j })
  if (!state.playing && run()) showResults()
}

const beginWalk = () => attempt(() => walk.begin(run()))

/** After the network has changed: the walk begins again, the lens looks at the same place. */
function lookAgain() {
  state.unit = null
  if (state.walking) beginWalk()
  else network.lines.mark(lens.reset(run()))
}

function toggleWalk() {
  state.walking = !state.walking
  find("walk").setAttribute("aria-pressed", `${state.walking}`)
  network.lines.mark(null)
  if (state.walking) state.playing = false
  else walk.end()
  lookAgain()
}

/* --- showing ----------------------------------------------------------------------------------------------------- */

function summary() {
  return state.runs.map((one, k) => {
    const { frame: { epoch, train, test } } = one, { label, text } = one.score()
    const name = state.runs[1] ? `Run ${"AB"[k]}, epoch` : "Epoch"
    return `${name} ${epoch}: training loss ${shown(train.loss)}, test loss ${shown(test.loss)}, test ${label} ${text}.`
  }).join(" ")
}

const showResults = () => results.show(state.chosen, state.unit && network.surface(...state.unit))

/** The present moment: what changes with every frame. */
function show(time) {
  network.show(time)
  showResults()
  const { frame: { epoch, train, test } } = run(), { label, text } = run().score()
  const figures = [["Epoch", epoch], ["Training loss", shown(train.loss)], ["Test loss", shown(test.loss)], [`Test ${label}`, text]]
  const boxes = find("figures").children
  figures.forEach(([name, value], k) => {
    const box = boxes[k] ?? find("figures").appendChild(make("div", {}, make("dt"), make("dd")))
    box.firstChild.textContent = name
    box.lastChild.textContent = value
  })
}

function showSettings() {
  const settings = state.opening ? { ...run().settings, data: "table" } : run().settings
  const context = { settings, classes: run().facts.classes.length, columns: state.columns }
  const extra = settings.data === "table" && opener(openTable, error => attempt(() => { throw error }))
  showControls(find("settings"), description, context, set, extra)
}

function showButtons() {
  find("play").textContent = state.playing ? "Pause" : "Play"
  find("play").classList.toggle("playing", state.playing)
  for (const id of ["play", "step", "reset"]) find(id).disabled = !run()
  find("compare").setAttribute("aria-pressed", `${Boolean(state.runs[1])}`)
}

/** Everything, after runs or settings changed. */
function showAll() {
  const { max_layers: most } = description.controls.find(({ name }) => name === "hidden"), [a, b] = state.runs
  document.querySelector("main").classList.toggle("comparing", Boolean(b))
  results.build(state.runs, state.chosen, description.domain, b ? differences(description.controls, a.settings, b.settings) : [])
  showSettings()
  network.build(run(), description)
  const layers = counter(run().settings.hidden.length, [0, most], "hidden layer", "depth", depth)
  keepingFocus(() => find("depth").replaceChildren("Hidden layers", ...layers))
  find("network-title").textContent = b ? `Network of run ${"AB"[state.chosen]}` : "Network"
  showButtons()
  show()
  results.describe()
}

function showDialog(title, text, code) {
  find("dialog-title").textContent = title
  find("dialog-text").textContent = text
  find("dialog-code").textContent = code
  find("copy").textContent = "Copy"
  find("dialog").showModal()
}

const showCode = () => attempt(async () => {
  const { code } = await inTurn(() => ask("code", { run: run().name }))
  showDialog("The same in Python", "This program trains the same network on the same data, to the same numbers.", code)
})

async function copy() {
  const code = find("dialog-code"), range = document.createRange()
  range.selectNodeContents(code)
  getSelection().removeAllRanges()
  getSelection().addRange(range)
  const done = await navigator.clipboard?.writeText(code.textContent).then(() => true, () => false)
  find("copy").textContent = done ? "Copied" : "Selected: press Ctrl+C"
}

/* --- the beginning ----------------------------------------------------------------------------------------------- */

/** Dots flow along the lines also while nothing is trained. */
function flow(time) {
  if (!network.lines.moving) return
  if (!state.playing && run()) network.lines.draw(run(), time)
  requestAnimationFrame(flow)
}

function showViews() {
  const views = Object.entries(VIEWS).map(([name, { label, hint }]) => make("label", {}, make("input", {
    type: "radio", name: "flow", value: name, checked: name === "weights", data: { key: `flow-${name}` }, onchange: () => {
      const moved = network.lines.moving
      network.lines.view = name
      find("hint").textContent = `The thicker, the larger. ${hint}`
      network.lines.draw(run())
      if (!moved) requestAnimationFrame(flow)
    },
  }), make("span", {}, label)))
  find("flow").append(...views)
  find("hint").textContent = `The thicker, the larger. ${VIEWS.weights.hint}`
}

/** The settings in the address, or the defaults, for what applies to them. */
function opened() {
  const { a, b } = read(description.controls, location.hash.slice(1))
  const full = given => {
    const settings = { ...description.defaults, ...given }
    return settings.data === "table" && !state.columns.length ? { ...settings, data: description.defaults.data } : settings
  }
  return b ? [full(a), full(b)] : [full(a)]
}

function wire() {
  find("skip").onclick = event => { // the fragment belongs to the settings
    event.preventDefault()
    find("network").focus()
  }
  find("play").onclick = () => state.playing ? pause() : play()
  find("step").onclick = oneBatch
  find("reset").onclick = () => rebuild(state.runs.map(({ asked }) => asked))
  find("walk").onclick = toggleWalk
  find("compare").onclick = () => state.runs[1] ? rebuild([run().asked], 0) : rebuild([run().asked, run().asked], 1)
  find("code").onclick = showCode
  find("share").onclick = () => {
    const but = run().settings.data === "table" ? " Your table is not part of it." : ""
    showDialog("Share", `The settings are in the part after #: it works in every playground.${but}`, location.href)
  }
  find("copy").onclick = copy
  find("close").onclick = () => find("dialog").close()
  window.addEventListener("hashchange", () => rebuild(opened(), 0))
  new ResizeObserver(() => !state.playing && run() && showResults()).observe(find("results"))
}

await attempt(async () => {
  description = await ask("describe")
  find("speed").append(...description.speeds.map(({ label }, k) => make("option", { value: k, selected: k === 1 }, label)))
  showViews()
  wire()
  await rebuild(opened(), 0)
  if (run()) return
  const told = find("error").textContent
  await rebuild([description.defaults], 0)
  throw new Error(told)
})
