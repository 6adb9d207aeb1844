// <textarea data-editor="json"> becomes a CodeMirror editor; the textarea keeps the text, so forms and htmx work unchanged.
// Problems are read from the list that names the textarea: <ul data-problems="id"> (templates/components/problem_list.html).
import { defaultKeymap, history, historyKeymap, indentWithTab, redo, redoDepth, undo, undoDepth } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import { EditorView, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap, lineNumbers } from "@codemirror/view";
import { differsFrom } from "./editor/differs.js";
import { helping } from "./editor/help.js";
import { classHighlighter } from "./editor/highlight.js";
import { placeAt } from "./editor/place.js";
import { problemMarks, setProblems } from "./editor/problems.js";
import { fresh } from "./once.js";

const views = new Map();
const LONG = 200_000;

// Invisible and direction-changing characters are shown by code point: text must not read differently from what it is.
const UNSEEN = {
  addSpecialChars: /[\u202a-\u202c\u2060-\u2064\u2068\u{e0000}-\u{e007f}]/u,
  render: (code, description) => Object.assign(document.createElement("span"), { className: "cm-unseen", textContent: `U+${code.toString(16).toUpperCase().padStart(4, "0")}`, title: description ?? "" }),
};

function nameOf(textarea) {
  return textarea.getAttribute("aria-label") ?? textarea.labels?.[0]?.textContent.trim() ?? "Document";
}

function attributes(textarea) {
  const described = textarea.getAttribute("aria-describedby");
  const said = described ? { "aria-describedby": described } : {};
  const leave = described ? "" : ". Press Escape, then Tab, to leave it.";
  const invalid = textarea.getAttribute("aria-invalid");
  return { ...said, ...(invalid && { "aria-invalid": invalid }), "aria-label": nameOf(textarea) + leave, spellcheck: "false", tabindex: "0" };
}

function extensions(textarea) {
  return [
    EditorView.cspNonce.of(document.querySelector('meta[name="csp-nonce"]')?.content ?? ""),
    lineNumbers(), highlightSpecialChars(UNSEEN), history(), indentOnInput(), indentUnit.of("  "), bracketMatching(), highlightActiveLine(), highlightActiveLineGutter(),
    highlightSelectionMatches(), search({ top: true }), json(), syntaxHighlighting(classHighlighter), differsFrom(textarea.dataset.then), problemMarks,
    EditorState.readOnly.of(textarea.readOnly), EditorState.tabSize.of(2),
    keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap, indentWithTab]),
    textarea.dataset.vocabulary ? helping(textarea.dataset.vocabulary, textarea.readOnly) : [],
    EditorView.contentAttributes.of(attributes(textarea)), EditorView.domEventHandlers({ beforeinput: typeOver }),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) { keep(textarea, update.state); showSteps(update.view); }
      if (update.docChanged || update.selectionSet) showPlace(textarea, update.state);
    }),
  ];
}

