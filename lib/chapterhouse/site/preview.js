// Added to each page by the preview alone: load again when the page is new, and say what is wrong.
(() => {
  let box;
  const show = (fault) => {
    box?.remove();
    box = undefined;
    if (!fault) return;
    box = document.createElement("div");
    box.id = "preview-fault";
    box.setAttribute("role", "alert");
    box.style.cssText =
      "position:fixed;z-index:9999;inset:auto 0 0 0;max-height:45vh;overflow:auto;" +
      "padding:.75rem 1rem;background:#7a1020;color:#fff;font:14px/1.5 sans-serif";
    const title = document.createElement("strong");
    title.textContent = "Your last edit needs a change";
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Close";
    close.style.cssText =
      "float:right;padding:.1rem .6rem;color:#fff;background:none;border:1px solid #fff";
    close.addEventListener("click", () => show(""));
    const text = document.createElement("pre");
    text.textContent = fault;
    text.style.cssText =
      "margin:.5rem 0 0;padding:0;white-space:pre-wrap;overflow-wrap:anywhere;" +
      "color:#fff;background:none;border:0;font-size:13px";
    box.append(close, title, text);
    document.body.append(box);
  };
  new EventSource(ADDRESS).onmessage = (event) => {
    const { number, fault } = JSON.parse(event.data);
    if (number !== NUMBER) location.reload();
    else show(fault);
  };
})();
