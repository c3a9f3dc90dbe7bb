import { describe, expect, it } from 'vitest';
import { decode, DEFAULTS, encode, onlyChange, type View } from '../../src/kernel/view_state.ts';
import { encodeList, decodeList } from '../../src/kernel/link_values.ts';
import { integer, seeded } from '../random.ts';

function anyView(random: () => number): View {
  const list = () =>
    [...new Set(Array.from({ length: integer(random, 9) }, () => integer(random, 60)))].sort((a, b) => a - b);
  const pick = <T>(values: readonly T[]): T => values[integer(random, values.length)];
  const span = (): readonly [number, number] | null => {
    const a = integer(random, 1e6);
    return random() < 0.5 ? null : [a, a + 1 + integer(random, 1e6)];
  };
  return {
    run: pick([null, 'a', 'live/digits', 'ein Lauf & mehr=?#%/ü']),
    k: 2 + integer(random, 11),
    win: random() < 0.3 ? null : 1 + integer(random, 60),
    th: random() < 0.3 ? null : integer(random, 101),
    finding: pick([null, 'all', 'dead-filters.l3', 'swapped-classes.c1.c12']),
    anomalies: random() < 0.5,
    only: random() < 0.5,
    sort: pick(['hardest', 'name', 'score', 'similarity'] as const),
    clusters: list(),
    classes: list(),
    zoom: span(),
    brush: span(),
    marks: list(),
    sample: random() < 0.5 ? null : integer(random, 1e5),
    anomaly: random() < 0.5 ? null : [integer(random, 100), integer(random, 1e6)],
    rows: pick(['similarity', 'label', 'final'] as const),
    rowHeight: 1 + integer(random, 8),
    view: pick(['validation', 'layers', 'correlation', 'cube', 'confusion'] as const),
    stat: pick(['mean', 'sd', 'weight_median', 'update_ratio']),
    chart: pick(['line', 'horizon', 'box'] as const),
    bands: 1 + integer(random, 6),
    ownScale: random() < 0.5,
    nodes: random() < 0.5 ? null : list(),
    layers: list(),
    filterStat: pick(['change', 'cosine_distance', 'grad_l2']),
    norm: pick(['filter', 'iteration', 'global'] as const),
    filterRows: pick(['index', 'similarity', 'activity'] as const),
    filterHeight: integer(random, 9),
    filter: random() < 0.5 ? null : [integer(random, 60), integer(random, 2048)],
    spine: pick(['kind', 'value'] as const),
    top: integer(random, 1001),
    graph: random() < 0.5,
    flight: random() < 0.5 ? null : integer(random, 1_000_000),
    flightStat: pick(['l2', 'grad_l2', 'update_ratio', 'nonfinite']),
    flightZoom: random() < 0.5 ? null : [500, 501 + integer(random, 100)],
    rule: pick(['either', 'left', 'right'] as const),
    distance: pick(['change', 'change_l1', 'euclidean', 'cosine_distance']),
    above: pick([null, 0.02, 1e-7, 3]),
    appears: 1 + integer(random, 60),
    significant: random() < 0.5,
    onlyClasses: list(),
    onlyLayers: list(),
    layout: pick(['cube', 'flat', 'front', 'top'] as const),
    cells: pick(['sets', 'counts'] as const),
    minis: Array.from({ length: integer(random, 4) }, (_, i) => i + 8 * integer(random, 2 ** 45)),
    pinnedClasses: list(),
    depth: random() < 0.5 ? null : [1 + integer(random, 999), 1 + integer(random, 999)],
    at: random() < 0.5 ? null : integer(random, 1e6),
    to: random() < 0.5 ? null : integer(random, 1e6),
    matrixOrder: pick(['cluster', 'name', 'error', 'confusion'] as const),
    cell: random() < 0.5 ? null : [integer(random, 1000), integer(random, 1000) - 2],
  };
}

