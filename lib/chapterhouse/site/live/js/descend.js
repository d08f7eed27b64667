// Gradient descent over a recorded loss surface, at a learning rate that the reader chooses.

class Surface {
  constructor(record) {
    const { shape: [rows, columns], values } = unpack(record.loss);
    const [left, right, bottom, top] = record.extent;
    Object.assign(this, { rows, columns, values, left, right, bottom, top });
    this.dx = (right - left) / (columns - 1);
    this.dy = (top - bottom) / (rows - 1);
    this.largest = values.reduce((a, b) => Math.max(a, b));
    this.smallest = values.reduce((a, b) => Math.min(a, b));
    const slopes = unpack(record.slopes).values;
    [this.slopeX, this.slopeY] = [slopes.subarray(0, values.length), slopes.subarray(values.length)];
  }

  // A value between four points of the grid, and beyond its edges along the same straight lines.
  between(values, x, y) {
    const u = (x - this.left) / this.dx;
    const v = (y - this.bottom) / this.dy;
    const c = Math.min(Math.max(Math.floor(u), 0), this.columns - 2);
    const r = Math.min(Math.max(Math.floor(v), 0), this.rows - 2);
    const at = r * this.columns + c;
    const [s, t] = [u - c, v - r];
    const [here, right, up] = [values[at], values[at + 1], values[at + this.columns]];
    // How the slopes of the two sides differ counts inside the grid only: far beyond, its rounding
    // would be multiplied by a product of two distances.
    const twist = values[at + this.columns + 1] - right - up + here;
    const clip = (share) => Math.min(Math.max(share, 0), 1);
    return here + s * (right - here) + t * (up - here) + clip(s) * clip(t) * twist;
  }

  slope(x, y) {
    return [this.between(this.slopeX, x, y), this.between(this.slopeY, x, y)];
  }

  path(lr, [x, y], steps) {
    const places = [[x, y]];
    for (let step = 0; step < steps; step++) {
      const [gx, gy] = this.slope(x, y);
      [x, y] = [x - lr * gx, y - lr * gy];
      places.push([x, y]);
    }
    return places;
  }

  inside([x, y]) {
    return x >= this.left && x <= this.right && y >= this.bottom && y <= this.top;
  }
}

const WIDTH = 480;

// The surface in bands of equal steps of the loss's root, and the path upon it.
function drawSurface(canvas, surface, places) {
  const height = Math.round(WIDTH * 0.55);
  const [ground, ink] = [themeColour("--pst-color-background"), themeColour("--pst-color-primary")];
  const span = surface.largest - surface.smallest || 1;
  const toX = (x) => ((x - surface.left) / (surface.right - surface.left)) * WIDTH;
  const toY = (y) => (1 - (y - surface.bottom) / (surface.top - surface.bottom)) * height;
  paint(canvas, WIDTH, height, (column, row) => {
    const x = surface.left + ((column + 0.5) / WIDTH) * (surface.right - surface.left);
    const y = surface.top - ((row + 0.5) / height) * (surface.top - surface.bottom);
    const share = Math.max(surface.between(surface.values, x, y) - surface.smallest, 0) / span;
    return mix(ground, ink, 0.06 * Math.floor(10 * Math.sqrt(share)));
  });
  const context = canvas.getContext("2d");
  const [r, g, b] = themeColour("--pst-color-secondary");
  context.strokeStyle = context.fillStyle = `rgb(${r},${g},${b})`;
  context.lineWidth = 2;
  context.beginPath();
  places.forEach(([x, y], i) => {
    // Far away places would only slow the drawing down.
    const [px, py] = [toX(x), toY(y)].map((v) => Math.min(Math.max(v, -4000), 4000));
    if (i) context.lineTo(px, py);
    else context.moveTo(px, py);
  });
  context.stroke();
  for (const [x, y] of places) {
    context.beginPath();
    context.arc(toX(x), toY(y), 3.5, 0, 7);
    context.fill();
  }
}

