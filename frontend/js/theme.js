// Runs before the first paint, on every page. Public pages are the same bytes for everyone, so personal settings are applied here.
import { readCookie } from "./cookies.js";
import { applyTheme } from "./themes.js";

document.documentElement.classList.add("js");
applyTheme(readCookie("theme"));
if (readCookie("signed_in") === "1") document.documentElement.classList.add("signed-in");
