"""The model card of a merge: README.md, as hubs read it (a head in YAML, then Markdown)."""

import json
from typing import Any


def card(record: dict[str, Any], name: str) -> str:
    """The card of what `record` (see `provenance`) tells."""
    rows = [
        f"| {cell(of['label'])} | {of['weight']:.6g} | {of['share']:.4g} | {hashes(of)} |" for of in record["models"]
    ]
    influence, base = record["influence"], record["base"]
    settings = ", ".join(f"{key} = {json.dumps(value)}" for key, value in record["settings"].items())
    lines = [
        head(record),
        f"# {name}",
        "",
        f"A merge of {sum(of['share'] > 0 for of in record['models'])} models, made by catallax "
        f"{record['versions']['catallax']}: {record['method']}{f' ({settings})' if settings else ''}.",
        *([f"The method: {record['paper']}."] if record["paper"] else []),
        *([f"The base: {base['label']} ({hashes(base)})."] if base else []),
        "",
        "| model | weight | share | sha256 |",
        "|-|-|-|-|",
        *rows,
        "",
        f"Effective number of models {influence['effective_models']:.3g}, largest share {influence['largest']:.3g}"
        + (f", where at most {record['max_influence']:g} was allowed." if record["max_influence"] is not None else "."),
        *[f"\n{note}." for note in record["notes"]],
        "",
        "The whole record is in merge.json.",
    ]
    return "\n".join(lines) + "\n"


def head(record: dict[str, Any]) -> str:
    """What hubs read."""
    sources = [of["label"] for of in [*record["models"], *([record["base"]] if record["base"] else [])]]
    named = [f"- {json.dumps(label)}" for label in dict.fromkeys(sources)]  # JSON's strings are YAML's
    return "\n".join(["---", "base_model:", *named, "tags:", "- merge", "- catallax", "---", ""])


def hashes(of: dict[str, Any]) -> str:
    """The beginning of each file's."""
    return ", ".join(f"{cell(name)} {code[:16]}" for name, code in of.get("files", {}).items()) or "not taken"


def cell(text: str) -> str:
    """Without what ends a cell."""
    return text.replace("|", "\\|").replace("\n", " ")
