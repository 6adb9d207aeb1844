// Shows the server's findings in place: the line tinted, the word underlined, the sentence below the line.
import { syntaxTree } from "@codemirror/language";
import { RangeSet, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, GutterMarker, WidgetType, gutterLineClass } from "@codemirror/view";

export const setProblems = StateEffect.define();

// The form is in the list of problems, which is redrawn all the time, so it is looked up on each press.
function mendButton({ message, mend }) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-xs ml-auto", textContent: mend });
  button.addEventListener("click", () => {
    const all = [...document.querySelectorAll("[data-problems] > li")];
    all.find((item) => item.querySelector("[data-message]")?.textContent === message)?.querySelector("[data-mend]")?.click();
  });
  return button;
}

class Sentence extends WidgetType {
  constructor(problem) {
    super();
    this.problem = problem;
  }

  eq(other) {
    return ["message", "severity", "mend"].every((name) => other.problem[name] === this.problem[name]);
  }

  toDOM() {
    const place = document.createElement("div");
    place.className = "cm-problem";
    const note = document.createElement("div");
    note.className = `note ${this.problem.severity === "warning" ? "warn" : "err"}`;
    place.append(note);
    if (this.problem.picture) note.append(this.problem.picture.cloneNode(true));
    note.append(Object.assign(document.createElement("span"), { textContent: this.problem.message }));
    if (this.problem.mend) note.append(mendButton(this.problem));
    return place;
  }

  ignoreEvent() { return true; }
}

class GutterClass extends GutterMarker {
  constructor(name) {
    super();
    this.elementClass = name;
  }
}

const GUTTER = { error: new GutterClass("cm-bad-line"), warning: new GutterClass("cm-odd-line") };

// Columns are counted in code points, the editor's positions in UTF-16 units.
function position(line, column) {
  const units = [...line.text].slice(0, column - 1).join("").length;
  return line.from + Math.min(units, line.length);
}

function underlined(state, line, at) {
  const node = syntaxTree(state).resolveInner(at, 1);
  const leaf = node && !node.firstChild && node.from >= line.from && node.to <= line.to && node.to > at;
  if (leaf) return { from: node.from, to: node.to };
  return at < line.to ? { from: at, to: Math.min(at + 1, line.to) } : { from: Math.max(line.from, line.to - 1), to: line.to };
}

function build(state, problems) {
  const marks = [];
  const gutter = [];
  for (const problem of problems) {
    const line = state.doc.line(Math.max(1, Math.min(problem.line, state.doc.lines)));
    const severity = problem.severity === "warning" ? "warning" : "error";
    const { from, to } = underlined(state, line, position(line, problem.column));
    marks.push(Decoration.line({ class: severity === "error" ? "cm-bad" : "cm-odd" }).range(line.from));
    if (from < to) marks.push(Decoration.mark({ class: severity === "error" ? "squig" : "squig warn" }).range(from, to));
    marks.push(Decoration.widget({ widget: new Sentence(problem), block: true, side: 1 }).range(line.to));
    gutter.push(GUTTER[severity].range(line.from));
  }
  return { marks: Decoration.set(marks, true), gutter: RangeSet.of(gutter, true) };
}

const field = StateField.define({
  create: () => ({ marks: Decoration.none, gutter: RangeSet.empty }),
  update(value, transaction) {
    for (const effect of transaction.effects) if (effect.is(setProblems)) return build(transaction.state, effect.value);
    if (!transaction.docChanged) return value;
    return { marks: value.marks.map(transaction.changes), gutter: value.gutter.map(transaction.changes) };
  },
  provide: (self) => [EditorView.decorations.from(self, (value) => value.marks), gutterLineClass.from(self, (value) => value.gutter)],
});

export const problemMarks = field;
