// A reader's place in the book: definitions where terms stand, what was read and done, and keys.
// Plain script, no request to anybody; what a reader marks stays in this browser. Pages read well
// without it.

(() => {
  "use strict";

  const { book, page, chapters } = document.body.dataset;
  const root = new URL(document.documentElement.dataset.content_root || "./", location.href);
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const make = (tag, attributes = {}, ...inside) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...inside);
    return element;
  };

  // ---- what is kept: {"read": {page: day}, "done": {exercise: day}}

  const KEY = `book:${book}`;
  const KINDS = ["read", "done"];
  const stored = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // a browser that keeps nothing
    }
  };
  const store = (key, value) => {
    try {
      localStorage.setItem(key, value);
    } catch {
      // Then it is gone with the page, and everything else works.
    }
  };
  // Only days under names are taken over, whatever a file or another script put there.
  const clean = (found) =>
    Object.fromEntries(
      KINDS.map((kind) => [
        kind,
        Object.fromEntries(
          Object.entries(Object(found?.[kind])).filter(
            ([, day]) => typeof day === "string" && /^\d{4}-\d\d-\d\d$/.test(day),
          ),
        ),
      ]),
    );
  const parse = (text) => {
    try {
      return JSON.parse(text);
    } catch {
      return null;
    }
  };
  let kept = clean(parse(stored(KEY)));
  const keep = (next) => {
    kept = next;
    store(KEY, JSON.stringify(kept));
    show();
  };

  const boxes = [];
  const tick = (kind, name, words) => {
    const input = make("input", { type: "checkbox" });
    input.addEventListener("change", () => {
      const next = clean(parse(stored(KEY)) ?? kept); // another tab may have written meanwhile
      if (input.checked) next[kind][name] = new Date().toISOString().slice(0, 10);
      else delete next[kind][name];
      keep(next);
    });
    boxes.push(() => (input.checked = name in kept[kind]));
    return make("label", { class: "book-tick" }, input, ` ${words}`);
  };
  const within = (link) => {
    const url = new URL(link.getAttribute("href").replace(/#.*/, ""), location.href);
    return url.href.startsWith(root.href)
      ? url.href.slice(root.href.length).replace(/[?#].*/, "").replace(/\.html$/, "")
      : "";
  };
  const inSidebar = () =>
    $$(".bd-docs-nav a.reference").filter((link) => within(link).startsWith(chapters));

  const show = () => {
    boxes.forEach((refresh) => refresh());
    const links = inSidebar();
    for (const link of links) {
      $(".book-read", link)?.remove();
      if (within(link) in kept.read) {
        const mark = make("span", { class: "book-read" }, " ✓");
        mark.append(make("span", { class: "visually-hidden" }, " read"));
        link.append(mark);
      }
    }
    const read = links.filter((link) => within(link) in kept.read).length;
    const done = Object.keys(kept.done).length;
    for (const place of $$("[data-progress]")) {
      place.textContent =
        read || done
          ? `: ${read} of ${links.length} read` + (done ? `, ${done} done` : "")
          : "";
    }
  };

  const addTicks = () => {
    const article = $("article.bd-article");
    if (!article) return;
    for (const exercise of $$('.exercise.graded[id^="exercise-"]', article)) {
      exercise.append(tick("done", exercise.id.slice("exercise-".length), "I have done this exercise"));
    }
    if (page.startsWith(chapters)) article.append(tick("read", page, "I have read this chapter"));
  };

  // ---- the page of progress

  const progressPage = () => {
    const list = $("#progress-list");
    if (!list) return;
    for (const item of $$("[data-page], [data-exercise]", list)) {
      const { page: chapter, exercise } = item.dataset;
      const link = $("a", item);
      const label = chapter ? tick("read", chapter, "read") : tick("done", exercise, "done");
      $("input", label).setAttribute("aria-label", `${link.textContent}: ${label.textContent.trim()}`);
      link.after(label);
    }
    const said = make("p", { role: "status", class: "book-said" });
    const button = (words, action) => {
      const element = make("button", { type: "button", class: "button" }, words);
      element.addEventListener("click", action);
      return element;
    };
    const save = button("Export", () => {
      const text = JSON.stringify({ book, ...kept }, null, 1);
      const link = make("a", { download: `${book}-progress.json` });
      link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
      link.click();
      URL.revokeObjectURL(link.href);
    });
    const file = make("input", { type: "file", accept: "application/json,.json", hidden: "" });
    file.setAttribute("aria-label", "The file to import");
    file.addEventListener("change", async () => {
      const chosen = file.files[0];
      if (!chosen) return;
      const found = parse(await chosen.text());
      file.value = "";
      if (found?.book !== book) {
        said.textContent = `${chosen.name} is not a file that this book's Export has made.`;
        return;
      }
      const given = clean(found);
      keep({ read: { ...kept.read, ...given.read }, done: { ...kept.done, ...given.done } });
      said.textContent = `${chosen.name} was added to what was here.`;
    });
    const forget = button("Forget everything", () => {
      if (!confirm("Forget what you have marked as read and done in this browser?")) return;
      keep(clean(null));
      said.textContent = "Forgotten.";
    });
    const tools = make("div", { class: "book-buttons" }, save, button("Import", () => file.click()));
    tools.append(forget, file);
    list.after(tools, said);
  };

  // ---- definitions

  const addDefinitions = () => {
    const terms = $$("a[data-definition]");
    if (!terms.length) return;
    const tip = make("div", { class: "term-definition", id: "definition", role: "tooltip", hidden: "" });
    ($("main") ?? document.body).append(tip);
    let on = null;
    let touched = null;
    let later;
    const hide = () => {
      clearTimeout(later);
      on?.removeAttribute("aria-describedby");
      tip.hidden = true;
      on = touched = null;
    };
    const hideSoon = () => {
      clearTimeout(later);
      later = setTimeout(hide, 200); // time to move the pointer onto the definition
    };
    const open = (link) => {
      if (on !== link) hide();
      clearTimeout(later);
      on = link;
      tip.textContent = link.dataset.definition;
      link.setAttribute("aria-describedby", "definition");
      tip.hidden = false;
      const at = link.getClientRects()[0];
      const frame = tip.offsetParent?.getBoundingClientRect() ?? { left: 0, top: 0 };
      const left = Math.min(at.left, document.documentElement.clientWidth - tip.offsetWidth - 12);
      const above = at.bottom + tip.offsetHeight + 12 > innerHeight && at.top > tip.offsetHeight + 12;
      const top = above ? at.top - tip.offsetHeight - 6 : at.bottom + 6;
      tip.style.left = `${Math.max(left, 12) - frame.left}px`;
      tip.style.top = `${top - frame.top}px`;
    };
    tip.addEventListener("mouseenter", () => clearTimeout(later));
    tip.addEventListener("mouseleave", hideSoon);
    for (const link of terms) {
      link.addEventListener("mouseenter", () => open(link));
      link.addEventListener("mouseleave", hideSoon);
      link.addEventListener("focus", () => open(link));
      link.addEventListener("blur", hide);
      // A finger has no hover: the first tap shows the definition, the second follows the link.
      link.addEventListener("click", (event) => {
        if (event.pointerType !== "touch" || touched === link) return;
        event.preventDefault();
        open(link);
        touched = link;
      });
    }
    document.addEventListener("pointerdown", (event) => {
      if (on && !on.contains(event.target) && !tip.contains(event.target)) hide();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") hide();
    });
  };

  // ---- keys

  const KEYS = [
    ["[ or ←", "the page before"],
    ["] or →", "the page after"],
    ["/", "search"],
    ["?", "this help"],
    ["Esc", "close what is open"],
  ];
  const OFF = "book:keys";
  let help;
  const openHelp = () => {
    if (!help) {
      const rows = KEYS.map(([key, words]) =>
        make("div", {}, make("dt", {}, make("kbd", {}, key)), make("dd", {}, words)),
      );
      const input = make("input", { type: "checkbox" });
      input.checked = stored(OFF) !== "off";
      input.addEventListener("change", () => store(OFF, input.checked ? "on" : "off"));
      const close = make("button", { type: "button", class: "button" }, "Close");
      close.addEventListener("click", () => help.close());
      help = make(
        "dialog",
        { class: "book-help", "aria-labelledby": "book-help-title" },
        make("h2", { id: "book-help-title" }, "Keys"),
        make("dl", {}, ...rows),
        make("p", {}, make("label", { class: "book-tick" }, input, " Single keys do this")),
        close,
      );
      document.body.append(help);
    }
    if (!help.open) help.showModal();
  };
  const WRITES = "input, textarea, select, canvas, [contenteditable], [role=application], [role=slider]";
  const follow = (selector) => $(selector)?.click();
  const onKey = (event) => {
    const held = event.ctrlKey || event.metaKey || event.altKey;
    if (event.isComposing || (held && !event.getModifierState("AltGraph"))) return;
    const target = document.activeElement ?? document.body;
    if (target.closest(WRITES) || $("dialog[open]") || stored(OFF) === "off") return;
    // What scrolls sideways or is a tab has its own use for arrows.
    const free = target === document.body || target.id === "main-content";
    const action = {
      "[": () => follow("a.left-prev"),
      "]": () => follow("a.right-next"),
      ArrowLeft: free && !event.shiftKey && (() => follow("a.left-prev")),
      ArrowRight: free && !event.shiftKey && (() => follow("a.right-next")),
      "/": () => follow(".search-button__button"),
      "?": openHelp,
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  };

  // The page of results reads each page that it found, to show some words of it. From a folder no
  // browser allows that; the titles are then enough.
  if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
    DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (!book) return;
    addTicks();
    progressPage();
    show();
    addDefinitions();
    for (const button of $$("[data-help]")) {
      button.hidden = false;
      button.addEventListener("click", openHelp);
    }
    document.addEventListener("keydown", onKey);
    // What is folded is read on paper, too.
    addEventListener("beforeprint", () =>
      $$("details:not([open])", $("article") ?? document).forEach((folded) => {
        folded.open = true;
        addEventListener("afterprint", () => (folded.open = false), { once: true });
      }),
    );
    addEventListener("storage", (event) => {
      if (event.key !== KEY) return;
      kept = clean(parse(event.newValue));
      show();
    });
  });
})();
