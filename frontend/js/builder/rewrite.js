// In the JSON view an action on the text (a fix, formatting) returns new text, which becomes one step of the editor's own undo.
const said = (words) => {
  document.getElementById("rewriting")?.remove();
  if (!words) return;
  const note = Object.assign(document.createElement("p"), { id: "rewriting", className: "note err", textContent: words });
  note.setAttribute("role", "alert");
  document.getElementById("draft").append(note);
};

async function rewrite(form, field) {
  const typed = field.value;
  const data = new FormData(form);
  data.set("document", typed);
  const answer = await fetch(form.dataset.rewrite, { method: "POST", body: data, headers: { "X-CSRFToken": data.get("csrfmiddlewaretoken") } });
  const text = await answer.text();
  if (answer.status === 422) return said(text);
  if (!answer.ok || answer.redirected) return said("That could not be done now. Try again.");
  said("");
  // Text typed meanwhile matters more than the action.
  if (field.value === typed) field.dispatchEvent(new CustomEvent("layer:set-text", { detail: text }));
}

export function startRewriting() {
  const field = document.getElementById("id_document");
  if (!field.dataset.editor || field.readOnly) return;
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-rewrite]")) return;
    event.preventDefault();
    event.stopPropagation();
    rewrite(form, field).catch(() => said("No connection. Try again when it is back."));
  }, true);
}
