/** How many anomalies would another window or threshold show? Answered from the server's table, without asking again. */
export interface AnomalyCounts {
  readonly windows: Int32Array;
  /** (windows, 101): anomalies at each threshold 0..100 %. */
  readonly counts: Int32Array;
}

const THRESHOLDS = 101;

function nearestWindow(windows: ArrayLike<number>, window: number): number {
  let nearest = 0;
  for (let i = 1; i < windows.length; i++) {
    if (Math.abs(windows[i] - window) < Math.abs(windows[nearest] - window)) nearest = i;
  }
  return nearest;
}

/** The count at a threshold in per cent; not exact where the table lacks the window. Null where it is empty. */
export function countAt(
  table: AnomalyCounts,
  window: number,
  percent: number,
): { count: number; exact: boolean } | null {
  if (table.windows.length === 0) return null;
  const row = nearestWindow(table.windows, window);
  return { count: table.counts[row * THRESHOLDS + percent], exact: table.windows[row] === window };
}

/** The highest round threshold below `percent` that shows at least `wanted` anomalies; null where none does. */
export function lowerThreshold(
  table: AnomalyCounts,
  window: number,
  percent: number,
  wanted: number,
): { percent: number; count: number } | null {
  for (let lower = Math.ceil(percent / 5) * 5 - 5; lower > 0; lower -= 5) {
    const found = countAt(table, window, lower);
    if (found?.exact && found.count >= wanted) return { percent: lower, count: found.count };
  }
  return null;
}

/** The lowest round threshold above `percent` that shows at most `most` anomalies, but some; null where none does. */
export function stricterThreshold(
  table: AnomalyCounts,
  window: number,
  percent: number,
  most: number,
): { percent: number; count: number } | null {
  for (let higher = Math.floor(percent / 5) * 5 + 5; higher <= 100; higher += 5) {
    const found = countAt(table, window, higher);
    if (found?.exact && found.count > 0 && found.count <= most)
      return { percent: higher, count: found.count };
  }
  return null;
}

/** The largest window below `window` at which any rule fires for any sample; null where none does. */
export function lowerWindow(table: AnomalyCounts, window: number): number | null {
  const firing = table.windows.filter((w, row) => w < window && table.counts[row * THRESHOLDS] > 0);
  return firing.length ? Math.max(...firing) : null;
}
