// Denying with the mouse moves the focus to the reason. With keys it stays on the row, where the next key may be another verb.
import { onDone } from "./acts.js";

let pointed = false;

const denies = (entries) => entries.some(([key, value]) => key === "do" && value === "verb") && entries.some(([key, value]) => key === "verb" && value === "deny");

function toReason({ entries }) {
  if (!pointed || !denies(entries)) return;
  const field = document.querySelector("#board .rulecard form [name=reason]");
  field?.focus();
  field?.select();
}

export function startReasons() {
  document.addEventListener("pointerdown", (event) => { pointed = event.pointerType === "mouse"; }, true);
  document.addEventListener("keydown", () => { pointed = false; }, true);
  onDone(toReason);
}
