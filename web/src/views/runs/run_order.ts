import type { RunSummary } from '../../source.ts';

export type Column = 'name' | 'state' | 'dumps' | 'iteration' | 'updated' | 'error' | 'created' | 'classes';

type Key = (run: RunSummary) => string | number;
const KEYS: Readonly<Record<Column, Key>> = {
  name: (run) => run.name.toLowerCase(),
  state: (run) => ['live', 'stopped', 'failed', 'unreadable', 'finished'].indexOf(run.state),
  dumps: (run) => run.dumps,
  iteration: (run) => run.iteration,
  updated: (run) => Date.parse(run.updated) || 0,
  created: (run) => Date.parse(run.created) || 0,
  error: (run) => run.validation_error ?? Number.POSITIVE_INFINITY,
  classes: (run) => run.classes,
};

/** Equal runs keep the server's order, newest first. */
export function sorted(runs: readonly RunSummary[], column: Column, descending: boolean): RunSummary[] {
  const key = KEYS[column];
  const sign = descending ? -1 : 1;
  return [...runs].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    return x < y ? -sign : x > y ? sign : 0;
  });
}

/** Every word must occur in the name, the folder or the state. */
export function matching(runs: readonly RunSummary[], search: string): RunSummary[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return runs.filter((run) => {
    const text = `${run.name} ${run.id} ${run.state}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
