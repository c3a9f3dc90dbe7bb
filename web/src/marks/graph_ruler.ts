import type { Theme } from '../kernel/colour.ts';
import { shortened } from '../kernel/format.ts';
import type { Camera } from '../kernel/graph_camera.ts';
import { LABEL_SIZE, labelWidth } from '../kernel/graph_layout.ts';
import type { ModuleSpan } from '../kernel/graph_modules.ts';
import type { Surface } from './surface.ts';

const LEFTMOST = 14;
const BAR = 5;
const LABEL_X = BAR + 7;
const LONGEST_NAME = 22;
const LANE_GAP = 12;
/** Modules in further lanes are not named: the graph needs the room. */
const MOST_LANES = 2;
const LABEL_HEIGHT = 14;

/** How much room the ruler takes at the left of a graph. */
export function rulerWidth(spans: readonly ModuleSpan[]): number {
  const lanes = Math.min(MOST_LANES, Math.max(0, ...spans.map(({ lane }) => lane + 1)));
  return lanes * pitchOf(spans);
}

function pitchOf(spans: readonly ModuleSpan[]): number {
  return (
    LABEL_X + Math.max(0, ...spans.map(({ name }) => labelWidth(shortened(name, LONGEST_NAME)))) + LANE_GAP
  );
}

/** The modules at the left of the graph; names stay in the window as long as some of their module does. */
export function drawGraphRuler(
  surface: Surface,
  theme: Theme,
  spans: readonly ModuleSpan[],
  camera: Camera,
  height: number,
): void {
  const width = rulerWidth(spans);
  const left = Math.max(LEFTMOST, camera.x - width);
  // Where the graph lies below the ruler, names would be written on boxes.
  if (width > 0 && left + width > camera.x)
    surface.rect(0, 0, left + width, height, { fill: theme.background, alpha: 0.9 });
  for (const { name, top, bottom, lane } of spans) {
    const from = top * camera.scale + camera.y;
    const to = bottom * camera.scale + camera.y;
    if (to < 0 || from > height || lane >= MOST_LANES) continue;
    const x = left + lane * pitchOf(spans);
    surface.rect(x, from, BAR, to - from, { fill: theme.ink3, radius: 2, alpha: 0.45 });
    if (to - from < LABEL_HEIGHT) continue;
    const middle = (Math.max(0, from) + Math.min(height, to)) / 2;
    // Not beyond the ends of its module, when these come into view.
    const y = Math.max(from + LABEL_HEIGHT / 2, Math.min(to - LABEL_HEIGHT / 2, middle));
    const label = shortened(name, LONGEST_NAME);
    surface.text(label, x + LABEL_X, y, { size: LABEL_SIZE, weight: 600, fill: theme.ink2 });
  }
}
