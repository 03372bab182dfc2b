/** Numbers as colours: positive blue, negative orange, zero white; classes by colour and by shape. */

const BLUE = [0, 114, 178], ORANGE = [213, 94, 0]
export const CLASSES = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6B7280", "#8C6D1F", "#7B4EA3", "#1B2A38"]
const rgb = hex => [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16))

/** The float32 numbers that base64 text holds. */
export function floats(text) {
  const binary = atob(text), bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  return new Float32Array(bytes.buffer)
}

const pixel = ([r, g, b]) => 0xff000000 | (b << 16) | (g << 8) | r
const mixed = (end, share) => end.map(part => Math.round(255 + (part - 255) * share))
const RAMP = Uint32Array.from({ length: 511 }, (_, i) =>
  pixel(mixed(i < 255 ? ORANGE : BLUE, Math.min(1, Math.abs(i - 255) / 255) ** 0.85)))

/** The colour of a number from -1 to 1, as CSS. */
export function colour(value) {
  const share = Math.min(1, Math.abs(value) || 0)
  return `rgb(${mixed(value < 0 ? ORANGE : BLUE, share).join(" ")})`
}

const buffers = new WeakMap()

/** The image behind a canvas, as one number a pixel. */
function buffer(canvas, width, height) {
  let found = buffers.get(canvas)
  if (found?.image.width !== width || found?.image.height !== height) {
    canvas.width = width
    canvas.height = height
    const context = canvas.getContext("2d", { willReadFrequently: true }), image = context.createImageData(width, height)
    buffers.set(canvas, found = { context, image, pixels: new Uint32Array(image.data.buffer) })
  }
  return found
}

/** Paints numbers, row by row from the top, where `scale` has the full colour. */
export function paint(canvas, values, scale = 1) {
  const width = Math.sqrt(values.length)
  const { context, image, pixels } = buffer(canvas, width, values.length / width), gain = 255 / (scale || 1)
  for (let i = 0; i < pixels.length; i++) pixels[i] = RAMP[255 + Math.max(-255, Math.min(255, values[i] * gain | 0))]
  context.putImageData(image, 0, 0)
}

/** Paints the probabilities of several classes, a plane for each, as a mixture of their colours. */
export function paintClasses(canvas, planes) {
  const size = planes[0].length, side = Math.sqrt(size), { context, image, pixels } = buffer(canvas, side, side)
  const ends = planes.map((_, k) => rgb(CLASSES[k % CLASSES.length]).map(part => 70 + part * 185 / 255))
  for (let i = 0; i < size; i++) {
    let r = 0, g = 0, b = 0
    for (let k = 0; k < planes.length; k++) {
      r += planes[k][i] * ends[k][0]
      g += planes[k][i] * ends[k][1]
      b += planes[k][i] * ends[k][2]
    }
    pixels[i] = pixel([Math.round(r), Math.round(g), Math.round(b)])
  }
  context.putImageData(image, 0, 0)
}

/** The largest of the absolute values, at least `least`. */
export function largest(values, least = 0) {
  let found = least
  for (const value of values) if (Math.abs(value) > found) found = Math.abs(value)
  return found
}

/** A canvas fitted to its box and the screen's resolution: its context in CSS pixels, cleared. */
export function fitted(canvas) {
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio)
    canvas.height = Math.round(height * ratio)
  }
  const context = canvas.getContext("2d")
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.clearRect(0, 0, width, height)
  return { context, width, height }
}

/** The line where the values cross zero: each cell of the grid gives a short segment of it. */
export function border(context, values, width, height) {
  const side = Math.sqrt(values.length), dx = width / side, dy = height / side
  context.beginPath()
  for (let row = 0; row + 1 < side; row++) for (let column = 0; column + 1 < side; column++) {
    const at = row * side + column
    const corners = [[0, 0, values[at]], [1, 0, values[at + 1]], [1, 1, values[at + side + 1]], [0, 1, values[at + side]]]
    const crossed = []
    for (let k = 0; k < 4; k++) {
      const [x, y, a] = corners[k], [u, v, b] = corners[(k + 1) % 4], share = a / (a - b)
      if (a < 0 !== b < 0) crossed.push([(column + .5 + x + (u - x) * share) * dx, (row + .5 + y + (v - y) * share) * dy])
    }
    for (let k = 0; k + 1 < crossed.length; k += 2) {
      context.moveTo(...crossed[k])
      context.lineTo(...crossed[k + 1])
    }
  }
  context.lineWidth = 1.5
  context.strokeStyle = "rgb(20 30 40 / 65%)"
  context.stroke()
}

/** A dot, square, triangle or diamond at a place, by the number of its class. */
function shape(context, kind, x, y, size) {
  context.beginPath()
  if (kind % 4 === 0) context.rect(x - size * .85, y - size * .85, size * 1.7, size * 1.7)
  else if (kind % 4 === 1) context.arc(x, y, size, 0, 2 * Math.PI)
  else {
    const turns = kind % 4 === 2 ? 3 : 4
    for (let k = 0; k < turns; k++) {
      const angle = (k / turns - .25) * 2 * Math.PI
      context.lineTo(x + 1.25 * size * Math.cos(angle), y + 1.25 * size * Math.sin(angle))
    }
    context.closePath()
  }
}

/** Marks samples: those of training are full, those of the test are rings. */
export function points(context, samples, size, fill) {
  for (const { x, y, kind, test, value } of samples) {
    const tint = fill(kind, value)
    shape(context, kind ?? 1, x, y, size)
    context.fillStyle = test ? "#fff" : tint
    context.strokeStyle = test ? tint : "#fff"
    context.lineWidth = test ? size * .5 : 1
    context.fill()
    context.stroke()
  }
}
