// Runs before the first paint, on every page. Public pages are the same bytes for everybody: what is the reader's own is applied here.
import { readCookie } from "./cookies.js";
import { applyTheme } from "./themes.js";

document.documentElement.classList.add("js");
applyTheme(readCookie("theme"));
if (readCookie("signed_in") === "1") document.documentElement.classList.add("signed-in");
