// The trial call: a click on an argument adds a line for it; choosing another tool starts with its required arguments.
function keepFocus() {
  if (document.activeElement === document.body || document.activeElement.closest("#keep-as-test")) document.getElementById("tests-panel")?.focus({ preventScroll: true });
}

export function startTrying() {
  // The pressed button disappears together with its test, and the fields of a new one once it is kept.
  document.addEventListener("layer:tests-changed", () => document.addEventListener("htmx:afterSettle", keepFocus, { once: true }));
  // The form's first button tries the call; in the name of a test, Enter keeps it.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || event.target.id !== "test-name") return;
    event.preventDefault();
    event.target.closest("details").querySelector("button").click();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("#try-more [data-line]");
    const field = document.getElementById("try-arguments");
    if (!button || !field) return;
    field.value = [field.value.trimEnd(), button.dataset.line].filter(Boolean).join("\n");
    button.remove();
    field.focus();
    const from = field.value.length - button.dataset.line.length + button.dataset.line.indexOf(": ") + 2;
    field.setSelectionRange(from, field.value.length);
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
}
