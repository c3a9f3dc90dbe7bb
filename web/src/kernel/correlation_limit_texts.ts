import type { Limits } from './correlation_limits.ts';

/** How is it said what of a correlation cannot be seen on a screen, and what helps? */
const FEWER = 'Raise the score, or choose classes or layers.';
const WIDER = 'Make the cube deeper or the window wider, zoom in on iterations, or raise the score.';

/** Rounded down: what is just below a limit must not read as if it were reached. */
function pixelText(pixels: number): string {
  return `${Math.floor(pixels * 100) / 100} px`;
}

/** A sentence for each limit that is reached, and at the end what to do about them. */
export function limitTexts(limits: Limits): string[] {
  const { classes, layers, by, rowPixels: rows, cells, wanted, columnPixels } = limits;
  const out: string[] = [];
  if (classes.shown < classes.all) out.push(`Showing ${classes.shown} of ${classes.all} classes, by score.`);
  if (layers.shown < layers.all) {
    out.push(`Showing ${layers.shown} of ${layers.all} layers, by anomaly filters.`);
  }
  if (by === 'set') {
    out.push(`A row is a mini-set; filters would have ${pixelText(rows.filter)}.`);
  }
  if (by === 'layer') {
    out.push(`A row is a layer; mini-sets would have ${pixelText(rows.set)}.`);
  }
  const isCut = classes.shown < classes.all || layers.shown < layers.all || by === 'layer';
  if (cells === 'counts' && wanted === 'sets') {
    const why = by === 'layer' ? '' : `: columns would be ${pixelText(columnPixels)} wide`;
    out.push(`Counts in place of mini-sets${why}.`);
    if (!isCut) out.push(WIDER);
  }
  if (isCut) out.push(FEWER);
  return out;
}
