"""The command line: options in, an exit code out. Thin; how help looks is in manual.py, and nobody else imports click.

Each command imports what it needs when it is called: `--help` and completion answer at once, and a replay does not pay
for the web server of `watch`. What a command does stands in commands/.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from monitor.errors import MonitorError
from monitor.manual import Manual, Page

PROGRAM = "msisdn-monitor"
OWN_PROCESS = object()  # said by __main__ alone: who calls `cli` from a program of theirs does not want it locked in


def _endpoint(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, int] | None:
    if value is None:
        return None
    from monitor.config import endpoint  # late: not every command reads a configuration

    try:
        return endpoint(value)
    except ValueError as mistake:
        raise click.BadParameter(str(mistake), ctx, param) from None


def _version(ctx: click.Context, _param: click.Parameter, asked: bool) -> None:
    if asked:
        from monitor.doctor import version

        try:
            click.echo(f"{PROGRAM} {version()}")
        except MonitorError as mistake:  # an option is read before Manual.invoke
            click.echo(mistake, err=True)
            ctx.exit(mistake.exit_code)
        ctx.exit()


def _cores() -> int:
    """That this process may use, where the system says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
FILE = click.Path(allow_dash=True, readable=False)  # what cannot be read is a fault; the other captures are judged
FOLDER = click.Path(path_type=Path)

rules_option: Decorator = click.option(
    "--rules", type=FOLDER, default=Path("rules"), metavar="DIR", show_default=True,
    envvar="MSISDN_MONITOR_RULES", show_envvar=True, help="Folder of the partner agreements and network.yaml.",
)  # fmt: skip
engine_option: Decorator = click.option(
    "--engine", type=click.Choice(["auto", "native", "portable"]), default="auto", show_default=True,
    envvar="MSISDN_MONITOR_ENGINE", show_envvar=True, help="`native` means: that one, or refuse to start.",
)  # fmt: skip
key_option: Decorator = click.option(
    "--token-key", "key_file", type=FOLDER, metavar="FILE", envvar="MSISDN_MONITOR_TOKEN_KEY", show_envvar=True,
    help="Key of the tokens, mode 0600. Without it tokens of two runs cannot be compared.",
)  # fmt: skip


@click.group(
    cls=Manual,
    context_settings={"max_content_width": 100, "color": False if os.environ.get("NO_COLOR") else None},
    examples="""
        msisdn-monitor replay before.pcap after.pcap --rules rules/
        msisdn-monitor replay /captures --format jsonl | jq 'select(.type == "verdict")'
        msisdn-monitor watch --interface eth1 --rules rules/
        msisdn-monitor check rules/
        msisdn-monitor COMMAND --help
    """,
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
              help="Version, and which engine runs.")  # fmt: skip
def cli() -> None:
    """Judges every subscriber number that passes on the wire against the partner agreements.

    A gateway that adds phone numbers to web requests (header enrichment) must do so for partners with an agreement and
    for nobody else. This sensor reads captures or a mirror port, finds the numbers in request heads, and says of each
    whether an agreement covers it, and what it could not see. A number is printed as a mask and a token only, but for
    `requests --show-values`.
    """


@cli.command(
    cls=Page,
    examples="""
        msisdn-monitor replay pcaps/o2-2012.pcap --rules rules/
        msisdn-monitor replay 'mirror-*.pcap.zst' /captures/today
        tcpdump -i eth1 -s 0 -w - | msisdn-monitor replay - --format jsonl
        msisdn-monitor replay big.pcap --format jsonl | jq -r 'select(.outcome == "expired").partner'
    """,
)
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@rules_option
@click.option("--format", "output", type=click.Choice(["table", "jsonl"]), default="table", show_default=True,
              help="A page for people, or one JSON object a line: each verdict, at last the summary.")  # fmt: skip
@engine_option
@click.option(
    "--listen",
    metavar="HOST:PORT",
    callback=_endpoint,
    help="Serve Prometheus metrics at /metrics while the replay runs.",
)
@click.option("--workers", type=click.IntRange(1, 2), default=lambda: min(2, _cores()), metavar="N",
              show_default="2 where there are two cores",
              help="Threads that read; two take a tenth more CPU, and a tenth to a quarter less time.")  # fmt: skip
