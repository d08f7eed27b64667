// What the book adds to its pages. Plain script, no request to anybody; pages read well without it.

(() => {
  "use strict";

  // A formula that is wider than the page scrolls by itself: then the keyboard must reach it too.
  const reachable = (box) => {
    if (box.scrollWidth > box.clientWidth + 1) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "wide formula");
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  };
  document.addEventListener("DOMContentLoaded", () => {
    const boxes = document.querySelectorAll("div.math-display");
    const watch = new ResizeObserver((entries) =>
      entries.forEach((entry) => reachable(entry.target.closest("div.math-display"))),
    );
    boxes.forEach((box) => {
      watch.observe(box);
      if (box.firstElementChild) watch.observe(box.firstElementChild);
    });
    // With its own font a formula may be wider than before, in a box that stays as it was.
    document.fonts?.ready.then(() => boxes.forEach(reachable));
    document.fonts?.addEventListener("loadingdone", () => boxes.forEach(reachable));
  });
})();
