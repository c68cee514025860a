"""Draws the dashboards with the answers of story.py: build/NAME.json in, docs/grafana-NAME.png out."""

from __future__ import annotations

import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE / "build"
DOCS = HERE.parents[2] / "docs"
NAMES = ("exposures", "coverage", "sensor")
HEIGHTS = {"exposures": 1342, "coverage": 1342, "sensor": 1036}
PAGE = (
    '<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="draw.css">'
    '<div id="root"></div><script type="module" src="draw.js"></script>'
)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def main() -> None:
    bundle = ["node_modules/.bin/esbuild", "draw.jsx", "--bundle", "--format=esm", "--outfile=build/draw.js"]
    loaders = [f"--loader:.{kind}=dataurl" for kind in ("svg", "png", "ttf", "woff", "woff2")]
    subprocess.run(
        [*bundle, *loaders, "--log-level=error", '--define:process.env.NODE_ENV="production"'], cwd=HERE, check=True
    )
    (BUILD / "index.html").write_text(PAGE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(BUILD)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in NAMES:
        shutil.copy(BUILD / f"{name}.json", BUILD / "story.json")
        picture = DOCS / f"grafana-{name}.png"
        look = [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--virtual-time-budget=15000",
        ]
        size = f"--window-size=1440,{HEIGHTS[name]}"
        url = f"http://127.0.0.1:{server.server_port}/"
        subprocess.run(
            [*look, "--virtual-time-budget=15000", size, f"--screenshot={picture}", url],
            check=True,
            stderr=subprocess.DEVNULL,
        )


if __name__ == "__main__":
    main()
