// Ticked rows stay ticked when the board is redrawn, until a bulk action has been applied to them.
import { onDone } from "./acts.js";

let ticked = new Set();
let last = null;

const boxes = () => [...document.querySelectorAll("#board .cb[name=rows]")];

function count() {
  const chosen = boxes().filter((box) => box.checked && !("all" in box.dataset)).length;
  const classes = boxes().filter((box) => box.checked && "all" in box.dataset).length;
  const words = document.querySelector("#bulk [data-selected]");
  if (!words) return;
  const all = classes ? ` and ${classes} ${classes === 1 ? "class" : "classes"}` : "";
  words.textContent = chosen || !classes ? `${chosen} selected${all}` : `${classes} ${classes === 1 ? "class" : "classes"} selected`;
  for (const row of document.querySelectorAll("#board .brow[data-row]")) row.classList.toggle("sel", row.querySelector(".cb")?.checked ?? false);
}

function tick(box, on) {
  box.checked = on;
  if ("all" in box.dataset) for (const each of box.closest(".bgroup")?.querySelectorAll(".cb[name=rows]") ?? []) each.checked = on;
}

export function toggle(box, range) {
  const all = boxes();
  const on = !box.checked;
  if (range && last?.isConnected) {
    const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
    all.slice(from, to + 1).forEach((each) => tick(each, on));
  } else tick(box, on);
  last = box;
  count();
}

// The bar of the selection disappears, and with it the focus that is in it.
function leaveBar() {
  if (document.activeElement.closest("#bulk")) boxes().find((box) => box.checked)?.focus();
}

export function clear() {
  leaveBar();
  boxes().forEach((box) => { box.checked = false; });
  count();
}

export function startSelection() {
  document.addEventListener("click", (event) => {
    const box = event.target.closest(".cb[name=rows]");
    if (!box) return;
    const on = box.checked;
    if (event.shiftKey && last?.isConnected) { box.checked = !on; toggle(box, true); } else { tick(box, on); last = box; count(); }
  });
  document.addEventListener("reset", (event) => {
    if (event.target.id !== "bulk") return;
    leaveBar();
    setTimeout(clear);
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.target.id === "board") ticked = new Set(boxes().filter((box) => box.checked).map((box) => box.id));
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id !== "board") return;
    boxes().forEach((box) => { box.checked = ticked.has(box.id); });
    count();
  });
  onDone((act) => act.entries.some(([key, value]) => key === "do" && value === "bulk") && clear());
}
