// Where a list is closed, arrow keys and letters choose one option after another. What is only passed on the way is not meant,
// and would lose the value: a choice made like this counts once the list is left, or Enter is pressed.
const WALKS = /^(Arrow|Page|Home|End|.$)/;
let walked = null;
let passed = null;

const isOurs = (target) => target.matches?.("#board form[data-act] select");

function onKey(event) {
  if (event.key === "Enter") settle();
  walked = isOurs(event.target) && WALKS.test(event.key) ? event.target : null;
}

function onChange(event) {
  if (event.target !== walked) return;
  passed = walked;
  event.stopPropagation();
}

function settle() {
  const list = passed;
  walked = passed = null;
  list?.dispatchEvent(new Event("change", { bubbles: true }));
}

export function startWalking() {
  document.addEventListener("keydown", onKey, true);
  document.addEventListener("pointerdown", () => { walked = null; }, true);
  document.addEventListener("change", onChange, true);
  document.addEventListener("focusout", (event) => event.target === passed && settle(), true);
}
