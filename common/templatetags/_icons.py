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

# What makes a tool of the catalogue worse than its class.
SIGNAL_ICONS = {
    "credentials": "key-round",
    "secret_result": "eye-off",
    "outbound_message": "send",
    "bulk": "layers",
    "production": "radio-tower",
    "money": "banknote",
    "free_form_command": "terminal",
    "free_form_sql": "database",
    "free_form_code": "code",
    "secret_parameter": "lock",
}
