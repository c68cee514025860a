"""The pieces of a Grafana dashboard: queries in, JSON of schema version 39 out.

Rows are laid out from left to right in the order in which they are told, on Grafana's 24 columns, and ids count up, so
a dashboard that was built again differs only where it was changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]

SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA = 39
COLUMNS = 24
GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "text"


class Query(NamedTuple):
    expr: str
    legend: str = ""
    instant: bool = False  # one value at the end of the range, not a line


class Panel(NamedTuple):
    kind: str
    title: str
    what: str  # shown behind the i: what it says, and what to do about it
    queries: tuple[Query, ...]
    width: int
    defaults: Json
    options: Json
    overrides: Sequence[Json] = ()
    transformations: Sequence[Json] = ()


def steps(first: str, *rest: tuple[float, str]) -> Json:
    """Thresholds: the colour from below, then (from this value, colour)."""
    return {
        "mode": "absolute",
        "steps": [{"color": first, "value": None}, *({"color": color, "value": value} for value, color in rest)],
    }


def words(texts: dict[str, tuple[str, str]]) -> list[Json]:
    """Values that are shown as a word: value -> (word, colour)."""
    rows = enumerate(texts.items())
    return [
        {"type": "value", "options": {v: {"text": word, "color": color, "index": i} for i, (v, (word, color)) in rows}}
    ]


def stat(
    title: str,
    what: str,
    expr: str,
    *,
    unit: str = "short",
    width: int = 4,
    thresholds: Json | None = None,
    none: str = "-",
    mappings: Sequence[Json] = (),
    decimals: int | None = None,
    filled: bool = False,
    text: str = "value",
    legend: str = "",
) -> Panel:
    """One large value, now."""
    defaults: Json = {
        "unit": unit,
        "noValue": none,
        "mappings": list(mappings),
        "color": {"mode": "thresholds"},
        "thresholds": thresholds or steps(GREY),
    }
    if decimals is not None:
        defaults["decimals"] = decimals
    options = {
        "colorMode": "background" if filled else "value",
        "graphMode": "none",
        "justifyMode": "center",
        "textMode": text,
        "wideLayout": True,
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return Panel("stat", title, what, (Query(expr, legend, instant=True),), width, defaults, options)


def lines(
    title: str,
    what: str,
    *queries: Query,
    unit: str = "short",
    width: int = 12,
    stacked: bool = False,
    limit: Json | None = None,
    highest: float | None = None,
    colors: dict[str, str] | None = None,
) -> Panel:
    """Values over time; `limit` draws thresholds as lines, `colors` fixes the colour of a legend."""
    custom: Json = {
        "drawStyle": "line",
        "lineInterpolation": "stepAfter",
        "lineWidth": 1,
        "fillOpacity": 40 if stacked else 10,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "axisPlacement": "auto",
        "thresholdsStyle": {"mode": "dashed" if limit else "off"},
    }
    defaults: Json = {
        "unit": unit,
        "min": 0,
        "color": {"mode": "palette-classic"},
        "custom": custom,
        "thresholds": limit or steps(GREEN),
    }
    if highest is not None:
        defaults["max"] = highest
    overrides = [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": color}}],
        }
        for name, color in (colors or {}).items()
    ]
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return Panel("timeseries", title, what, queries, width, defaults, options, overrides)


def bars(title: str, what: str, query: Query, *, width: int = 8, unit: str = "short", color: str = BLUE) -> Panel:
    """Amounts side by side."""
    defaults: Json = {
        "unit": unit,
        "min": 0,
        "noValue": "none",
        "color": {"mode": "fixed", "fixedColor": color},
        "thresholds": steps(color),
    }
    options = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "showUnfilled": True,
        "valueMode": "color",
        "minVizWidth": 0,
        "minVizHeight": 10,
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return Panel("bargauge", title, what, (query._replace(instant=True),), width, defaults, options)


def table(title: str, what: str, expr: str, columns: dict[str, str], *, width: int = 12, unit: str = "short") -> Panel:
    """One row a series: `columns` are labels and `Value`, each with its heading, in order; largest value first."""
    defaults: Json = {
        "noValue": "none",
        "color": {"mode": "thresholds"},
        "thresholds": steps(GREY),
        "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": False},
    }
    arranged = {
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True},
            "indexByName": {name: place for place, name in enumerate(columns)},
            "renameByName": dict(columns),
        },
    }
    largest = {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": columns["Value"], "desc": True}]}}
    options = {
        "showHeader": True,
        "cellHeight": "sm",
        "footer": {"show": False, "reducer": ["sum"], "countRows": False},
    }
    query = (Query(expr, instant=True),)
    in_unit = {
        "matcher": {"id": "byName", "options": columns["Value"]},
        "properties": [{"id": "unit", "value": unit}],
    }
    return Panel("table", title, what, query, width, defaults, options, (in_unit,), (arranged, largest))


def dashboard(uid: str, title: str, what: str, rows: Iterable[tuple[int, Sequence[Panel]]]) -> Json:
    """`rows` are (height, panels)."""
    return {
        "uid": uid,
        "title": title,
        "description": what,
        "tags": ["msisdn-monitor"],
        "schemaVersion": SCHEMA,
        "editable": False,
        "graphTooltip": 1,
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "refresh": "10s",
        "fiscalYearStartMonth": 0,
        "links": [
            {
                "type": "dashboards",
                "title": "Numbers on the wire",
                "tags": ["msisdn-monitor"],
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
                "icon": "dashboard",
                "tooltip": "",
                "url": "",
            }
        ],
        "annotations": {"list": [_rules_changed()]},
        "templating": {"list": [_datasource(), _sensor()]},
        "panels": [_json(panel, *place) for place, panel in _placed(rows)],
    }


def _placed(rows: Iterable[tuple[int, Sequence[Panel]]]) -> Iterable[tuple[tuple[int, Json], Panel]]:
    number, top = 0, 0
    for height, panels in rows:
        left = 0
        for panel in panels:
            number += 1
            yield (number, {"x": left, "y": top, "w": panel.width, "h": height}), panel
            left += panel.width
        assert left == COLUMNS, f"a row of {[panel.title for panel in panels]} is {left} columns wide"
        top += height


def _json(panel: Panel, number: int, place: Json) -> Json:
    built: Json = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.what,
        "datasource": SOURCE,
        "gridPos": place,
        "targets": [_target(chr(ord("A") + i), query, panel.kind) for i, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": panel.defaults, "overrides": list(panel.overrides)},
        "options": panel.options,
    }
    if panel.transformations:
        built["transformations"] = list(panel.transformations)
    return built


def _target(name: str, query: Query, kind: str) -> Json:
    target: Json = {
        "refId": name,
        "datasource": SOURCE,
        "expr": query.expr,
        "editorMode": "code",
        "legendFormat": query.legend or "__auto",
        "instant": query.instant,
        "range": not query.instant,
    }
    if kind == "table":
        target["format"] = "table"
    return target


def _datasource() -> Json:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "skipUrlSync": False,
        "options": [],
        "regex": "",
    }


def _sensor() -> Json:
    return {
        "name": "instance",
        "label": "Sensor",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": "label_values(msisdn_monitor_build_info, instance)", "refId": "instance"},
        "refresh": 2,
        "hide": 0,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "skipUrlSync": False,
        "options": [],
        "regex": "",
        "sort": 1,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _rules_changed() -> Json:
    loaded = 'msisdn_monitor_config_last_reload_success_timestamp_seconds{instance=~"$instance"}'
    return {
        "name": "Rules changed",
        "datasource": SOURCE,
        "enable": True,
        "hide": False,
        "iconColor": BLUE,
        "target": {"refId": "Anno", "expr": f"changes({loaded}[1m]) > 0", "interval": "60s"},
    }