describe('encode and decode', () => {
  it('bring every view back', () => {
    const random = seeded(3);
    for (let i = 0; i < 500; i++) {
      const view = anyView(random);
      expect(decode(encode(view))).toEqual(view);
    }
  });

  it('leave defaults out', () => {
    expect(encode(DEFAULTS)).toBe('');
    expect(encode({ ...DEFAULTS, run: 'a/b', k: 7 })).toBe('?run=a/b&k=7');
    expect(decode('')).toEqual(DEFAULTS);
  });

  it('clamp numbers and take the default for what has no meaning', () => {
    expect(decode('?k=99&win=0&th=-4&rh=0')).toMatchObject({ k: 12, win: 1, th: 0, rowHeight: 1 });
    expect(decode('?k=&win=abc&th=NaN&rh=Infinity&sort=random&rows=__proto__')).toEqual(DEFAULTS);
    expect(decode('?it=9-3&br=4-4&a=3&s=-1&mark=x.-2.5-1')).toEqual(DEFAULTS);
    expect(decode('?it=1-2-3&br=1e3-2e3').zoom).toBeNull();
  });

  it('open all findings where one has no name that can be one', () => {
    expect(decode('?find=%3Cb%3E').finding).toBe('all');
    expect(encode({ ...DEFAULTS, finding: `class-easy-early${'.c12'.repeat(60)}` })).toBe('?find=all');
  });

  it('never throw, whatever the link says', () => {
    const random = seeded(11);
    const alphabet = 'runkwithopencbrmak=&?#%.-0123456789eE+/ü\u0000 ';
    for (let i = 0; i < 2000; i++) {
      const text = Array.from(
        { length: integer(random, 60) },
        () => alphabet[integer(random, alphabet.length)],
      ).join('');
      const view = decode(`?${text}`);
      expect(decode(encode(view))).toEqual(view);
    }
    expect(decode('?c=0-999999999999').classes.length).toBeLessThanOrEqual(5000);
  });
});

describe('mini-sets in a link', () => {
  it('are named by twelve digits and keep their order, each once', () => {
    expect(encode({ ...DEFAULTS, minis: [2 ** 48 - 1, 10] })).toBe('?mini=ffffffffffff.00000000000a');
    expect(decode('?mini=ffffffffffff.00000000000a.ffffffffffff').minis).toEqual([2 ** 48 - 1, 10]);
  });

  it('are left out where they are no such name', () => {
    expect(decode('?mini=xyz.1.-00000000001.0x000000000a.FFFFFFFFFFFF').minis).toEqual([]);
  });
});

describe('a cell of the confusion matrix', () => {
  it('names a class that is predicted, or why there is none', () => {
    expect(encode({ ...DEFAULTS, cell: [3, -2] })).toBe('?cell=3.nan');
    expect(encode({ ...DEFAULTS, cell: [3, -1], at: 1600, to: 0 })).toBe('?at=1600&to=0&cell=3.missing');
    expect(decode('?cell=12.7').cell).toEqual([12, 7]);
    for (const text of ['3', '3.', '.4', '3.-4', '3.4.5', 'nan.3', 'a.b']) {
      expect(decode(`?cell=${text}`).cell).toBeNull();
    }
  });
});

describe('a limit, a depth and a distance', () => {
  it('have to be possible', () => {
    expect(decode('?above=0').above).toBeNull();
    expect(decode('?above=-1&depth=0.4&dist=l7&min=0&layout=round&rule=both')).toEqual(DEFAULTS);
    expect(decode('?above=1e-4&depth=255.285')).toMatchObject({ above: 1e-4, depth: [255, 285] });
    expect(decode('?depth=1200.3').depth).toBeNull();
  });
});

describe('lists', () => {
  it('are written as ranges', () => {
    expect(encodeList([40, 3, 4, 5, 5])).toBe('3-5.40');
    expect(decodeList('3-5.40')).toEqual([3, 4, 5, 40]);
  });
});

describe('onlyChange', () => {
  it('names the one control that was stepped, or none', () => {
    expect(onlyChange(DEFAULTS, { ...DEFAULTS, k: 5 })).toBe('k');
    expect(onlyChange(DEFAULTS, { ...DEFAULTS, k: 5, win: 3 })).toBeNull();
    expect(onlyChange(DEFAULTS, DEFAULTS)).toBeNull();
  });
});
