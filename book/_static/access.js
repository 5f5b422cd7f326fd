addEventListener("load", () => {
  // What scrolls sideways must be reachable by keyboard.
  for (const element of document.querySelectorAll("article pre, article .output, article .pst-scrollable-table-container"))
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
  // docutils calls the bibliography a list but its entries doc-biblioentry, which a list may not hold.
  for (const list of document.querySelectorAll(".citation-list")) list.removeAttribute("role");
});
