import { cellOf } from '../../kernel/colour.ts';
import { errorOf, evaluated } from '../../kernel/confusion.ts';
import { cellOfShare, confusionPixels } from '../../kernel/confusion_raster.ts';
import { contrast } from '../../kernel/contrast.ts';
import { countText, percentText, shortened } from '../../kernel/format.ts';
import { greedy } from '../../kernel/label_dodge.ts';
import type { Surface } from '../../marks/surface.ts';
import { groundOf } from './colours.ts';
import { drawScrubber } from './draw_scrubber.ts';
import { columnX, rowY, shownBox, shownPlaces, stepOf, type Scene } from './scene.ts';

const NAME_LONGEST = 20;
const COLUMN_LONGEST = 16;
const NAME_GAP = 11;
const TURN = -50;
const NUMBER_FROM = 21;
const SHARE_FROM = 46;

/** The picture without anything that follows the pointer. */
export function drawStatic(surface: Surface, scene: Scene): void {
  drawMatrix(surface, scene);
  drawNames(surface, scene);
  drawErrors(surface, scene);
  drawGroups(surface, scene);
  drawScrubber(surface, scene);
}

function drawMatrix(surface: Surface, scene: Scene): void {
  const { theme, places, entries, matrix, window, luts } = scene;
  const { x, y, w, h } = shownBox(scene);
  if (!entries || !matrix) {
    surface.rect(places.matrix.x, places.matrix.y, places.matrix.w, places.matrix.h, {
      fill: theme.skeleton,
    });
    return;
  }
  surface.rect(x, y, w, h, { fill: groundOf(theme, scene.isChange) });
  surface.clipped(x, y, w, h, () => {
    drawEmptyRows(surface, scene);
    const size = {
      width: Math.round(places.matrix.w * surface.density),
      height: Math.round(places.matrix.h * surface.density),
      classes: matrix.classes,
    };
    const pixels = confusionPixels(entries, window, size, luts);
    surface.pixels(pixels, places.matrix.x, places.matrix.y, places.matrix.w, places.matrix.h);
    drawNumbers(surface, scene);
    drawBorders(surface, scene);
  });
  surface.frame(x - 0.5, y - 0.5, w + 1, h + 1, { stroke: theme.line });
}

/** Classes without samples have no shares. */
function drawEmptyRows(surface: Surface, scene: Scene): void {
  const { matrix, table, theme, window } = scene;
  if (!matrix || !table) return;
  const step = stepOf(scene);
  const box = shownBox(scene);
  const [from, to] = shownPlaces(window.row, window.cells, matrix.rows.length);
  for (let row = from; row < to; row++) {
    if (evaluated(table, matrix.rows[row]) > 0) continue;
    surface.hatch(box.x, rowY(scene, row), box.w, step, theme.hatch, theme.hatchGround);
  }
}

/** Between clusters, and before what is no class. */
function drawBorders(surface: Surface, scene: Scene): void {
  const { theme, groups, matrix } = scene;
  const { x, y, w, h } = shownBox(scene);
  const style = { stroke: theme.ink3, width: 1, alpha: 0.5 };
  for (const { from } of groups.slice(1)) {
    const [lineX, lineY] = [Math.round(columnX(scene, from)) - 0.5, Math.round(rowY(scene, from)) - 0.5];
    surface.line([lineX, y, lineX, y + h], style);
    surface.line([x, lineY, x + w, lineY], style);
  }
  if (matrix && matrix.columns.length > matrix.classes) {
    const at = Math.round(columnX(scene, matrix.classes)) - 0.5;
    surface.line([at, y, at, y + h], { stroke: theme.ink2, width: 1.5 });
  }
}

function drawNumbers(surface: Surface, scene: Scene): void {
  const { entries, matrix, luts, isChange } = scene;
  const step = stepOf(scene);
  if (!entries || !matrix || step < NUMBER_FROM) return;
  for (let i = 0; i < entries.row.length; i++) {
    const share = entries.share[i];
    const number = isChange ? entries.count[i] - (entries.before?.[i] ?? 0) : entries.count[i];
    const text = isChange && number !== 0 ? (number > 0 ? `+${number}` : `\u2212${-number}`) : String(number);
    if (number === 0 || text.length * 6.4 > step - 4) continue;
    const x = columnX(scene, entries.column[i]) + step / 2;
    const y = rowY(scene, entries.row[i]) + step / 2;
    const isRight = entries.column[i] === entries.row[i];
    const fill = inkOver((isRight ? luts.right : luts.confusion)[cellOfShare(share, isChange)], scene);
    const isTwoLines = step >= SHARE_FROM;
    const style = { fill, anchor: 'middle' as const };
    surface.text(text, x, y - (isTwoLines ? 6 : 0), { ...style, size: step >= 34 ? 12 : 10, weight: 600 });
    const percent = percentText(Math.abs(share));
    const sign = !isChange || share === 0 ? '' : share > 0 ? '+' : '\u2212';
    if (isTwoLines) surface.text(sign + percent, x, y + 8, { ...style, size: 9.6, alpha: 0.85 });
  }
}

function inkOver(packed: number, { theme }: Scene): string {
  const hex = (shift: number) => ((packed >> shift) & 255).toString(16).padStart(2, '0');
  const ground = `#${hex(0)}${hex(8)}${hex(16)}`;
  const inks = theme.name === 'light' ? [theme.ink, '#ffffff'] : [theme.ink, '#0e1217'];
  return contrast(ground, inks[0]) >= contrast(ground, inks[1]) ? inks[0] : inks[1];
}

