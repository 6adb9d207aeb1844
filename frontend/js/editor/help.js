// Completion and hover texts in the policy editor: the language's keys and values, the server's tools, and the arguments of the
// rule's tool. All of it is fetched once; text from upstream servers is only ever inserted as text.
import { autocompletion, completionKeymap, snippet } from "@codemirror/autocomplete";
import { hoverTooltip, keymap } from "@codemirror/view";
import { partAt, placeAt, subjectOf } from "./place.js";

const LONGEST = 300_000;
const SKELETONS = {
  "rule require": '[\n\t{ "conditions": [ { "path": "args.#{}", "op": "eq", "value": "" } ] }\n]',
  "rule deny_if": '[\n\t{ "conditions": [ { "path": "args.#{}", "op": "eq", "value": "" } ], "on_deny": "Say what to do instead." }\n]',
  "rule approve_if": '[\n\t{ "conditions": [ { "path": "args.#{}", "op": "eq", "value": "" } ] }\n]',
  "rule limits": '[\n\t{ "counter": "#{calls}", "window": "minute", "max": 30, "scope": "grant" }\n]',
  "rule rate_limit": '{ "max": #{30}, "window": "minute" }',
  "predicate conditions": '[ { "path": "args.#{}", "op": "eq", "value": "" } ]',
  "policy tools": "{\n\t#{}\n}", "policy classes": "{\n\t#{}\n}", "policy all_tools": "{ #{} }",
  "policy hide": "[ #{} ]", "policy resources": '{ "default": "#{deny}" }', "policy prompts": '{ "default": "#{deny}" }',
  "access allow": "[ #{} ]", "access deny": "[ #{} ]", "limit max": "#{30}", "rate_limit max": "#{30}", "condition value": "#{}",
};

class Vocabulary {
  constructor(address) {
    this.address = address;
    this.asked = new Map();
  }

  ask(query) {
    if (!this.asked.has(query)) {
      const answer = fetch(this.address + query, { headers: { Accept: "application/json" } }).then((found) => (found.ok && !found.redirected ? found.json() : null));
      // A failed fetch is retried the next time.
      this.asked.set(query, answer.catch(() => null).then((found) => found ?? (this.asked.delete(query), null)));
    }
    return this.asked.get(query);
  }

  language() { return this.ask(""); }

  async argumentsOf(steps) {
    const found = await this.ask(`?for=${encodeURIComponent(subjectOf(steps))}`);
    return found?.arguments ?? [];
  }
}

// A name in the text may equal a property that every JavaScript object inherits, such as `constructor`.
const own = (record, key) => (record && Object.hasOwn(record, key) ? record[key] : undefined);

// Options

const option = (label, detail, type, more = {}) => ({ label, detail: detail || undefined, type, ...more });

function keysOf(part, place, words) {
  if (part === "tools") return words.tools.map(([name, kind]) => option(name, kind, "class"));
  if (part === "classes") return words.classes.map((name) => option(name, "", "class"));
  const keys = Object.entries(own(words.keys, part) ?? {});
  return keys.map(([key, means]) => option(key, "", "property", { info: means, skeleton: SKELETONS[`${part} ${key}`] }));
}

async function valuesOf(part, place, words, vocabulary) {
  const known = () => vocabulary.argumentsOf(place.steps);
  if (part === "names") return words.tools.map(([name, kind]) => option(name, kind, "class"));
  if (["path", "key", "increment_from"].includes(place.key) && ["condition", "limit"].includes(part)) {
    return (await known()).map((each) => option(each.path, each.words, "variable"));
  }
  if (part === "condition" && place.key === "op") return Object.entries(words.operators).map(([op, means]) => option(op, "", "keyword", { info: `The value ${means}.` }));
  if (part === "condition" && place.key === "value") {
    return [...new Set((await known()).flatMap((each) => each.choices))].map((choice) => option(choice, "", "constant"));
  }
  return (own(own(words.words, part), place.key) ?? []).map((word) => option(word, "", "constant"));
}

// Inserting an option: with its quotes, replacing the string at the cursor, and for a key with the value that follows.

const isNames = (part) => part === "tools" || part === "classes";