@click.option("--memory-mib", type=click.IntRange(min=64), metavar="MIB",
              help="What connections and fragments may take; then the idle go first.  [default: 512]")  # fmt: skip
@key_option
@click.option("--max-blind", type=click.IntRange(min=0), metavar="N",
              help="End with 4 when more than N times something could not be seen, or was let go unread.")  # fmt: skip
@click.option("--audit", is_flag=True, help="Say what became of every number that a scan of each packet by itself saw.")
def replay(**options: Any) -> None:
    """Judges captures.

    FILE is a pcap or pcapng capture, plain or compressed (gz, bz2, xz, zst, lz4), a folder of them, a quoted pattern,
    or `-` for standard input. Several are read in the order in which they were taken, so a connection that spans two
    files of a rotating capture stays whole. Results go to standard output, all else to standard error.
    """
    from monitor.commands.replay import replay as run

    _end(run(**options, own_process=_is_own()))


@cli.command(
    cls=Page,
    examples="""
        msisdn-monitor requests odd.pcap
        msisdn-monitor requests odd.pcap --format jsonl | jq -c '[.recipient, .oddities]'
    """,
    exit_codes="""
        0  everything was read
        2  usage is wrong
        3  an input could not be read at all
        4  incomplete: an input was cut, or the run was stopped
    """,
)
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@click.option("--format", "output", type=click.Choice(["text", "jsonl"]), default="text", show_default=True)
@click.option("--show-values", is_flag=True, help="Print runs of digits as they are. They may be subscriber numbers.")
@engine_option
def requests(**options: Any) -> None:
    """Prints every request head that the engine reads.

    Needs no rules. For a look at what the sensor makes of odd traffic: how it read the request line and the fields, who
    would have received it, and what was not as the RFC writes it. FILE is as in `replay`.
    """
    from monitor.commands.requests import requests as run

    _end(run(**options, own_process=_is_own()))


@cli.command(
    cls=Page,
    examples="""
        msisdn-monitor watch --interface eth1 --rules /etc/msisdn-monitor/rules
        msisdn-monitor watch --interface tap0 --interface tap1 --filter 'not port 443'
        msisdn-monitor watch --config /etc/msisdn-monitor/sensor.yaml
        curl -s http://127.0.0.1:9108/metrics | grep msisdn_monitor_verdicts_total
        kill -HUP PID      (reads the rules again)
    """,
    exit_codes="""
        0  stopped by SIGINT or SIGTERM; what was found is in the metrics and the log
        2  usage, configuration or rules are wrong, or the port of --listen is taken
        3  the interface cannot be read
    """,
)
@click.option("--config", type=FOLDER, metavar="FILE", envvar="MSISDN_MONITOR_CONFIG", show_envvar=True,
              help="Everything below and more, in YAML (deploy/sensor.yaml); options win over it.")  # fmt: skip
@click.option("--interface", "interfaces", multiple=True, metavar="IF",
              help="The mirror port; it is read promiscuously. Several: once for each.")  # fmt: skip
@click.option("--filter", metavar="EXPR",
              help="See only frames that this tcpdump expression lets through; needs libpcap.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 64), metavar="N",
              help="Threads that read; one does for several Gbit/s.  [default: 1]")  # fmt: skip
@click.option("--hardware-stamps", is_flag=True, default=None,
              help="Times of the network card's clock, where one runs and is kept at UTC.")  # fmt: skip
@click.option("--rules", type=FOLDER, metavar="DIR", envvar="MSISDN_MONITOR_RULES", show_envvar=True,
              help="Folder of the partner agreements and network.yaml.  [default: rules]")  # fmt: skip
@click.option("--listen", metavar="HOST:PORT", callback=_endpoint,
              help="Where Prometheus finds /metrics.  [default: 127.0.0.1:9108]")  # fmt: skip
@click.option("--web-config", type=FOLDER, metavar="FILE",
              help="TLS and passwords of /metrics, in the format of Prometheus' exporters.")  # fmt: skip
@click.option("--engine", type=click.Choice(["auto", "native", "portable"]), envvar="MSISDN_MONITOR_ENGINE",
              show_envvar=True, help="`native` means: that one, or refuse to start.  [default: auto]")  # fmt: skip
