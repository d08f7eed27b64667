// Walk over a plane of codes, and see what a decoder paints at each place.

const TILES = 13;

KINDS.walk = (stage, record, options) => {
  const network = new Network(record);
  const reach = options.reach ?? 3;
  const [, height, width] = network.steps.at(-1).shape;
  const extra = network.input[0] - 2;
  let place = [0, 0];
  let wanted = 0;
  let drawn = 0;
  const code = (a, b) => {
    const z = new Float64Array(2 + extra);
    [z[0], z[1]] = [a, b];
    if (extra) z[2 + wanted] = 1;
    return z;
  };
  const help = freshId();
  const plane = make("canvas", {
    tabindex: 0, role: "application", "aria-label": "The plane of codes", "aria-describedby": help,
    width: TILES * width, height: TILES * height,
  });
  const cursor = make("div", { class: "live-cursor" });
  cursor.style.display = "block";
  cursor.style.width = cursor.style.height = `${100 / TILES}%`;
  const board = make("div", { class: "live-board" }, plane, cursor);
  const view = make("canvas", { role: "img", class: "live-view live-painted" });
  const { element: status, say } = announcer();

  // The background: what is painted at the middle of each tile, a row at a time.
  const middle = (tile) => (((tile + 0.5) / TILES) * 2 - 1) * reach;
  const map = () => {
    const turn = ++drawn;
    const row = (r) => {
      if (turn !== drawn || r === TILES) return;
      const context = plane.getContext("2d");
      const tile = make("canvas");
      for (let c = 0; c < TILES; c++) {
        const values = network.run(code(middle(c), -middle(r)));
        paint(tile, width, height, (x, y) => grey(0.75 * values[y * width + x]));
        context.drawImage(tile, c * width, r * height);
      }
      setTimeout(() => row(r + 1));
    };
    row(0);
  };
  const update = () => {
    const values = network.run(code(...place));
    paint(view, width, height, (x, y) => grey(values[y * width + x]));
    const words = `z = (${signed(place[0])}, ${signed(place[1])})`;
    view.setAttribute("aria-label", `What the decoder paints at ${words}`);
    cursor.style.left = `${50 * (1 + place[0] / reach) - 50 / TILES}%`;
    cursor.style.top = `${50 * (1 - place[1] / reach) - 50 / TILES}%`;
    say(words);
  };
  const go = (a, b) => {
    place = [a, b].map((v) => Math.min(Math.max(v, -reach), reach));
    sliders.forEach((one, i) => one.move(place[i]));
    update();
  };
  const sliders = [0, 1].map((axis) => slider(`z[${axis}]`, {
    min: -reach, max: reach, step: 0.05, value: 0, show: (v) => signed(v),
    change: (value) => go(...place.map((v, i) => (i === axis ? value : v))),
  }));
  const follow = (event) => {
    const [x, y] = placeOf(event, plane);
    go((2 * x - 1) * reach, (1 - 2 * y) * reach);
  };
  plane.addEventListener("pointerdown", (event) => {
    plane.setPointerCapture(event.pointerId);
    follow(event);
  });
  plane.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
  plane.addEventListener("keydown", (event) => {
    if (!(event.key in ARROWS)) return;
    event.preventDefault();
    const [x, y] = ARROWS[event.key];
    const far = event.shiftKey ? 0.5 : 0.1;
    go(place[0] + far * x, place[1] - far * y);
  });
  const choices = [];
  if (extra) {
    const select = make("select", {}, ...network.classes.map((name, i) =>
      make("option", { value: i }, name)));
    select.addEventListener("change", () => {
      wanted = Number(select.value);
      map();
      update();
    });
    choices.push(make("label", {}, make("span", {}, "What to paint"), select));
  }
  stage.append(
    make("div", { class: "live-columns" },
      make("div", {}, board, ...choices, ...sliders.map(({ label }) => label)),
      make("div", {}, make("p", { class: "live-title" }, "What the decoder paints"), view, status)),
    make("p", { class: "live-note", id: help },
      "Drag over the plane, or use the arrow keys on it (with Shift in larger steps)."));
  map();
  update();
  return { focus: plane, difference: network.difference(), update };
};
