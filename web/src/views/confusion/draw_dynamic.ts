import { centreOf } from '../../kernel/axis.ts';
import { shortened } from '../../kernel/format.ts';
import { drawOutline } from '../../marks/brush.ts';
import { drawIterationPill } from '../../marks/iteration_axis.ts';
import type { Surface } from '../../marks/surface.ts';
import { drawHandles } from './draw_scrubber.ts';
import type { Hover } from './hit.ts';
import { columnX, rowY, SCRUB, shownBox, stepOf, type Scene } from './scene.ts';

export interface Dynamic {
  readonly hover: Hover | null;
  /** Dumps of the handles. */
  readonly at: number;
  readonly to: number | null;
  readonly cell: readonly [number, number] | null;
}

/** Everything that changes while the pointer moves; drawn over the static picture many times a second. */
export function drawDynamic(surface: Surface, scene: Scene, dynamic: Dynamic): void {
  const { hover } = dynamic;
  const box = shownBox(scene);
  surface.clipped(box.x - 3, box.y - 3, box.w + 6, box.h + 6, () => {
    if (hover && (hover.row !== null || hover.column !== null)) drawCross(surface, scene, hover);
    drawSelected(surface, scene, dynamic);
  });
  if (hover) drawHoveredNames(surface, scene, hover);
  if (dynamic.at >= 0) drawHandles(surface, scene, dynamic.at, dynamic.to);
  if (hover?.area === 'scrub' && hover.dump !== null) drawHoveredDump(surface, scene, hover.dump);
}

/** Row and column of the hovered cell. */
function drawCross(surface: Surface, scene: Scene, { row, column }: Hover): void {
  const { theme } = scene;
  const step = stepOf(scene);
  const box = shownBox(scene);
  const style = { stroke: theme.highlight, width: 1, alpha: 0.75 };
  const size = Math.max(3, step);
  const middle = (from: number) => from + step / 2 - size / 2;
  const [x, y] = [middle(columnX(scene, column ?? 0)), middle(rowY(scene, row ?? 0))];
  if (row !== null) surface.frame(box.x - 0.5, y - 0.5, box.w + 1, size + 1, style);
  if (column !== null) surface.frame(x - 0.5, box.y - 0.5, size + 1, box.h + 1, style);
  if (row !== null && column !== null) {
    drawOutline(surface, theme, x - 0.5, y - 0.5, size + 1, size + 1, theme.highlight);
  }
}

function drawSelected(surface: Surface, scene: Scene, { cell }: Dynamic): void {
  const { matrix, theme } = scene;
  const row = cell && matrix ? matrix.rows.indexOf(cell[0]) : -1;
  const column = cell && matrix ? matrix.columns.indexOf(cell[1]) : -1;
  if (row < 0 || column < 0) return;
  const step = stepOf(scene);
  const size = Math.max(5, step);
  const shift = step / 2 - size / 2 - 1;
  const [x, y] = [columnX(scene, column) + shift, rowY(scene, row) + shift];
  surface.frame(x, y, size + 2, size + 2, { stroke: theme.panel, width: 5, alpha: 0.9 });
  surface.frame(x, y, size + 2, size + 2, { stroke: theme.highlight, width: 2.2 });
}

/** Both names, whether they had room or not. */
function drawHoveredNames(surface: Surface, scene: Scene, { row, column }: Hover): void {
  const { matrix, theme, places } = scene;
  if (!matrix) return;
  const step = stepOf(scene);
  const ink = theme.name === 'light' ? '#ffffff' : '#14181d';
  if (row !== null && row < matrix.rows.length) {
    const label = shortened(scene.nameOf(matrix.rows[row]), 20);
    const width = label.length * 6 + 14;
    const y = rowY(scene, row) + step / 2;
    surface.rect(places.matrix.x - 7 - width, y - 9, width, 18, { fill: theme.highlight, radius: 4 });
    surface.text(label, places.matrix.x - 14, y, { size: 10.5, weight: 600, fill: ink, anchor: 'end' });
  }
  if (column !== null && column < matrix.columns.length) {
    const label = shortened(scene.nameOf(matrix.columns[column]), 20);
    const width = label.length * 6 + 14;
    const middle = columnX(scene, column) + step / 2;
    const x = Math.max(places.matrix.x, Math.min(middle - width / 2, places.drawer.x - width - 8));
    surface.rect(x, places.matrix.y - 22, width, 18, { fill: theme.highlight, radius: 4 });
    surface.text(label, x + width / 2, places.matrix.y - 13, {
      size: 10.5,
      weight: 600,
      fill: ink,
      anchor: 'middle',
    });
  }
}

function drawHoveredDump(surface: Surface, scene: Scene, dump: number): void {
  const { axis, theme, places } = scene;
  const x = centreOf(axis, dump);
  const [y0, y1] = [places.scrubY + SCRUB.chartY - 4, places.scrubY + SCRUB.axisY];
  surface.line([x, y0, x, y1], { stroke: theme.panel, width: 2.6, alpha: 0.5 });
  surface.line([x, y0, x, y1], { stroke: theme.highlight, width: 1 });
  drawIterationPill(surface, axis, theme, dump, y1, theme.highlight);
}
