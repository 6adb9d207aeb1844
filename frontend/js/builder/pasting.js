// Imported text becomes the draft in one step, which undo reverts.
import { send } from "./acts.js";

function take(typed, field) {
  if (document.getElementById("board")) return send([["do", "text"], ["text", typed]]);
  field.dispatchEvent(new CustomEvent("layer:set-text", { detail: typed }));
}

export function startPasting() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("dialog [data-take]");
    if (!button) return;
    event.preventDefault();
    take(document.getElementById(button.dataset.take).value, document.getElementById("id_document"));
    button.closest("dialog").close();
  });
}
