// The menu of versions, and a line on pages of another version than the newest. Plain script, no
// request to anybody: a page that stands in a folder of releases has loaded versions.js, which names
// them all. On a page that stands alone this does nothing.

(() => {
  "use strict";

  const make = (tag, attributes = {}, ...inside) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...inside);
    return element;
  };

  document.addEventListener("DOMContentLoaded", () => {
    const known = window.bookVersions;
    const place = document.querySelector(".book-version");
    const site = document.documentElement.dataset.content_root || "./";
    if (!known || !place) return;
    const here = place.dataset.version;
    const page = `${document.body.dataset.page}.html`;
    // The folder of releases is the one above this version's own.
    const releases = new URL("..", new URL(site, location.href));
    const has = (version) => version.pages.includes(page);
    const address = (version) => {
      const url = new URL(version.url + (has(version) ? page : version.root), releases);
      // The same place on the page, and the same question to the search.
      if (has(version)) [url.search, url.hash] = [location.search, location.hash];
      return url.href;
    };
    const byName = (name) => known.versions.find((version) => version.version === name);
    const newest = byName(known.default);

    const link = (version) => {
      const element = make("a", { href: address(version) }, version.version);
      const notes = [];
      if (version === newest) notes.push("newest");
      if (!version.released) notes.push("not released");
      if (version.version === here) element.setAttribute("aria-current", "page");
      else if (!has(version)) notes.push("without this page");
      if (notes.length) element.append(make("span", {}, ` ${notes.join(", ")}`));
      element.relocate = () => (element.href = address(version));
      return element;
    };

    const addMenu = () => {
      const links = known.versions.map(link);
      const button = make(
        "button",
        { type: "button", "aria-expanded": "false", "aria-controls": "book-versions" },
        place.textContent.trim(),
      );
      const list = make("ul", { id: "book-versions", hidden: "" });
      list.append(...links.map((each) => make("li", {}, each)));
      const menu = make("nav", { "aria-label": "Versions" }, button, list);
      const open = (wanted) => {
        if (wanted) links.forEach((each) => each.relocate());
        list.hidden = !wanted;
        button.setAttribute("aria-expanded", String(wanted));
      };
      button.addEventListener("click", () => open(list.hidden));
      menu.addEventListener("keydown", (event) => {
        if (list.hidden) return;
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (event.key === "Escape") {
          open(false);
          button.focus();
        } else if (step) {
          const at = links.indexOf(document.activeElement);
          const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step;
          (links[next] ?? button).focus();
        } else return;
        event.preventDefault(); // Escape closes the menu alone, not the sidebar around it on a phone
        event.stopPropagation();
      });
      document.addEventListener("click", (event) => {
        if (!menu.contains(event.target)) open(false);
      });
      place.replaceChildren(menu);
    };

    const addLine = () => {
      if (!newest || here === newest.version) return;
      const own = byName(here);
      const at = own ? known.versions.indexOf(own) : known.versions.length;
      const early = at < known.versions.indexOf(newest);
      const to = make("a", { href: address(newest) });
      to.append(
        has(newest) ? `This page in version ${newest.version}` : `Version ${newest.version}`,
      );
      to.addEventListener("pointerdown", () => (to.href = address(newest)));
      to.addEventListener("focus", () => (to.href = address(newest)));
      const which = newest.released ? "The newest release" : "The newest";
      const line = make(
        "p",
        { class: "book-other-version", role: "note" },
        early
          ? `You are reading version ${here}, which is not released yet. `
          : `You are reading version ${here}, which is not the newest. `,
        to,
        has(newest) ? "." : `, ${which.toLowerCase()}, has no such page.`,
      );
      document.querySelector("main article")?.prepend(line);
    };

    addMenu();
    addLine();
  });
})();
