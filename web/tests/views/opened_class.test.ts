import { describe, expect, it } from 'vitest';
import { Columns } from '../../src/kernel/columns.ts';
import type { Range } from '../../src/kernel/detail.ts';
import { withSetting } from '../../src/kernel/suggested.ts';
import { DEFAULTS, type View } from '../../src/kernel/view_state.ts';
import type { Asking, ClassSamples, DataSource, TakenFor } from '../../src/source.ts';
import { OpenedClass } from '../../src/views/validation/opened_class.svelte.ts';

const CLS = 3;
const EVERY = 10;

interface Asked {
  readonly what: 'samples' | 'taken';
  readonly window: number | null;
  readonly range: Range;
  readonly held: ClassSamples | null;
}

/**
 * A class of two samples, opened, at a source that answers in columns: the first is wrong from dump 40 on, the second
 * (unless `gap` says otherwise) at dump 0 only. Both are then taken for class 5.
 */
function opened(dumps: number, { gap = false } = {}) {
  const asked: Asked[] = [];
  const labelAt = (row: number, dump: number) => {
    if (row === 0) return dump >= 40 ? 5 : CLS;
    if (gap && dump > 2) return -1;
    return dump > 0 ? CLS : 5;
  };
  const detailOf = ({ columns, span }: Range) => {
    const [from, to] = span ?? [0, dumps];
    const level = [1, 4, 16, 64].find((some) => (to - from) / some <= columns) ?? 64;
    const first = Math.floor(from / level) * level;
    return { level, first, end: Math.min(dumps, Math.ceil(to / level) * level) };
  };
  const classSamples = async (
    _: string,
    __: number,
    window: number,
    range: Range,
    held: ClassSamples | null,
  ) => {
    asked.push({ what: 'samples', window, range, held });
    const detail = detailOf(range);
    const columns = Math.ceil((detail.end - detail.first) / detail.level);
    const labels = Int16Array.from({ length: 2 * columns }, (_, i) =>
      labelAt(Math.floor(i / columns), detail.first + (i % columns) * detail.level),
    );
    const cell = (label: number) => (label < 0 ? 0 : label === CLS ? 1 : 255);
    return {
      ...{ iteration: dumps, branch: 0, detail, names: ['a', 'b'], orderMethod: '' },
      error: Columns.of(2, Uint8Array.from(labels, cell)),
      labels: detail.level === 1 ? Columns.of(2, labels) : null,
      left: new Int32Array(columns),
      right: new Int32Array(columns),
      samples: Int32Array.of(6, 7),
      order: Int32Array.of(0, 1),
    } satisfies ClassSamples;
  };
  const takenFor = async (_: string, __: number, range: Range) => {
    asked.push({ what: 'taken', window: null, range, held: null });
    const detail = detailOf(range);
    const counts = [new Int32Array(4), new Int32Array(4)];
    const labels = Int32Array.of(5);
    return {
      iteration: dumps,
      branch: 0,
      detail,
      labels,
      counts,
      known: new Int32Array(4),
    } satisfies TakenFor;
  };
  const source = { classSamples, takenFor } as unknown as DataSource & { asking: Asking };
  const iterations = Float64Array.from({ length: dumps }, (_, d) => d * EVERY);
  const recorded = Int32Array.from({ length: dumps }, (_, d) => d);
  const entry = new OpenedClass(CLS, { source, id: 'a', iterations, recorded });
  /** Ask until nothing is left to ask for. */
  const ask = async (
    view: Partial<View> = {},
    span: readonly [number, number] | null = null,
    columns = 100,
  ) => {
    const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
    await settled();
    for (let before = -1; before < asked.length;) {
      before = asked.length;
      entry.ask(withSetting({ ...DEFAULTS, ...view }, []), { columns, span, dumps });
      await settled();
    }
  };
  const said = () => asked.map(({ what, range: { span } }) => `${what} ${span ?? 'all'}`);
  return { asked, entry, ask, said };
}

