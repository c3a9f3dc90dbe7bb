/**
 * How do arrays travel? As a DTK1 frame: a JSON header that names them, then their bytes (docs/http-api.md).
 *
 * 1. Read magic, header length and header.
 * 2. Skip to the next multiple of 8, so that every typed array is aligned.
 * 3. Hand out views of the received buffer; nothing is copied.
 */
export type Cells = Uint8Array | Int16Array | Int32Array | Float32Array | Float64Array;

export interface FrameArray {
  readonly shape: readonly number[];
  readonly data: Cells;
  readonly scale: { readonly lo: number; readonly hi: number } | null;
}

export interface Frame {
  readonly header: Readonly<Record<string, unknown>>;
  readonly arrays: ReadonlyMap<string, FrameArray>;
}

interface ArrayEntry {
  name: string;
  dtype: string;
  shape: number[];
  offset: number;
  scale?: { lo: number; hi: number };
}

const KINDS = {
  uint8: Uint8Array,
  int16: Int16Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

export class FrameError extends Error {}

export function decodeFrame(buffer: ArrayBuffer): Frame {
  const bytes = new DataView(buffer);
  if (buffer.byteLength < 8 || bytes.getUint32(0, false) !== 0x44544b31) {
    throw new FrameError(`a frame must begin with DTK1. Got ${buffer.byteLength} bytes of something else.`);
  }
  const headerBytes = bytes.getUint32(4, true);
  if (8 + headerBytes > buffer.byteLength) throw new FrameError('the frame ends inside its header.');
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, headerBytes))) as Record<
    string,
    unknown
  >;
  const payload = Math.ceil((8 + headerBytes) / 8) * 8;
  const arrays = new Map<string, FrameArray>();
  for (const entry of (header['arrays'] ?? []) as ArrayEntry[]) {
    arrays.set(entry.name, viewOf(buffer, payload, entry));
  }
  return { header, arrays };
}

function viewOf(buffer: ArrayBuffer, payload: number, entry: ArrayEntry): FrameArray {
  const kind = KINDS[entry.dtype as keyof typeof KINDS];
  if (!kind)
    throw new FrameError(`array ${entry.name} has dtype ${entry.dtype}, which this page cannot read.`);
  const count = entry.shape.reduce((product, n) => product * n, 1);
  const begin = payload + entry.offset;
  if (begin + count * kind.BYTES_PER_ELEMENT > buffer.byteLength) {
    throw new FrameError(`the frame ends inside array ${entry.name}.`);
  }
  return { shape: entry.shape, data: new kind(buffer, begin, count), scale: entry.scale ?? null };
}

export function arrayOf(frame: Frame, name: string): FrameArray {
  const found = frame.arrays.get(name);
  if (!found)
    throw new FrameError(`the frame has no array ${name}; it has ${[...frame.arrays.keys()].join(', ')}.`);
  return found;
}
