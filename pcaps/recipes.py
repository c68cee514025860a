"""Write the sample captures, their goldens and the list of them: the entry to all recipes.

    python -m pcaps.recipes            # every capture and README.md
    python -m pcaps.recipes NAME...    # these captures
    python -m pcaps.recipes --golden   # what the monitor says of every capture (NAME.json)

Every capture comes out byte for byte as before: times, identifiers and seeds are part of its recipe. Both commands
print what they changed and nothing else; a golden that changed is a change of behaviour, so read the diff.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from pcaps import (  # noqa: F401  importing a family enters its recipes
    recipes_2012,
    recipes_conditions,
    recipes_connection,
    recipes_copies,
    recipes_decoys,
    recipes_feed,
    recipes_files,
    recipes_floods,
    recipes_forms,
    recipes_framing,
    recipes_heads,
    recipes_http2,
    recipes_ip,
    recipes_kernel,
    recipes_links,
    recipes_mirror,
    recipes_overlays,
    recipes_rules,
    recipes_smuggling,
    recipes_tcp,
    recipes_tunnels,
)
from pcaps.recipe import FOLDER, RECIPES, Recipe, packed, unpacked

README = """# Sample captures

Each capture is made by one function of `recipes*.py` and can be made again: `python -m pcaps.recipes`. Beside it lies
its golden, what `msisdn-monitor requests` and `replay --rules rules/` say of it. This list is generated.

| capture | row | expected | story |
|---|---|---|---|
"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m pcaps.recipes", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="these captures only")
    parser.add_argument("--golden", action="store_true", help="write goldens, not captures")
    asked = parser.parse_args(arguments)
    unknown = set(asked.names) - RECIPES.keys()
    if unknown:
        parser.error(f"no recipe is called {', '.join(sorted(unknown))}; pcaps/README.md lists them")
    chosen = [RECIPES[name] for name in asked.names or RECIPES]
    changed = list(goldens(chosen) if asked.golden else captures(chosen))
    if not asked.names:
        changed += list(cleared())
        changed += written(FOLDER / "README.md", listing().encode())
    sys.stdout.write("".join(f"{line}\n" for line in changed) or "nothing changed\n")
    return 0


def captures(chosen: list[Recipe]) -> Iterator[str]:
    for recipe in chosen:
        octets = recipe.capture()
        if not recipe.path.exists() or unpacked(recipe.path) != octets:
            yield from written(recipe.path, packed(recipe.path, octets))


def goldens(chosen: list[Recipe]) -> Iterator[str]:
    from pcaps import golden  # late: captures are written without the monitor

    for recipe in chosen:
        yield from written(recipe.golden, golden.text(recipe.path, "portable").encode())


def cleared() -> Iterator[str]:
    """Captures and goldens whose recipe is gone."""
    made = {path for recipe in RECIPES.values() for path in (recipe.path, recipe.golden)}
    for path in sorted(FOLDER.iterdir()):
        if (path.suffix == ".json" or ".pcap" in path.name) and path not in made:
            path.unlink()
            yield f"removed {path.name}"


def written(path: Path, octets: bytes) -> list[str]:
    if path.exists() and path.read_bytes() == octets:
        return []
    path.write_bytes(octets)
    return [f"wrote {path.name}"]


def listing() -> str:
    return README + "".join(
        f"| {recipe.path.name} | {recipe.row} | {recipe.intent} | {recipe.story.replace('|', '&#124;')} |\n"
        for recipe in RECIPES.values()
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
