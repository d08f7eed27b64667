// Stands in the page behind each figure: nothing else is loaded before the button is pressed.
(() => {
  const figure = document.currentScript.previousElementSibling;
  const button = figure.querySelector(".live-start button");
  const words = button.textContent;
  const load = (address) => new Promise((done, fail) => {
    const script = document.createElement("script");
    Object.assign(script, { src: address, onload: done, onerror: fail });
    document.head.append(script);
  });
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.textContent = "Loading …";
    try {
      for (const address of figure.dataset.scripts.split(" ")) await load(address);
      window.liveFigures.start(figure);
    } catch (problem) {
      console.error(problem);
      button.disabled = false;
      button.textContent = `That did not work. Try again: ${words}`;
    }
  });
})();
