/**
 * The library in the browser itself, without a server: the messages are those that the server answers.
 * Beside the page belong `pyodide/` (the npm package `pyodide` with NumPy's wheel) and `chainrule.whl` (the pure wheel).
 */

const START = `
import json
from chainrule.playground.session import Session
_session = Session()
lambda text: json.dumps(_session.handle(json.loads(text)))
`

async function start() {
  const { loadPyodide } = await import("./pyodide/pyodide.mjs")
  const python = await loadPyodide({ indexURL: new URL("pyodide/", self.location).href })
  await python.loadPackage("numpy", { checkIntegrity: false })
  python.runPython("import numpy")
  const wheel = await fetch("chainrule.whl")
  if (!wheel.ok) throw new Error("chainrule.whl is not beside the page.")
  python.unpackArchive(await wheel.arrayBuffer(), "wheel")
  return python.runPython(START)
}

const ready = start()

self.onmessage = async ({ data: request }) => {
  let answer
  try {
    answer = JSON.parse((await ready)(JSON.stringify(request)))
  } catch (error) {
    answer = { error: `Python in the browser: ${error.message}` }
  }
  self.postMessage(answer)
}
