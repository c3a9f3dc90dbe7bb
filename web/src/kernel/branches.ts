import { iterationText } from './format.ts';

/** A run as it was before it was resumed; the server knows it by an id of its own. */
export interface AbandonedBranch {
  readonly id: string;
  readonly label: string;
}

/** All branches but the newest of a run, which is opened whole or at one of them. */
export function abandonedBranches(
  id: string,
  {
    name,
    branch,
    branches,
  }: {
    readonly name: string;
    readonly branch: number;
    readonly branches: readonly { readonly start: number }[];
  },
): AbandonedBranch[] {
  const isAbandoned = branch < branches.length - 1;
  const whole = isAbandoned ? id.replace(/@\d+$/, '') : id;
  const called = isAbandoned ? name.replace(/ \(branch \d+\)$/, '') : name;
  return branches.slice(1).map(({ start }, before) => ({
    id: `${whole}@${before}`,
    label: `${called}, branch ${before}: until resumed from ${iterationText(start)}`,
  }));
}
