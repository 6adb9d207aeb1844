// Undo goes back to the state the tab started with, across reloads: every text between actions is kept.
import { answers, onDone, send, textOf } from "./acts.js";
import { keptHere } from "../store.js";

const MOST = 60;
const LARGEST = 2_000_000;

const kept = keptHere(sessionStorage, "undo");
let past = [];
let future = [];

function trim(texts) {
  const most = texts.slice(-MOST);
  while (most.length > 1 && most.reduce((sum, text) => sum + text.length, 0) > LARGEST) most.shift();
  return most;
}

function changed(act, before, after) {
  document.body.dispatchEvent(new CustomEvent("layer:text-changed"));
  if (before === after) return show();
  if (act.undoing) { past.pop(); future = trim([...future, before]); }
  else if (act.redoing) { future.pop(); past = trim([...past, before]); }
  else { past = trim([...past, before]); future = []; }
  kept.set({ past, future, now: after });
  const words = act.undoing ? "Undone" : act.redoing && "Done again";
  if (words) document.dispatchEvent(new CustomEvent("layer:say", { detail: words }));
  show();
}

function show() {
  for (const [name, texts] of [["undo", past], ["redo", future]]) {
    for (const button of document.querySelectorAll(`.head [data-${name}]`)) {
      button.hidden = false;
      button.setAttribute("aria-disabled", String(!texts.length));
    }
  }
}

// Which text to return to is known only once earlier actions have been applied.
const to = (texts) => (texts.length ? [["do", "text"], ["text", texts.at(-1)]] : null);

export function undo() {
  send([], { of: "undo", undoing: true });
}

export function redo() {
  send([], { of: "redo", redoing: true });
}

export function startUndo() {
  if (!document.getElementById("board") || !("mayEdit" in document.getElementById("editor").dataset)) return;
  kept.open().then((left) => {
    if (left?.now === textOf()) ({ past, future } = left);
    show();
  });
  onDone(changed);
  answers("undo", () => to(past));
  answers("redo", () => to(future));
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-undo]")) undo();
    if (event.target.closest("[data-redo]")) redo();
  });
  show();
}
