/** Elements in one expression: `make("button", { id: "play", onclick }, "Play")`. */

/** Makes an element: properties that it has are set, what it has not becomes an attribute. */
export function make(name, properties = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue
    if (key === "class") made.className = value
    else if (key === "data") Object.assign(made.dataset, value)
    else if (key in made) made[key] = value
    else made.setAttribute(key, value)
  }
  made.append(...children.filter(child => child !== undefined && child !== null && child !== false))
  return made
}

export const find = id => document.getElementById(id)

/** Runs what replaces elements, and gives the focus back to the element with the same key, or to its neighbour. */
export function keepingFocus(work) {
  const key = document.activeElement?.dataset.key
  work()
  if (!key || document.activeElement?.dataset.key) return
  const found = document.querySelector(`[data-key="${CSS.escape(key)}"]`)
  if (found?.disabled) found.parentElement.querySelector("button:enabled")?.focus()
  else found?.focus()
}
