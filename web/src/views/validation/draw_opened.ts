import { columnOf, columnScale } from '../../kernel/detail.ts';
import { countText, shortened } from '../../kernel/format.ts';
import type { FlipsRow, PixelsRow, TakenRow } from '../../kernel/layout.ts';
import { drawFlipHistogram } from '../../marks/flip_histogram.ts';
import { drawPixelChart } from '../../marks/pixel_chart.ts';
import { drawStripes } from '../../marks/stripes.ts';
import type { Surface } from '../../marks/surface.ts';
import { sampleHeight, type OpenedFacts, type Scene } from './scene.ts';

/** The rows below an opened class: its flips, its samples, and what they are taken for. */
export function drawOpenedRow(
  surface: Surface,
  scene: Scene,
  row: FlipsRow | PixelsRow | TakenRow,
  y: number,
): void {
  const opened = scene.opened(row.cls);
  if (!opened) {
    surface.rect(scene.axis.x0, y, scene.axis.width, row.h, { fill: scene.theme.skeleton, radius: 2 });
  } else if (row.kind === 'flips') drawFlipsRow(surface, scene, row, opened, y);
  else if (row.kind === 'pixels') drawPixelsRow(surface, scene, row, opened, y);
  else drawTakenRow(surface, scene, row, opened, y);
}

function drawFlipsRow(surface: Surface, scene: Scene, row: FlipsRow, opened: OpenedFacts, y: number): void {
  const { theme, axis } = scene;
  const { detail, error } = opened.samples;
  const words = { size: 10, fill: theme.ink3, anchor: 'end' as const };
  surface.text('flips, left rule ↑', axis.x0 - 10, y + row.h / 2 - 7, words);
  surface.text('right rule ↓', axis.x0 - 10, y + row.h / 2 + 7, words);
  const shown = scene.view.anomalies ? (scene.anomalies?.get(row.cls) ?? []) : [];
  const anomalous = new Set(shown.map(({ dump }) => columnOf(detail, dump)));
  const scale = columnScale(axis, detail);
  const isAnomaly = (column: number) => anomalous.has(column);
  drawFlipHistogram(surface, scale, theme, opened.samples, error.rows, y, row.h, isAnomaly);
}

const ROWS_LABEL = { similarity: 'similarity', label: 'dataset order', final: 'final result' } as const;

function drawPixelsRow(surface: Surface, scene: Scene, row: PixelsRow, opened: OpenedFacts, y: number): void {
  const { theme, axis } = scene;
  const words = { size: 10.5, fill: theme.ink2, anchor: 'end' as const };
  surface.text(countText(row.samples, 'image'), axis.x0 - 10, y + 9, words);
  if (row.h > 22) {
    const label = `rows: ${ROWS_LABEL[scene.view.rows]}`;
    surface.text(label, axis.x0 - 10, y + 24, { ...words, fill: theme.ink3 });
  }
  drawPixelChart(surface, columnScale(axis, opened.samples.detail), theme, {
    cells: opened.samples.error,
    order: opened.order,
    lut: scene.pixelLut,
    y,
    h: row.h,
    top: scene.chartTop(row.cls),
    rowHeight: sampleHeight(row),
  });
}

function drawTakenRow(surface: Surface, scene: Scene, row: TakenRow, opened: OpenedFacts, y: number): void {
  const { theme, axis } = scene;
  const { taken, final } = opened;
  if (!taken) return;
  const { labels, counts, known, detail } = taken;
  const label = labels[row.index];
  const name = label === undefined ? 'other classes' : (scene.names[label] ?? `class ${label}`);
  const middle = y + row.h / 2;
  if (row.index === 0) surface.text('taken for', 58, middle, { size: 10, fill: theme.ink3 });
  const fit = Math.floor((axis.x0 - 10 - (row.index === 0 ? 112 : 62)) / 5.6);
  surface.text(shortened(name, fit), axis.x0 - 10, middle, { size: 10, fill: theme.ink2, anchor: 'end' });
  const cells = takenCells(counts[row.index], known);
  drawStripes(
    surface,
    columnScale(axis, detail),
    theme,
    { data: cells, stride: cells.length, length: cells.length, lut: scene.countLut },
    [{ row: 0, y, h: row.h }],
  );
  if (!final) return;
  const words = `final ${final.counts[row.index]}${row.index === 0 ? ` of ${final.known}` : ''}`;
  surface.text(words, axis.x0 + axis.width + 12, middle, { size: 10, fill: theme.ink2 });
}

/** Share of the class's samples, or of predictions of them, taken for one label, on a square-root scale: a few samples must be seen. */
function takenCells(counts: Int32Array, known: Int32Array): Uint8Array {
  const cells = new Uint8Array(counts.length);
  for (let d = 0; d < counts.length; d++) {
    if (known[d] > 0) cells[d] = 1 + Math.round(254 * Math.sqrt(Math.min(1, counts[d] / known[d])));
  }
  return cells;
}
