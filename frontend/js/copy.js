// <button data-copy> copies the <pre> of its [data-copy-box]; <button data-copy="#id"> copies that element's text or value.
import { fresh } from "./once.js";

function textFor(button) {
  const source = button.dataset.copy
    ? document.querySelector(button.dataset.copy)
    : button.closest("[data-copy-box]")?.querySelector("pre");
  return source ? (source.dataset.copyText ?? source.value ?? source.textContent).trim() : "";
}

const told = new WeakMap();

async function copy(button) {
  const words = button.querySelector("span");
  // If it is pressed again while it says "Copied", its usual label is remembered from the first press.
  const before = told.get(button) ?? words.textContent;
  told.set(button, before);
  try {
    await navigator.clipboard.writeText(textFor(button));
    words.textContent = "Copied";
  } catch {
    words.textContent = "Select and copy by hand";
  }
  setTimeout(() => { words.textContent = before; }, 2000);
}

export function startCopying(scope) {
  for (const button of fresh(scope, "[data-copy]", "copyReady")) {
    button.hidden = false;
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", () => copy(button));
  }
}
