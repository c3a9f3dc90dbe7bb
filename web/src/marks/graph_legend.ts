import type { Ramp, Theme } from '../kernel/colour.ts';
import { labelWidth } from '../kernel/graph_layout.ts';
import { drawRamp } from './legend.ts';
import type { Surface } from './surface.ts';

/** What the colours of a graph mean. */
export interface GraphLegend {
  /** Of the boxes that are coloured by a value; null where all are coloured by their kind. */
  readonly scale: {
    readonly ramp: Ramp;
    readonly words: string;
    readonly ends: readonly [string, string];
  } | null;
  readonly kinds: readonly { readonly colour: string; readonly words: string }[];
  /** What pale boxes are; empty where there are none. */
  readonly pale: string;
}

const TEXT = 10;
const WIDTH_OF_TEXT = TEXT / 10.5;
const SWATCH = 9;
const RAMP = { w: 96, gap: 5 } as const;
const BETWEEN = 14;

/** In one line from x on, around y; returns where it ends. */
export function drawGraphLegend(
  surface: Surface,
  theme: Theme,
  legend: GraphLegend,
  x: number,
  y: number,
): number {
  const words = { size: TEXT, fill: theme.ink2 };
  let at = x;
  const write = (text: string, gap: number) => {
    surface.text(text, at, y, words);
    at += labelWidth(text) * WIDTH_OF_TEXT + gap;
  };
  if (legend.scale) {
    const { ramp, ends } = legend.scale;
    write(legend.scale.words, 8);
    write(ends[0], RAMP.gap);
    drawRamp(surface, ramp, at, y - SWATCH / 2, RAMP.w, SWATCH);
    surface.frame(at - 0.5, y - SWATCH / 2 - 0.5, RAMP.w + 1, SWATCH + 1, { stroke: theme.ink3, width: 1 });
    at += RAMP.w + RAMP.gap;
    write(ends[1], BETWEEN);
  }
  for (const kind of legend.kinds) {
    surface.rect(at, y - SWATCH / 2, SWATCH, SWATCH, { fill: kind.colour, radius: 2 });
    at += SWATCH + RAMP.gap;
    write(kind.words, BETWEEN);
  }
  if (legend.pale) write(legend.pale, BETWEEN);
  return at - BETWEEN;
}
