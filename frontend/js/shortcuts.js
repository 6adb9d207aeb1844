// Keyboard shortcuts on every page. Single keys are ignored in fields, and where the reader has switched them off.
import { readCookie, writeCookie } from "./cookies.js";

const FIELDS = "input, textarea, select, [contenteditable], .cm-editor";
const PLACES = { o: "/overview/", s: "/servers/", p: "/policies/", g: "/grants/", l: "/log/", a: "/approvals/" };
const WITHIN = 1200;

export function singleKey(event) {
  const held = event.ctrlKey || event.metaKey || event.altKey || event.isComposing;
  return !held && readCookie("single_keys") !== "off" && !event.target.closest(FIELDS) && !document.querySelector("dialog[open]");
}

function follow(rel) {
  document.querySelector(`main a[rel="${rel}"]`)?.click();
}

function search(event) {
  const box = document.querySelector('main .search input, main input[type="search"]');
  if (!box) return;
  event.preventDefault();
  box.focus();
  box.select();
}

function showChoice() {
  const choice = document.querySelector("[data-shortcuts-choice]");
  if (!choice) return;
  const box = choice.querySelector("input");
  choice.hidden = false;
  box.checked = readCookie("single_keys") !== "off";
  box.addEventListener("change", () => writeCookie("single_keys", box.checked ? "" : "off", box.checked ? 0 : 365));
}

export function startShortcuts() {
  showChoice();
  const sheet = document.getElementById("keys");
  if (!sheet) return;
  // Event timestamps count from navigation start, so 0 would look recent.
  let gone = -Infinity;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || !singleKey(event)) return;
    const going = event.timeStamp - gone < WITHIN;
    gone = -Infinity;
    if (going && Object.hasOwn(PLACES, event.key)) location.assign(PLACES[event.key]);
    else if (event.key === "g") gone = event.timeStamp;
    else if (event.key === "?") sheet.showModal();
    else if (event.key === "/") search(event);
    else if (event.key === "[") follow("prev");
    else if (event.key === "]") follow("next");
  });
}
