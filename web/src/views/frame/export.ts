import { CanvasSurface } from '../../marks/canvas_surface.ts';
import type { Surface } from '../../marks/surface.ts';
import type { TimeStage } from './time_stage.svelte.ts';

/** A view's picture as it is handed on, with all its rows. */
export interface Sheet {
  readonly width: number;
  readonly height: number;
  readonly title: string;
  readonly draw: (surface: Surface) => void;
}

/** A table that a view can write: its name in the menu, the end of its file's name, and its text. */
export interface Table {
  readonly id: string;
  readonly label: string;
  readonly suffix: string;
  readonly csv: () => string | Promise<string>;
}

const PNG_DENSITY = 2;

/** The font travels in the file; it and the writer are fetched only here: most readers never export a picture. */
export async function svgOf(sheet: Sheet): Promise<Blob> {
  const [font, { SvgSurface }] = await Promise.all([
    import('@fontsource-variable/inter/files/inter-latin-wght-normal.woff2?inline'),
    import('../../marks/svg_surface.ts'),
  ]);
  const surface = new SvgSurface();
  sheet.draw(surface);
  const text = surface.finish(sheet.width, sheet.height, sheet.title, font.default);
  return new Blob([text], { type: 'image/svg+xml' });
}

export async function pngOf(sheet: Sheet): Promise<Blob> {
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(sheet.width * PNG_DENSITY);
  canvas.height = Math.round(sheet.height * PNG_DENSITY);
  const context = canvas.getContext('2d');
  if (!context) throw new Error('this browser gives no canvas to draw on.');
  context.scale(PNG_DENSITY, PNG_DENSITY);
  sheet.draw(new CanvasSurface(context, PNG_DENSITY));
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('the picture could not be written.')))),
  );
}

/** Brushed dumps, else those shown. */
export function selectedDumps(stage: TimeStage): number[] {
  const [from, to] = stage.brush ?? stage.zoom;
  const last = Math.min(stage.run.dumps, Math.round(to));
  return Array.from({ length: Math.max(0, last - Math.round(from)) }, (_, i) => Math.round(from) + i);
}

/** Run, view and iterations, so that a file says what it shows. */
export function fileName(stage: TimeStage, suffix: string): string {
  const dumps = selectedDumps(stage);
  const { iterations, id } = stage.run;
  const run = id.replace(/[^\w.-]+/g, '_');
  const span = `${iterations[dumps[0]] ?? 0}-${iterations[dumps[dumps.length - 1]] ?? 0}`;
  return `${run}-${stage.store.v.view}-${span}${suffix}`;
}

export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
