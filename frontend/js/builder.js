// The policy editor's behaviour. Every control is a form or a link that works without it.
import { startActs } from "./builder/acts.js";
import { startDrafts } from "./builder/drafts.js";
import { startKeys } from "./builder/keys.js";
import { startNewest, startOthers } from "./builder/others.js";
import { startPasting } from "./builder/pasting.js";
import { startReasons } from "./builder/reason.js";
import { startRewriting } from "./builder/rewrite.js";
import { startSelection } from "./builder/selection.js";
import { startTrying } from "./builder/trying.js";
import { startUndo } from "./builder/undo.js";
import { startWalking } from "./builder/walking.js";

if (document.getElementById("policy-form")) [startNewest, startUndo, startActs, startWalking, startSelection, startKeys, startDrafts, startRewriting, startOthers, startPasting, startTrying, startReasons].forEach((start) => start());
document.addEventListener("click", (event) => event.target.closest("[data-print]") && window.print());
for (const button of document.querySelectorAll("[data-print]")) button.hidden = false;
