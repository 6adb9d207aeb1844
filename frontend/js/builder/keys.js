// Keyboard control of the board. Single letters are ignored while typing.
import { send } from "./acts.js";
import { clear, toggle } from "./selection.js";
import { redo, undo } from "./undo.js";

const VERBS = { a: "allow", l: "limit", r: "rules", p: "approval", d: "deny", h: "hide" };
const typing = (target) => target.closest("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]");
const untouched = (target) => target.matches("#board [name=reason]") && target.value === target.defaultValue;
const rowsOf = () => [...document.querySelectorAll("#board .brow[data-row]")];
const rowAt = () => document.activeElement.closest?.(".brow[data-row]");
const handle = (row) => row?.querySelector(".cell > input:checked") ?? row?.querySelector(".cell > input, a");

function move(step) {
  const rows = rowsOf();
  const at = rows.indexOf(rowAt());
  const next = rows[Math.max(0, Math.min(rows.length - 1, at + step))];
  handle(next)?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function setVerb(row, verb) {
  const radio = row.querySelector(`.cell > input[value=${verb}]`);
  if (!radio) return;
  radio.focus();
  if (!radio.checked) radio.click();
}

function onRow(event, row) {
  const key = event.key.toLowerCase();
  const box = row.querySelector(".cb[name=rows]");
  if (VERBS[key] && !event.shiftKey) setVerb(row, VERBS[key]);
  else if (key === "x" && box) toggle(box, event.shiftKey);
  else if (key === "e" || (key === "enter" && event.target.matches("input"))) row.querySelector("[data-open-row]")?.click();
  else if (key === "f" && !event.shiftKey) send([["do", "follow"], ["row", row.dataset.row]]);
  else return false;
  return true;
}

function onPage(event) {
  const far = event.ctrlKey || event.metaKey;
  if (far && event.key === "Enter") return document.querySelector("[data-review]")?.click() ?? true;
  if (event.altKey && ["1", "2", "3"].includes(event.key)) return document.querySelector(`[data-view="${event.key}"]`)?.click() ?? true;
  const undoes = far && event.key.toLowerCase() === "z";
  if (event.key === "ArrowDown" && event.target.id === "find") return move(1) ?? true;
  if (typing(event.target) && !(undoes && untouched(event.target))) return false;
  if (undoes && document.getElementById("board")) return (event.shiftKey ? redo() : undo()) ?? true;
  if (far || event.altKey) return false;
  if (event.key === "/" && document.getElementById("find")) return document.getElementById("find").focus() ?? true;
  if (event.key === "Escape") { clear(); return false; }
  const row = rowAt();
  if (!row || !("mayEdit" in document.getElementById("editor").dataset)) return false;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") return move(event.key === "ArrowDown" ? 1 : -1) ?? true;
  return onRow(event, row);
}

export function startKeys() {
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    if (onPage(event) !== false) event.preventDefault();
  });
}
