// Waiting calls by keyboard: j and k go from card to card, y and n to its Approve and Decline. Enter on a button decides, no single key does.
import { singleKey } from "./shortcuts.js";

const cards = () => [...document.querySelectorAll("[data-approvals] [data-card]")];

function go(step) {
  const all = cards();
  const at = all.indexOf(document.activeElement.closest("[data-card]"));
  const next = all[Math.max(0, Math.min(all.length - 1, at + step))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function onKey(event) {
  if (!singleKey(event)) return;
  const card = document.activeElement.closest("[data-card]");
  if (event.key === "j") go(1);
  else if (event.key === "k") go(-1);
  else if (event.key === "y" && card) card.querySelector("[data-approve]")?.focus();
  else if (event.key === "n" && card) card.querySelector("[data-decline]")?.focus();
  else return;
  event.preventDefault();
}

// The tab's title shows that a call is waiting, for a page in the background.
function nameTab() {
  const title = document.getElementById("approvals-title")?.textContent;
  if (title) document.title = `${title} · PolicyLayer`;
}

export function startApprovals() {
  if (!document.querySelector("[data-approvals]")) return;
  document.addEventListener("keydown", onKey);
  for (const change of ["layer:added", "htmx:afterSwap", "htmx:oobAfterSwap"]) document.addEventListener(change, nameTab);
}
