"""The manual: help that reads like a page of one, and mistakes of the operator as a sentence and an exit code.

What stands here is the same for every command; cli.py has the commands.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import cleandoc
from textwrap import dedent, indent
from typing import Any

import click

from monitor.errors import MonitorError

STOPPED = 4  # pipeline.exit_code

EXIT_CODES = """
    0  clean: everything was read, and every number seen was allowed
    1  violations were found
    2  usage, configuration or rules are wrong
    3  an input could not be read at all; the others were judged
    4  incomplete: an input was cut, the run was stopped, nothing was
       seen (no frame, or no request beside what could not be read), or
       more than --max-blind was not; what was found until then is printed
    70 a mistake in this program: nothing that it printed can be relied on

    Where several hold, the first of 2, 3, 4, 1 is it.
"""


@contextmanager
def _masking() -> Iterator[None]:
    try:
        yield
    except click.UsageError as mistake:
        from monitor.redact import mask_text

        raise click.UsageError(mask_text(mistake.format_message()), mistake.ctx) from None


class Formatter(click.HelpFormatter):
    """Headings as a manual has them; click.echo takes the colours out where there is no terminal."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:  # noqa: ARG002
        self.write_heading("Synopsis")
        self.write(f"  {click.style(prog, bold=True)} {args}\n")

    def write_heading(self, heading: str) -> None:
        self.write(click.style(heading.upper(), fg="yellow", bold=True) + "\n")

    def write_dl(self, rows: Any, col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(click.style(term, fg="cyan"), text) for term, text in rows], col_max, col_spacing)


class Context(click.Context):
    formatter_class = Formatter


class Page(click.Command):
    """A command whose help is a page of a manual: synopsis, description, options, examples, exit codes.

    What was typed wrong may be a number: it is quoted with a mask.
    """

    context_class = Context

    def __init__(self, *args: Any, examples: str, exit_codes: str = EXIT_CODES, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ends = {"Examples": examples, "Exit codes": exit_codes}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with _masking():
            return super().parse_args(ctx, args)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        formatter.write("\n")
        formatter.write_heading("Description")
        with formatter.indentation():
            formatter.write_text(cleandoc(self.help or ""))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for heading, text in self.ends.items():
            formatter.write("\n")
            formatter.write_heading(heading)
            formatter.write(indent(dedent(text).strip("\n"), "  ") + "\n")


class Manual(Page, click.Group):
    """The whole program. The one place where mistakes of the operator become a sentence and an exit code."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        with _masking():
            return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MonitorError as mistake:
            from monitor.redact import mask_path  # late: help needs none

            click.echo(mask_path(str(mistake)), err=True)
            ctx.exit(mistake.exit_code)
        except KeyboardInterrupt:
            ctx.exit(STOPPED)  # before there was anything to sum up; click would say 1, which means violations
        except BrokenPipeError:
            # whoever read our results has seen enough, as `| head` does; Python must not flush into that pipe at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(STOPPED)
