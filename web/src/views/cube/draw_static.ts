import { nearestDump } from '../../kernel/axis.ts';
import { pinColour } from '../../kernel/colour.ts';
import { FACES, faceMatrix, faceSize, isShown, onStage } from '../../kernel/cube_geometry.ts';
import { quad } from '../../kernel/affine.ts';
import { drawGlyph } from '../../marks/triangles.ts';
import type { Surface } from '../../marks/surface.ts';
import { drawLegend } from './draw_legend.ts';
import { drawBrackets, drawMargins, drawTitles } from './draw_margins.ts';
import { fillColumns, fillHits, fillTriangles, lineOfDump, outlineClass, outlineSet } from './draw_marks.ts';
import { drawOverallError, drawStageLines, drawTimeAxes } from './draw_time.ts';
import type { Scene } from './scene.ts';

/** The picture over the faces, without anything that follows the pointer. */
export function drawStatic(surface: Surface, scene: Scene): void {
  drawTitles(surface, scene);
  drawBrackets(surface, scene);
  drawMargins(surface, scene);
  drawOverallError(surface, scene);
  drawStageLines(surface, scene);
  drawOutlines(surface, scene);
  drawTimeAxes(surface, scene);
  for (const { glyph, x, y, scale } of scene.glyphs) {
    drawGlyph(surface, scene.theme, { ...glyph, x }, y, scene.theme.triangle, scale);
  }
  drawPins(surface, scene);
  if (scene.legend) drawLegend(surface, scene);
}

function drawOutlines(surface: Surface, scene: Scene): void {
  const { placement, sizes, theme } = scene;
  for (const face of FACES) {
    if (!isShown(placement, face)) continue;
    const [w, h] = faceSize(face, sizes);
    const corners = quad(faceMatrix(placement, face, sizes), 0, 0, w, h);
    surface.line([...corners, corners[0], corners[1]], { stroke: theme.ink, width: 1.1 });
  }
}

/** What is pinned: iterations, classes, and mini-sets, each of these in its colour and with its number. */
function drawPins(surface: Surface, scene: Scene): void {
  const { theme, view, model, iterations } = scene;
  for (const mark of view.marks) {
    const dump = nearestDump(iterations, mark);
    lineOfDump(surface, scene, dump, theme.mark, [1.5, 3]);
  }
  for (const cls of view.pinnedClasses) {
    const span = model.spanOfClass(cls);
    if (span) outlineClass(surface, scene, span, theme.ink);
  }
  const marked = new Set(view.marks.map((mark) => nearestDump(iterations, mark)));
  if (marked.size > 0) {
    fillColumns(surface, scene, (column) => marked.has(model.table.columnDump[column]), theme.mark);
  }
  view.minis.forEach((id, place) => {
    const set = model.index.setOf(id);
    if (set === null || model.setHeight[set] === 0) return;
    const colour = pinColour(theme, place);
    outlineSet(surface, scene, set, colour);
    fillHits(surface, scene, set, colour);
    fillTriangles(surface, scene, set, colour);
  });
  view.minis.forEach((id, place) => drawNumber(surface, scene, id, place));
}

const NUMBER = 13;

/** At both ends of the row; the same number is in the side panel. */
function drawNumber(surface: Surface, scene: Scene, id: number, place: number): void {
  const { theme, model, placement, sizes } = scene;
  const set = model.index.setOf(id);
  if (set === null || model.setHeight[set] === 0) return;
  const y = model.setY[set] + model.setHeight[set] / 2;
  const ends = [
    onStage(placement, 'right', sizes, sizes.columns, y),
    ...(isShown(placement, 'front') ? [onStage(placement, 'front', sizes, 0, y)] : []),
  ];
  ends.forEach(([x, at]) => {
    const left = x + 3;
    surface.rect(left, at - NUMBER / 2, NUMBER, NUMBER, {
      fill: pinColour(theme, place),
      radius: NUMBER / 2,
    });
    const ink = theme.name === 'light' ? '#ffffff' : '#14181d';
    const style = { size: 9.6, weight: 700, fill: ink, anchor: 'middle' } as const;
    surface.text(String(place + 1), left + NUMBER / 2, at, style);
  });
}
