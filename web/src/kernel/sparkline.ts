/**
 * A curve in a few pixels, as the path of an SVG: where several values share a pixel it is the largest; unknown ones break
 * it. From 0 at the bottom to the largest value at the top.
 */
export function sparkline(values: ArrayLike<number>, width: number, height: number): string {
  const count = values.length;
  const bins = Math.min(count, width);
  const largest = new Float64Array(bins).fill(Number.NaN);
  let top = 0;
  for (let i = 0; i < count; i++) {
    const value = values[i];
    if (Number.isNaN(value)) continue;
    const bin = Math.floor((i * bins) / count);
    if (!(largest[bin] >= value)) largest[bin] = value;
    top = Math.max(top, value);
  }
  let path = '';
  largest.forEach((value, bin) => {
    if (Number.isNaN(value)) return;
    const x = ((bin + 0.5) * width) / bins;
    const y = top > 0 ? (height - 1) * (1 - value / top) + 0.5 : height - 0.5;
    const starts = bin === 0 || Number.isNaN(largest[bin - 1]);
    path += `${starts ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  return path;
}
