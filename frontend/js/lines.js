// A stranger's text on one line that is cut off there (.line) stands whole under the pointer; the focus unfolds it by itself.
export function startLines() {
  document.addEventListener("mouseover", (event) => {
    const line = event.target.closest(".line");
    if (line && line.scrollWidth > line.clientWidth) line.title = line.textContent;
  });
}
