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

# Signals that make a tool of the catalogue worse than its class.
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

# Places to jump to, by the name of their page or by their kind.
PLACE_ICONS = {
    "overview": "chart-line",
    "servers:list": "server",
    "servers:inventory": "layers",
    "policies:list": "shield-check",
    "grants:list": "key-round",
    "audit:log": "activity",
    "approvals:list": "hand",
    "approvals:history": "hand",
    "workers": "cpu",
    "onboarding": "list-checks",
    "settings": "settings",
    "members": "users",
    "api-keys": "braces",
    "approvals:settings": "bell",
    "security-settings": "lock",
    "usage": "chart-line",
    "audit-events": "history",
    "account": "circle-user-round",
    "mfa_index": "lock",
    "api-docs": "braces",
    "server": "server",
    "policy": "shield-check",
    "grant": "key-round",
    "tool": "wrench",
    "new": "plus",
}