KINDS.descend = (stage, record) => {
  const surface = new Surface(record);
  const [low, high] = record.rates;
  let start = record.start;
  let lr = Math.sqrt(low * high);
  const help = freshId();
  const { element: status, say } = announcer();
  const canvas = make("canvas", {
    tabindex: 0, role: "application", "aria-label": "The loss surface and the path on it",
    "aria-describedby": help,
  });
  const board = make("div", { class: "live-board" }, canvas);
  board.style.maxWidth = "32rem";
  canvas.style.imageRendering = "auto";
  const shares = [];
  const table = make("ol", { class: "live-bars" });
  const marks = [0, 1, 2, 5, 10, 15, 20, record.steps].filter((m, i, all) =>
    m <= record.steps && all.indexOf(m) === i);
  for (const mark of marks) {
    const [bar, value] = [make("b"), make("span")];
    shares.push([bar, value]);
    table.append(make("li", {}, make("span", {}, `after ${mark} step${mark === 1 ? "" : "s"}`),
      make("span", {}, bar), value));
  }
  const lossAt = ([x, y]) => surface.between(surface.values, x, y);
  const update = () => {
    const places = surface.path(lr, start, record.steps);
    drawSurface(canvas, surface, places);
    marks.forEach((mark, i) => {
      const there = surface.inside(places[mark]);
      const loss = lossAt(places[mark]) - surface.smallest;
      const share = there ? Math.sqrt(loss / (surface.largest - surface.smallest || 1)) : 1;
      shares[i][0].style.width = `${100 * Math.min(Math.max(share, 0), 1)}%`;
      shares[i][1].textContent = there ? lossAt(places[mark]).toPrecision(2) : "left";
    });
    const out = places.findIndex((place) => !surface.inside(place));
    say(out < 0
      ? `Learning rate ${lr.toPrecision(3)}: the loss after ${record.steps} steps is ${
        lossAt(places.at(-1)).toPrecision(2)}.`
      : `Learning rate ${lr.toPrecision(3)}: the path leaves the picture at step ${out}.`);
  };
  const rate = slider("Learning rate", {
    min: 0, max: 1000, step: 1, value: 500, show: (v) => (low * (high / low) ** (v / 1000)).toPrecision(3),
    change: (value) => { lr = low * (high / low) ** (value / 1000); update(); },
  });
  const begin = (x, y) => {
    start = [Math.min(Math.max(x, surface.left), surface.right),
      Math.min(Math.max(y, surface.bottom), surface.top)];
    update();
  };
  const follow = (event) => {
    const [x, y] = placeOf(event, canvas);
    begin(surface.left + x * (surface.right - surface.left),
      surface.top - y * (surface.top - surface.bottom));
  };
  canvas.addEventListener("pointerdown", follow);
  canvas.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
  canvas.addEventListener("keydown", (event) => {
    if (!(event.key in ARROWS)) return;
    event.preventDefault();
    const [x, y] = ARROWS[event.key];
    begin(start[0] + 2 * x * surface.dx, start[1] - 2 * y * surface.dy);
  });
  stage.append(
    rate.label,
    make("div", { class: "live-columns" }, board,
      make("div", {}, make("p", { class: "live-title" }, "The loss on the way"), table, status)),
    make("p", { class: "live-note", id: help },
      "The first parameter runs across, the second upwards; the bottom lies inside the rings. Move "
      + "the slider. To start elsewhere, press on the picture, or use the arrow keys on it."));
  update();
  onTheme(update);
  return { focus: rate.input, difference: pathDifference(surface, record), update };
};

// The largest distance between this page's paths and torch's, relative to how far they go.
function pathDifference(surface, record) {
  let largest = 0;
  for (const { lr, path } of record.paths) {
    const reach = Math.max(1, ...path.flat().map(Math.abs));
    surface.path(lr, path[0], path.length - 1).forEach((place, i) => place.forEach((v, axis) => {
      const distance = Math.abs(v - path[i][axis]) / reach;
      largest = distance > largest || Number.isNaN(distance) ? distance : largest;
    }));
  }
  return largest;
}
