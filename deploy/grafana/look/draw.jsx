// One dashboard with the answers that Prometheus gave (story.py keeps them), drawn by Grafana's own components.
import React from 'react';
import { createRoot } from 'react-dom/client';
import {
  applyFieldOverrides, createTheme, dateTime, FieldType, formattedValueToString, getFieldDisplayValues, standardEditorsRegistry,
  standardFieldConfigEditorRegistry, ThemeContext, toDataFrame,
} from '@grafana/data';
import { BarGauge, BigValue, GlobalStyles, PanelChrome, TimeSeries } from '@grafana/ui';
import 'uplot/dist/uPlot.min.css';

const OPTIONS = ['unit', 'min', 'max', 'decimals', 'displayName', 'color', 'noValue', 'links', 'mappings', 'thresholds', 'filterable', 'custom.cellOptions', 'custom.align',
  'custom.drawStyle', 'custom.lineInterpolation', 'custom.lineWidth', 'custom.fillOpacity', 'custom.showPoints', 'custom.spanNulls', 'custom.stacking', 'custom.axisPlacement', 'custom.thresholdsStyle'];
standardFieldConfigEditorRegistry.setInit(() => OPTIONS.map((id) => ({
  id, path: id.replace('custom.', ''), name: id, isCustom: id.startsWith('custom.'),
  process: (value) => value, shouldApply: () => true, editor: () => null, override: () => null, settings: {},
})));
standardEditorsRegistry.setInit(() => []);

const theme = createTheme({ colors: { mode: 'dark' } });
const { page, answers, start, end } = await (await fetch('story.json')).json();
const COLUMN = 60, ROW = 34, GAP = 8;
const range = { from: dateTime(start * 1000), to: dateTime(end * 1000), raw: { from: 'now-6m', to: 'now' } };

const legend = (text, labels) => (text === '__auto' ? Object.values(labels).join(' ') || 'Value' : text.replace(/{{\s*(\w+)\s*}}/g, (_, name) => labels[name] ?? ''));

function series(panel) {
  return panel.targets.flatMap((target, i) => answers[panel.id][i].map(({ labels, values }) => {
    const name = legend(target.legendFormat, labels);
    return toDataFrame({
      refId: target.refId,
      name,
      fields: [
        { name: 'Time', type: FieldType.time, values: values.map(([time]) => time * 1000), config: {} },
        { name: 'Value', type: FieldType.number, labels, values: values.map(([, value]) => Number(value)), config: { displayNameFromDS: name } },
      ],
    });
  }));
}

function rows(panel) {
  const columns = panel.transformations[0].options.renameByName;
  const found = answers[panel.id][0].toSorted((a, b) => b.values.at(-1)[1] - a.values.at(-1)[1]);
  return [toDataFrame({
    fields: Object.entries(columns).map(([name, heading]) => ({
      name: heading,
      type: name === 'Value' ? FieldType.number : FieldType.string,
      values: found.map(({ labels, values }) => (name === 'Value' ? Number(values.at(-1)[1]) : labels[name])),
      config: {},
    })),
  })];
}

// Grafana's own table draws only what scrolls into view, for which a picture has no time.
function Rows({ frame, width, height }) {
  const cell = { padding: '5px 8px', textAlign: 'left', borderBottom: `1px solid ${theme.colors.border.weak}`, whiteSpace: 'nowrap' };
  return (
    <div style={{ height, overflow: 'hidden' }}>
      <table style={{ width, fontSize: 13, borderCollapse: 'collapse' }}>
        <thead><tr>{frame.fields.map((field) => <th key={field.name} style={{ ...cell, color: theme.colors.primary.text }}>{field.name}</th>)}</tr></thead>
        <tbody>
          {frame.fields[0].values.map((_, row) => (
            <tr key={row}>{frame.fields.map((field) => <td key={field.name} style={cell}>{formattedValueToString(field.display(field.values[row]))}</td>)}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Body({ panel, width, height }) {
  const raw = panel.type === 'table' ? rows(panel) : series(panel);
  const frames = applyFieldOverrides({ data: raw, fieldConfig: panel.fieldConfig, replaceVariables: (text) => text, theme, timeZone: 'utc', fieldConfigRegistry: standardFieldConfigEditorRegistry });
  const none = panel.fieldConfig.defaults.noValue ?? 'No data';
  if (panel.type === 'timeseries') {
    if (!frames.length) return <div style={{ textAlign: 'center', opacity: 0.6, paddingTop: height / 2 - 20 }}>No data</div>;
    return <TimeSeries frames={frames} width={width} height={height} timeZone="utc" timeRange={range} legend={panel.options.legend} options={panel.options} />;
  }
  if (panel.type === 'table') {
    if (!frames[0].length) return <div style={{ textAlign: 'center', opacity: 0.6, paddingTop: height / 2 - 20 }}>{none}</div>;
    return <Rows frame={frames[0]} width={width} height={height} />;
  }
  if (!frames.length) {
    const shown = { text: none, numeric: NaN, color: theme.colors.text.secondary };
    return <BigValue theme={theme} width={width} height={height} value={shown} colorMode="value" graphMode="none" justifyMode="center" />;
  }
  const values = getFieldDisplayValues({ fieldConfig: panel.fieldConfig, reduceOptions: panel.options.reduceOptions, replaceVariables: (text) => text, theme, data: frames, timeZone: 'utc' });
  if (panel.type === 'stat') {
    return <BigValue theme={theme} width={width} height={height} value={values[0].display} colorMode={panel.options.colorMode} graphMode="none" justifyMode="center" textMode={panel.options.textMode} />;
  }
  const each = Math.min(34, height / values.length);
  return values.map((value, i) => (
    <div key={i} style={{ height: each }}>
      <BarGauge theme={theme} width={width} height={each - 4} value={value.display} field={value.field} display={value.view?.getFieldDisplayProcessor(value.colIndex)} orientation="horizontal" displayMode="basic" showUnfilled />
    </div>
  ));
}

function Place({ panel }) {
  const { x, y, w, h } = panel.gridPos;
  return (
    <div style={{ position: 'absolute', left: x * COLUMN, top: y * ROW + 50 }}>
      <PanelChrome title={panel.title} width={w * COLUMN - GAP} height={h * ROW - GAP}>
        {(width, height) => <Body panel={panel} width={width} height={height} />}
      </PanelChrome>
    </div>
  );
}

const bottom = Math.max(...page.panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * ROW + 50;
document.body.style.margin = 0;
createRoot(document.getElementById('root')).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles isExtensionSidebarOpen={false} hackNoBackdropBlur={false} />
    <div style={{ background: theme.colors.background.canvas, color: theme.colors.text.primary, width: 24 * COLUMN, height: bottom, position: 'relative', fontFamily: theme.typography.fontFamily }}>
      <h3 style={{ padding: '14px 4px', margin: 0, fontWeight: 500 }}>{page.title}</h3>
      {page.panels.map((panel) => <Place key={panel.id} panel={panel} />)}
    </div>
  </ThemeContext.Provider>,
);
