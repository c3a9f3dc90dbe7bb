import { expect, test } from 'vitest';
import { abandonedBranches } from '../../src/kernel/branches.ts';

const branches = [{ start: 0 }, { start: 2000 }, { start: 1500 }];

test('a run that was never resumed has nothing before', () => {
  expect(abandonedBranches('a', { name: 'a', branch: 0, branches: [{ start: 0 }] })).toEqual([]);
});

test('each branch but the newest can be opened, whichever is', () => {
  const found = [
    { id: 'group/a@0', label: 'mine, branch 0: until resumed from 2,000' },
    { id: 'group/a@1', label: 'mine, branch 1: until resumed from 1,500' },
  ];
  expect(abandonedBranches('group/a', { name: 'mine', branch: 2, branches })).toEqual(found);
  expect(abandonedBranches('group/a@0', { name: 'mine (branch 0)', branch: 0, branches })).toEqual(found);
});
