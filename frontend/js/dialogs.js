// <button data-dialog-open="id"> opens <dialog id>; [data-dialog-close] inside closes it. The browser returns the focus.
// A dialog with [data-dialog-show] opens as soon as it is in the page (htmx brought it).
function show(dialog) {
  if (dialog && !dialog.open) dialog.showModal();
}

export function startDialogs() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog-open]");
    if (opener) {
      event.preventDefault();
      show(document.getElementById(opener.dataset.dialogOpen));
    }
    if (event.target.closest("[data-dialog-close]")) event.target.closest("dialog")?.close();
  });
  const showWaiting = () => document.querySelectorAll("dialog[data-dialog-show]").forEach((dialog) => {
    // Only once: a dialog the reader has closed must not come back with the next swap.
    delete dialog.dataset.dialogShow;
    show(dialog);
  });
  showWaiting();
  document.addEventListener("htmx:load", showWaiting);
}
