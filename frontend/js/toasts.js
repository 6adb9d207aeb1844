// Notices of actions that can be undone: removed after 8 s without hover or focus.
import { fresh } from "./once.js";

const STAYS = 8000;
const REST = 100;

// Screen readers announce what is added to a live region, not what a new page begins with.
function sayAgain(toast) {
  const region = toast.parentElement;
  toast.remove();
  setTimeout(() => region.append(toast), REST);
}

export function startToasts(scope) {
  for (const toast of fresh(scope, "[data-toast]", "toastReady")) {
    if (scope === document) sayAgain(toast);
    let timer;
    const held = () => toast.matches(":hover, :focus-within");
    const arm = () => { clearTimeout(timer); timer = setTimeout(() => (held() ? arm() : toast.remove()), STAYS); };
    arm();
  }
}
