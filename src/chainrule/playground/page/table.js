/** One's own table: a file to open, its columns, and a first choice among them. */

import { make } from "./element.js"
import { ask, inTurn } from "./library.js"

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
