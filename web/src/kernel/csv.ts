/** A line of a table: what is not known is left empty, what would break the line is quoted. */
export function csvLine(cells: readonly (string | number | null)[]): string {
  return cells
    .map((cell) => (cell === null || Number.isNaN(cell) ? '' : String(cell)))
    .map((cell) => (/[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell))
    .join(',');
}
