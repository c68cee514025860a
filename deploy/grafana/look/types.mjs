// Are the dashboards what Grafana's own types say? tsc against @grafana/schema; three planted mistakes must be found.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

const FOLDER = new URL('../dashboards/', import.meta.url);
const TYPES = `import type { AnnotationQuery, Dashboard, Panel } from '@grafana/schema';
type Plain<T> = T extends string ? \`\${T}\` : T extends number ? T : T extends (infer U)[] ? Plain<U>[]
  : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
type Mark = Omit<Plain<AnnotationQuery>, 'target'> & { target?: Record<string, unknown> };  // a query is its data source's
type Page = Omit<Plain<Dashboard>, 'annotations' | 'panels'> & { annotations?: { list?: Mark[] }, panels?: Plain<Panel>[] };
`;
const TSC = ['node_modules/typescript/bin/tsc', '--noEmit', '--strict', '--skipLibCheck', '--module', 'esnext', '--moduleResolution', 'bundler'];

function source(name, page) {
  const path = `build/${name}.ts`;
  writeFileSync(path, `${TYPES}export const page = ${JSON.stringify(page, null, 1)} satisfies Page;\n`);
  return path;
}

mkdirSync('build', { recursive: true });
const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
const pages = names.map((name) => JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')));
execFileSync(process.execPath, [...TSC, ...pages.map((page) => source(page.uid, page))], { stdio: 'inherit' });

const wrong = structuredClone(pages[0]);
wrong.panels[0].gridPos.h = '5';
wrong.panels[1].fieldConfig.defaults.thresholdz = {};
wrong.panels[2].fieldConfig.defaults.color.mode = 'treshold';
const told = spawnSync(process.execPath, [...TSC, source('wrong', wrong)], { encoding: 'utf8' });
const mistakes = told.stdout.split('\n').filter((line) => line.includes('error TS')).length;
if (told.status === 0) throw new Error('tsc found none of three planted mistakes: these types check nothing');
console.log(`${names.join(', ')}: as @grafana/schema has them (of planted mistakes tsc names ${mistakes})`);
