// Text typed into the JSON view is stored on this machine until the server has it: across reloads and while offline.
import { keptHere } from "../store.js";

const AGAIN = 5000;

export function startDrafts() {
  const form = document.getElementById("policy-form");
  const field = document.getElementById("id_document");
  const kept = keptHere(localStorage, "draft");
  const mayType = field.dataset.editor && !field.readOnly;
  let unsaved = false;
  kept.open().then((left) => {
    // Already saved, by the button that led to another view.
    if (left?.text === field.value) drop();
    else if (left && mayType) setTimeout(() => putBack(left));
  });
  if (!mayType) return;
  const version = () => document.querySelector("#draft input[name=version]");
  let sent = field.value;
  let next;

  function say(words) {
    document.getElementById("connection")?.remove();
    if (!words) return;
    const note = Object.assign(document.createElement("p"), { id: "connection", className: "note warn", textContent: words });
    note.setAttribute("role", "status");
    document.getElementById("draft").append(note);
  }

  function again() {
    if (unsaved) htmx.trigger(form, "layer:save");
  }

  function keep() {
    unsaved = true;
    kept.set({ text: field.value, version: version().value });
  }

  function drop() {
    unsaved = false;
    kept.drop();
  }

  field.addEventListener("input", keep);
  form.addEventListener("htmx:configRequest", (event) => {
    if (event.target === form) sent = event.detail.parameters.document ?? field.value;
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt !== form) return;
    const { xhr, successful } = event.detail;
    // A refusal (someone else saved, or the text is too large) renders its own page; the text exists only here.
    if (successful && xhr.status === 200 && field.value === sent) drop();
    else keep();
    if (xhr.status) return;
    say("No connection. What you type is kept on this machine and saved as soon as it is back.");
    clearTimeout(next);
    next = setTimeout(again, AGAIN);
  });
  addEventListener("online", again);
  document.addEventListener("click", ({ target }) => target.closest("[data-drop-mine]") && drop());

  function putBack(left) {
    // With an older version the server replies that someone else saved meanwhile, and shows both.
    version().value = left.version;
    field.dispatchEvent(new CustomEvent("layer:set-text", { detail: left.text }));
    field.value = left.text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    say("What you had typed before the page closed is back.");
  }
}
