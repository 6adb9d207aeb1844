// Tints the lines that differ from the text in force, which a hidden <textarea> holds; the editor's textarea names its id.
import { StateField } from "@codemirror/state";
import { Decoration, EditorView } from "@codemirror/view";

const NEAR = 60;

// Numbers (from 0) of the lines of `now` that are not in `then`: those left after each line is matched with its nearest equal.
export function differing(then, now) {
  let start = 0, end = now.length, last = then.length;
  while (start < end && start < last && now[start] === then[start]) start += 1;
  while (end > start && last > start && now[end - 1] === then[last - 1]) { end -= 1; last -= 1; }
  const found = [];
  let at = start;
  for (let line = start; line < end; line += 1) {
    const match = then.slice(at, Math.min(last, at + NEAR)).indexOf(now[line]);
    if (match < 0) found.push(line);
    else at += match + 1;
  }
  return found;
}

function tinted(state, then) {
  const lines = differing(then, state.doc.toString().split("\n"));
  return Decoration.set(lines.map((line) => Decoration.line({ class: "cm-differs" }).range(state.doc.line(line + 1).from)));
}

export function differsFrom(id) {
  const kept = document.getElementById(id);
  if (!kept) return [];
  const then = kept.value.split("\n");
  return StateField.define({
    create: (state) => tinted(state, then),
    update: (value, transaction) => (transaction.docChanged ? tinted(transaction.state, then) : value),
    provide: (self) => EditorView.decorations.from(self),
  });
}
