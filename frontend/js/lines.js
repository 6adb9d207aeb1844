// Untrusted text that is cut off at one line (.line) shows in full on hover; on focus CSS unfolds it.
export function startLines() {
  document.addEventListener("mouseover", (event) => {
    const line = event.target.closest(".line");
    if (line && line.scrollWidth > line.clientWidth) line.title = line.textContent;
  });
}
