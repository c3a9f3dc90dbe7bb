/** How numbers are written: the same everywhere. */
const { format: whole } = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const significant = (value: number) => String(Number(value.toPrecision(3)));

export function iterationText(iteration: number): string {
  return whole(Math.round(iteration));
}

export function countText(count: number, noun: string, plural = `${noun}s`): string {
  return `${whole(count)} ${count === 1 ? noun : plural}`;
}

/** Errors and scores, as shares: 12 %, 3.4 % (one digit below 10), or – where unknown. */
export function percentText(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return '–';
  const value = share * 100;
  return `${value < 9.95 && value > 0 ? value.toFixed(1).replace(/\.0$/, '') : value.toFixed(0)} %`;
}

export function wholePercentText(share: number): string {
  return Number.isFinite(share) ? `${Math.round(share * 100)} %` : '–';
}

export function rateText(lr: number): string {
  if (lr !== 0 && Math.abs(lr) < 1e-4) return lr.toExponential(1).replace('.0e', 'e');
  return significant(lr);
}

/** A stage of the learning rate: one value, or from where to where it ramps. */
export function stageRateText({ lr, lr_end: end }: { readonly lr: number; readonly lr_end: number }): string {
  return end === lr ? rateText(lr) : `${rateText(lr)} → ${rateText(end)}`;
}

export function decimalText(value: number, digits = 2): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '–';
}

const MINUS = '\u2212';

/** Weights, their changes and gradients, with two or three digits: 0.123, −5.4e-3; – where unknown. */
export function valueText(value: number): string {
  if (Number.isNaN(value)) return '–';
  const size = Math.abs(value);
  const sign = value < 0 ? MINUS : '';
  if (size === Number.POSITIVE_INFINITY) return `${sign}∞`;
  if (size !== 0 && (size < 1e-2 || size >= 1e4))
    return sign + size.toExponential(1).replace('.0e', 'e').replace('+', '');
  return sign + (size >= 100 ? whole(Math.round(size)) : significant(size));
}

export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(0)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

export function clockText(time: Date): string {
  return time.toLocaleTimeString('en-GB');
}

/** Cut a text in its middle so that both ends stay readable. */
export function shortened(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const head = Math.ceil((longest - 1) * 0.6);
  return `${text.slice(0, head)}…${text.slice(text.length - (longest - 1 - head))}`;
}

/** A dotted name without its first parts, as many as it takes; their place is marked. */
export function lastParts(name: string, longest: number): string {
  if (name.length <= longest) return name;
  const parts = name.split('.');
  for (let from = 1; from < parts.length; from++) {
    const rest = `…${parts.slice(from).join('.')}`;
    if (rest.length <= longest) return rest;
  }
  return shortened(parts[parts.length - 1], longest);
}

/** Keep the end, where the names of samples differ. */
export function endOf(text: string, longest: number): string {
  return text.length <= longest ? text : `…${text.slice(text.length - longest + 1)}`;
}
