"""Draws what `make demo` prints as docs/demo.svg, for the README: python scripts/picture.py"""

from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from monitor.agreements import load
from monitor.pipeline import Pipeline, Stop
from monitor.records import CaptureFiles
from monitor.redact import Redactor, new_key
from monitor.report.terminal import Findings

TOP = Path(__file__).parents[1]
COLUMNS = 100
COMMAND = "$ msisdn-monitor replay pcaps/o2-2012.pcap --rules rules/"
THEME = TerminalTheme(
    (24, 26, 31),
    (215, 218, 224),
    [(24, 26, 31), (240, 96, 96), *[(215, 218, 224)] * 6],  # red is the only colour of the page
)
# rich's own template fetches a font; this one takes what the reader's machine has
FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; \
font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>{lines}</defs>
<rect fill="#181a1f" width="100%" height="100%" rx="8"/>
<g transform="translate(12, 24)">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def main() -> None:
    book = load(TOP / "rules")
    findings = Findings(tuple(book.network.access), tuple(book.network.brands))
    source = CaptureFiles((str(TOP / "pcaps" / "o2-2012.pcap"),))
    with Pipeline(source, book, Redactor(new_key()), (findings,)) as pipeline:
        for _ in pipeline.batches(Stop()):
            pass
        summary = pipeline.summary()
    console = Console(record=True, width=COLUMNS, force_terminal=True, highlight=False, file=StringIO())
    console.print(COMMAND, style="dim")
    for part in findings.parts(summary):
        console.print(part)
    picture = console.export_svg(title="", theme=THEME, code_format=FORMAT, unique_id="demo")
    (TOP / "docs" / "demo.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