/** How much a row or column matters, where there is no room for all names: by what is confused. */
function importance(scene: Scene): { rows: Float32Array; columns: Float32Array } {
  const { entries, matrix } = scene;
  const rows = new Float32Array(matrix?.rows.length ?? 0);
  const columns = new Float32Array(matrix?.columns.length ?? 0);
  for (let i = 0; entries && i < entries.row.length; i++) {
    if (entries.row[i] === entries.column[i]) continue;
    const strength = Math.abs(entries.share[i]);
    rows[entries.row[i]] = Math.max(rows[entries.row[i]], strength);
    columns[entries.column[i]] = Math.max(columns[entries.column[i]], strength);
  }
  for (let c = matrix?.classes ?? 0; c < columns.length; c++) columns[c] = Number.MAX_VALUE;
  return { rows, columns };
}

function drawNames(surface: Surface, scene: Scene): void {
  const { theme, places, matrix, window } = scene;
  const { x, y } = places.matrix;
  const corner = { size: 10.5, fill: theme.ink3, anchor: 'end' as const };
  surface.text('taken for →', x - 10, y - 22, corner);
  surface.text('true class ↓', x - 10, y - 9, corner);
  if (!matrix) return;
  const matters = importance(scene);
  const step = stepOf(scene);
  const box = shownBox(scene);
  const [r0, r1] = shownPlaces(window.row, window.cells, matrix.rows.length);
  const rowMiddle = (row: number) => Math.max(y, Math.min(box.y + box.h, rowY(scene, row) + step / 2));
  const rowAt = Array.from({ length: r1 - r0 }, (_, i) => rowMiddle(r0 + i));
  const style = { size: 10.5, fill: theme.ink2, anchor: 'end' as const };
  for (const i of greedy(rowAt, (index) => matters.rows[r0 + index], NAME_GAP)) {
    surface.line([x - 5, rowAt[i], x - 1, rowAt[i]], { stroke: theme.ink3, width: 0.7 });
    surface.text(shortened(scene.nameOf(matrix.rows[r0 + i]), NAME_LONGEST), x - 9, rowAt[i], style);
  }
  const [c0, c1] = shownPlaces(window.column, window.cells, matrix.columns.length);
  const middle = (column: number) => columnX(scene, column) + step / 2;
  const columnAt = Array.from({ length: c1 - c0 }, (_, i) => middle(c0 + i));
  const gap = places.turned ? NAME_GAP + 3 : 1;
  for (const i of greedy(columnAt, (index) => matters.columns[c0 + index], gap)) {
    const name = shortened(scene.nameOf(matrix.columns[c0 + i]), COLUMN_LONGEST);
    if (places.turned) {
      surface.line([columnAt[i], y - 1, columnAt[i], y - 5], { stroke: theme.ink3, width: 0.7 });
      surface.text(name, columnAt[i] + 1, y - 9, { size: 10.5, fill: theme.ink2, angle: TURN });
    } else surface.text(name, columnAt[i], y - 10, { size: 10.5, fill: theme.ink2, anchor: 'middle' });
  }
}

/** At the right of each row the share of its samples that are wrong. */
function drawErrors(surface: Surface, scene: Scene): void {
  const { theme, places, matrix, table, window, errorLut, isChange } = scene;
  if (!matrix || !table) return;
  const step = stepOf(scene);
  const { errorX: x } = places;
  const title = { size: 10.5, fill: theme.ink3, angle: places.turned ? TURN : 0 };
  surface.text('wrong', x + (places.turned ? 16 : 0), places.matrix.y - 10, title);
  const [from, to] = shownPlaces(window.row, window.cells, matrix.rows.length);
  const box = shownBox(scene);
  surface.clipped(x, box.y, 60, box.h, () => {
    for (let row = from; row < to; row++) {
      const error = errorOf(table, matrix.rows[row]);
      if (Number.isNaN(error)) continue;
      const y = rowY(scene, row);
      surface.rect(x, y, 8, Math.max(1, step >= 7 ? step - 1 : step), {
        fill: cssOfLut(errorLut[cellOf(error)]),
      });
      if (step < NAME_GAP) continue;
      const before = isChange ? errorOf(table, matrix.rows[row], 'before') : Number.NaN;
      const text = Number.isNaN(before) ? percentText(error) : differenceText(error - before);
      surface.text(text, x + 14, y + step / 2, { size: 10.5, fill: theme.ink2 });
    }
  });
}

/** In points of per cent, as a sign and a number. */
function differenceText(share: number): string {
  const text = percentText(Math.abs(share));
  return share === 0 ? text : `${share > 0 ? '+' : '\u2212'}${text}`;
}

function cssOfLut(packed: number): string {
  return `rgb(${packed & 255} ${(packed >> 8) & 255} ${(packed >> 16) & 255})`;
}

function drawGroups(surface: Surface, scene: Scene): void {
  const { theme, places, groups } = scene;
  const box = shownBox(scene);
  const x = places.groupX;
  for (const { cluster, from, to } of groups) {
    const y0 = Math.max(box.y, rowY(scene, from) + 1);
    const y1 = Math.min(box.y + box.h, rowY(scene, to) - 1);
    if (y1 - y0 < 2) continue;
    surface.line([x, y0 + 0.5, x + 5, y0 + 0.5, x + 5, y1 - 0.5, x, y1 - 0.5], { stroke: theme.ink3 });
    const middle = (y0 + y1) / 2;
    const two = y1 - y0 >= 28;
    if (y1 - y0 < 11) continue;
    const style = { size: 10.5, fill: theme.ink2 };
    surface.text(`Cluster ${cluster + 1}`, x + 12, middle - (two ? 7 : 0), { ...style, weight: 600 });
    if (two) surface.text(countText(to - from, 'class', 'classes'), x + 12, middle + 7, style);
  }
}
