import { vi } from 'vitest';

/** Answers as the server would give them, for tests of what asks for them. */
export interface Sent {
  name: string;
  data: Uint8Array | Int16Array | Int32Array | Float32Array | Float64Array;
  shape: number[];
}

export function frameOf(header: object, arrays: Sent[]): ArrayBuffer {
  let offset = 0;
  const entries = arrays.map(({ name, data, shape }) => {
    const dtype = data.constructor.name.replace('Array', '').toLowerCase();
    const entry = { name, dtype, shape, offset };
    offset += Math.ceil(data.byteLength / 8) * 8;
    return entry;
  });
  const text = new TextEncoder().encode(JSON.stringify({ arrays: entries, ...header }));
  const begin = Math.ceil((8 + text.length) / 8) * 8;
  const bytes = new Uint8Array(begin + offset);
  bytes.set(new TextEncoder().encode('DTK1'));
  new DataView(bytes.buffer).setUint32(4, text.length, true);
  bytes.set(text, 8);
  entries.forEach((entry, i) => {
    const { data } = arrays[i];
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), begin + entry.offset);
  });
  return bytes.buffer;
}

export function serve(...answers: (ArrayBuffer | Response)[]) {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (address: string) => {
    asked.push(address);
    const answer = answers.shift();
    return answer instanceof Response ? answer : new Response(answer);
  });
  return asked;
}
