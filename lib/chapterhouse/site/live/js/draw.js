// Draw a picture, and watch what a classifier makes of it.

class Drawing {
  // `changed` is called after every change; values go from 0 to `brightest`.
  constructor([, height, width], brightest, pen, changed) {
    Object.assign(this, { height, width, brightest, pen, changed });
    this.values = new Float64Array(height * width);
    this.shade = 1;
    this.erasing = false;
  }

  stamp(x, y) {
    const radius = this.pen / 2;
    for (let row = 0; row < this.height; row++) {
      for (let column = 0; column < this.width; column++) {
        const distance = Math.hypot(column + 0.5 - x, row + 0.5 - y);
        const cover = Math.min(Math.max(radius + 0.5 - distance, 0), 1);
        const at = row * this.width + column;
        if (this.erasing) this.values[at] *= 1 - cover;
        else if (cover > 0) {
          const ink = Math.round(this.brightest * this.shade * cover);
          this.values[at] = Math.max(this.values[at], this.brightest === 1 ? this.shade * cover : ink);
        }
      }
    }
  }

  line([x0, y0], [x1, y1]) {
    const pieces = Math.max(1, Math.ceil(Math.hypot(x1 - x0, y1 - y0) / 0.4));
    for (let i = 0; i <= pieces; i++) {
      this.stamp(x0 + ((x1 - x0) * i) / pieces, y0 + ((y1 - y0) * i) / pieces);
    }
    this.changed();
  }

  set(values) {
    this.values = Float64Array.from(values);
    this.changed();
  }

  clear() {
    this.set(new Float64Array(this.height * this.width));
  }

  // Move the drawing so that its centre of mass lies in the middle, as the digits of MNIST do.
  centre() {
    let [mass, x, y] = [0, 0, 0];
    this.values.forEach((v, i) => {
      mass += v;
      x += v * (i % this.width);
      y += v * Math.floor(i / this.width);
    });
    if (!mass) return;
    const right = Math.round((this.width - 1) / 2 - x / mass);
    const down = Math.round((this.height - 1) / 2 - y / mass);
    this.set(this.values.map((_, i) => {
      const column = (i % this.width) - right;
      const row = Math.floor(i / this.width) - down;
      const inside = column >= 0 && column < this.width && row >= 0 && row < this.height;
      return inside ? this.values[row * this.width + column] : 0;
    }));
  }
}

// The canvas that is drawn on, by pointer and by keys.
function drawingBoard(drawing, help) {
  const canvas = make("canvas", {
    tabindex: 0,
    role: "application",
    "aria-label": `Drawing area of ${drawing.width} by ${drawing.height} pixels`,
    "aria-describedby": help,
  });
  const cursor = make("div", { class: "live-cursor" });
  const board = make("div", { class: "live-board" }, canvas, cursor);
  const { width, height } = drawing;
  let [place, last, down, space] = [[width / 2, height / 2], null, false, false];
  const toCursor = () => {
    const size = Math.max(drawing.pen, 2);
    cursor.style.width = `${(100 * size) / width}%`;
    cursor.style.height = `${(100 * size) / height}%`;
    cursor.style.left = `${(100 * (place[0] - size / 2)) / width}%`;
    cursor.style.top = `${(100 * (place[1] - size / 2)) / height}%`;
  };
  const at = (event) => {
    const [x, y] = placeOf(event, canvas);
    return [x * width, y * height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = at(event);
    drawing.line(last, last);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const next = at(event);
    drawing.line(last, next);
    last = place = next;
    toCursor();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => { last = null; });
  }
  canvas.addEventListener("keydown", (event) => {
    const before = place;
    if (event.key in ARROWS) {
      const [x, y] = ARROWS[event.key];
      const clip = (v, length) => Math.min(Math.max(v, 0.5), length - 0.5);
      place = [clip(place[0] + x, width), clip(place[1] + y, height)];
    } else if (event.key === " ") space = true;
    else if (event.key === "Enter") down = !down;
    else if (event.key === "Delete" || event.key === "Backspace") drawing.clear();
    else return;
    event.preventDefault();
    toCursor();
    if (down || space) drawing.line(before, place);
  });
  canvas.addEventListener("keyup", (event) => { if (event.key === " ") space = false; });
  canvas.addEventListener("blur", () => { [space, down] = [false, false]; });
  toCursor();
  return {
    board,
    canvas,
    toCursor,
    show: () => paint(canvas, width, height, (c, r) =>
      grey(drawing.values[r * width + c] / drawing.brightest)),
  };
}

