import type { PixelsRow } from '../../kernel/layout.ts';
import { HEAD, marginsOf, sampleHeight, screenY, THUMBNAIL, type Scene } from './scene.ts';
import type { StageState } from './stage.svelte.ts';

/**
 * Which pictures stand beside an opened pixel chart, and where?
 *
 * 1. As many as fit make a page; pages divide the drawn rows from the first to the last.
 * 2. The page shown holds the row last pointed at, so that the hand can move from a row to its picture.
 * 3. A chart that has scrolled away from that page shows the page of its first visible row.
 */
export interface Picture {
  readonly sample: number;
  readonly position: number;
  readonly name: string;
  readonly x: number;
  readonly y: number;
}

export interface ThumbnailPage {
  readonly cls: number;
  readonly pictures: readonly Picture[];
  readonly first: number;
  readonly size: number;
  readonly total: number;
  /** Where the chart begins on the screen, and the rows that the pictures belong to. */
  readonly x: number;
  readonly y: number;
  readonly barY: number;
  readonly barH: number;
}

export function thumbnailPage(stage: StageState, scene: Scene, row: PixelsRow): ThumbnailPage | null {
  const entry = stage.data.opened.get(row.cls);
  const value = entry?.samples.whole.value;
  if (!entry || !value) return null;
  const order = entry.order(stage.store.v.rows);
  const columns = columnsOf(scene.width);
  const size = columns * Math.max(1, Math.floor((row.h + 10) / THUMBNAIL.pitchY));
  const h = sampleHeight(row);
  const top = scene.chartTop(row.cls);
  const first = firstOfPage(stage.pointedRows.get(row.cls) ?? 0, order.length, size, top, top + row.h / h);
  const x = scene.axis.x0 + scene.axis.width + THUMBNAIL.x;
  const y = screenY(scene, row.y);
  const pictures: Picture[] = [];
  for (let i = 0; i < size && first + i < order.length; i++) {
    const at = order[first + i];
    pictures.push({
      sample: value.samples[at],
      position: first + i,
      name: value.names[at] ?? String(value.samples[at]),
      x: x + (i % columns) * (THUMBNAIL.size + THUMBNAIL.gap),
      y: y + Math.floor(i / columns) * THUMBNAIL.pitchY,
    });
  }
  const from = Math.max(0, (first - top) * h);
  const to = Math.min(row.h, (first + pictures.length - top) * h);
  const bar = { barY: y + from, barH: Math.max(2, to - from) };
  return { cls: row.cls, pictures, first, size, total: order.length, x, y, ...bar };
}

function columnsOf(width: number): number {
  const room = marginsOf(width).right - THUMBNAIL.x + THUMBNAIL.gap - 2;
  return Math.max(1, Math.floor(room / (THUMBNAIL.size + THUMBNAIL.gap)));
}

/** First position of the page that holds `pointed`, or of the first page in sight where that one is not: [top, bottom). */
export function firstOfPage(
  pointed: number,
  total: number,
  size: number,
  top: number,
  bottom: number,
): number {
  const page = (position: number) => Math.floor(position / size) * size;
  const first = page(Math.max(0, Math.min(pointed, total - 1)));
  const seen = first + size > top && first < bottom;
  return seen ? first : page(Math.ceil(top));
}

/** From the top of the rows' part of the stage, where the pictures' own box begins. */
export function belowHead(y: number): number {
  return y - HEAD.height;
}
