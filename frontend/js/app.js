import { startCopying } from "./copy.js";
import { startDialogs } from "./dialogs.js";
import { startForms } from "./forms.js";
import { startLive } from "./live.js";
import { startMenus } from "./menus.js";
import { startTabs } from "./tabs.js";
import { startThemes } from "./themes.js";
import { startTimes } from "./times.js";
import { startToasts } from "./toasts.js";
import { writeCookie } from "./cookies.js";

const whole = [startThemes, startMenus, startDialogs, startForms, startTimes];
// These look for their elements, now and in whatever htmx or the live stream brings in.
const perFragment = [startCopying, startTabs, startToasts, startLive];

whole.forEach((start) => start());
perFragment.forEach((start) => start(document));
document.addEventListener("htmx:load", (event) => perFragment.forEach((start) => start(event.target)));
document.addEventListener("layer:added", (event) => perFragment.forEach((start) => start(event.target)));

const signedIn = document.body.dataset.signedIn;
if (signedIn) writeCookie("signed_in", signedIn === "yes" ? "1" : "", signedIn === "yes" ? 14 : 0);