// When Chromium replaces a selection itself, it copies the old colour into style attributes, which the content security policy forbids.
function typeOver(event, view) {
  const plain = event.inputType === "insertText" && !event.isComposing && event.data !== null && !view.state.readOnly;
  if (!plain || (view.state.selection.main.empty && !event.data.includes("\n"))) return false;
  event.preventDefault();
  view.dispatch(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
  return true;
}

function keep(textarea, state) {
  textarea.value = state.doc.toString();
  textarea.dispatchEvent(new Event("input", { bubbles: true }));
}

// The page's undo and redo buttons, for those who do not know the keys.
const STEPS = { undo: [undo, undoDepth], redo: [redo, redoDepth] };

function showSteps(view) {
  for (const [name, [, depth]] of Object.entries(STEPS)) {
    for (const button of document.querySelectorAll(`.head [data-${name}]`)) {
      button.hidden = view.state.readOnly;
      button.setAttribute("aria-disabled", String(!depth(view.state)));
    }
  }
}

function step(event) {
  const view = views.get("id_document");
  for (const [name, [does]] of Object.entries(STEPS)) {
    if (view && event.target.closest(`.head [data-${name}]`)) does(view);
  }
}

// The JSON pointer of a position, as problems and the log write it.
function pointerTo(text, at) {
  const { steps, key } = placeAt(text, at);
  return [...steps, ...(typeof key === "string" ? [key] : [])].map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

function showPlace(textarea, state) {
  const at = state.selection.main.head;
  const line = state.doc.lineAt(at);
  const column = [...line.text.slice(0, at - line.from)].length + 1;
  const pointer = state.doc.length > LONG ? "" : pointerTo(state.doc.toString(), at);
  for (const place of document.querySelectorAll(`[data-editor-place="${textarea.id}"]`)) {
    place.textContent = `Line ${line.number}, column ${column}`;
    const path = Object.assign(document.createElement("span"), { className: "mono ml-2 wrap-anywhere hide-s", textContent: pointer });
    if (pointer) place.append(" ", path);
  }
}

// Replaces only the part that differs, so the cursor stays and undo reverts just this change.
function setText(view, text) {
  const old = view.state.doc.toString();
  if (text === old) return;
  let from = 0, to = old.length, end = text.length;
  while (from < to && from < end && old[from] === text[from]) from += 1;
  while (to > from && end > from && old[to - 1] === text[end - 1]) { to -= 1; end -= 1; }
  view.dispatch({ changes: { from, to, insert: text.slice(from, end) }, effects: EditorView.scrollIntoView(from, { y: "nearest" }), userEvent: "input.rewrite" });
}

function mount(textarea) {
  const before = textarea.nextElementSibling;
  if (before?.classList.contains("editor-box")) before.remove();
  const box = document.createElement("div");
  box.className = "editor-box";
  textarea.after(box);
  const view = new EditorView({ doc: textarea.value, extensions: extensions(textarea), parent: box });
  textarea.hidden = true;
  textarea.required = false;
  views.set(textarea.id, view);
  textarea.addEventListener("layer:set-text", (event) => setText(view, event.detail));
  textarea.form?.addEventListener("reset", () => setTimeout(() => setText(view, textarea.value)));
  showPlace(textarea, view.state);
  if (textarea.id === "id_document") showSteps(view);
}

function readProblems(list) {
  return [...list.children].filter((item) => Number(item.dataset.line) > 0).map((item) => ({
    line: Number(item.dataset.line), column: Number(item.dataset.column) || 1, severity: item.dataset.severity,
    message: item.querySelector("[data-message]")?.textContent ?? item.textContent, picture: item.querySelector("svg"),
    mend: item.querySelector("[data-mend]")?.textContent.trim() ?? "",
  }));
}

function showProblems(list) {
  const view = views.get(list.dataset.problems);
  if (!view) return;
  view.dispatch({ effects: setProblems.of(readProblems(list)) });
  for (const button of list.querySelectorAll("[data-goto]")) button.hidden = false;
}

function goTo(view, line) {
  const at = view.state.doc.line(Math.min(line, view.state.doc.lines));
  view.dispatch({ selection: { anchor: at.from + /^\s*/.exec(at.text)[0].length }, effects: EditorView.scrollIntoView(at.from, { y: "center" }) });
  view.focus();
}

function onClick(event) {
  const item = event.target.closest("[data-goto]")?.closest("[data-line]");
  if (item) goTo(views.get(item.closest("[data-problems]").dataset.problems), Number(item.dataset.line));
  const target = event.target.closest("label[for]")?.htmlFor ?? event.target.closest('a[href^="#"]')?.getAttribute("href").slice(1);
  if (views.has(target)) {
    event.preventDefault();
    views.get(target).focus();
  }
}

function start(scope) {
  fresh(scope, "textarea[data-editor]", "editorReady").forEach(mount);
  document.querySelectorAll("[data-problems]").forEach(showProblems);
}

function openAsked() {
  const asked = Number(new URLSearchParams(location.search).get("line"));
  if (views.has("id_document") && asked > 0) goTo(views.get("id_document"), asked);
}

// The editor renders only the visible part of a long text; print gets all of it.
function printWhole() {
  addEventListener("beforeprint", () => {
    for (const view of views.values()) {
      const whole = Object.assign(document.createElement("pre"), { className: "print-only whole-text", textContent: view.state.doc.toString() });
      view.dom.after(whole);
    }
  });
  addEventListener("afterprint", () => document.querySelectorAll("pre.whole-text").forEach((whole) => whole.remove()));
}

start(document);
openAsked();
printWhole();
document.addEventListener("htmx:load", (event) => start(event.target));
document.addEventListener("htmx:oobAfterSwap", () => document.querySelectorAll("[data-problems]").forEach(showProblems));
document.addEventListener("click", onClick);
document.addEventListener("click", step);
