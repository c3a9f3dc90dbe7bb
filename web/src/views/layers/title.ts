import { measureText } from '../../kernel/measures.ts';
import type { Scene } from './scene.ts';

/** What the charts show, in words. */
export function titleOf(scene: Scene): { title: string; hint: string } {
  const { stat, chart } = scene.view;
  const text = measureText(stat);
  const hint = 'click a bar or a module to drill down, a layer to see its filters';
  if (chart !== 'box') return { title: `${text.title} of each module and layer`, hint };
  const of =
    scene.boxesOf === 'filters' ? `${text.title}: distribution over the filters` : `All ${scene.boxesOf}`;
  return { title: of, hint };
}