function put(view, { label, skeleton }, place, isKey) {
  const { state } = view;
  const head = state.selection.main.head;
  const line = state.doc.lineAt(head);
  const rest = line.text.slice(head - line.from);
  const closed = place.open === null ? null : /^[^"\\,:{}[\]]*"/.exec(rest);
  const from = place.open ?? head - /[\w$*.-]*$/.exec(line.text.slice(0, head - line.from))[0].length;
  const to = head + (closed ? closed[0].length : 0);
  const written = JSON.stringify(label);
  const follows = /^\s*:/.test(state.sliceDoc(to, Math.min(to + 40, state.doc.length)));
  if (!isKey || follows) return view.dispatch({ changes: { from, to, insert: written }, selection: { anchor: from + written.length }, userEvent: "input.complete" });
  const body = skeleton ?? (isNames(place.part) ? "{ #{} }" : '"#{}"');
  // Braces in a name must not start a snippet field.
  snippet(`${written.replace(/[{}]/g, "\\$&")}: ${body}`)(view, null, from, to);
}

function source(vocabulary) {
  return async (context) => {
    if (context.state.doc.length > LONGEST) return null;
    const text = context.state.doc.toString();
    const place = placeAt(text, context.pos);
    if (!place.due || (place.open === null && !context.explicit)) return null;
    const words = await vocabulary.language();
    if (!words || context.aborted) return null;
    const part = partAt(place.steps);
    place.part = part;
    const isKey = place.due === "key";
    const all = isKey ? keysOf(part, place, words) : await valuesOf(part, place, words, vocabulary);
    const options = all.filter(({ label }) => !isKey || !place.used.has(label));
    if (!options.length || context.aborted) return null;
    const from = place.open === null ? context.pos : place.open + 1;
    return { from, options: options.map((each) => ({ ...each, apply: (view) => put(view, each, place, isKey) })), validFor: /^[^"\\]*$/ };
  };
}

// Hover

function wordAt(state, at) {
  const line = state.doc.lineAt(at);
  for (const found of line.text.matchAll(/"(?:[^"\\]|\\.)*"/g)) {
    const from = line.from + found.index;
    if (from <= at && at <= from + found[0].length) return { from, to: from + found[0].length, raw: found[0] };
  }
  return null;
}

async function meaning(word, place, vocabulary) {
  const words = await vocabulary.language();
  if (!words) return "";
  const part = partAt(place.steps);
  const kind = (name) => words.tools.find(([tool]) => tool === name)?.[1];
  if (place.due === "key") {
    if (part === "tools" || part === "classes") return kind(word) ? `${kind(word)} tool of this server` : "";
    return own(own(words.keys, part), word) ?? "";
  }
  if (part === "names") return kind(word) ? `${kind(word)} tool of this server` : "";
  if (part === "condition" && place.key === "op") return own(words.operators, word) ? `The value ${words.operators[word]}.` : "";
  if (["path", "key", "increment_from"].includes(place.key)) return (await vocabulary.argumentsOf(place.steps)).find((each) => each.path === word)?.words ?? "";
  return "";
}

function hovering(vocabulary) {
  return hoverTooltip(async (view, at) => {
    const found = view.state.doc.length <= LONGEST && wordAt(view.state, at);
    if (!found) return null;
    const place = placeAt(view.state.doc.toString(), found.from);
    if (!place.due) return null;
    let word = found.raw;
    try { word = JSON.parse(found.raw); } catch { return null; }
    const said = await meaning(word, place, vocabulary);
    if (!said) return null;
    return { pos: found.from, end: found.to, above: true, create: () => ({ dom: Object.assign(document.createElement("div"), { className: "cm-says", textContent: said }) }) };
  }, { hoverTime: 350 });
}

export function helping(address, readOnly) {
  const vocabulary = new Vocabulary(address);
  if (readOnly) return hovering(vocabulary);
  // Enter inside a string is never meant as a line break, so it may accept an option at once.
  const completing = autocompletion({ override: [source(vocabulary)], icons: false, defaultKeymap: true, maxRenderedOptions: 60, interactionDelay: 0 });
  return [completing, keymap.of(completionKeymap), hovering(vocabulary)];
}
