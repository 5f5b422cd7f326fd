// What scrolls must be reachable by keyboard: equations too, once they are set, and again when the window changes.
const reach = () => {
  for (const element of document.querySelectorAll("article :is(pre, .output, .pst-scrollable-table-container, mjx-container[display])"))
    if (element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight) element.tabIndex = 0;
    else if (element.tabIndex === 0) element.removeAttribute("tabindex");
};
addEventListener("load", () => {
  reach();
  window.MathJax?.startup?.promise.then(reach);
  // docutils calls the bibliography a list but its entries doc-biblioentry, which a list may not hold.
  for (const list of document.querySelectorAll(".citation-list")) list.removeAttribute("role");
});
addEventListener("resize", reach);
