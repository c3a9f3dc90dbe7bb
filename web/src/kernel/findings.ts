import { countText, iterationText } from './format.ts';
import { VIEWS, type View } from './view_state.ts';
import { type Span } from './link_values.ts';

/**
 * What is to be found in a run, as plain rules tell it (analysis/findings), and which view shows it.
 *
 * A finding's place becomes a change of the link: the layer is unfolded with the measure of its kind, its classes are
 * opened, its iterations brushed. A place that holds for all is left as it is.
 */
export const SEVERITIES = ['high', 'medium', 'low'] as const;
export type Severity = (typeof SEVERITIES)[number];

export interface Finding {
  /** The same for the same finding later in the run. */
  readonly key: string;
  readonly kind: string;
  readonly severity: Severity;
  readonly title: string;
  readonly text: string;
  readonly evidence: string;
  /** What such a finding usually means, and what to try. */
  readonly meaning: string;
  readonly remedy: string;
  readonly view: string;
  readonly measure: string | null;
  readonly layer: number | null;
  readonly filters: readonly number[];
  readonly classes: readonly number[];
  /** The first of `sample_count`. */
  readonly samples: readonly number[];
  readonly sample_count: number;
  /** Iterations of training, inclusive. */
  readonly first: number | null;
  readonly last: number | null;
}

/** What rules find in the run up to an iteration, the severest first. */
export interface Findings {
  readonly findings: readonly Finding[];
  /** How many kinds are looked for. */
  readonly kinds: number;
  readonly dumps: number;
  readonly iteration: number;
  readonly branch: number;
}

/** More opened classes than these are a long way to scroll: then the views are restricted to them. */
const MOST_OPENED = 3;

/** What is looked at when a finding is shown: what another one had selected is let go. */
const NOTHING: Partial<View> = {
  brush: null,
  marks: [],
  anomaly: null,
  sample: null,
  filter: null,
  flight: null,
  zoom: null,
  onlyClasses: [],
  onlyLayers: [],
};

/** The change of the link that shows a finding. `end` is the run's last iteration. */
export function showing(finding: Finding, end: number): Partial<View> {
  const { key, classes, layer, measure, samples } = finding;
  const view = VIEWS.find((one) => one === finding.view) ?? 'validation';
  return {
    ...NOTHING,
    view,
    finding: key,
    brush: brushOf(finding, end),
    ...(view === 'layers' ? layersOf(finding) : {}),
    ...(view === 'layers' && measure ? { stat: measure } : {}),
    ...(view === 'layers' && measure && layer !== null ? { filterStat: measure } : {}),
    ...(view === 'validation' && classes.length > 0 ? classesOf(classes) : {}),
    ...(view === 'confusion' && classes.length === 2 ? { cell: [classes[0], classes[1]] as const } : {}),
    ...(view === 'validation' && samples.length === 1 ? { sample: samples[0] } : {}),
  };
}

function layersOf({ layer, filters }: Finding): Partial<View> {
  if (layer === null) return { layers: [] };
  return { layers: [layer], filter: filters.length === 1 ? [layer, filters[0]] : null };
}

function classesOf(classes: readonly number[]): Partial<View> {
  const few = classes.length <= MOST_OPENED;
  return { classes: few ? [...classes] : [], onlyClasses: few ? [] : [...classes] };
}

/** The iterations of a finding; null where it is about all of the run. */
function brushOf({ first, last }: Finding, end: number): Span | null {
  if (first === null && last === null) return null;
  const from = first ?? 0;
  const to = last ?? end;
  return from <= 0 && to >= end ? null : [from, Math.max(from, to) + 1];
}

/** A sample of a finding, with its class opened. */
export function showingSample(finding: Finding, sample: number, cls: number, end: number): Partial<View> {
  const change = { ...showing(finding, end), view: 'validation' as const, sample };
  return cls < 0 ? change : { ...change, classes: [cls], onlyClasses: [] };
}

export function iterationsOf({ first, last }: Finding): string {
  if (first === null) return last === null ? '' : `until iteration ${iterationText(last)}`;
  if (last === null) return `from iteration ${iterationText(first)} on`;
  if (first === last) return `iteration ${iterationText(first)}`;
  return `iterations ${iterationText(first)} – ${iterationText(last)}`;
}

/** How many there are of each severity: "1 high, 3 medium". */
export function severitiesText(findings: readonly Finding[]): string {
  const counts = SEVERITIES.map((severity) => [severity, bySeverity(findings, severity).length] as const);
  return counts
    .filter(([, count]) => count > 0)
    .map(([severity, count]) => `${count} ${severity}`)
    .join(', ');
}

export function bySeverity(findings: readonly Finding[], severity: Severity): Finding[] {
  return findings.filter((one) => one.severity === severity);
}

export function severestOf(findings: readonly Finding[]): Severity | null {
  return SEVERITIES.find((severity) => findings.some((one) => one.severity === severity)) ?? null;
}

/** The kinds there are, each with its title and how many, in the order of the findings. */
export function kindsOf(findings: readonly Finding[]): { kind: string; title: string; count: number }[] {
  const found = new Map<string, { kind: string; title: string; count: number }>();
  for (const { kind, title } of findings) {
    const known = found.get(kind);
    if (known) known.count++;
    else found.set(kind, { kind, title, count: 1 });
  }
  return [...found.values()];
}

/** For a message or a note: everything that is said of them. */
export function findingsText(run: string, findings: readonly Finding[]): string {
  const lines = findings.map((one) =>
    [
      `[${one.severity}] ${one.title}: ${one.text}`,
      `  Evidence: ${one.evidence}`,
      `  Usually means: ${one.meaning}`,
      `  Try: ${one.remedy}`,
      ...(iterationsOf(one) ? [`  At ${iterationsOf(one)}`] : []),
    ].join('\n'),
  );
  return [`${run}: ${countText(findings.length, 'finding')}`, ...lines].join('\n\n');
}

/** Samples come in class order; -1 where there is no such class. */
export function classOfSample(sizes: readonly number[], sample: number): number {
  let first = 0;
  for (let cls = 0; cls < sizes.length; cls++) {
    if (sample < first + sizes[cls]) return cls;
    first += sizes[cls];
  }
  return -1;
}
