"""Reads the chart as Helm does and its manifests as Kubernetes does; prints a JSON list, one for each values.

python read.py CHART VALUES_JSON ...
"""

import io
import json
import sys

import helm_python as helm
import kubernetes_validate
from ruamel.yaml import YAML

VERSION = "1.30"


def main() -> None:
    _, chart, *given = sys.argv
    print(json.dumps([read(chart, json.loads(values)) for values in given]))


def read(chart: str, values: dict) -> dict:
    report = helm.lint(chart, values, strict=True)
    found = {"lint": report["messages"], "errors": report["errors"], "manifests": [], "invalid": []}
    if not report["errors"]:
        with helm.Chart.load(chart) as loaded:
            found["manifests"] = manifests(loaded.render(values, name="pl", namespace="prod"))
        found["invalid"] = [problem for one in found["manifests"] for problem in problems(one)]
    return found


def manifests(files: dict[str, str]) -> list[dict]:
    read = YAML(typ="safe")
    texts = [text for name, text in sorted(files.items()) if name.endswith(".yaml")]
    return [one for text in texts for one in read.load_all(io.StringIO(text)) if one]


def problems(manifest: dict) -> list[str]:
    try:
        kubernetes_validate.validate(manifest, VERSION, strict=True)
    except kubernetes_validate.ValidationError as problem:
        return [f"{manifest['kind']} {manifest['metadata']['name']}: {problem.message}"]
    return []


if __name__ == "__main__":
    main()