describe('OpenedClass', () => {
  it('asks for all that there is at once where a column is a dump, and for what samples are taken for afterwards', async () => {
    const { asked, entry, ask, said } = opened(100);
    entry.ask(withSetting({ ...DEFAULTS, anomaly: [CLS, 400] }, []), {
      columns: 100,
      span: null,
      dumps: 100,
    });
    expect(said()).toEqual(['samples all']);
    await ask({ anomaly: [CLS, 400], rows: 'final' });
    expect(said()).toEqual(['samples all', 'taken all']);
    expect(asked[0].range.columns).toBe(100);
    expect(entry.at(40, 10)).toBe(entry.samples.whole.value);
    expect([...entry.order('final')]).toEqual([1, 0]);
    expect(entry.facts([0, 100], 'final')?.final).toEqual({ counts: [1, 0], known: 2 });
  });

  it('asks for the newest dump by itself where a column is more', async () => {
    const { entry, ask, said } = opened(400);
    await ask();
    expect([...said()].sort()).toEqual(['samples 399,400', 'samples all', 'taken all']);
    expect([...entry.order('final')]).toEqual([1, 0]);
    const facts = entry.facts([0, 400], 'final');
    expect(facts?.final).toEqual({ counts: [1, 0], known: 2 });
    expect([facts?.samples.detail.level, facts?.samples.labels]).toEqual([4, null]);
  });

  it('shows the dumps that are zoomed to one by one, in the order of the whole', async () => {
    const { entry, ask } = opened(400);
    await ask();
    await ask({}, [30, 60]);
    const facts = entry.facts([30, 60], 'similarity');
    expect(facts?.samples.detail.level).toBe(1);
    expect(facts?.taken?.detail.level).toBe(1);
    expect(facts?.order).toBe(entry.order('similarity'));
    const { detail, labels } = facts?.samples ?? {};
    expect(labels?.at(0, 39 - (detail?.first ?? 0))).toBe(CLS);
    expect(labels?.at(0, 40 - (detail?.first ?? 0))).toBe(5);
  });

  it('asks for the dumps that decide about an anomaly, unless they are here', async () => {
    const { entry, ask, said } = opened(400);
    await ask();
    const before = said().length;
    expect(entry.at(40, 10)).toBeNull();
    await ask({ anomaly: [CLS, 400] });
    expect(said().slice(before)).toEqual(['samples 30,50']);
    expect(entry.at(40, 10)?.detail).toEqual({ level: 1, first: 30, end: 50 });
    expect(entry.at(41, 10)).toBeNull();
    await ask({ anomaly: [CLS, 400] }, [20, 60]);
    const zoomed = said().length;
    await ask({ anomaly: [CLS, 410] }, [20, 60]);
    expect(said()).toHaveLength(zoomed);
    expect(entry.at(41, 10)).toBe(entry.samples.over([20, 60]));
  });

  it('asks for all dumps before, where a sample is missing at the first of these', async () => {
    const { entry, ask, said } = opened(400, { gap: true });
    await ask();
    const before = said().length;
    await ask({ anomaly: [CLS, 400] });
    expect(said().slice(before)).toEqual(['samples 30,50', 'samples 0,50']);
    expect(entry.at(40, 10)?.detail.first).toBe(0);
  });

  it('asks for no columns again when the window changes', async () => {
    const { asked, entry, ask } = opened(400);
    await ask();
    const held = entry.samples.whole.value;
    const before = asked.length;
    await ask({ win: 20 });
    expect(asked.slice(before)).toMatchObject([{ what: 'samples', window: 20, range: { span: null } }]);
    expect(asked[before].held).toBe(held);
  });

  it('exports what is here, and asks for what is not', async () => {
    const { entry, ask, said } = opened(400);
    await ask();
    await ask({}, [30, 60]);
    const before = said().length;
    expect((await entry.dumpByDump([31, 59], 10)).detail.level).toBe(1);
    expect(said()).toHaveLength(before);
    expect((await entry.dumpByDump([0, 400], 10)).detail).toEqual({ level: 1, first: 0, end: 400 });
    expect(said().slice(before)).toEqual(['samples 0,400']);
  });
});
