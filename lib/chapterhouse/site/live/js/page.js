// What all figures are made of: elements, colours of the page's theme, and their own style.

const STYLE = `
.live-stage { margin: .5rem 0; color: var(--pst-color-text-base); }
.live-stage p { margin: .4rem 0; max-width: 72ch; }
.live-columns { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: flex-start; }
.live-columns > * { flex: 1 1 15rem; min-width: 0; max-width: 24rem; }
.live-board { position: relative; width: 100%; max-width: 20rem; }
.live-board canvas, .live-view { display: block; width: 100%; image-rendering: pixelated; }
.live-painted { max-width: 14rem; }
.live-board canvas { touch-action: none; cursor: crosshair; border: 1px solid var(--pst-color-border); }
.live-board canvas:focus-visible { outline: 3px solid var(--pst-color-secondary); outline-offset: 2px; }
.live-cursor { position: absolute; pointer-events: none; border: 2px solid #e6a157;
  box-shadow: 0 0 0 1px #000; display: none; box-sizing: border-box; }
.live-board canvas:focus ~ .live-cursor { display: block; }
.live-tools { display: flex; flex-wrap: wrap; gap: .5rem; margin: .6rem 0; }
.live-stage button { font: inherit; font-size: .92rem; padding: .25rem .8rem; min-height: 2rem;
  border: 1px solid var(--pst-color-primary); border-radius: 2rem; cursor: pointer;
  background: var(--pst-color-background); color: var(--pst-color-primary); }
.live-stage button:hover, .live-stage button[aria-pressed="true"] {
  background: var(--pst-color-primary); color: var(--pst-color-background); }
.live-stage label { display: grid; grid-template-columns: minmax(5.5rem, auto) 1fr 3.5rem; gap: .3rem .7rem;
  align-items: center; margin: .35rem 0; }
.live-stage input[type="range"] { min-width: 0; width: 100%; min-height: 1.6rem;
  accent-color: var(--pst-color-primary); }
.live-stage output { font-variant-numeric: tabular-nums; }
.live-stage select { font: inherit; min-height: 2rem; }
.live-bars { list-style: none; padding: 0; margin: 0; display: grid; column-gap: .6rem;
  grid-template-columns: minmax(1.5rem, max-content) 1fr 3.4rem; }
.live-bars li { display: grid; grid-column: 1 / -1; grid-template-columns: subgrid; align-items: center;
  max-width: none; font-variant-numeric: tabular-nums; }
.live-bars b { display: block; height: .8rem; background: var(--pst-color-text-muted); }
.live-bars .live-first b { background: var(--pst-color-primary); }
.live-bars .live-first { font-weight: 650; }
.live-stage .live-note { font-size: .9rem; color: var(--pst-color-text-muted); }
.live-title { font-weight: 650; }
@media print { .live-stage { display: none; } .live-still[hidden] { display: block !important; } }
`;

// An element with properties, and children that are elements or text.
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

let made = 0;
const freshId = () => `live-part-${++made}`;

// A labelled slider; `show` turns its number into words.
function slider(name, { min, max, step, value, show = String, change }) {
  const output = make("output", {}, show(value));
  const input = make("input", { type: "range", min, max, step, value });
  input.setAttribute("aria-valuetext", show(value));
  const set = (number) => {
    output.textContent = show(number);
    input.setAttribute("aria-valuetext", show(number));
  };
  input.addEventListener("input", () => {
    set(input.valueAsNumber);
    change(input.valueAsNumber);
  });
  const label = make("label", {}, make("span", {}, name), input, output);
  return {
    label,
    input,
    move: (number) => {
      input.value = number;
      set(number);
    },
  };
}

// A text that is read aloud when it has stayed as it is for a moment.
function announcer() {
  const element = make("p", { role: "status", class: "live-note" });
  let waiting;
  return {
    element,
    say: (text) => {
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        if (element.textContent !== text) element.textContent = text;
      }, 250);
    },
  };
}

const probe = make("canvas", { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });

// A colour of the theme as [red, green, blue].
function themeColour(name) {
  probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "#777";
  probe.fillRect(0, 0, 1, 1);
  return [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}

const mix = (from, to, share) => from.map((v, i) => v + (to[i] - v) * share);

// Fill a canvas of width × height pixels; `colour(column, row)` gives [red, green, blue].
function paint(canvas, width, height, colour) {
  if (canvas.width !== width || canvas.height !== height) {
    [canvas.width, canvas.height] = [width, height];
  }
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const image = context.createImageData(width, height);
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at += 4) {
      const [r, g, b] = colour(column, row);
      image.data.set([r, g, b, 255], at);
    }
  }
  context.putImageData(image, 0, 0);
}

const grey = (share) => Array(3).fill(255 * Math.min(Math.max(share, 0), 1));

// The place of a pointer on an element, 0…1 in both directions.
function placeOf(event, element) {
  const box = element.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

// Call `task` when the reader switches between light and dark.
function onTheme(task) {
  new MutationObserver(task).observe(document.documentElement, {
    attributeFilter: ["data-theme"],
  });
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const signed = (value, digits = 2) =>
  `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
