import { csvLine } from '../../kernel/csv.ts';
import { MISSING } from '../../kernel/predictions.ts';
import { countText, endOf } from '../../kernel/format.ts';
import { shareOf } from '../../kernel/colour.ts';
import { drawLegendLine } from '../../marks/legend.ts';
import type { Surface } from '../../marks/surface.ts';
import { selectedDumps, type Sheet } from '../frame/export.ts';
import { drawDynamic } from './draw_dynamic.ts';
import { drawStatic } from './draw_static.ts';
import type { OpenedClass } from './opened_class.svelte.ts';
import { AXIS_HEIGHT, HEAD, LEGEND_HEIGHT, THUMBNAIL, type Scene } from './scene.ts';
import type { StageState } from './stage.svelte.ts';
import { thumbnailPage } from './thumbnails.ts';

/** The view as files: the picture with all its rows (as far as a sheet goes), and the numbers behind the selection. */
const TALLEST = 6000;
const NOTE_HEIGHT = 20;
const FOOT = AXIS_HEIGHT + LEGEND_HEIGHT + NOTE_HEIGHT + 8;

function sheetOf(stage: StageState): Scene {
  const whole = HEAD.height + stage.layout.height + FOOT;
  if (whole <= TALLEST) return stage.sceneOf(0, whole, stage.layout.height);
  const seen = Math.min(stage.bodyHeight, stage.layout.height);
  return stage.sceneOf(stage.scroll, HEAD.height + seen + FOOT, seen);
}

function drawSheet(surface: Surface, scene: Scene, stage: StageState): void {
  surface.rect(0, 0, scene.width, scene.height, { fill: scene.theme.background });
  drawStatic(surface, scene);
  drawDynamic(surface, scene, { hover: null, brush: stage.brush, selected: stage.selected });
  drawThumbnails(surface, scene, stage);
  const y = scene.axisY + AXIS_HEIGHT + LEGEND_HEIGHT / 2 + 4;
  const { win, th } = scene.view;
  const name = stage.run.info.value?.name ?? stage.run.id;
  drawLegendLine(surface, scene.theme, 18, y, scene.level);
  const note = `${name} · ${countText(stage.run.dumps, 'dump')} · anomalies: window ${win}, score ≥ ${th} %`;
  surface.text(note, 18, y + NOTE_HEIGHT, { size: 10, fill: scene.theme.ink3 });
}

/** The pictures beside the opened charts, as far as the screen has them. */
function drawThumbnails(surface: Surface, scene: Scene, stage: StageState): void {
  const style = { size: 10, fill: scene.theme.ink2, anchor: 'middle' as const };
  for (const row of scene.layout.rows) {
    const page = row.kind === 'pixels' ? thumbnailPage(stage, scene, row) : null;
    for (const { sample, name, x, y } of page?.pictures ?? []) {
      const image = document.querySelector<HTMLImageElement>(`[data-sample="${sample}"] img`);
      if (!image?.complete || image.naturalWidth === 0 || y < HEAD.height) continue;
      surface.picture(image, x, y, THUMBNAIL.size, THUMBNAIL.size);
      surface.text(endOf(name, 9), x + THUMBNAIL.size / 2, y + THUMBNAIL.size + 7, style);
    }
  }
}

export function sheet(stage: StageState): Sheet {
  const scene = sheetOf(stage);
  return {
    width: scene.width,
    height: scene.height,
    title: `${stage.run.id}, Validation view`,
    draw: (surface) => drawSheet(surface, scene, stage),
  };
}

/** One row a class, one column a dump: asked for where a column of the stripes stands for several. */
async function classErrorsCsv(stage: StageState): Promise<string> {
  const dumps = selectedDumps(stage);
  const { source, id, iterations } = stage.run;
  const held = stage.data.classes.whole.value;
  const exact =
    held?.detail.level === 1
      ? held
      : await source.classes(id, null, null, { signal: new AbortController().signal });
  const { error } = exact;
  const lines = [csvLine(['class', 'name', ...dumps.map((d) => iterations[d])])];
  const { onlyClasses } = stage.store.v;
  for (let cls = 0; cls < error.rows; cls++) {
    if (onlyClasses.length > 0 && !onlyClasses.includes(cls)) continue;
    const cells = dumps.map((d) => (d < error.length ? round(shareOf(error.at(cls, d))) : null));
    lines.push(csvLine([cls, stage.data.names[cls], ...cells]));
  }
  return `${lines.join('\n')}\n`;
}

function anomaliesCsv(stage: StageState): string {
  const lines = [csvLine(['class', 'name', 'dump', 'iteration', 'left', 'right', 'pending'])];
  const chosen = new Set(selectedDumps(stage));
  for (const { cls, dump, left, right, pending } of [
    ...(stage.data.anomaliesByClass?.values() ?? []),
  ].flat()) {
    if (!chosen.has(dump)) continue;
    const scores = [left, right, pending].map(round);
    lines.push(csvLine([cls, stage.data.names[cls], dump, stage.run.iterations[dump], ...scores]));
  }
  return `${lines.join('\n')}\n`;
}

/** One row a sample in the drawn order, one column a dump: the predicted class's index, empty where missing. */
async function predictionsCsv(stage: StageState, entry: OpenedClass): Promise<string> {
  const { cls } = entry;
  const dumps = selectedDumps(stage);
  const { win, rows } = stage.asked;
  const { labels, samples, names, detail } = await entry.dumpByDump([dumps[0], dumps[0] + dumps.length], win);
  const lines = [csvLine(['sample', 'name', 'true', ...dumps.map((d) => stage.run.iterations[d])])];
  for (const row of entry.order(rows)) {
    const cells = dumps.map((d) => {
      const label = d < detail.end ? (labels?.at(row, d - detail.first) ?? MISSING) : MISSING;
      return label === MISSING ? null : label;
    });
    lines.push(csvLine([samples[row], names[row] ?? '', cls, ...cells]));
  }
  return `${lines.join('\n')}\n`;
}

function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}

/** What the menu offers: errors and anomalies, and the predictions of each opened class. */
export function tablesOf(stage: StageState) {
  const opened = stage.store.v.classes
    .flatMap((cls) => stage.data.opened.get(cls) ?? [])
    .filter(({ samples }) => samples.whole.value);
  return [
    { id: 'classes', label: 'Error of each class', suffix: '-classes.csv', csv: () => classErrorsCsv(stage) },
    { id: 'anomalies', label: 'Anomalies', suffix: '-anomalies.csv', csv: () => anomaliesCsv(stage) },
    ...opened.map((entry) => ({
      id: 'predictions',
      label: `Predictions of ${stage.data.names[entry.cls]}`,
      suffix: `-${stage.data.names[entry.cls].replaceAll(' ', '_')}.csv`,
      csv: () => predictionsCsv(stage, entry),
    })),
  ];
}