@click.option("--token-key", type=FOLDER, metavar="FILE", envvar="MSISDN_MONITOR_TOKEN_KEY", show_envvar=True,
              help="Key of the tokens, mode 0600. Without it tokens of two runs cannot be compared.")  # fmt: skip
def watch(config: Path | None, **options: Any) -> None:
    """Judges a live port until SIGINT or SIGTERM.

    Needs CAP_NET_RAW. SIGHUP reads rules and configuration again; what is wrong with them changes nothing but a metric.
    The log on standard error tells of the start, of each new kind of violation, and of what was seen; it never holds a
    number.
    """
    from monitor.commands.watch import watch as run
    from monitor.config import SensorConfig, load, overridden

    def read() -> SensorConfig:
        return overridden(SensorConfig() if config is None else load(config), options)

    _end(run(read, own_process=_is_own()))


@cli.command(
    cls=Page,
    examples="""
        msisdn-monitor check rules/
    """,
    exit_codes="""
        0  the rules are sound; there may be warnings
        2  errors, each as file:line:column with its remedy, or a test in the rules fails
    """,
)
@click.argument("rules", type=FOLDER, metavar="DIR", default=Path("rules"))
def check(rules: Path) -> None:
    """Says everything that is wrong with the rules.

    Every error of every file at once, as file:line:column; then what is allowed but unwise; then the tests that the
    rule files hold.
    """
    from monitor.commands.check import check as run

    _end(run(rules))


REQUEST = {  # of explain: what the language of the rules calls a request (agreements/models.py)
    "host": "What the request calls its host; its address, if left out.",
    "address": "Where the packet goes. Needed.",
    "path": "Target of the request.  [default: /]",
    "field": "Header, cookie or parameter that holds the number.  [default: x-msisdn]",
    "place": "header, trailer, cookie, path, query or referer.  [default: header]",
    "identifier": "msisdn, imsi or imei.  [default: msisdn]",
    "form": "plain, encoded, hashed, pseudonym, keyed or encrypted.  [default: plain]",
    "number": "The number; the first own one, if left out.",
    "client": "Address of the handset.",
    "access": "Access network of the handset, instead of its address.",
    "holder": "Phone number of who holds that address, where a feed tells.",
    "tunnel": "Seen inside this tunnel: gtpu, l2tp, pppoe or gre.",
    "at": "Day, or day and time, in the operator's time zone.  [default: now]",
}


def request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for name, text in reversed(REQUEST.items()):
        command = click.option(f"--{name}", metavar="X", help=text)(command)
    return command


@cli.command(
    cls=Page,
    examples="""
        msisdn-monitor explain rules/ --host ageverify.example --address 203.0.113.9 --access 3g
        msisdn-monitor explain rules/ --host shop.example --address 203.0.113.9 --at 2012-01-12
    """,
    exit_codes="""
        0  allowed, or a number that is not judged
        1  not allowed
        2  usage or rules are wrong
    """,
)
@click.argument("rules", type=FOLDER, metavar="DIR", default=Path("rules"))
@request_options
def explain(rules: Path, **request: str | None) -> None:
    """Says which grant fits a request, or why each does not.

    The request is one that you describe; what you leave out is as usual. Every grant of the recipient is shown with its
    conditions: what the request has, and what was agreed.
    """
    from monitor.commands.explain import explain as run

    _end(run(rules, {name: said for name, said in request.items() if said is not None}))


@cli.command(
    cls=Page,
    examples="""
        msisdn-monitor publish rules/ public/
        msisdn-monitor publish rules/ public/ --at 2012-01-12
    """,
    exit_codes="""
        0  OUT has index.html and agreements.json
        2  usage or rules are wrong, or OUT cannot be written
    """,
)
@click.argument("rules", type=FOLDER, metavar="DIR")
@click.argument("out", type=FOLDER, metavar="OUT")
@click.option("--at", metavar="DAY", help="The day that the page is about.  [default: today]")
def publish(rules: Path, out: Path, at: str | None) -> None:
    """Writes the public page: who gets your number, and why.

    For customers: a page that needs nothing else, for phones, screens and paper, and the same as JSON. Grants that are
    over are not on it. Contracts, contacts, networks, numbers and the opt-out list stay inside.
    """
    from monitor.commands.publish import publish as run

    _end(run(rules, out, at))


