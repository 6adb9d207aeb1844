// Describes a position in a policy's text, however unfinished: the keys that lead there, whether a key or a value is expected,
// and the string that is open. One pass over the text before the position; text that is not JSON never throws.

const blank = (open) => ({ list: open === "[", key: null, index: 0, due: open === "[" ? "value" : "key", keys: new Set() });

function endOfString(text, from, to) {
  for (let at = from + 1; at < to; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === '"') return at;
    else if (text[at] === "\n") return null;
  }
  return null;
}

function read(raw) {
  try { return JSON.parse(`"${raw}"`); } catch { return raw; }
}

function string(text, at, to, frame) {
  const end = endOfString(text, at, to);
  if (end === null) return null;
  if (frame?.due === "key") {
    frame.key = read(text.slice(at + 1, end));
    frame.keys.add(frame.key);
    frame.due = "colon";
  } else if (frame) frame.due = "after";
  return end;
}

function mark(frames, letter) {
  const frame = frames.at(-1);
  if (letter === "{" || letter === "[") frames.push(blank(letter));
  else if (letter === "}" || letter === "]") {
    if (frames.length) frames.pop();
    if (frames.length) frames.at(-1).due = "after";
  } else if (letter === ":" && frame) frame.due = "value";
  else if (letter === "," && frame) {
    frame.due = frame.list ? "value" : "key";
    frame.index += 1;
    if (!frame.list) frame.key = null;
  }
}

const MARKS = /["{}[\]:,]/g;

export function placeAt(text, to) {
  const frames = [];
  let open = null;
  MARKS.lastIndex = 0;
  for (let found = MARKS.exec(text); found && found.index < to; found = MARKS.exec(text)) {
    if (found[0] !== '"') { mark(frames, found[0]); continue; }
    const end = string(text, found.index, to, frames.at(-1));
    if (end !== null) { MARKS.lastIndex = end + 1; continue; }
    const line = text.indexOf("\n", found.index);
    if (line >= 0 && line < to) { MARKS.lastIndex = line; continue; }
    open = found.index;
    break;
  }
  return told(frames, open, text, to);
}

// `steps`: the path to the enclosing object or array. `key`: the member whose value is expected.
function told(frames, open, text, to) {
  const frame = frames.at(-1);
  const steps = frames.slice(0, -1).map((each) => (each.list ? each.index : each.key));
  const due = frame?.due === "key" || frame?.due === "value" ? frame.due : null;
  return { steps, due, key: frame?.list ? null : frame?.key, list: frame?.list ?? false, used: frame?.keys ?? new Set(), open, typed: open === null ? "" : text.slice(open + 1, to) };
}

// The kind of part that the steps lead to.
export function partAt(steps) {
  const [section, ...rest] = steps;
  if (section === undefined) return "policy";
  if (section === "resources" || section === "prompts") return rest.length ? "names" : "access";
  if (section === "hide") return "names";
  if (section === "tools" || section === "classes") return rest.length ? inRule(rest.slice(1)) : section;
  return section === "all_tools" ? inRule(rest) : "";
}

function inRule(steps) {
  const [key, index, inner, place] = steps;
  if (key === undefined) return "rule";
  if (key === "rate_limit") return "rate_limit";
  if (key === "limits") return index === undefined ? "" : "limit";
  if (!["require", "deny_if", "approve_if"].includes(key) || index === undefined) return "";
  if (inner === undefined) return "predicate";
  return inner === "conditions" && place !== undefined && steps.length === 4 ? "condition" : "";
}

// The tool whose arguments a rule refers to, in the form the vocabulary endpoint expects.
export function subjectOf([section, name]) {
  if (section === "all_tools") return "all";
  if (section === "classes") return `class:${name}`;
  return String(name).includes("*") ? "all" : `tool:${name}`;
}
