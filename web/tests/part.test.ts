import { describe, expect, it } from 'vitest';
import { Part } from '../src/part.svelte.ts';
import { SourceError } from '../src/source.ts';

/** Questions that are answered by hand, in any order. */
function byHand() {
  const asked: {
    held: number | null;
    signal: AbortSignal;
    answer: (n: number) => void;
    fail: (e: Error) => void;
  }[] = [];
  const ask = (held: number | null, { signal }: { signal: AbortSignal }) =>
    new Promise<number>((answer, fail) => asked.push({ held, signal, answer, fail }));
  const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
  return { asked, ask, settled };
}

describe('Part', () => {
  it('gives up an older question, and its late answer changes nothing', async () => {
    const { asked, ask, settled } = byHand();
    const part = new Part<number>();
    part.load('a', ask);
    part.load('b', ask);
    expect(asked[0].signal.aborted).toBe(true);
    asked[1].answer(2);
    await settled();
    asked[0].answer(1);
    await settled();
    expect([part.value, part.busy]).toEqual([2, false]);
  });

  it('asks the same question once', () => {
    const { asked, ask } = byHand();
    const part = new Part<number>();
    part.load('a', ask);
    part.load('a', ask);
    expect(asked.length).toBe(1);
  });

  it('keeps the old value while a new question is under way, where told to', async () => {
    const { asked, ask, settled } = byHand();
    const part = new Part<number>();
    part.load('a', ask);
    asked[0].answer(1);
    await settled();
    part.load('b', ask, 'keep');
    expect([part.value, part.busy]).toEqual([1, true]);
    part.load('c', ask);
    expect(part.value).toBeNull();
  });

  it('refreshes from what it holds, one at a time, and once more for all that came meanwhile', async () => {
    const { asked, ask, settled } = byHand();
    const part = new Part<number>();
    part.load('a', ask);
    asked[0].answer(1);
    await settled();
    part.refresh();
    part.refresh();
    part.refresh();
    expect(asked.length).toBe(2);
    expect(asked[1].held).toBe(1);
    expect(part.busy).toBe(false);
    asked[1].answer(2);
    await settled();
    expect(asked.length).toBe(3);
    expect(asked[2].held).toBe(2);
    asked[2].answer(3);
    await settled();
    expect([part.value, asked.length]).toEqual([3, 3]);
  });

  it('appends nothing to an old value that stayed because its successor failed', async () => {
    const { asked, ask, settled } = byHand();
    const part = new Part<number>();
    part.load('a', ask);
    asked[0].answer(1);
    await settled();
    part.load('b', ask, 'keep');
    asked[1].fail(new SourceError('not now', '/api/b', 500, ''));
    await settled();
    expect([part.value, part.answered]).toEqual([1, 'a']);
    part.refresh();
    expect(asked[2].held).toBeNull();
    asked[2].answer(2);
    await settled();
    expect([part.value, part.answered]).toEqual([2, 'b']);
  });

  it('keeps a failure until it is asked again', async () => {
    const { asked, ask, settled } = byHand();
    const part = new Part<number>();
    part.load('a', ask);
    asked[0].fail(new SourceError('no such run', '/api/run', 404, ''));
    await settled();
    expect(part.failure?.status).toBe(404);
    part.retry();
    asked[1].answer(5);
    await settled();
    expect([part.value, part.failure]).toEqual([5, null]);
  });
});
