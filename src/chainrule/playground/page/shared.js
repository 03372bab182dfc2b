/** What all parts of the page use: elements in one expression, and one way to ask the library. */

/* --- elements: `make("button", { id: "play", onclick }, "Play")` ---------------------------------------------------- */

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

/* --- the library, whether it computes behind a server or in a worker of this page ------------------------------------ */

const served = document.querySelector('meta[name="server"]').content
const session = crypto.randomUUID()
const waiting = []
let worker, turn = Promise.resolve()

/** Takes the key to the server out of the address, so that no shared link holds it. */
function key() {
  const fragment = new URLSearchParams(location.hash.slice(1)), given = fragment.get("token")
  if (given) {
    sessionStorage.setItem("token", given)
    fragment.delete("token")
    history.replaceState(null, "", `${location.pathname}#${fragment}`)
  }
  return sessionStorage.getItem("token") ?? ""
}

const token = key()

async function overHttp(request) {
  const headers = { "Content-Type": "application/json", "X-Token": token, "X-Session": session }
  const answer = await fetch("api", { method: "POST", headers, body: JSON.stringify(request) })
  return answer.json()
}

function inWorker(request) {
  if (!worker) {
    worker = new Worker("worker.js", { type: "module" })
    worker.onmessage = ({ data }) => waiting.shift()(data)
  }
  worker.postMessage(request)
  return new Promise(resolve => waiting.push(resolve))
}

/** What the library answers to a request; its own sentence as an Error where it refuses. */
export async function ask(what, details = {}) {
  let answer
  try {
    answer = await (served ? overHttp : inWorker)({ do: what, ...details })
  } catch {
    throw new Error("The library does not answer. Check that `chainrule playground` is still running, then reload the page.")
  }
  if (answer.error) throw new Error(answer.error)
  return answer
}

/** Runs one piece of work after the other, so that no training step falls between a question and its answer. */
export function inTurn(work) {
  const { dataset } = document.body, count = by => { dataset.busy = +(dataset.busy ?? 0) + by }
  count(1)
  const done = turn.then(work)
  turn = done.catch(() => {}).then(() => count(-1))
  return done
}
