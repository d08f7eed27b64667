// The words around what the search found. Sphinx would fetch every page for them, which a folder
// without a server does not allow; here a script of each page tells [anchor, heading, words] of its
// sections, and is loaded when the result comes into view.
(() => {
  "use strict";

  const AROUND = 120; // characters before and after the first word that was found
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

  // What to look for in a text: each word as it was typed and its stem, which other forms share.
  const forms = (query) => {
    const stemmer = new Stemmer();
    return splitQuery(query.toLowerCase().trim())
      .filter((word) => !stopwords.includes(word))
      .map((word) => [word, stemmer.stemWord(word)]);
  };
  const escaped = (word) => word.replace(/[.*+\-?^${}()|[\]\\]/g, "\\$&");
  const START = "(?<![\\p{L}\\p{N}_])"; // "rate" is not in "generated"
  const BETWEEN = "[\\p{L}\\p{N}_]*[^\\p{L}\\p{N}_]+";
  const either = (kinds) => {
    const longest = [...kinds].sort((a, b) => b.length - a.length);
    return `(?:${longest.map(escaped).join("|")})`;
  };
  const where = (text, source) => text.search(new RegExp(source, "iu"));
  // Where a word begins, or else where it stands within another.
  const position = (text, kinds) => {
    const at = where(text, START + either(kinds));
    return at < 0 ? where(text, either(kinds)) : at;
  };
  // Where the words stand side by side, as in "learning rate".
  const together = (text, words) =>
    words.length > 1 ? where(text, START + words.map(either).join(BETWEEN)) : -1;

  // The section with most of the words, best side by side; of equal ones the first.
  const best = (sections, words) => {
    let found = sections[0];
    let most = 0;
    for (const section of sections) {
      const text = `${section[1]} ${section[2]}`;
      const count = words.filter((word) => position(text, word) >= 0).length;
      const score = count + (together(section[2], words) >= 0);
      if (score > most) [found, most] = [section, score];
    }
    return found;
  };

  const marked = (text, words) => {
    const kinds = words.flat().filter((word) => word.length > 1);
    if (!kinds.length) return [text];
    const source = `${where(text, START + either(kinds)) < 0 ? "" : START}(${either(kinds)})`;
    return text.split(new RegExp(source, "giu")).map((part, i) => {
      if (i % 2 === 0) return part;
      const mark = document.createElement("mark");
      mark.textContent = part;
      return mark;
    });
  };

  const excerpt = (text, words) => {
    const places = words.map((word) => position(text, word)).filter((at) => at >= 0);
    const side = together(text, words);
    const first = side >= 0 ? side : Math.min(...places, places.length ? Infinity : 0);
    // Whole words at both ends.
    const begin = first > AROUND ? text.indexOf(" ", first - AROUND) + 1 : 0;
    const last = first + AROUND < text.length ? text.lastIndexOf(" ", first + AROUND) : text.length;
    const end = last > first ? last : text.length;
    return `${begin ? "… " : ""}${text.slice(begin, end)}${end < text.length ? " …" : ""}`;
  };

  const root = document.documentElement.dataset.content_root || "./";
  const waiting = new Map(); // page → what to do with its sections
  const known = new Map();
  window.bookText = (page, sections) => known.set(page, sections);
  const load = (page, then) => {
    if (waiting.has(page)) return void (known.has(page) ? then() : waiting.get(page).push(then));
    waiting.set(page, [then]);
    const script = document.createElement("script");
    script.src = `${root}_static/texts/${page}.js`;
    script.addEventListener("load", () => waiting.get(page).forEach((each) => each()));
    document.head.append(script);
  };

  const dress = (item, words) => {
    const link = item.querySelector("a");
    const [file, anchor] = link.getAttribute("href").split("#");
    const page = file.replace(/\.html$/, "");
    load(page, () => {
      const sections = known.get(page);
      if (!sections) return;
      const section = sections.find(([id]) => anchor && id === anchor) ?? best(sections, words);
      const context = document.createElement("p");
      context.className = "context";
      if (!anchor && section !== sections[0] && section[0]) {
        const place = document.createElement("a");
        place.href = `${file}#${section[0]}`;
        place.append(...marked(section[1], words));
        context.append(place, ": ");
      }
      context.append(...marked(excerpt(section[2] || section[1], words), words));
      item.append(context);
    });
  };

  const { query } = Search;
  Search.query = (asked) => {
    const words = forms(asked);
    const near = new IntersectionObserver(
      (entries) => {
        for (const { isIntersecting, target } of entries) {
          if (!isIntersecting) continue;
          near.unobserve(target);
          dress(target, words);
        }
      },
      { rootMargin: "50%" },
    );
    const look = (items) => items.forEach((item) => near.observe(item));
    // Results come one after the other.
    new MutationObserver((changes) => changes.forEach((change) => look(change.addedNodes))).observe(
      Search.output,
      { childList: true },
    );
    query(asked);
  };
})();
