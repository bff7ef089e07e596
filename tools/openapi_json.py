#!/usr/bin/env python3
"""contract/openapi.yaml as JSON, checked on the way: every $ref leads somewhere, every operation has a name of its own.

    openapi_json.py contract/openapi.yaml [OUT.json]    without OUT only the check

Needs Debian's python3-yaml, so run it with /usr/bin/python3.
"""

import json
import pathlib
import sys

import yaml

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


class Strict(yaml.SafeLoader):
    """Refuses a key that stands twice, which YAML itself would take silently. Times stay text."""


def mapping(loader, node):
    found = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in found:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
Strict.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def target_exists(document, reference):
    if not reference.startswith("#/"):
        return False
    place = document
    for part in reference[2:].split("/"):
        part = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(place, dict) or part not in place:
            return False
        place = place[part]
    return True


def references(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def mistakes(document):
    for reference in sorted(set(references(document))):
        if not target_exists(document, reference):
            yield f"$ref leads nowhere: {reference}"
    names = set()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method not in METHODS:
                continue
            name = operation.get("operationId")
            if not name or name in names:
                yield f"{method.upper()} {path}: operationId is missing or used twice"
            names.add(name)
            if not operation.get("responses"):
                yield f"{method.upper()} {path}: no responses"
    used = set(references(document))
    for kind in ("parameters", "responses", "schemas", "requestBodies"):
        for name in document["components"].get(kind, {}):
            if f"#/components/{kind}/{name}" not in used:
                yield f"components/{kind}/{name} is used by nothing"


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    document = yaml.load(pathlib.Path(sys.argv[1]).read_text(), Loader=Strict)
    found = list(mistakes(document))
    for line in found:
        print(f"{sys.argv[1]}: {line}", file=sys.stderr)
    if found:
        return 1
    if len(sys.argv) == 3:
        pathlib.Path(sys.argv[2]).write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
