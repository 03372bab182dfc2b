/** Settings as the fragment of a link, and back; what is left at its default is left out. */

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
