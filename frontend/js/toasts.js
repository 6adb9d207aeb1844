// Notices of actions that can be undone: removed after 8 s without hover or focus.
import { fresh } from "./once.js";

const STAYS = 8000;

export function startToasts(scope) {
  for (const toast of fresh(scope, "[data-toast]", "toastReady")) {
    let timer;
    const held = () => toast.matches(":hover, :focus-within");
    const arm = () => { clearTimeout(timer); timer = setTimeout(() => (held() ? arm() : toast.remove()), STAYS); };
    arm();
  }
}
