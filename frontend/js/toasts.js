// What is done and can be undone: 8 s, for as long as nobody points at it or has the focus in it.
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
