// <input type="file" data-file-into="id_of_a_textarea"> inside [data-file]: what is in the file is put where it could have been typed.
import { fresh } from "./once.js";

const LARGEST = 1_048_576;

async function read(input) {
  const field = document.getElementById(input.dataset.fileInto);
  const said = input.closest("form").querySelector("[data-file-said]");
  const [file] = input.files;
  if (!file) return;
  const large = file.size > LARGEST;
  said.textContent = large ? `${file.name} is larger than a policy may be (1,048,576 bytes).` : "";
  said.hidden = !large;
  if (!large) field.value = await file.text();
  input.value = "";
  if (!large) field.focus();
}

export function startFiles(scope) {
  for (const input of fresh(scope, "[data-file-into]", "fileReady")) {
    input.closest("[data-file]").hidden = false;
    input.addEventListener("change", () => read(input));
  }
}
