// Set a figure up in the place of its picture, and say how exactly it computes.

const CLOSE = 1e-4;

function start(figure) {
  if (!document.getElementById("live-style")) {
    document.head.append(make("style", { id: "live-style" }, STYLE));
  }
  const record = liveFigures.models[figure.dataset.model];
  const stage = make("div", {
    class: "live-stage", role: "group", "aria-label": figure.dataset.label,
  });
  figure.append(stage);
  const { focus, difference } = KINDS[figure.dataset.kind](
    stage, record, JSON.parse(figure.dataset.options));
  figure.dataset.difference = difference;
  const exact = difference <= CLOSE;
  stage.append(make("p", { class: "live-note" }, exact
    ? `Computed in this page. What it gives for the run's own examples differs from what torch gave by at most ${
      difference.toExponential(0)}.`
    : `Careful: for the run's own examples this page differs from torch by ${difference.toExponential(0)}.`));
  figure.querySelector(".live-still").hidden = true;
  figure.querySelector(".live-start").remove();
  focus.focus({ preventScroll: true });
}

liveFigures.start = start;
