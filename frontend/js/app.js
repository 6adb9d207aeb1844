import { startAnnouncing } from "./announce.js";
import { startApprovals } from "./approvals.js";
import { startConnection } from "./connection.js";
import { startCopying } from "./copy.js";
import { startCountdowns } from "./countdown.js";
import { startDialogs } from "./dialogs.js";
import { startFiles } from "./files.js";
import { startFolds } from "./folds.js";
import { startForms } from "./forms.js";
import { startLines } from "./lines.js";
import { startLive } from "./live.js";
import { startMenus } from "./menus.js";
import { startOpened } from "./opened.js";
import { startPalette } from "./palette.js";
import { startPasskeys } from "./passkeys.js";
import { startPlaces } from "./places.js";
import { startPresses } from "./presses.js";
import { startShortcuts } from "./shortcuts.js";
import { startTabs } from "./tabs.js";
import { startThemes } from "./themes.js";
import { startTimes } from "./times.js";
import { startToasts } from "./toasts.js";
import { startTyped } from "./typed.js";
import { writeCookie } from "./cookies.js";
import { forget } from "./store.js";

const whole = [startThemes, startMenus, startDialogs, startForms, startPlaces, startFolds, startLines, startTimes, startOpened, startCountdowns, startApprovals, startPalette, startShortcuts, startConnection, startTyped, startPresses, startAnnouncing];
// Each finds its elements now, and in whatever htmx or the live stream adds later.
const perFragment = [startCopying, startPasskeys, startTabs, startToasts, startFiles, startLive];

whole.forEach((start) => start());
perFragment.forEach((start) => start(document));
document.addEventListener("htmx:load", (event) => perFragment.forEach((start) => start(event.target)));
document.addEventListener("layer:added", (event) => perFragment.forEach((start) => start(event.target)));

// Only decides what public pages offer; the session itself is a cookie that no script can read.
const rememberSignedIn = (yes) => writeCookie("signed_in", yes ? "1" : "", yes ? 14 : 0);
// Older pages of this site stored this unencrypted.
forget(/^(draft|acts|undo|saved|typed):/);
if (document.body.dataset.signedIn) rememberSignedIn(document.body.dataset.signedIn === "yes");
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-signs-out]")) return;
  rememberSignedIn(false);
  forget(/^(sealed|version|interrupted):|^tab$/);
});
