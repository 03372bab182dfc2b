// Typesets every formula of a JSON list from standard input by MathJax, and prints those that it refuses, as JSON.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const MathJax = await createRequire(import.meta.url)(process.argv[2]).init({ loader: { load: ["input/tex", "output/svg"] } });
const refused = [];
for (const [tex, display] of JSON.parse(readFileSync(0, "utf8"))) {
  const made = MathJax.startup.adaptor.outerHTML(MathJax.tex2svg(tex, { display }));
  const error = made.match(/data-mjx-error="([^"]*)"/);
  if (error) refused.push([tex, error[1]]);
}
console.log(JSON.stringify(refused));
