import { csvLine } from '../../kernel/csv.ts';
import { countText, iterationText } from '../../kernel/format.ts';
import type { Surface } from '../../marks/surface.ts';
import type { Sheet } from '../frame/export.ts';
import { drawDynamic } from './draw_dynamic.ts';
import { drawMatrixLegendLine } from './draw_legend.ts';
import { drawStatic } from './draw_static.ts';
import type { Scene } from './scene.ts';
import type { ConfusionStage } from './stage.svelte.ts';

/** The view as files: the matrix with its scrubber, and the numbers behind it. */
const FOOT = 48;

function drawSheet(surface: Surface, scene: Scene, stage: ConfusionStage): void {
  const { theme } = scene;
  surface.rect(0, 0, scene.width, scene.height + FOOT, { fill: theme.background });
  drawStatic(surface, scene);
  drawDynamic(surface, scene, { hover: null, at: stage.at, to: stage.to, cell: stage.store.v.cell });
  drawMatrixLegendLine(surface, scene, 18, scene.height + 12);
  const { looked } = stage;
  const name = stage.run.info.value?.name ?? stage.run.id;
  const when =
    looked?.before == null
      ? `iteration ${iterationText(looked?.after ?? 0)}`
      : `iterations ${iterationText(looked.before)} to ${iterationText(looked.after)}`;
  const note = `${name} · confusions at ${when} · ${countText(stage.data.names.length, 'class', 'classes')}`;
  surface.text(note, 18, scene.height + 32, { size: 10, fill: theme.ink3 });
}

export function sheet(stage: ConfusionStage): Sheet {
  const scene = stage.scene as Scene;
  return {
    width: scene.width,
    height: scene.height + FOOT,
    title: `${stage.run.id}, Confusion view`,
    draw: (surface) => drawSheet(surface, scene, stage),
  };
}

/** One row a cell that occurs, in the order of the matrix. */
function cellsCsv(stage: ConfusionStage): string {
  const table = stage.data.table.value;
  const entries = stage.entries;
  const matrix = stage.matrix;
  const head = ['true', 'true name', 'predicted', 'predicted name'];
  const counts = table?.before ? ['before', 'after', 'change of share'] : ['count', 'share'];
  const lines = [csvLine([...head, ...counts])];
  for (let i = 0; entries && matrix && i < entries.row.length; i++) {
    const cls = matrix.rows[entries.row[i]];
    const label = matrix.columns[entries.column[i]];
    const share = Math.round(entries.share[i] * 1e4) / 1e4;
    const numbers = entries.before ? [entries.before[i], entries.count[i], share] : [entries.count[i], share];
    lines.push(csvLine([cls, stage.data.nameOf(cls), label, stage.data.nameOf(label), ...numbers]));
  }
  return `${lines.join('\n')}\n`;
}

/** Samples that are taken for something else, the largest flows first. */
async function flowsCsv(stage: ConfusionStage): Promise<string> {
  const asked = stage.rested;
  const lines = [csvLine(['true', 'true name', 'from', 'from name', 'to', 'to name', 'samples'])];
  if (asked?.before == null) return `${lines.join('\n')}\n`;
  const found = await stage.data.allFlows([asked.before, asked.after]);
  const name = (label: number) => stage.data.nameOf(label);
  for (let i = 0; i < found.cls.length; i++) {
    const [cls, from, to] = [found.cls[i], found.source[i], found.target[i]];
    lines.push(csvLine([cls, name(cls), from, name(from), to, name(to), found.count[i]]));
  }
  return `${lines.join('\n')}\n`;
}

/** The selected cell over the iterations, dump by dump. */
async function courseCsv(stage: ConfusionStage, cell: readonly [number, number]): Promise<string> {
  const { counts } = await stage.data.wholeCourse(cell);
  const lines = [csvLine(['iteration', 'samples'])];
  for (let dump = 0; dump < counts.length; dump++) {
    lines.push(csvLine([stage.run.iterations[dump], counts[dump] < 0 ? null : counts[dump]]));
  }
  return `${lines.join('\n')}\n`;
}

/** What the menu offers: the cells, the flows where two dumps are compared, and the course of a selected cell. */
export function tablesOf(stage: ConfusionStage) {
  const { cell } = stage.store.v;
  const tables = [
    {
      id: 'cells',
      label: 'Confusions',
      suffix: '-confusions.csv',
      csv: (): string | Promise<string> => cellsCsv(stage),
    },
  ];
  if (stage.isChange) {
    tables.push({ id: 'flows', label: 'Flows', suffix: '-flows.csv', csv: () => flowsCsv(stage) });
  }
  if (cell) {
    const words = cell.map((one) => stage.data.nameOf(one).replaceAll(' ', '_')).join('-as-');
    tables.push({
      id: 'course',
      label: 'Course of the selected cell',
      suffix: `-${words}.csv`,
      csv: () => courseCsv(stage, cell),
    });
  }
  return tables;
}
