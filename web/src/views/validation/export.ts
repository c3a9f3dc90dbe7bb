import { countText, csvLine, endOf } from '../../kernel/format.ts';
import { shareOf } from '../../kernel/colour.ts';
import { CanvasSurface } from '../../marks/canvas_surface.ts';
import { drawLegendLine } from '../../marks/legend.ts';
import type { Surface } from '../../marks/surface.ts';
import { SvgSurface } from '../../marks/svg_surface.ts';
import { drawDynamic } from './draw_dynamic.ts';
import { drawStatic } from './draw_static.ts';
import { AXIS_HEIGHT, HEAD, LEGEND_HEIGHT, THUMBNAIL, type Scene } from './scene.ts';
import type { StageState } from './stage.svelte.ts';
import { thumbnailPage } from './thumbnails.ts';

/** The view as files: the picture with all its rows (as far as a sheet goes), and the numbers behind the selection. */
const TALLEST = 6000;
const NOTE_HEIGHT = 20;
const FOOT = AXIS_HEIGHT + LEGEND_HEIGHT + NOTE_HEIGHT + 8;
const PNG_DENSITY = 2;

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
  const name = stage.data.info.value?.name ?? stage.data.run;
  drawLegendLine(surface, scene.theme, 18, y);
  const note = `${name} · ${countText(stage.data.dumps, 'dump')} · anomalies: window ${win}, score ≥ ${th} %`;
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

/** The font travels in the file, and is fetched only here: most readers never export a picture. */
export async function svgOf(stage: StageState): Promise<string> {
  const font = await import('@fontsource-variable/inter/files/inter-latin-wght-normal.woff2?inline');
  const scene = sheetOf(stage);
  const surface = new SvgSurface();
  drawSheet(surface, scene, stage);
  return surface.finish(scene.width, scene.height, `${stage.data.run}, Validation view`, font.default);
}

export async function pngOf(stage: StageState): Promise<Blob> {
  const scene = sheetOf(stage);
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(scene.width * PNG_DENSITY);
  canvas.height = Math.round(scene.height * PNG_DENSITY);
  const context = canvas.getContext('2d');
  if (!context) throw new Error('this browser gives no canvas to draw on.');
  context.scale(PNG_DENSITY, PNG_DENSITY);
  drawSheet(new CanvasSurface(context, PNG_DENSITY), scene, stage);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('the picture could not be written.')))),
  );
}

/** Brushed dumps, else those shown. */
function selectedDumps(stage: StageState): number[] {
  const [from, to] = stage.brush ?? stage.zoom;
  const last = Math.min(stage.data.dumps, Math.round(to));
  return Array.from({ length: Math.max(0, last - Math.round(from)) }, (_, i) => Math.round(from) + i);
}

/** One row a class, one column a dump. */
export function classErrorsCsv(stage: StageState): string {
  const dumps = selectedDumps(stage);
  const error = stage.data.classes.value?.error;
  const { iterations } = stage.data;
  const lines = [csvLine(['class', 'name', ...dumps.map((d) => iterations[d])])];
  for (let cls = 0; cls < (error?.rows ?? 0); cls++) {
    const cells = dumps.map((d) => (error && d < error.length ? round(shareOf(error.at(cls, d))) : null));
    lines.push(csvLine([cls, stage.data.names[cls], ...cells]));
  }
  return `${lines.join('\n')}\n`;
}

export function anomaliesCsv(stage: StageState): string {
  const table = stage.data.anomalies.value?.table;
  const lines = [csvLine(['class', 'name', 'dump', 'iteration', 'left', 'right', 'pending'])];
  const chosen = new Set(selectedDumps(stage));
  for (let i = 0; i < (table?.cls.length ?? 0); i++) {
    if (!table || !chosen.has(table.dump[i])) continue;
    const cls = table.cls[i];
    const scores = [table.left[i], table.right[i], table.pending[i]].map(round);
    lines.push(
      csvLine([cls, stage.data.names[cls], table.dump[i], stage.data.iterations[table.dump[i]], ...scores]),
    );
  }
  return `${lines.join('\n')}\n`;
}

/** One row a sample in the drawn order, one column a dump: the predicted class's index, empty where missing. */
export function predictionsCsv(stage: StageState, cls: number): string {
  const entry = stage.data.opened.get(cls);
  const value = entry?.part.value;
  const dumps = selectedDumps(stage);
  const lines = [csvLine(['sample', 'name', 'true', ...dumps.map((d) => stage.data.iterations[d])])];
  for (const row of entry?.order(stage.store.v.rows) ?? []) {
    if (!value) break;
    const cells = dumps.map((d) =>
      d < value.labels.length && value.labels.at(row, d) >= 0 ? value.labels.at(row, d) : null,
    );
    lines.push(csvLine([value.samples[row], value.names[row] ?? '', cls, ...cells]));
  }
  return `${lines.join('\n')}\n`;
}

function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}

export function fileName(stage: StageState, suffix: string): string {
  const dumps = selectedDumps(stage);
  const { iterations } = stage.data;
  const run = stage.data.run.replace(/[^\w.-]+/g, '_');
  return `${run}-validation-${iterations[dumps[0]] ?? 0}-${iterations[dumps[dumps.length - 1]] ?? 0}${suffix}`;
}

export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
