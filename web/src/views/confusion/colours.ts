import { colourAt, cssOf, lutOf, type Ramp, type Theme } from '../../kernel/colour.ts';
import type { MatrixLuts } from '../../kernel/confusion_raster.ts';

/** The colours of the matrix: confusions stand out, what is right is quiet. */

/** From the smallest share there is, which is told from none at once. */
export function confusionRamp(theme: Theme): Ramp {
  return theme.countRamp.slice(1);
}

/** Of the diagonal, so that it does not outshine what is looked for. */
export function rightRamp(theme: Theme): Ramp {
  return [theme.faint, theme.hatchGround, mixed(theme.hatchGround, theme.hatch, 0.55)];
}

/** Of changes on the diagonal: fewer are right, as many, more. */
export function rightChangeRamp(theme: Theme): Ramp {
  const ground = theme.divergingRamp[3];
  return [
    theme.hatch,
    mixed(theme.hatch, ground, 0.5),
    ground,
    mixed(theme.correct, ground, 0.2),
    theme.correct,
  ];
}

function mixed(a: string, b: string, share: number): string {
  const [r, g, blue] = colourAt([a, b], share);
  return `#${[r, g, blue].map((part) => part.toString(16).padStart(2, '0')).join('')}`;
}

export function lutsOf(theme: Theme, isChange: boolean): MatrixLuts {
  const confusion = lutOf(isChange ? theme.divergingRamp : confusionRamp(theme));
  return { confusion, right: lutOf(isChange ? rightChangeRamp(theme) : rightRamp(theme)), none: confusion };
}

export function groundOf(theme: Theme, isChange: boolean): string {
  return cssOf(isChange ? colourAt(theme.divergingRamp, 0.5) : colourAt(theme.countRamp, 0));
}
