// <input type="file" data-file-into="id_of_a_textarea"> inside [data-file]: the file's content replaces the text of the textarea.
// The previous text moves to the textarea in the form's [data-before], which is then shown.
import { fresh } from "./once.js";

const LARGEST = 1_048_576;

function keep(form, field, text) {
  const before = form.querySelector("[data-before]");
  if (!before || !field.value.trim() || field.value === text) return;
  before.querySelector("textarea").value = field.value;
  before.hidden = false;
}

async function read(input) {
  const field = document.getElementById(input.dataset.fileInto);
  const form = input.closest("form");
  const said = form.querySelector("[data-file-said]");
  const [file] = input.files;
  if (!file) return;
  const large = file.size > LARGEST;
  said.textContent = large ? `${file.name} is larger than a policy may be (1,048,576 bytes).` : "";
  said.hidden = !large;
  input.value = "";
  if (large) return;
  const text = await file.text();
  keep(form, field, text);
  field.value = text;
  field.focus();
}

export function startFiles(scope) {
  for (const input of fresh(scope, "[data-file-into]", "fileReady")) {
    input.closest("[data-file]").hidden = false;
    input.addEventListener("change", () => read(input));
  }
}
