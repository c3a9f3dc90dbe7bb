import { csvLine } from '../../kernel/csv.ts';
import { countText } from '../../kernel/format.ts';
import { measureText } from '../../kernel/measures.ts';
import type { Surface } from '../../marks/surface.ts';
import { selectedDumps, type Sheet } from '../frame/export.ts';
import { drawDynamic } from './draw_dynamic.ts';
import { drawStatic } from './draw_static.ts';
import { drawLegendLine } from './legend_line.ts';
import type { LayersStage } from './layers_stage.svelte.ts';
import { AXIS_HEIGHT, HEAD, LEGEND_HEIGHT, type Scene } from './scene.ts';

/** The view as files: the picture with all its charts (as far as a sheet goes), and the numbers behind them. */
const TALLEST = 6000;
const NOTE_HEIGHT = 20;
const FOOT = AXIS_HEIGHT + LEGEND_HEIGHT + NOTE_HEIGHT + 8;

export function sheet(stage: LayersStage): Sheet {
  const whole = HEAD.height + stage.layout.height + FOOT;
  const spine = HEAD.height + (stage.spine?.height ?? 0) + 16;
  const fits = whole <= TALLEST;
  const body = fits ? stage.layout.height : Math.min(stage.bodyHeight, stage.layout.height);
  const height = Math.max(HEAD.height + body + FOOT, Math.min(spine, TALLEST));
  const scene = { ...stage.sceneOf(fits ? 0 : stage.scroll, height, body), spineScroll: 0 };
  return {
    width: scene.width,
    height: scene.height,
    title: `${stage.run.id}, Layer view`,
    draw: (surface) => drawSheet(surface, scene, stage),
  };
}

function drawSheet(surface: Surface, scene: Scene, stage: LayersStage): void {
  surface.rect(0, 0, scene.width, scene.height, { fill: scene.theme.background });
  drawStatic(surface, scene);
  drawDynamic(surface, scene, { hover: null, brush: stage.brush, focus: stage.focus });
  const y = scene.axisY + AXIS_HEIGHT + LEGEND_HEIGHT / 2 + 4;
  drawLegendLine(surface, scene, scene.axis.x0, y);
  const note = `${stage.run.name} · ${countText(stage.run.dumps, stage.unit)} · ${measureText(scene.view.stat).title}`;
  surface.text(note, scene.axis.x0, y + NOTE_HEIGHT, { size: 10, fill: scene.theme.ink3 });
}

/** One row a shown node, one column a dump: asked for where a column of the charts stands for several. */
async function nodesCsv(stage: LayersStage): Promise<string> {
  const dumps = selectedDumps(stage);
  const { source, id, iterations } = stage.run;
  const { stat } = stage.store.v;
  const held = stage.data.stats.whole.value;
  const exact =
    held?.detail.level === 1 && held.measure === stat
      ? held
      : await source.nodeStats(id, stat, null, null, { signal: new AbortController().signal });
  const lines = [csvLine(['node', 'measure', ...dumps.map((d) => iterations[d])])];
  for (const node of stage.nodes) {
    const values = exact.values.row(node);
    const cells = dumps.map((d) => values[d] ?? null);
    lines.push(csvLine([stage.network?.nodes[node].name ?? '', stat, ...cells]));
  }
  return `${lines.join('\n')}\n`;
}

/** One row a filter in the drawn order, one column a dump; the values behind the colours are asked for. */
async function filtersCsv(stage: LayersStage, layer: number): Promise<string> {
  const { source, id, iterations } = stage.run;
  const measure = stage.store.v.filterStat;
  const values = await source.filterValues(id, layer, measure, { signal: new AbortController().signal });
  const filters = stage.network?.layers[layer].filters ?? 1;
  const columns = values.length / filters;
  const dumps = selectedDumps(stage).filter((d) => d < columns);
  const lines = [csvLine(['filter', 'measure', ...dumps.map((d) => iterations[d])])];
  for (const filter of stage.data.unfolded.get(layer)?.rows ?? []) {
    lines.push(csvLine([filter, measure, ...dumps.map((d) => values[filter * columns + d])]));
  }
  return `${lines.join('\n')}\n`;
}

/** All measures of the selected filter, one row a measure. */
function filterCsv(stage: LayersStage): string {
  const history = stage.data.filter.value;
  const dumps = selectedDumps(stage);
  const { iterations } = stage.run;
  const lines = [csvLine(['measure', ...dumps.map((d) => iterations[d])])];
  history?.measures.forEach((measure, row) => {
    const values = history.values.row(row);
    lines.push(csvLine([measure, ...dumps.map((d) => values[d] ?? null)]));
  });
  return `${lines.join('\n')}\n`;
}

/** What the menu offers: the charts, the filters of each unfolded layer, and the selected filter. */
export function tablesOf(stage: LayersStage) {
  const names = stage.network?.layers ?? [];
  const nameOf = (layer: number) => names[layer]?.name ?? `layer ${layer}`;
  const { filter, stat } = stage.store.v;
  return [
    {
      id: 'nodes',
      label: `${measureText(stat).title} of each chart`,
      suffix: `-${stat}.csv`,
      csv: () => nodesCsv(stage),
    },
    ...[...stage.data.unfolded.keys()].map((layer) => ({
      id: 'filters',
      label: `Filters of ${nameOf(layer)}`,
      suffix: `-${nameOf(layer)}.csv`,
      csv: () => filtersCsv(stage, layer),
    })),
    ...(filter
      ? [
          {
            id: 'filter',
            label: `Filter #${filter[1]} of ${nameOf(filter[0])}`,
            suffix: `-${nameOf(filter[0])}-${filter[1]}.csv`,
            csv: () => filterCsv(stage),
          },
        ]
      : []),
  ];
}
