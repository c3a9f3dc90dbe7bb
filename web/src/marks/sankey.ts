import type { Theme } from '../kernel/colour.ts';
import type { Sankey, SankeyBand } from '../kernel/sankey.ts';
import type { Surface } from './surface.ts';

/** Bands between two lists of nodes; what becomes of a class's samples from one dump to another. */
export interface SankeyBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  /** Width of the names at either side. */
  readonly margin: number;
}

const NODE_WIDTH = 7;
const STEPS = 18;

export function drawSankey(
  surface: Surface,
  theme: Theme,
  box: SankeyBox,
  { sources, targets, bands }: Sankey,
  own: number,
  nameOf: (label: number, members: number) => string,
): void {
  const left = box.x + box.margin;
  const right = box.x + box.width - box.margin;
  for (const band of bands) {
    surface.polygon(
      outline(band, left + NODE_WIDTH, right - NODE_WIDTH, box.y),
      { fill: colourOf(theme, band, own), alpha: band.source === own && band.target === own ? 0.85 : 0.55 },
      null,
    );
  }
  for (const [nodes, x, anchor, at] of [
    [sources, left, 'end', left - 6],
    [targets, right - NODE_WIDTH, 'start', right + 6],
  ] as const) {
    let free = Number.NEGATIVE_INFINITY;
    for (const node of nodes) {
      const y = box.y + node.y;
      const fill = node.label === own ? theme.ink2 : theme.incorrect;
      surface.rect(x, y, NODE_WIDTH, Math.max(1, node.h), { fill, radius: 1.5 });
      const middle = Math.max(free, y + node.h / 2);
      free = middle + 12;
      const weight = node.label === own ? 600 : 400;
      surface.text(nameOf(node.label, node.members), at, middle, {
        size: 10.5,
        fill: theme.ink2,
        weight,
        anchor,
      });
    }
  }
}

/** Right in the end, wrong in the end though right before, or wrong at both. */
function colourOf(theme: Theme, { source, target }: SankeyBand, own: number): string {
  if (target === own) return source === own ? theme.correct : theme.training;
  return source === own ? theme.incorrect : theme.hatch;
}

function outline({ y0, y1, h }: SankeyBand, x0: number, x1: number, top: number): number[] {
  const points: number[] = [];
  const edge = (shift: number, step: number) => {
    const t = step / STEPS;
    const ease = t * t * (3 - 2 * t);
    points.push(x0 + (x1 - x0) * t, top + y0 + (y1 - y0) * ease + shift);
  };
  for (let step = 0; step <= STEPS; step++) edge(0, step);
  for (let step = STEPS; step >= 0; step--) edge(Math.max(0.75, h), step);
  return points;
}
