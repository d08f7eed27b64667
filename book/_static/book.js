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
    const watch = new ResizeObserver((entries) => entries.forEach((e) => reachable(e.target)));
    document.querySelectorAll("div.math-display").forEach((box) => watch.observe(box));
  });
})();
