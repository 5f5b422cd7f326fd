// What scrolls must be reachable by keyboard, and show that it does: equations too, once they are set, and again when the window changes.
const scrollers = () =>
  document.querySelectorAll("article :is(pre, .output, .scroll, .pst-scrollable-table-container, mjx-container[display])");
const reach = () => {
  for (const element of scrollers()) {
    const wide = element.scrollWidth > element.clientWidth + 1;
    if (wide || element.scrollHeight > element.clientHeight + 1) element.tabIndex = 0;
    else if (element.tabIndex === 0 && !element.hasAttribute("role")) element.removeAttribute("tabindex");
    cue(element, wide);
  }
};
// A line of words above wide tables and equations, and a fading edge on the side where there is more.
const cue = (element, wide) => {
  const told = wide && element.matches("mjx-container, :has(table)");
  const before = element.previousElementSibling;
  const line = before?.classList.contains("scroll-cue") ? before : null;
  if (told && !line) {
    const made = Object.assign(document.createElement("span"), { className: "scroll-cue", textContent: "wider than the page: scroll →" });
    made.setAttribute("aria-hidden", "true");
    element.before(made);
  } else if (!told) line?.remove();
  fade(element);
  element.addEventListener("scroll", fadeOf, { passive: true });
};
const fade = (element) => {
  const left = element.scrollWidth - element.clientWidth - element.scrollLeft;
  element.classList.toggle("more-right", left > 2);
};
const fadeOf = (event) => fade(event.currentTarget);
// A link to a fold opens it.
const unfold = () => {
  const target = document.getElementById(location.hash.slice(1));
  if (target?.matches("details")) target.open = true;
};
addEventListener("load", () => {
  reach();
  unfold();
  window.MathJax?.startup?.promise?.then(reach);
  // docutils calls the bibliography a list but its entries doc-biblioentry, which a list may not hold.
  for (const list of document.querySelectorAll(".citation-list")) list.removeAttribute("role");
});
addEventListener("hashchange", unfold);
addEventListener("toggle", reach, true); // folds hide what scrolls in them
addEventListener("resize", reach);
