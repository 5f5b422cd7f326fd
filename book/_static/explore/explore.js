// Explorables: nothing of one is loaded or built before the reader comes near. Data are scripts, since pages opened from a disk may not fetch.
(() => {
  const folder = new URL(".", document.currentScript.src);
  const asked = {};
  const VIRIDIS = ["440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725"]
    .map((c) => [0, 2, 4].map((i) => parseInt(c.slice(i, i + 2), 16)));
  const make = (create) => (tag, attributes = {}, ...children) => {
    const element = create(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (value !== null && value !== undefined) element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  };
  const explore = window.seelikeExplore = {
    data: {},
    make: {}, // by the explorable's name: a function of the place to fill
    html: make((tag) => document.createElement(tag)),
    svg: make((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag)),
    load: (name) => asked[name] ??= new Promise((done, failed) => {
      document.head.append(explore.html("script", { src: new URL(`${name}.js`, folder).href, onload: done, onerror: failed }));
    }),
    // A labelled control; what it is at is told beside it.
    field: (label, control, ...beside) => explore.html("label", { class: "explore-field" }, explore.html("span", {}, label), control, ...beside),
    select: (label, options, change) => {
      const control = explore.html("select", { onchange: () => change(control.selectedIndex) }, ...options.map((text) => new Option(text)));
      return { control, field: explore.field(label, control) };
    },
    // A slider over a list of values.
    slider: (label, values, at, change, words = String) => {
      const told = explore.html("span", { class: "explore-value", "aria-hidden": "true" });
      const control = explore.html("input", { type: "range", min: 0, max: values.length - 1, step: 1, value: at });
      const show = () => {
        told.textContent = words(values[control.value]);
        control.setAttribute("aria-valuetext", told.textContent);
      };
      control.addEventListener("input", () => { show(); change(values[control.value]); });
      show();
      const set = (index) => { control.value = index; show(); };
      return { control, field: explore.field(label, control, told), set };
    },
    // Colour of a number from 0 to 1, and a strip of all of them.
    ink: (value) => {
      const at = Math.min(Math.max(value, 0), 1) * (VIRIDIS.length - 1), low = Math.min(Math.floor(at), VIRIDIS.length - 2);
      return VIRIDIS[low].map((c, i) => Math.round(c + (at - low) * (VIRIDIS[low + 1][i] - c)));
    },
    scale: () => explore.html("span", { style: `background: linear-gradient(90deg, ${VIRIDIS.map((c) => `rgb(${c})`).join()})` }),
    // Numbers from 0 to 1 that Python packed as bytes (specimens.packed).
    unpacked: (text) => Float64Array.from(atob(text), (c) => c.charCodeAt(0) / 255),
    // Draws now and whenever the width of the place changes.
    fitted: (place, draw) => {
      let width = 0;
      new ResizeObserver(() => {
        if (place.clientWidth && place.clientWidth !== width) draw(width = place.clientWidth);
      }).observe(place);
    },
  };
  const build = async (box) => {
    const name = box.dataset.explore, stage = box.querySelector(".explore-stage");
    try {
      await explore.load(name);
      await explore.make[name](stage);
      box.classList.add("built");
    } catch {
      stage.textContent = "This part could not be loaded; the figure above stands for it.";
    }
  };
  addEventListener("DOMContentLoaded", () => {
    const near = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) if (isIntersecting) { near.unobserve(target); build(target); }
    }, { rootMargin: "500px" });
    document.querySelectorAll("[data-explore]").forEach((box) => near.observe(box));
  });
})();
