import { describe, expect, it } from 'vitest';
import { DetailedPart } from '../src/detailed.svelte.ts';
import type { Range } from '../src/kernel/detail.ts';
import type { Asking, Detailed } from '../src/source.ts';

const DUMPS = 7500;
const WHOLE = { columns: 1000, span: null, dumps: DUMPS };

interface Answer extends Detailed {
  readonly name: string;
}

/** A source that answers when told to: the whole run at level 16, ranges as closely as there is room for. */
function source() {
  const asked: {
    range: Range;
    held: Answer | null;
    asking: Asking;
    answer: (change?: Partial<Answer>) => void;
  }[] = [];
  const ask = (range: Range, held: Answer | null, asking: Asking) =>
    new Promise<Answer>((resolve) => {
      const [first, end] = range.span ?? [0, DUMPS];
      const level = [1, 4, 16, 64].find((some) => (end - first) / some <= range.columns) ?? 64;
      const detail = { level, first, end };
      const name = range.span ? String(range.span) : 'whole';
      const answer = (change = {}) => resolve({ name, detail, iteration: 0, branch: 0, ...change });
      asked.push({ range, held, asking, answer });
    });
  const part = new DetailedPart<Answer>();
  const look = (span: readonly [number, number] | null, question = 'a') =>
    part.load(question, { ...WHOLE, span }, ask);
  const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
  /** Look, and answer whatever is asked. */
  const looked = async (span: readonly [number, number] | null, question = 'a') => {
    for (let before = -1; before < asked.length;) {
      before = asked.length;
      look(span, question);
      asked.slice(before).forEach(({ answer }) => answer());
      await settled();
    }
    return part.over(span ?? [0, DUMPS])?.detail.level;
  };
  return { asked, ask, part, look, looked, settled };
}

describe('DetailedPart', () => {
  it('asks for nothing but the whole as long as every dump has a column', async () => {
    const { asked, ask, part, settled } = source();
    const look = { columns: 8000, span: [100, 200], dumps: DUMPS } as const;
    part.load('a', look, ask);
    asked[0].answer();
    await settled();
    part.load('a', look, ask);
    expect(asked).toHaveLength(1);
    expect(part.over([100, 200])?.name).toBe('whole');
  });

  it('draws the whole until the shown range is here, and then that', async () => {
    const { asked, part, looked, look, settled } = source();
    expect(await looked(null)).toBe(16);
    look([1000, 1400]);
    expect(asked).toHaveLength(2);
    expect(part.over([1000, 1400])?.name).toBe('whole');
    expect(part.whole.busy).toBe(false);
    asked[1].answer();
    await settled();
    expect(part.over([1000, 1400])?.detail.level).toBe(1);
    // Beyond its margin it is the whole again.
    expect(part.over([1000, 2400])?.name).toBe('whole');
  });

  it('asks for nothing where the view moves a little, or by what could not be seen', async () => {
    const { asked, looked } = source();
    await looked(null);
    await looked([0, 6000]);
    expect(asked).toHaveLength(1);
    await looked([3000, 4000]);
    expect(asked).toHaveLength(2);
    expect(await looked([3060, 4060])).toBe(1);
    expect(asked).toHaveLength(2);
  });

  it('looks closer and closer', async () => {
    const { looked } = source();
    expect([await looked(null), await looked([2000, 5000]), await looked([3000, 3800])]).toEqual([16, 4, 1]);
  });

  it('gives up a range that is no longer looked at', async () => {
    const { asked, looked, look } = source();
    await looked(null);
    look([1000, 1400]);
    look([5000, 5400]);
    expect(asked[1].asking.signal.aborted).toBe(true);
    look(null);
    expect(asked[2].asking.signal.aborted).toBe(true);
  });

  it('keeps the last three ranges', async () => {
    const { asked, looked } = source();
    const spans = [0, 1, 2, 3].map((place) => [place * 1500, place * 1500 + 400] as const);
    for (const span of spans) await looked(span);
    expect(asked).toHaveLength(5);
    for (const span of spans.slice(1)) expect(await looked(span)).toBe(1);
    expect(asked).toHaveLength(5);
    await looked(spans[0]);
    expect(asked).toHaveLength(6);
  });

  it('shows the old question, as closely as it was, until the new one is answered', async () => {
    const { asked, part, looked, look, settled } = source();
    await looked([1000, 1400]);
    look([1000, 1400], 'b');
    expect(part.over([1000, 1400])?.detail.level).toBe(1);
    expect(part.whole.busy).toBe(true);
    asked[asked.length - 1].answer({ name: 'whole b' });
    await settled();
    expect(part.over([1000, 1400])?.name).toBe('whole b');
  });

  it('asks once more for a range when the run has grown, and shows it meanwhile', async () => {
    const { asked, part, looked, look, settled } = source();
    await looked([1000, 1400]);
    await looked([5000, 5400]);
    part.renew();
    look([5000, 5400]);
    expect(asked).toHaveLength(4);
    expect(part.over([5000, 5400])?.detail.level).toBe(1);
    expect(part.over([1000, 1400])?.name).toBe('whole');
    asked[3].answer({ name: 'renewed' });
    await settled();
    expect(part.over([5000, 5400])?.name).toBe('renewed');
    look([5000, 5400]);
    expect(asked).toHaveLength(4);
  });

  it('lets ranges go when training has gone back to a checkpoint', async () => {
    const { asked, part, looked, settled } = source();
    await looked([1000, 1400]);
    part.refresh();
    expect(asked[2].held?.name).toBe('whole');
    asked[2].answer({ branch: 1 });
    await settled();
    expect(part.over([1000, 1400])?.name).toBe('whole');
  });

  it('asks anew where the plot becomes wider, not where it becomes narrower', async () => {
    const { asked, ask, part, looked, settled } = source();
    await looked(null);
    part.load('a', { ...WHOLE, columns: 500 }, ask);
    expect(asked).toHaveLength(1);
    part.load('a', { ...WHOLE, columns: 2000 }, ask);
    expect(asked).toHaveLength(2);
    expect(part.whole.busy).toBe(false);
    asked[1].answer();
    await settled();
    expect(part.over([0, DUMPS])?.detail.level).toBe(4);
  });
});
