// What goes on inside a classifier: the maps or the units behind its first nonlinearity.

const BLUE = [31, 90, 148];
const RUST = [181, 81, 15];
const WHITE = [255, 255, 255];
const STRONGEST = 8;

// A title, a picture, and the function that draws it anew.
function panel(name, draw) {
  const title = make("p", { class: "live-title" });
  const canvas = make("canvas", { role: "img", class: "live-view" });
  return {
    elements: [title, canvas],
    show: (trace) => {
      const words = draw(canvas, trace);
      title.textContent = words;
      canvas.setAttribute("aria-label", `${name}. ${words}`);
    },
  };
}

function together(...panels) {
  return {
    elements: panels.flatMap((one) => one.elements),
    show: (trace) => panels.forEach((one) => one.show(trace)),
  };
}

// Each feature map as a tile; brighter is stronger.
function maps(step, at) {
  const [channels, height, width] = step.shape;
  const columns = Math.min(channels, 8);
  const rows = Math.ceil(channels / columns);
  return panel("Feature maps", (canvas, trace) => {
    const values = trace[at];
    const top = Math.max(...values, 1e-9);
    const [ground, ink] = [themeColour("--pst-color-background"), themeColour("--pst-color-primary")];
    const line = themeColour("--pst-color-border");
    paint(canvas, columns * (width + 1) - 1, rows * (height + 1) - 1, (x, y) => {
      const [c, r] = [x % (width + 1), y % (height + 1)];
      const map = Math.floor(y / (height + 1)) * columns + Math.floor(x / (width + 1));
      if (c === width || r === height || map >= channels) return line;
      return mix(ground, ink, values[(map * height + r) * width + c] / top);
    });
    return `The ${channels} feature maps of the first convolution`;
  });
}

// Each hidden unit as a square.
function units(step, at) {
  const [number] = step.shape;
  const columns = Math.min(number, 32);
  const rows = Math.ceil(number / columns);
  return panel("Hidden units", (canvas, trace) => {
    const values = trace[at];
    const top = Math.max(...values, 1e-9);
    const [ground, ink] = [themeColour("--pst-color-background"), themeColour("--pst-color-primary")];
    const line = themeColour("--pst-color-border");
    paint(canvas, columns * 10 + 1, rows * 10 + 1, (x, y) => {
      const unit = Math.floor(y / 10) * columns + Math.floor(x / 10);
      if (x % 10 === 0 || y % 10 === 0 || unit >= number) return line;
      return mix(ground, ink, values[unit] / top);
    });
    const active = values.reduce((sum, v) => sum + (v > 0), 0);
    return `Hidden units: ${active} of ${number} are active`;
  });
}

// The weights of the units that are most active now, as pictures of what each looks for.
function patterns(linearStep, at, [channels, height, width]) {
  return panel("Weights of units", (canvas, trace) => {
    const values = trace[at];
    const order = [...values.keys()].sort((a, b) => values[b] - values[a]).slice(0, STRONGEST);
    const pixels = channels * height * width;
    const of = (unit) => linearStep.weight.subarray(unit * pixels, (unit + 1) * pixels);
    const shown = order.map((unit) => {
      const weights = of(unit);
      return [weights, weights.reduce((top, w) => Math.max(top, Math.abs(w)), 1e-9)];
    });
    const line = themeColour("--pst-color-background");
    paint(canvas, shown.length * (width + 1) - 1, height, (x, y) => {
      if (x % (width + 1) === width) return line;
      const [weights, top] = shown[Math.floor(x / (width + 1))];
      const w = weights[y * width + (x % (width + 1))] / top;
      return mix(WHITE, w > 0 ? BLUE : RUST, Math.abs(w));
    });
    return `What the ${shown.length} most active units look for (blue: for, rust: against)`;
  });
}

// The panels that fit a network; none where nothing in it is a nonlinearity.
function activations(network) {
  const at = network.steps.findIndex((step) => ["relu", "tanh", "sigmoid"].includes(step.op));
  if (at < 0) return together();
  const step = network.steps[at];
  if (step.shape.length === 3) return together(maps(step, at));
  const before = network.steps.slice(0, at);
  const onPixels = before.at(-1)?.op === "linear"
    && before.slice(0, -1).every(({ op }) => op === "affine" || op === "reshape");
  if (step.shape.length !== 1) return together();
  const seen = units(step, at);
  return onPixels && network.input.length === 3
    ? together(seen, patterns(before.at(-1), at, network.input)) : together(seen);
}
