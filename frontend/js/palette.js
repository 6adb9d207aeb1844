// Ctrl K or Cmd K: a few letters, arrows, Enter. Results come from the server; an older response never replaces a newer one.
const APPLE = /Mac|iPhone|iPad/.test(navigator.platform);

function options(list) {
  return [...list.querySelectorAll("[role=option]")];
}

function choose(box, list, option) {
  for (const each of options(list)) each.setAttribute("aria-selected", String(each === option));
  if (option) box.setAttribute("aria-activedescendant", option.id);
  else box.removeAttribute("aria-activedescendant");
  option?.scrollIntoView({ block: "nearest" });
}

function move(box, list, step) {
  const all = options(list);
  const at = all.findIndex((each) => each.id === box.getAttribute("aria-activedescendant"));
  choose(box, list, all[(at + step + all.length) % all.length]);
}

async function look(box, list, said, signal) {
  const answer = await fetch(`${box.dataset.from}?q=${encodeURIComponent(box.value)}`, { headers: { "X-Palette": "1" }, signal });
  if (!answer.ok || answer.redirected) return location.assign(box.dataset.from);
  list.innerHTML = await answer.text();
  const found = options(list);
  choose(box, list, found[0]);
  said.textContent = found.length === 1 ? "1 place" : `${found.length} places`;
  return true;
}

export function startPalette() {
  for (const key of document.querySelectorAll("[data-keys=K]")) key.textContent = APPLE ? "⌘K" : "Ctrl K";
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const [box, list, said] = ["palette-words", "palette-results", "palette-said"].map((id) => document.getElementById(id));
  let asked = new AbortController();
  let rest = 0;
  // The query that the list answers. Enter waits for the response to what is typed now.
  let shown = null;
  let goes = false;
  const go = () => {
    goes = false;
    if (dialog.open) list.querySelector("[aria-selected=true]")?.click();
  };
  const ask = () => {
    clearTimeout(rest);
    asked.abort();
    asked = new AbortController();
    const words = box.value;
    look(box, list, said, asked.signal).then((isAnswered) => {
      shown = isAnswered ? words : null;
      if (isAnswered && goes) go();
    }).catch((problem) => {
      if (problem.name !== "AbortError") list.textContent = "Not reachable now. Try again.";
    });
  };
  const open = () => {
    if (document.querySelector("dialog[open]")) return;
    document.querySelector(".nav[popover]:popover-open")?.hidePopover();
    box.value = "";
    shown = null;
    goes = false;
    dialog.showModal();
    ask();
  };
  box.addEventListener("input", () => {
    goes = false;
    clearTimeout(rest);
    rest = setTimeout(ask, 120);
  });
  box.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) move(box, list, step);
    else if (event.key === "Enter" && shown === box.value) go();
    else if (event.key === "Enter") { goes = true; ask(); }
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.addEventListener("keydown", (event) => {
    if (!(APPLE ? event.metaKey : event.ctrlKey) || event.altKey || event.shiftKey || event.key.toLowerCase() !== "k") return;
    event.preventDefault();
    if (dialog.open) dialog.close();
    else open();
  });
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("a[data-palette]");
    if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open();
  });
}
