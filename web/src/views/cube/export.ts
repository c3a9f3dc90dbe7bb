import { countText } from '../../kernel/format.ts';
import type { Surface } from '../../marks/surface.ts';
import type { Sheet } from '../frame/export.ts';
import type { CubeStage } from './cube_stage.svelte.ts';
import { drawSheet } from './draw_sheet.ts';
import type { Scene } from './scene.ts';
import { columnsCsv, miniSetsCsv, pairsCsv, type Tabled } from './tables.ts';

/** The view as files: the picture as it is seen, with a line that says of what, and the tables behind it. */
const NOTE_HEIGHT = 22;

export function sheet(stage: CubeStage): Sheet {
  return {
    width: stage.width,
    height: stage.height + NOTE_HEIGHT,
    title: `${stage.run.id}, ${stage.layout === 'right' ? 'Correlation view' : 'cube'}`,
    draw: (surface) => stage.scene && draw(surface, { ...stage.scene, legend: true }, stage),
  };
}

function draw(surface: Surface, scene: Scene, stage: CubeStage): void {
  drawSheet(surface, scene, { hover: null, brush: stage.brush, rubber: null, focus: null });
  const { theme, width, height } = scene;
  surface.rect(0, height, width, NOTE_HEIGHT, { fill: theme.background });
  surface.text(noteOf(stage), 16, height + NOTE_HEIGHT / 2 - 2, { size: 10, fill: theme.ink3 });
}

function noteOf({ run, data, asked: v }: CubeStage): string {
  const found = data.shown?.correlation;
  if (!found) return run.name;
  const { settings } = found;
  const moved = settings.above === null ? `top ${settings.top} filters` : `filters > ${settings.above}`;
  return [
    run.name,
    countText(run.dumps, 'dump'),
    `anomalies: window ${v.win}, score ≥ ${v.th} %, ${v.rule} rule`,
    `${moved} by ${v.distance}`,
    ...(v.appears > 1 ? [`appears ≥ ${v.appears}`] : []),
    ...(v.significant ? ['beyond chance'] : []),
  ].join(' · ');
}

/** What the menu offers. */
export function tablesOf(stage: CubeStage) {
  const { data, run } = stage;
  const tabled = (): Tabled | null =>
    data.index && {
      index: data.index,
      iterations: run.iterations,
      minis: stage.store.v.minis,
      classes: stage.store.v.pinnedClasses,
      brush: stage.brush,
      nameOf: (cls) => data.nameOf(cls),
      layerName: (layer) => data.layerName(layer),
    };
  const table = (id: string, label: string, write: (from: Tabled) => string) => ({
    id,
    label,
    suffix: `-${id}.csv`,
    csv: () => {
      const from = tabled();
      if (!from) throw new Error('the correlation is not here yet.');
      return write(from);
    },
  });
  return [
    table('mini-sets', 'Mini-sets', miniSetsCsv),
    table('pairs', 'Mini-sets × classes', pairsCsv),
    table('columns', 'Anomaly iterations', columnsCsv),
  ];
}
