import { lowerThreshold } from '../../kernel/anomaly_counts.ts';
import { countText, valueText } from '../../kernel/format.ts';
import type { View } from '../../kernel/view_state.ts';
import { whyNoAnomalies, type Remedy } from '../frame/no_anomalies.ts';
import type { Told } from './told.ts';

/** What is said of an answer that is empty, or holds so little that nothing can be compared: why, and what would help. */

/** A lower threshold is worth a word where it shows so many. */
const WORTHWHILE = 10;

const ALL: Partial<View> = { zoom: null, onlyClasses: [], onlyLayers: [], appears: 1, significant: false };

/** Nothing can be drawn, or nothing on the correlation's face. */
export function emptiness(told: Told): Remedy | null {
  const { found } = told;
  if (found.classes.length === 0) return noColumns(told);
  return found.setId.length === 0 ? noRows(told) : null;
}

function noColumns({ view, found, counts, classes, nameOf, suggested }: Told): Remedy | null {
  if (found.dumps < 2) {
    return {
      text:
        'This run has one dump: an anomaly iteration is one at which many samples of a class change, so it takes two ' +
        'and more. Record more often: Recorder(…, every=…).',
      label: null,
      change: {},
    };
  }
  if (found.extent.classes > 0) {
    return {
      text: `The restrictions leave none of the ${countText(found.extent.classes, 'class', 'classes')} with anomaly iterations.`,
      label: 'Remove these restrictions',
      change: { zoom: null, onlyClasses: [], onlyLayers: [] },
    };
  }
  if (classes === 1) {
    return {
      text: 'This run has one class: no sample is taken for another one, so none flips. It takes two classes and more.',
      label: null,
      change: {},
    };
  }
  const { window, threshold, rule } = found.settings;
  if (rule !== 'either' && found.highest && found.highest.score >= threshold) {
    return {
      text: `No class reaches score ${view.th} % with window ${window} by the ${rule} rule.`,
      label: 'Use either rule',
      change: { rule: 'either' },
    };
  }
  return whyNoAnomalies(
    { window, threshold, highest: found.highest },
    found.dumps,
    counts,
    nameOf,
    suggested,
  );
}

function noRows({ view, found }: Told): Remedy {
  const { extent, settings } = found;
  if (extent.filters === 0) {
    return settings.above === null
      ? {
          text: 'No filter moved at any anomaly iteration: all weights stayed what they were, or were not recorded.',
          label: null,
          change: {},
        }
      : {
          text: `No filter moved further than ${valueText(settings.above)} at any anomaly iteration.`,
          label: 'Use the filters that moved the most',
          change: { above: null },
        };
  }
  const all = countText(extent.sets, 'mini-set');
  if (settings.significant) {
    return {
      text: `Nothing of what is shown of the ${all} is beyond chance.`,
      label: 'Show what chance explains',
      change: { significant: false },
    };
  }
  if (settings.minAppearances > 1) {
    return {
      text: `Nothing of what is shown of the ${all} appears ${view.appears} times or more.`,
      label: 'Show all of them',
      change: { appears: 1 },
    };
  }
  return {
    text: `The restrictions leave none of the ${all}.`,
    label: 'Remove these restrictions',
    change: ALL,
  };
}

/** A single class: there is nothing to compare. */
export function advice({ view, found, counts }: Told): Remedy | null {
  if (found.extent.classes !== 1 || found.setId.length === 0) return null;
  const lower = counts && lowerThreshold(counts, view.win, view.th, WORTHWHILE);
  return {
    text: 'Only one class has anomaly iterations, so mini-sets cannot be told apart by their classes: nothing is beyond chance.',
    label: lower ? `Score ≥ ${lower.percent} % shows ${lower.count} anomalies` : null,
    change: lower ? { win: view.win, th: lower.percent } : {},
  };
}
