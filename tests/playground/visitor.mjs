// A visitor who does what he is told: each line of stdin is code in JSON, each line of stdout is what it returned.
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { createInterface } from "node:readline"
import { pathToFileURL } from "node:url"

const [, , folder, own] = process.argv, require = createRequire(pathToFileURL(`${folder}/`))
const load = async name => (await import(pathToFileURL(require.resolve(name)))).default
const puppeteer = await load("puppeteer-core"), chromium = own ? null : await load("@sparticuz/chromium")
const browser = await puppeteer.launch({
  executablePath: own || await chromium.executablePath(),
  args: ["--no-sandbox", "--disable-gpu"], // not those of the package: they put all into one process
  headless: "shell",
})
const page = await browser.newPage(), faults = []
page.on("pageerror", error => faults.push(`${error}`))
page.on("console", message => message.type() === "error" && faults.push(message.text()))
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8")
const idle = () => page.waitForFunction("document.body.dataset.busy === '0'", { timeout: 60000 })
const tools = { page, browser, faults, axe, idle }
const Work = (async () => {}).constructor
for await (const line of createInterface({ input: process.stdin })) {
  let answer
  try {
    const { code, values } = JSON.parse(line), scope = { ...tools, ...values }
    answer = { value: await new Work(...Object.keys(scope), code)(...Object.values(scope)) ?? null }
  } catch (error) {
    answer = { error: `${error.stack ?? error}` }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
await browser.close()
