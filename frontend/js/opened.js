// Rows of the log open beside the list. Where there is no room, or with Ctrl or Shift, they are ordinary links.
// With the keyboard the focus goes to what was opened; j and k go on from its row, Escape goes back to it.
// The server names the address to push. <aside id="opened"> holds <… data-opened="row id"> and a link [data-close-opened].
import { singleKey } from "./shortcuts.js";

const BESIDE = matchMedia("(min-width: 1180px)");

const rows = () => [...document.querySelectorAll(".lrow[id]")];

function mark() {
  const id = document.querySelector("#opened [data-opened]")?.dataset.opened;
  for (const row of document.querySelectorAll(".lrow[aria-current]")) row.removeAttribute("aria-current");
  if (id) document.getElementById(id)?.setAttribute("aria-current", "true");
}

function close(event) {
  const opened = document.querySelector("#opened [data-opened]");
  if (!opened) return;
  event.preventDefault();
  const row = document.getElementById(opened.dataset.opened);
  history.pushState({ htmx: true }, "", opened.querySelector("[data-close-opened]").href);
  document.getElementById("opened").replaceChildren();
  mark();
  (row ?? rows()[0])?.focus();
}

function onKey(event) {
  const step = { j: 1, k: -1 }[event.key];
  if (!step || !singleKey(event)) return;
  const all = rows();
  const at = all.indexOf(document.activeElement.closest(".lrow") ?? document.querySelector(".lrow[aria-current]"));
  all[Math.max(0, Math.min(all.length - 1, at + step))]?.focus();
}

export function startOpened() {
  if (!document.getElementById("opened")) return;
  let byKey = false;
  document.addEventListener("click", (event) => {
    const row = event.target.closest(".lrow[hx-get]");
    if (row && (!BESIDE.matches || event.ctrlKey || event.metaKey || event.shiftKey)) event.stopPropagation();
    if (row) byKey = event.detail === 0;
    if (event.target.closest("[data-close-opened]")) close(event);
  }, true);
  document.addEventListener("keydown", (event) => (event.key === "Escape" && BESIDE.matches ? close(event) : onKey(event)));
  document.addEventListener("htmx:afterSwap", ({ target }) => {
    mark();
    if (byKey && target.id === "opened") target.querySelector("[data-opened]")?.focus({ preventScroll: true });
  });
  document.addEventListener("layer:added", mark);
  mark();
}
