// A visitor who does what he is told: each line of stdin is code in JSON, each line of stdout is what it returned.
import { createRequire } from "node:module"
import { readFileSync } from "node:fs"
import { createInterface } from "node:readline"

const require = createRequire(`${process.argv[2]}/`), own = process.argv[3]
const load = async name => (await import(require.resolve(name))).default
const puppeteer = await load("puppeteer-core"), chromium = own ? null : await load("@sparticuz/chromium")
const browser = await puppeteer.launch({
  executablePath: own || await chromium.executablePath(),
  args: own ? ["--no-sandbox"] : [...chromium.args, "--no-sandbox"],
  headless: "shell",
})
const page = await browser.newPage(), faults = []
page.on("pageerror", error => faults.push(`${error}`))
page.on("console", message => message.type() === "error" && faults.push(message.text()))
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8")
const Work = Object.getPrototypeOf(async () => {}).constructor
for await (const line of createInterface({ input: process.stdin })) {
  let answer
  try {
    const { code, values } = JSON.parse(line)
    answer = { value: await new Work("page", "browser", "faults", "axe", ...Object.keys(values), code)(
      page, browser, faults, axe, ...Object.values(values)) ?? null }
  } catch (error) {
    answer = { error: `${error.stack ?? error}` }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
await browser.close()
