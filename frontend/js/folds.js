// What the reader opened and how far they scrolled stays when htmx brings a newer copy: <details id>, [data-keep-scroll][id].
export function startFolds() {
  let opened = [];
  let scrolled = [];
  document.addEventListener("htmx:beforeSwap", (event) => {
    opened = [...event.target.querySelectorAll("details[id][open]")].map((fold) => fold.id);
    scrolled = [...event.target.querySelectorAll("[data-keep-scroll][id]")].map((box) => [box.id, box.scrollTop]);
  });
  document.addEventListener("htmx:load", () => {
    opened.splice(0).forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
    for (const [id, top] of scrolled.splice(0)) {
      const box = document.getElementById(id);
      if (box) box.scrollTop = top;
    }
  });
}
