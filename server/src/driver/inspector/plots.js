// Small plots on canvases. They know numbers and colours, and nothing of rooms.

export const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A canvas as sharp as the screen; returns its context and its size in CSS pixels, or nothing while it is not shown. */
export function sharp(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  if (width < 2 || height < 2) return null;
  const ratio = globalThis.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  const g = canvas.getContext('2d');
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  return { g, width, height };
}

/** The next number above that people count by. */
export function round(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map(step => step * power).find(step => step >= value - 1e-12);
}

const words = value => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value >= 1 ? value.toFixed(2) : value.toPrecision(2)).replace(/\.0+$/, '');

function frame(g, width, height, top) {
  const box = { left: 38, right: width - 4, top: 8, bottom: height - 16 };
  g.font = '11px system-ui, sans-serif';
  g.fillStyle = colour('--quiet');
  g.strokeStyle = '#232a34';
  g.lineWidth = 1;
  g.textAlign = 'right';
  g.textBaseline = 'middle';
  for (const share of [0, 0.5, 1]) {
    const y = Math.round(box.bottom - share * (box.bottom - box.top)) + 0.5;
    g.beginPath();
    g.moveTo(box.left, y);
    g.lineTo(box.right, y);
    g.stroke();
    g.fillText(words(top * share), box.left - 5, y);
  }
  return box;
}

/** Layers on top of each other over time. `points` are oldest first, each `{ at, values }`; time in ms. */
export function layers(canvas, points, { colours, span, names = [], mark = null }) {
  const drawing = sharp(canvas);
  if (!drawing) return;
  const { g, width, height } = drawing;
  const sums = points.map(({ values }) => values.reduce((sum, value) => sum + value, 0));
  const top = round(Math.max(...sums, 0) * 1.05);
  const box = frame(g, width, height, top);
  const end = points.at(-1)?.at ?? 0;
  const x = at => box.right - ((end - at) / span) * (box.right - box.left);
  const y = value => box.bottom - Math.min(1, value / top) * (box.bottom - box.top);
  g.save();
  g.beginPath();
  g.rect(box.left, box.top - 2, box.right - box.left, box.bottom - box.top + 4);
  g.clip();
  const below = points.map(() => 0);
  colours.forEach((fill, layer) => {
    g.beginPath();
    points.forEach(({ at }, index) => g.lineTo(x(at), y(below[index])));
    for (let index = points.length - 1; index >= 0; index -= 1) {
      below[index] += points[index].values[layer] ?? 0;
      g.lineTo(x(points[index].at), y(below[index]));
    }
    g.closePath();
    g.globalAlpha = 0.75;
    g.fillStyle = fill;
    g.fill();
    g.globalAlpha = 1;
  });
  if (mark && mark.value <= top) {
    g.setLineDash([4, 4]);
    g.strokeStyle = mark.colour;
    g.beginPath();
    g.moveTo(box.left, y(mark.value));
    g.lineTo(box.right, y(mark.value));
    g.stroke();
    g.setLineDash([]);
  }
  g.restore();
  keys(g, box, names, colours);
}

/** Bars side by side, of parts on top of each other. */
export function bars(canvas, labels, stacks, { colours, names = [] }) {
  const drawing = sharp(canvas);
  if (!drawing) return;
  const { g, width, height } = drawing;
  const sums = stacks.map(parts => parts.reduce((sum, part) => sum + part, 0));
  const top = round(Math.max(...sums, 0) * 1.05);
  const box = frame(g, width, height, top);
  const step = (box.right - box.left) / labels.length;
  g.textAlign = 'center';
  labels.forEach((label, index) => {
    let low = box.bottom;
    stacks[index].forEach((part, layer) => {
      const high = (part / top) * (box.bottom - box.top);
      g.fillStyle = colours[layer];
      g.fillRect(box.left + index * step + 2, low - high, Math.max(1, step - 4), high);
      low -= high;
    });
    g.fillStyle = colour('--quiet');
    g.fillText(label, box.left + (index + 0.5) * step, height - 7);
  });
  keys(g, box, names, colours);
}

function keys(g, box, names, colours) {
  g.textAlign = 'left';
  let x = box.left + 6;
  names.forEach((name, index) => {
    g.fillStyle = colours[index];
    g.fillRect(x, box.top + 3, 8, 8);
    g.fillStyle = colour('--text');
    g.fillText(name, x + 12, box.top + 8);
    x += 24 + g.measureText(name).width;
  });
}

/** A bar of parts as an image for a table cell: `parts` are `[value, colour]`. */
export function strip(parts, total, width = 120, height = 9) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('width', width);
  svg.setAttribute('height', height);
  let x = 0;
  for (const [value, fill] of parts) {
    const rect = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
    const wide = total > 0 ? (value / total) * width : 0;
    rect.setAttribute('x', x);
    rect.setAttribute('width', Math.max(0, wide));
    rect.setAttribute('height', height);
    rect.setAttribute('fill', fill);
    svg.append(rect);
    x += wide;
  }
  return svg;
}
