"""Content of the fixture server: the names, schemas and answers that the suite's scenarios ask for."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any, Final

Json = dict[str, Any]


def _png_of_one_pixel() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\x00\xff\x00\x00")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


def _wav_of_one_sample() -> bytes:
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<Ih", 2, 0)
    return b"RIFF" + struct.pack("<I", len(body)) + body


PNG: Final = base64.b64encode(_png_of_one_pixel()).decode()
WAV: Final = base64.b64encode(_wav_of_one_sample()).decode()


def text(value: str) -> Json:
    return {"type": "text", "text": value}


def image() -> Json:
    return {"type": "image", "data": PNG, "mimeType": "image/png"}


def embedded(uri: str, mime_type: str, value: str) -> Json:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": mime_type, "text": value}}


def content(*blocks: Json) -> Json:
    return {"content": list(blocks)}


# Tools that always answer the same.
STATIC: Final[dict[str, Json]] = {
    "test_simple_text": content(text("This is a simple text response for testing.")),
    "test_image_content": content(image()),
    "test_audio_content": content({"type": "audio", "data": WAV, "mimeType": "audio/wav"}),
    "test_embedded_resource": content(
        embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    ),
    "test_multiple_content_types": content(
        text("Multiple content types test:"),
        image(),
        embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ),
    "test_error_handling": {
        **content(text("This tool intentionally returns an error for testing")),
        "isError": True,
    },
    "json_schema_2020_12_tool": content(text("The schema was kept.")),
    "test_header_tool": content(text("The header said what the body said.")),
}

_TEXT: Final = {"type": "string"}
_NONE: Final = {"type": "object", "properties": {}}
_WITH_2020_12: Final = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": _TEXT, "city": _TEXT},
        }
    },
    "properties": {
        "name": _TEXT,
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": _TEXT,
        "email": _TEXT,
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
_SCHEMAS: Final[dict[str, Json]] = {
    "test_sampling": {"type": "object", "properties": {"prompt": _TEXT}, "required": ["prompt"]},
    "test_elicitation": {"type": "object", "properties": {"message": _TEXT}, "required": ["message"]},
    "json_schema_2020_12_tool": _WITH_2020_12,
    "test_header_tool": {
        "type": "object",
        "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
        "required": ["region"],
    },
}


def tool_definition(name: str) -> Json:
    schema = _SCHEMAS.get(name, _NONE)
    return {"name": name, "description": f"Fixture: {name.replace('_', ' ')}.", "inputSchema": schema}


# The forms that tools ask a person to fill in.
CONFIRM: Final = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
ANSWER: Final = {
    "type": "object",
    "properties": {"response": {"type": "string", "description": "User's response"}},
    "required": ["response"],
}
DEFAULTS: Final = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    },
    "required": [],
}
_OPTIONS: Final = ["option1", "option2", "option3"]


def _titled(which: str) -> list[Json]:
    return [
        {"const": f"value{n}", "title": f"{word} {which}"} for n, word in enumerate(("First", "Second"), 1)
    ]


ENUMS: Final = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": _OPTIONS},
        "titledSingle": {"type": "string", "oneOf": _titled("Option")},
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _OPTIONS}},
        "titledMulti": {"type": "array", "items": {"anyOf": _titled("Choice")}},
    },
    "required": [],
}


def asks_for(message: str, *names: str) -> Json:
    properties = dict.fromkeys(names, _TEXT)
    schema = {"type": "object", "properties": properties, "required": list(names)}
    return elicitation(message, schema)


def elicitation(message: str, schema: Json) -> Json:
    params = {"mode": "form", "message": message, "requestedSchema": schema}
    return {"method": "elicitation/create", "params": params}


def sampling(prompt: str, most: int = 100) -> Json:
    messages = [{"role": "user", "content": text(prompt)}]
    return {"method": "sampling/createMessage", "params": {"messages": messages, "maxTokens": most}}


ROOTS: Final = {"method": "roots/list", "params": {}}

# Resources and prompts

RESOURCES: Final[dict[str, Json]] = {
    "test://static-text": {
        "mimeType": "text/plain",
        "text": "This is the content of the static text resource.",
    },
    "test://static-binary": {"mimeType": "image/png", "blob": PNG},
    "test://watched-resource": {"mimeType": "text/plain", "text": "Watched resource content"},
}
TEMPLATE: Final = "test://template/{id}/data"


def listed_resources() -> list[Json]:
    return [
        {
            "uri": uri,
            "name": uri.removeprefix("test://"),
            "description": "A fixture.",
            "mimeType": it["mimeType"],
        }
        for uri, it in RESOURCES.items()
    ]


def read_resource(uri: str) -> Json | None:
    if uri in RESOURCES:
        return {"uri": uri, **RESOURCES[uri]}
    before, after = TEMPLATE.split("{id}")
    if uri.startswith(before) and uri.endswith(after):
        given = uri[len(before) : -len(after)]
        value = json.dumps({"id": given, "templateTest": True, "data": f"Data for ID: {given}"})
        return {"uri": uri, "mimeType": "application/json", "text": value}
    return None


PROMPTS: Final[dict[str, tuple[str, ...]]] = {
    "test_simple_prompt": (),
    "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",),
    "test_prompt_with_image": (),
    "test_input_required_result_prompt": (),
}


def listed_prompts() -> list[Json]:
    return [
        {
            "name": name,
            "description": f"Fixture: {name.replace('_', ' ')}.",
            "arguments": [{"name": one, "description": "For the test.", "required": True} for one in wanted],
        }
        for name, wanted in PROMPTS.items()
    ]


def prompt_blocks(name: str, given: dict[str, str]) -> list[Json]:
    match name:
        case "test_simple_prompt":
            return [text("This is a simple prompt for testing.")]
        case "test_prompt_with_arguments":
            return [text(f"Prompt with arguments: arg1='{given['arg1']}', arg2='{given['arg2']}'")]
        case "test_prompt_with_embedded_resource":
            resource = embedded(given["resourceUri"], "text/plain", "Embedded resource content for testing.")
            return [resource, text("Please process the embedded resource above.")]
        case "test_prompt_with_image":
            return [image(), text("Please analyze the image above.")]
        case _:
            return [text(f"Use this context: {given.get('context', '')}")]
