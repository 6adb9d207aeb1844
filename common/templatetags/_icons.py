"""Icons that no template names; frontend/build.mjs reads this file and puts them into the sprite."""

CLASS_ICONS = {
    "Read": "eye",
    "Write": "pencil",
    "Execute": "terminal",
    "Destructive": "trash-2",
    "Financial": "banknote",
}
NO_CLASS_ICON = "circle-dashed"
NOTE_ICONS = {
    "": "info",
    "info": "info",
    "ok": "circle-check",
    "warn": "triangle-alert",
    "err": "circle-alert",
}