@cli.command(
    cls=Page,
    examples="""
        msisdn-monitor discover /captures/today
        msisdn-monitor discover --interface eth1      (until Ctrl-C)
        msisdn-monitor discover big.pcap --format jsonl | jq -r .field
    """,
    exit_codes="""
        0  no candidate
        1  candidates were found
        2  usage is wrong
        3  an input could not be read at all
        4  incomplete: an input was cut, or the run was stopped
    """,
)
@click.argument("files", nargs=-1, type=FILE, metavar="[FILE...]")
@click.option("--interface", metavar="IF", help="A live port instead of captures, until SIGINT or SIGTERM.")
@click.option("--format", "output", type=click.Choice(["table", "jsonl"]), default="table", show_default=True)
@engine_option
def discover(**options: Any) -> None:
    """Finds identifiers by what they do, also those that no list and no form gives away.

    A field whose value stays the same for one client on unrelated sites, and differs between clients, identifies the
    subscriber, whatever its name and coding. Shown are the fields with their evidence, never a value. An operator's own
    are then named in network.yaml under own_fields.
    """
    from monitor.commands.discover import discover as run

    _end(run(**options))


@cli.command(
    cls=Page,
    examples="""
        msisdn-monitor hashes --rules rules/ rules/numbers.hashes
    """,
    exit_codes="""
        0  the table was written
        2  usage or rules are wrong, or the table cannot be written
    """,
)
@rules_option
@click.argument("out", type=FOLDER, metavar="OUT")
def hashes(rules: Path, out: Path) -> None:
    """Writes a table that turns unkeyed hashes of own numbers back into numbers.

    An MD5, SHA-1 or SHA-256 of a phone number is a phone number: all of a country are hashed in minutes. Up to 10,000
    own numbers are known by their hashes without a table; more need one, which network.yaml names under hash_table.

    It takes 39 or 40 bytes a number: 39 MB for a million, 1 GB for 25 million. No number stands in it, but whoever has
    it can undo hashes as we do. It is read in place, so little of it is in memory. When msisdn_ranges change, write it
    anew.
    """
    from monitor.commands.hashes import write

    _end(write(rules, out))


@cli.command(
    cls=Page,
    examples="""
        msisdn-monitor doctor
        msisdn-monitor doctor --interface eth1 --rules /etc/msisdn-monitor/rules
        msisdn-monitor doctor --interface eth1 --seconds 60 --format json | jq .survey
    """,
    exit_codes="""
        0  everything that was asked about is there
        2  something is missing; the line says how to mend it
        3  the interface cannot be read
        4  the mirror hides or distorts something; lines marked CHANGE say what to change
    """,
)
@click.option("--interface", metavar="IF", help="Also: is this port there, up, readable, and a good mirror?")
@click.option("--seconds", type=click.FloatRange(min=0), default=5.0, show_default=True, metavar="N",
              help="How long to look at what the port delivers; 0: not at all.")  # fmt: skip
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--rules", type=FOLDER, metavar="DIR", help="Also: do these rules load?")
def doctor(interface: str | None, seconds: float, output: str, rules: Path | None) -> None:
    """Says what runs here, what is missing, and how to mend it.

    Of a mirror port also: whether both directions come, how many frames come twice, which tunnels and VLANs there are,
    how much is TLS, what was lost and what network cards made of the frames; and the commands that change it.
    """
    from monitor.doctor import examine

    _end(examine(interface, rules, seconds, as_json=output == "json"))


@cli.command(
    cls=Page,
    examples="""
        msisdn-monitor completion bash > ~/.local/share/bash-completion/completions/msisdn-monitor
        msisdn-monitor completion zsh > "${fpath[1]}/_msisdn-monitor"
        msisdn-monitor completion fish > ~/.config/fish/completions/msisdn-monitor.fish
    """,
    exit_codes="""
        0  always
    """,
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Prints the completion script of a shell."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None, "click knows the shells that the choice offers"
    click.echo(kind(cli, {}, PROGRAM, "_MSISDN_MONITOR_COMPLETE").source())


def _is_own() -> bool:
    return click.get_current_context().obj is OWN_PROCESS


def _end(code: int) -> None:
    click.get_current_context().exit(code)