// One bar a class, in the order of the classes.
function bars(classes) {
  const rows = classes.map((name) => {
    const bar = make("b");
    const share = make("span");
    return { bar, share, item: make("li", {}, make("span", {}, name), make("span", {}, bar), share) };
  });
  return {
    element: make("ol", { class: "live-bars" }, ...rows.map((row) => row.item)),
    show: (shares) => {
      const best = shares.indexOf(Math.max(...shares));
      rows.forEach(({ bar, share, item }, i) => {
        bar.style.width = `${100 * shares[i]}%`;
        share.textContent = `${(100 * shares[i]).toFixed(0)}%`;
        item.classList.toggle("live-first", i === best);
      });
      return best;
    },
  };
}

KINDS.draw = (stage, record, options) => {
  const network = new Network(record);
  const inside = activations(network);
  const chart = bars(network.classes);
  const { element: status, say } = announcer();
  const help = freshId();
  let shown = 0;
  const logitsLast = network.steps.at(-1).op !== "softmax";
  const drawing = new Drawing(network.input, network.brightest, options.pen ?? 2, () => update());
  const board = drawingBoard(drawing, help);
  const update = () => {
    board.show();
    const trace = network.trace(drawing.values);
    const shares = logitsLast ? softmax(trace.at(-1)) : trace.at(-1);
    const best = chart.show(shares);
    inside.show(trace);
    say(`The model says: ${network.classes[best]}, ${(100 * shares[best]).toFixed(0)} per cent.`);
  };
  const caption = make("p", { class: "live-note" });
  const example = () => {
    const { input, label } = network.examples[shown % network.examples.length];
    const truth = label === undefined || label === null ? "" : `: ${network.classes[label]}`;
    caption.textContent = `Example ${(shown % network.examples.length) + 1} of ${
      network.examples.length}${truth}`;
    shown += 1;
    drawing.set(input);
  };
  const erase = make("button", { type: "button", "aria-pressed": "false" }, "Erase");
  erase.addEventListener("click", () => {
    drawing.erasing = !drawing.erasing;
    erase.setAttribute("aria-pressed", String(drawing.erasing));
  });
  const tool = (text, task) => make("button", { type: "button", onclick: () => {
    caption.textContent = "Your drawing";
    task();
  } }, text);
  board.canvas.addEventListener("pointerdown", () => { caption.textContent = "Your drawing"; });
  const pen = slider("Pen width", {
    min: 1, max: 8, step: 0.5, value: drawing.pen, show: (v) => `${v} px`,
    change: (value) => { drawing.pen = value; board.toCursor(); },
  });
  const shade = slider("Brightness", {
    min: 0.1, max: 1, step: 0.05, value: 1, show: (v) => `${Math.round(100 * v)}%`,
    change: (value) => { drawing.shade = value; },
  });
  stage.append(
    make("div", { class: "live-columns" },
      make("div", {}, board.board, caption,
        make("div", { class: "live-tools" },
          tool("Clear", () => drawing.clear()),
          make("button", { type: "button", onclick: example }, "Next example"),
          erase, tool("Move to the middle", () => drawing.centre())),
        pen.label, shade.label),
      make("div", {}, make("p", { class: "live-title" }, "What the model says"), chart.element, status)),
    ...inside.elements,
    make("p", { class: "live-note", id: help },
      "Draw with a mouse or a finger. With keys: arrows move, space paints, Enter lowers or lifts "
      + "the pen, Delete clears."));
  example();
  onTheme(update);
  return { focus: board.canvas, difference: network.difference(), update };
};
