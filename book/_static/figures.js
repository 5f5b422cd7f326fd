// Figures can be enlarged: by a click, or by the button that comes with each. The dialog is the browser's: it keeps the keyboard inside,
// closes on Escape and gives the focus back. It scrolls where the picture is wider than the window.
addEventListener("DOMContentLoaded", () => {
  const images = document.querySelectorAll("article :is(figure, .cell_output) img");
  if (!images.length) return;
  const dialog = document.createElement("dialog");
  dialog.className = "enlarged";
  dialog.innerHTML = `<form method="dialog"><p id="enlarged-title"></p><button class="close">Close</button></form>
    <div class="picture" tabindex="0" role="group" aria-label="The figure, which scrolls"><img></div>`;
  dialog.setAttribute("aria-labelledby", "enlarged-title");
  document.body.append(dialog);
  const [title, shown] = [dialog.querySelector("p"), dialog.querySelector("img")];
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  for (const image of images) {
    if (image.closest("a, button")) continue;
    const number = image.closest("figure")?.querySelector(".caption-number")?.textContent.trim();
    const button = document.createElement("button");
    button.type = "button";
    button.className = "enlarge";
    button.textContent = "Enlarge";
    button.setAttribute("aria-label", `Enlarge ${number ?? "this picture"}`);
    const open = () => {
      shown.src = image.src;
      shown.alt = image.alt;
      shown.style.minWidth = `min(${image.naturalWidth}px, 60rem)`;
      title.textContent = number ?? "Picture";
      button.focus(); // where the focus returns, also after a click on the picture
      dialog.showModal();
      dialog.querySelector(".picture").scrollTo(0, 0);
    };
    button.addEventListener("click", open);
    image.addEventListener("click", open);
    image.classList.add("enlargeable");
    image.after(button);
  }
});
