// <details data-menu> closes on Esc, on a click elsewhere and when the focus leaves it, but not for a dialog, which gives it back. The phone's menu is a popover; it only has to be closed here
// when the window grows to desktop width, and when the focus leaves it for what it covers.
export function startMenus() {
  const nav = document.querySelector(".nav[popover]");
  const open = () => document.querySelectorAll("details[data-menu][open]");
  document.addEventListener("click", (event) => {
    for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of open()) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  document.addEventListener("focusout", ({ target, relatedTarget }) => {
    const menu = target.closest("details[data-menu][open]");
    if (menu && relatedTarget && !menu.contains(relatedTarget) && !relatedTarget.closest("dialog")) menu.open = false;
  });
  matchMedia("(min-width: 861px)").addEventListener("change", () => {
    if (nav?.matches(":popover-open")) nav.hidePopover();
  });
  nav?.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !nav.contains(relatedTarget) && nav.matches(":popover-open")) nav.hidePopover();
  });
}
