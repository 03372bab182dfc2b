/** The course of a training: a history of bounded length, and its curves. */

import { fitted } from "./pictures.js"

const LIMIT = 1200 // points; beyond it every second one is dropped, so that memory stands still

export class History {
  constructor() {
    this.points = []
    this.every = 1
    this.seen = 0
  }

  /** Keeps the losses at a moment, counted in epochs; the newest is always there. */
  add(epoch, train, test) {
    const point = { epoch, train, test }
    if (this.points.at(-1)?.epoch === epoch || this.seen++ % this.every) this.points.splice(-1, 1, point)
    else this.points.push(point)
    if (this.points.length > LIMIT) {
      this.points = this.points.filter((_, i) => i % 2 === 0)
      this.every *= 2
    }
  }
}

/** Steps of 1, 2 or 5 times a power of ten, about `count` of them up to `top`. */
function ticks(top, count) {
  const rough = top / count, power = 10 ** Math.floor(Math.log10(rough || 1))
  const step = power * [1, 2, 5, 10].find(factor => factor * power >= rough)
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, i) => +(i * step).toPrecision(6))
}

const short = number => number >= 10000 ? `${number / 1000}k` : `${number}`

/** Draws the losses of each run: training solid, test dashed; the top is what all but the first wild values reach. */
export function drawCurves(canvas, runs) {
  const { context, width, height } = fitted(canvas), style = getComputedStyle(canvas)
  const left = 36, bottom = height - 19, wide = width - left - 6, high = bottom - 8
  const all = runs.flatMap(run => run.history.points)
  const last = Math.max(1, ...all.map(point => point.epoch))
  const losses = all.flatMap(point => [point.train, point.test]).filter(Number.isFinite).sort((a, b) => a - b)
  const top = Math.max(1e-9, losses[Math.floor(losses.length * .99)] * 1.1 || 1)
  const place = (epoch, loss) => [left + epoch / last * wide, bottom - Math.min(1, loss / top) * high]
  context.font = `11px ${style.fontFamily}`
  context.fillStyle = style.getPropertyValue("--soft")
  context.strokeStyle = style.getPropertyValue("--line")
  context.textAlign = "right"
  for (const value of ticks(top, 3)) {
    const [, y] = place(0, value)
    context.fillText(short(value), left - 6, y + 4)
    context.strokeRect(left, y, wide, 0)
  }
  context.textAlign = "center"
  for (const value of ticks(last, 4)) if (value) context.fillText(short(value), Math.min(place(value, 0)[0], width - 12), height - 4)
  for (const { history, tint } of runs) for (const [name, dash] of [["test", [5, 4]], ["train", []]]) {
    context.beginPath()
    for (const point of history.points) if (Number.isFinite(point[name])) context.lineTo(...place(point.epoch, point[name]))
    context.setLineDash(dash)
    context.strokeStyle = style.getPropertyValue(tint)
    context.lineWidth = 2
    context.stroke()
  }
  context.setLineDash([])
}
