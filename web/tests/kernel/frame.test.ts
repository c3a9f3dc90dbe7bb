import { describe, expect, it } from 'vitest';
import { arrayOf, decodeFrame, FrameError } from '../../src/kernel/frame.ts';

function frameOf(header: object, payload: Uint8Array): ArrayBuffer {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const begin = Math.ceil((8 + text.length) / 8) * 8;
  const bytes = new Uint8Array(begin + payload.length);
  bytes.set(new TextEncoder().encode('DTK1'), 0);
  new DataView(bytes.buffer).setUint32(4, text.length, true);
  bytes.set(text, 8);
  bytes.set(payload, begin);
  return bytes.buffer;
}

const HEADER = {
  arrays: [
    { name: 'labels', dtype: 'int16', shape: [2, 2], offset: 0 },
    { name: 'iterations', dtype: 'float64', shape: [1], offset: 8 },
    { name: 'error', dtype: 'uint8', shape: [3], offset: 16, scale: { lo: 0, hi: 1 } },
  ],
  first: 7,
};

function payload(): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  [1, -1, 300, 4].forEach((value, i) => view.setInt16(i * 2, value, true));
  view.setFloat64(8, 2 ** 53, true);
  bytes.set([0, 1, 255], 16);
  return bytes;
}

describe('decodeFrame', () => {
  // Headers of every length modulo 8 must leave the payload aligned.
  it.each([0, 1, 2, 3, 4, 5, 6, 7])('reads arrays behind a header padded by %i characters', (pad) => {
    const frame = decodeFrame(frameOf({ ...HEADER, note: 'x'.repeat(pad) }, payload()));
    expect([...arrayOf(frame, 'labels').data]).toEqual([1, -1, 300, 4]);
    expect(arrayOf(frame, 'labels').shape).toEqual([2, 2]);
    expect(arrayOf(frame, 'iterations').data[0]).toBe(2 ** 53);
    expect([...arrayOf(frame, 'error').data]).toEqual([0, 1, 255]);
    expect(arrayOf(frame, 'error').scale).toEqual({ lo: 0, hi: 1 });
    expect(frame.header['first']).toBe(7);
  });

  it('refuses other bytes, a cut header, a cut payload and an unknown dtype', () => {
    const whole = frameOf(HEADER, payload());
    expect(() => decodeFrame(new TextEncoder().encode('<!doctype html>').buffer)).toThrow(FrameError);
    expect(() => decodeFrame(new ArrayBuffer(3))).toThrow(FrameError);
    expect(() => decodeFrame(whole.slice(0, 40))).toThrow(/inside its header/);
    expect(() => decodeFrame(whole.slice(0, whole.byteLength - 8))).toThrow(/inside array error/);
    const odd = { arrays: [{ name: 'a', dtype: 'complex64', shape: [1], offset: 0 }] };
    expect(() => decodeFrame(frameOf(odd, new Uint8Array(8)))).toThrow(/complex64/);
  });

  it('names the arrays it has when another is wanted', () => {
    expect(() => arrayOf(decodeFrame(frameOf(HEADER, payload())), 'curves')).toThrow(
      /labels, iterations, error/,
    );
  });
});
