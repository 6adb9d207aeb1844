// Keeps open details and scroll positions when htmx swaps in a newer copy: <details id>, [data-keep-scroll][id].
const opened = new Set();
const scrolled = new Map();

function remember(event) {
  for (const fold of event.target.querySelectorAll("details[id]")) {
    if (fold.open) opened.add(fold.id);
    else opened.delete(fold.id);
  }
  for (const box of event.target.querySelectorAll("[data-keep-scroll][id]")) scrolled.set(box.id, box.scrollTop);
}

function restore(event) {
  for (const fold of event.target.querySelectorAll("details[id]")) fold.open ||= opened.has(fold.id);
  for (const box of event.target.querySelectorAll("[data-keep-scroll][id]")) box.scrollTop = scrolled.get(box.id) ?? 0;
}

export function startFolds() {
  document.addEventListener("htmx:beforeSwap", remember);
  document.addEventListener("htmx:load", restore);
}
